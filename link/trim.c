/* SPDX-License-Identifier: Apache-2.0 */
#include "link/trim.h"

#include <string.h>

#define PAGE 4096u

const char *const ht_trim_refusals[HT_TRIM_REFUSAL_COUNT] = {
#define REFUSAL_NAME(id, name) [HT_TRIM_##id] = name,
	HT_TRIM_REFUSALS(REFUSAL_NAME)
#undef REFUSAL_NAME
};

void ht_trim_init(struct ht_trim *t)
{
	memset(t, 0xff, sizeof(*t)); /* HT_UNKNOWN in each */
	t->refusal = HT_TRIM_NONE;
	t->done = 0;
	t->why[0] = '\0';
	t->why[sizeof(t->why) - 1] = '\0';
}

/* mtrim() of malloc.c: fastbins are emptied into the unsorted bin; of the other
 * bins those of at least a page are gone through, and each chunk with whole
 * pages inside has them advised away. */
static bool may_have_pages(const struct ht_bin *b)
{
	return b->kind == HT_BIN_UNSORTED || b->max_size == HT_UNKNOWN ||
	       b->max_size >= PAGE;
}

uint64_t ht_trim_hold_ns(const struct ht_snapshot *s,
			 const struct ht_trim_cost *cost, uint64_t arena)
{
	uint64_t looked_at = 0, with_pages = 0, pages = HT_UNKNOWN;

	for (size_t i = 0; i < s->arenas.n; i++)
		if (s->arenas.v[i].index == arena &&
		    s->arenas.v[i].trimmable != HT_UNKNOWN)
			pages = s->arenas.v[i].trimmable / PAGE;
	if (pages == HT_UNKNOWN || cost->page_ns == HT_UNKNOWN)
		return HT_UNKNOWN;
	for (size_t i = 0; i < s->bins.n; i++) {
		const struct ht_bin *b = &s->bins.v[i];

		if (b->arena != arena || b->chunks == HT_UNKNOWN)
			continue;
		if (b->kind == HT_BIN_FAST || may_have_pages(b))
			looked_at += b->chunks;
		if (b->kind != HT_BIN_FAST && may_have_pages(b))
			with_pages += b->chunks;
	}
	return looked_at * cost->chunk_ns + with_pages * cost->advise_ns +
	       pages * cost->page_ns;
}

static uint64_t microseconds(uint64_t ns)
{
	return (ns + 999) / 1000;
}

/* A program of one thread waits for the whole call; others for an arena. */
void ht_trim_forecast(const struct ht_snapshot *s, struct ht_trim *t)
{
	uint64_t longest = 0, all = 0;

	t->bytes = s->totals.trimmable;
	t->machine_bytes = s->totals.trimmable_private;
	for (size_t i = 0; i < s->arenas.n; i++) {
		uint64_t ns =
			ht_trim_hold_ns(s, &t->cost, s->arenas.v[i].index);

		if (ns == HT_UNKNOWN)
			return;
		all += ns;
		if (ns > longest)
			longest = ns;
	}
	if (s->arenas.n == 0)
		return;
	t->call_us = microseconds(all);
	t->hold_us =
		s->process.threads == 1 ? t->call_us : microseconds(longest);
}
