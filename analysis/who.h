/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who: which of the sites that were seen to allocate makes a heap grow. Two
 * things must hold together: its chunks stay, by those that are old enough to
 * tell, and chunks of their sizes become more, by two walks of the heap. What
 * stays in sizes that do not grow is a cache or a queue: others of them leave.
 */
#ifndef HT_ANALYSIS_WHO_H
#define HT_ANALYSIS_WHO_H

#include "common/cleanup.h"
#include "schema/snapshot.h"

enum ht_leaking { HT_LEAKING_NO, HT_LEAKING_YES, HT_LEAKING_UNKNOWN };

struct ht_who_site {
	size_t site; /* row of the list of sites */
	/* Share of its old chunks that are still there, and its interval (95 %,
	 * Wilson 1927), in which those not known count either way; NaN: it has
	 * no old chunk, or none of which it can be told (low is 0 then). */
	double survival, low, high;
	double bytes_per_s;	/* that it makes the heap grow by; NaN */
	double share_of_growth; /* of all that grew; NaN */
	enum ht_leaking leaking;
	double confidence; /* 0 to 1, of leaking; NaN: it is not said */
	const char *why;   /* in words, static */
};

struct ht_who_judged {
	struct ht_who_site *v; /* leaking first, then those of which
				    it is not sure, then what stays most */
	size_t n;
	double growth; /* bytes a second, of all classes; NaN: not known */
};

/* seen: the answer to HT_WHO. before, after: walks with size classes, `seconds`
 * apart, the first made after the first window; or NULL: growth is not known.
 * size: the only class that was asked for; 0: all. */
struct ht_who_in {
	const struct ht_snapshot *seen, *before, *after;
	double seconds;
	uint64_t size;
};
enum ht_code ht_who_judge(const struct ht_who_in *in, struct ht_who_judged *ret,
			  struct ht_err *err) HT_MUST_CHECK;
void ht_who_judged_fini(struct ht_who_judged *j);
#define HT_AUTO_WHO HT_CLEANUP(ht_who_judged_fini)

/* Wilson's interval of k successes among n; n > 0. */
void ht_wilson(double k, double n, double *ret_low, double *ret_high);

#endif
