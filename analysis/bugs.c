/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources: the numbers below in the bug tracker of sourceware.org, and the NEWS
 * of the glibc that mended each.
 */
#include "analysis/bugs.h"

#include <stdio.h>

#include "analysis/thresholds.h"

/* Free memory lies in holes of 64 KiB and more: no lack of room, it is not
 * found. (Aligned requests ask malloc for size + alignment and cut the rest
 * off; the hole that such a block leaves is too small for the next one.) */
static bool large_holes(const struct ht_snapshot *s)
{
	const struct ht_fragmentation *f = &s->fragmentation;

	return f->holes_ge_1m != HT_UNKNOWN && f->free_runs != HT_UNKNOWN &&
	       f->holes_ge_1m + f->holes_64k_1m >= f->free_runs / 2 &&
	       f->holes_ge_1m_count + f->holes_64k_1m_count >=
		       (uint64_t)ht_t.many_holes;
}

/* Or in many small ones, next to each other: remainders that were not merged.
 */
static bool small_holes(const struct ht_snapshot *s)
{
	const struct ht_fragmentation *f = &s->fragmentation;

	return f->holes_lt_4k != HT_UNKNOWN && f->free_runs != HT_UNKNOWN &&
	       f->holes_lt_4k >= f->free_runs / 2;
}

static const struct {
	struct ht_bug bug;
	bool (*sign)(const struct ht_snapshot *s);
} bugs[] = {
	{{14581, 0, 38,
	  "aligned requests (posix_memalign, aligned_alloc, aligned new) do not find the holes that blocks like them left; if the program makes such, ask for less alignment or keep the buffers; mended in 2.38"},
	 large_holes},
	{{30723, 38, 39,
	  "remainders of aligned requests went to thread caches and fastbins, where nothing merges them; mended in 2.39 and in updates of 2.38"},
	 small_holes},
};

const struct ht_bug *ht_bug_of(const struct ht_snapshot *s)
{
	unsigned minor;

	if (!s || sscanf(s->libc.version, "2.%u", &minor) != 1)
		return NULL;
	for (size_t i = 0; i < sizeof(bugs) / sizeof(*bugs); i++)
		if (minor >= bugs[i].bug.from && minor < bugs[i].bug.till &&
		    bugs[i].sign(s))
			return &bugs[i].bug;
	return NULL;
}
