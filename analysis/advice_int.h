/* SPDX-License-Identifier: Apache-2.0 */
/* What advice.c and remedies.c share. Inside analysis/ only. */
#ifndef HT_ANALYSIS_ADVICE_INT_H
#define HT_ANALYSIS_ADVICE_INT_H

#include <stdbool.h>

#include "analysis/advice.h"
#include "common/size.h"

/* glibc's DEFAULT_MMAP_THRESHOLD and DEFAULT_TRIM_THRESHOLD: a larger value
 * without M_* or tunable was set by freeing a large mmapped block. */
#define HT_DEFAULT_THRESHOLD 131072

/* The figures the advices ask about, in bytes; NaN: unknown, and no test with
 * it holds. */
struct ht_advised {
	struct ht_snapshot *s;
	double anon, retained, trimmable, tcache;
	double tops;  /* resident in tops, left there by malloc_trim(0) */
	double stuck; /* retained in pages that also hold bytes in use */
	double outside, blocked;
	double fastbin;	     /* in fastbins, where nothing merges */
	double machine_gets; /* of trimmable; NaN: not asked */
	bool failed;	     /* out of memory */
};

static inline double ht_advised_known(uint64_t v)
{
	return v == HT_UNKNOWN ? __builtin_nan("") : (double)v;
}

/* "1.5 MiB", as an argument of one printf. */
#define HT_SIZE_OF(v)                                                          \
	ht_size_text((v) == (v) ? (uint64_t)(v) : HT_UNKNOWN,                  \
		     (char[HT_SIZE_TEXT]){0}, HT_SIZE_TEXT)

/* Appends an advice of that code about that many bytes (NaN: of no figure).
 * NULL: out of memory, remembered in a->failed. */
struct ht_advice *ht_advise_of(struct ht_advised *a, const char *code,
			       double bytes, const char *fmt, ...)
	HT_PRINTF(4, 5);

/* Free whole pages outside the main arena that are there without thread caches:
 * a cache is its thread's in whichever arena. NaN: unknown. */
double ht_shareable(const struct ht_snapshot *s);

/* Of these, the arena that keeps most. */
double ht_largest_shareable(const struct ht_snapshot *s);

/* Free, and in fastbins: the state, and what empties them. */
bool ht_in_fastbins(const struct ht_advised *a);
void ht_state_fastbins(struct ht_advised *a);
void ht_advise_mxfast(struct ht_advised *a);

/* Most of what is retained, where that is much. */
bool ht_most_of_retained(const struct ht_advised *a, double bytes);

/* States that remedies ask about. */
bool ht_much_retained(const struct ht_advised *a);
bool ht_many_arenas(const struct ht_advised *a);
bool ht_thread_caches(const struct ht_advised *a);
bool ht_is_pinned(const struct ht_advised *a);
bool ht_is_fragmented(const struct ht_advised *a);

/* Appends every remedy whose condition holds. */
void ht_remedies(struct ht_advised *a);

#endif
