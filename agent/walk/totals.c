/* SPDX-License-Identifier: Apache-2.0 */
/* Totals: sums over all arenas, and the ratios that are made of them. */
#include "agent/walk/estimate.h"
#include "agent/walk/heaps.h"
#include "agent/walk/round.h"

static const uint64_t hole_limits[] = {UINT64_C(4) << 10, UINT64_C(64) << 10,
				       UINT64_C(1) << 20, UINT64_MAX};

void ht_runs_count(struct ht_runs *r, uint64_t size)
{
	struct ht_class_count *c = &r->by_class[ht_class_of(size)];
	unsigned i = 0;

	while (size >= hole_limits[i])
		i++;
	r->bytes[i] += size;
	r->count[i]++;
	c->chunks++;
	c->bytes += size;
	if (size > r->largest)
		r->largest = size;
}

void ht_kept_add(struct ht_kept *to, const struct ht_kept *from)
{
	for (unsigned i = 0; i < HT_CAUSE_COUNT; i++)
		to->by[i] += from->by[i];
}

uint64_t ht_kept_sum(const struct ht_kept *k)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < HT_CAUSE_COUNT; i++)
		sum += k->by[i];
	return sum;
}

/* --- sums ---------------------------------------------------------------- */

static const size_t summed[][2] = {
#define SUM(name)                                                              \
	{                                                                      \
		offsetof(struct ht_arena, name),                               \
			offsetof(struct ht_totals, name)                       \
	}
	SUM(system),
	SUM(max_system),
	SUM(in_use),
	SUM(in_use_chunks),
	SUM(free),
	SUM(tcache),
	SUM(fastbin),
	SUM(unsorted),
	SUM(small),
	SUM(large),
	SUM(top),
	SUM(overhead),
	SUM(retained),
	SUM(trimmable),
	SUM(pinned),
	SUM(resident_free),
#undef SUM
	{offsetof(struct ht_arena, resident),
	 offsetof(struct ht_totals, heap_resident)},
};

static uint64_t *member(void *record, size_t offset)
{
	return (uint64_t *)(void *)((char *)record + offset);
}

static void sum_column(struct ht_snapshot *s, size_t from, size_t to)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->arenas.n && sum != HT_UNKNOWN; i++) {
		uint64_t v = *member(&s->arenas.v[i], from);

		sum = v == HT_UNKNOWN ? HT_UNKNOWN : sum + v;
	}
	*member(&s->totals, to) = sum;
}

static void sum_last_remainder(struct ht_snapshot *s)
{
	s->totals.last_remainder = 0;
	for (size_t i = 0; i < s->arenas.n; i++)
		if (s->arenas.v[i].last_remainder != HT_UNKNOWN)
			s->totals.last_remainder +=
				s->arenas.v[i].last_remainder;
}

static void sum_places(struct ht_walk *w)
{
	struct ht_totals *t = &w->out->totals;

	t->tcache_chunks = 0;
	for (size_t i = 0; i < w->roots->cached_n; i++)
		t->tcache_chunks += w->roots->cached[i].size != 0;
	if (!w->lists_cut) {
		t->fastbin_chunks = w->fastbin_chunks;
		t->binned_chunks = w->binned_chunks;
	}
	t->heaps = 0;
	for (size_t i = 0; i < w->roots->arenas; i++)
		t->heaps += w->roots->arena[i].heaps;
	if (w->census.known) {
		t->mmapped_chunks = w->census.chunks;
		t->mmapped = w->census.bytes;
	}
}

static void sum_idle(struct ht_walk *w)
{
	struct ht_snapshot *s = w->out;
	struct ht_totals *t = &s->totals;

	t->unattached_arenas = 0;
	for (size_t i = 0; i < s->arenas.n; i++)
		t->unattached_arenas += s->arenas.v[i].attached_threads == 0;
	if (t->resident_free == HT_UNKNOWN)
		return;
	t->free_swapped = w->free_swapped;
	if (t->heap_resident != HT_UNKNOWN)
		t->used_pages_resident = t->heap_resident - t->resident_free;
	if (!w->private_unknown && t->trimmable != HT_UNKNOWN)
		t->trimmable_private = w->trimmable_private;
	t->arenas_holding = t->non_main_free_resident = 0;
	for (size_t i = 0; i < s->arenas.n; i++) {
		uint64_t idle = s->arenas.v[i].resident_free;

		t->arenas_holding += idle && idle >= t->resident_free / 20;
		if (s->arenas.v[i].kind == HT_ARENA_THREAD)
			t->non_main_free_resident += idle;
	}
}

/* Bytes that the thread caches held, and that the pass met as something else
 * or not at all: the thread has moved on, or its list was cut, or not read; and
 * what the caches have come to hold since. It counts as whatever the pass took
 * it for. */
static uint64_t cached_elsewhere(const struct ht_walk *w)
{
	uint64_t met = 0, bytes;

	if (!w->in->moving) /* damage: a finding */
		return w->roots->cached_swapped;
	for (size_t i = 0; i < w->roots->cached_n; i++)
		met += w->roots->cached[i].size;
	bytes = w->roots->counted > met ? w->roots->counted - met : 0;
	bytes += ht_tcache_drift(w->in, w->roots) + ht_tcache_unread(w->roots);
	return bytes < w->total ? bytes : w->total; /* counters lie at times */
}

static void sum_uncertain(struct ht_walk *w)
{
	struct ht_snapshot *s = w->out;

	s->stop.uncertain_bytes =
		cached_elsewhere(w) + w->census.missed_bytes + w->grown_bytes;
	for (size_t i = 0; i < s->arenas.n; i++)
		s->stop.uncertain_bytes += s->arenas.v[i].uncertain_bytes;
	if (w->estimated)
		s->stop.uncertain_bytes += ht_estimate_uncertain(w);
}

