/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who: the call stacks that were seen to make a leak, as a daemon found them
 * out (who = on-leak). A stack is kept once, however often it is seen; what
 * became of its chunks, each time.
 */
#ifndef HT_STORE_WHO_H
#define HT_STORE_WHO_H

#include "store/store.h"

#define HT_STORE_SITES_MAX 32 /* of one answer */

/* A site, and what was concluded of it. Figures that are not known are NaN. */
struct ht_store_site {
	const char *name; /* its innermost functions, in words */
	struct ht_site seen;
	double survival, low, high; /* of its old chunks, and the interval */
	double bytes_per_s, share_of_growth, confidence;
	int leaking;	  /* 1, 0; -1: not sure */
	size_t row;	  /* written: of the snapshot's list of sites */
	int64_t stack_id; /* read */
};

/* One answer. */
struct ht_store_who {
	int64_t at_ns;
	uint64_t max_size; /* the class that was asked about; 0: all */
	struct ht_windows windows;
	double growth; /* bytes a second; NaN */
};

/* sites: at most HT_STORE_SITES_MAX of them are kept, the first ones; seen: has
 * the frames of their rows. */
enum ht_code ht_store_add_who(struct ht_store *st, int64_t process_id,
			      const struct ht_store_who *who,
			      const struct ht_snapshot *seen,
			      const struct ht_store_site *sites, size_t n,
			      struct ht_err *err) HT_MUST_CHECK;

/* Calls `each` for the sites of all answers in [from, to], the oldest answer
 * first and the sites of one as they were given, until it returns non-zero. An
 * answer without sites is told once, with site NULL. Both are borrowed for the
 * call. */
typedef int ht_store_site_each(void *ctx, const struct ht_store_who *who,
			       const struct ht_store_site *site);
enum ht_code ht_store_sites(struct ht_store *st, int64_t process_id,
			    int64_t from_ns, int64_t to_ns,
			    ht_store_site_each *each, void *ctx,
			    struct ht_err *err) HT_MUST_CHECK;
/* When the newest answer at or before a time was given; 0: there is none. */
enum ht_code ht_store_who_before(struct ht_store *st, int64_t process_id,
				 int64_t at_ns, int64_t *ret_ns,
				 struct ht_err *err) HT_MUST_CHECK;
/* The frames of a stack, innermost first, are added to the snapshot's list;
 * their site is 0. */
enum ht_code ht_store_stack(struct ht_store *st, int64_t stack_id,
			    struct ht_snapshot *into,
			    struct ht_err *err) HT_MUST_CHECK;

#endif