/* --- fragmentation ------------------------------------------------------- */

static double ratio(uint64_t part, uint64_t whole)
{
	return whole ? (double)part / (double)whole : 0;
}

/* Class of the chunk below which `percent` of all chunks in use are. */
static unsigned percentile_class(const struct ht_walk *w, unsigned percent)
{
	uint64_t all = 0, seen = 0;
	unsigned c;

	for (c = 0; c < HT_CLASSES; c++)
		all += w->in_use[c].chunks;
	for (c = 0; c < HT_CLASSES - 1; c++) {
		seen += w->in_use[c].chunks;
		if (seen * 100 >= all * percent && all)
			break;
	}
	return c;
}

/* Share of the free runs that is too small for a chunk of this class (Gorman
 * and Whitcroft's unusable free space index). */
static double unusable(const struct ht_walk *w, unsigned class_index,
		       uint64_t all)
{
	uint64_t enough = 0;

	/* A class of one size holds runs that just fit; a class of many
	 * sizes is counted from the next one on. */
	if (class_index >= HT_EXACT_CLASSES)
		class_index++;
	for (unsigned c = class_index; c < HT_CLASSES; c++)
		enough += w->runs.by_class[c].bytes;
	return 1 - ratio(enough, all);
}

/* Runs of free chunks, of which a part was not met. */
static void forget_runs(struct ht_fragmentation *f)
{
	const double peak = f->peak_overhead;

	ht_record_clear(HT_RECORD_fragmentation, f);
	f->peak_overhead = peak;
}

static void fill_fragmentation(struct ht_walk *w)
{
	struct ht_fragmentation *f = &w->out->fragmentation;
	const struct ht_totals *t = &w->out->totals;
	const struct ht_runs *r = &w->runs;
	uint64_t all = r->bytes[0] + r->bytes[1] + r->bytes[2] + r->bytes[3];

	f->largest_free = r->largest;
	f->free_runs = all;
	f->holes_lt_4k = r->bytes[0];
	f->holes_4k_64k = r->bytes[1];
	f->holes_64k_1m = r->bytes[2];
	f->holes_ge_1m = r->bytes[3];
	f->holes_lt_4k_count = r->count[0];
	f->holes_4k_64k_count = r->count[1];
	f->holes_64k_1m_count = r->count[2];
	f->holes_ge_1m_count = r->count[3];
	f->external = all ? 1 - ratio(r->largest, all) : 0;
	if (all && (!w->in->light || w->round_ended)) {
		f->unusable_median = unusable(w, percentile_class(w, 50), all);
		f->unusable_p95 = unusable(w, percentile_class(w, 95), all);
	}
	if (t->in_use && t->in_use != HT_UNKNOWN)
		f->peak_overhead = ratio(t->max_system, t->in_use) - 1;
	if (t->retained == HT_UNKNOWN)
		return;
	f->stuck_ratio = ratio(w->kept.by[HT_CAUSE_SUB_PAGE], t->retained);
	if (t->heap_resident == HT_UNKNOWN)
		return;
	f->retained_ratio = ratio(t->retained, t->heap_resident);
	if (t->used_pages_resident)
		f->page_utilisation = ratio(w->kept.by[HT_CAUSE_HEAP_IN_USE],
					    t->used_pages_resident);
}

/* --- size classes -------------------------------------------------------- */

static struct ht_size_class *add_class(struct ht_walk *w, uint64_t max_size)
{
	struct ht_size_class *row = ht_snapshot_add_size_class(w->out);

	if (row) {
		row->max_size = max_size;
		row->free_chunks = row->free_bytes = 0;
	}
	return row;
}

static bool add_classes(struct ht_walk *w)
{
	struct ht_size_class *row;

	for (unsigned c = 0; c < HT_CLASSES; c++) {
		if (w->in_use[c].chunks == 0 && w->free[c].chunks == 0)
			continue;
		row = add_class(w, ht_class_max(c));
		if (!row)
			return false;
		row->in_use_chunks = w->in_use[c].chunks;
		row->in_use_bytes = w->in_use[c].bytes;
		row->free_chunks =
			w->estimated ? HT_UNKNOWN : w->free[c].chunks;
		row->free_bytes = w->estimated ? HT_UNKNOWN : w->free[c].bytes;
	}
	if (!w->census.known)
		return true;
	row = add_class(w, 0);
	if (!row)
		return false;
	row->in_use_chunks = w->census.chunks;
	row->in_use_bytes = w->census.bytes;
	return true;
}

/* In use by size is known of a walk, or of a round of slices. */
static bool has_classes(const struct ht_walk *w)
{
	return !w->in->light || (w->round_ended && !w->lists_cut);
}

enum ht_code ht_totals(struct ht_walk *w, struct ht_err *err)
{
	struct ht_snapshot *s = w->out;

	if (w->roots->spaces == 0)
		return HT_OK; /* no glibc heap: unknown, not zero */
	s->params = w->roots->space[0].params;
	s->totals.arenas = s->arenas.n;
	for (size_t i = 0; i < sizeof(summed) / sizeof(summed[0]); i++)
		sum_column(s, summed[i][0], summed[i][1]);
	sum_last_remainder(s);
	sum_places(w);
	sum_idle(w);
	sum_uncertain(w);
	if (w->in->light && w->in->round)
		ht_round_end(w);
	fill_fragmentation(w);
	if (w->lists_cut || w->estimated)
		forget_runs(&s->fragmentation);
	if (w->in->want & HT_WANT_CLASSES && has_classes(w) && !add_classes(w))
		return ht_fail(err, HT_NOMEM, "no memory for size classes");
	return HT_OK;
}
