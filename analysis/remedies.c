/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remedies: what gives memory back, word for word as one types it, with what it
 * returns and what it costs.
 *
 * A figure is a range that one look can defend: `at_least` follows from what
 * lies in the heap now and from the rule of malloc.c that the remedy changes,
 * `bytes` is what it cannot exceed. Where one look cannot say how much, the
 * lower end is 0 and the text says what would tell. No remedy proposes what is
 * set already.
 */
#include "analysis/advice_int.h"

#include <inttypes.h>
#include <math.h>

#include "analysis/holds.h"
#include "analysis/stats.h"
#include "analysis/thresholds.h"

/* at_least and what to type; nothing happens when row is NULL. */
static void returns(struct ht_advice *row, double at_least)
{
	if (row && !isnan(at_least))
		row->at_least = at_least > 0 ? (uint64_t)at_least : 0;
}

static void type(struct ht_advice *row, const char *how, const char *cost)
{
	if (!row)
		return;
	snprintf(row->how, sizeof(row->how), "%s", how);
	snprintf(row->cost, sizeof(row->cost), "%s", cost);
}

/* Bytes of the process in transparent huge pages, where that is known. */
static double huge_pages(const struct ht_advised *a)
{
	double huge = ht_advised_known(a->s->process.anon_huge);

	return huge >= ht_t.advice_bytes ? huge : 0;
}

/* Pages that a fork left shared leave this process and nobody else. */
static bool shares(const struct ht_advised *a)
{
	return a->machine_gets + ht_t.advice_bytes < a->trimmable;
}

static void remedy_trim_shared(struct ht_advised *a)
{
	struct ht_advice *row = ht_advise_of(
		a, "trim_now", a->trimmable,
		"malloc_trim(0) would lower RSS by %s now, and give the machine %s: the other pages are shared with processes of the same fork(), or were merged by KSM, and stay. Trim in the parent before it forks, where a fork() shares them; what it has free then is in every child",
		HT_SIZE_OF(a->trimmable), HT_SIZE_OF(a->machine_gets));

	returns(row, a->machine_gets);
	type(row, "malloc_trim(0); in the parent, before fork()",
	     "each arena is locked while its free pages are returned; what is needed again is faulted in again, in each process");
}

static void remedy_trim(struct ht_advised *a)
{
	char cost[240];
	struct ht_advice *row;

	if (!(a->trimmable >= ht_t.advice_bytes))
		return;
	if (shares(a)) {
		remedy_trim_shared(a);
		return;
	}
	row = ht_advise_of(
		a, "trim_now", a->trimmable,
		"malloc_trim(0) would return %s now (heaptide trim %" PRIu64
		" says what stays); worth it when the next peak will not need them at once",
		HT_SIZE_OF(a->trimmable), a->s->head.pid);
	returns(row, a->trimmable);
	snprintf(
		cost, sizeof(cost),
		"each arena is locked while its free pages are returned; what is needed again is faulted in again");
	if (huge_pages(a) > 0)
		snprintf(
			cost, sizeof(cost),
			"%s are in transparent huge pages: khugepaged may fill the holes again, so that it does not last (%s)",
			HT_SIZE_OF(huge_pages(a)), ht_no_huge_pages(a->s));
	type(row, "malloc_trim(0); in the program, when it is idle", cost);
}

/* What malloc_trim would return if the kernel let it. */
static void remedy_unlock(struct ht_advised *a)
{
	const struct ht_snapshot *s = a->s;
	double locked = ht_advised_known(ht_snapshot_cause(s, HT_CAUSE_LOCKED));
	bool pool = s->process.huge_pool != HT_UNKNOWN && s->process.huge_pool;
	struct ht_advice *row;

	if (!(locked >= ht_t.advice_bytes))
		return;
	row = ht_advise_of(
		a, "unlock", locked,
		"%s are free in whole pages that %s: malloc_trim(0) asks the kernel to take them, and is refused",
		HT_SIZE_OF(locked),
		pool ? "lie in the huge page pool or are locked"
		     : "are locked in memory");
	returns(row, locked);
	type(row,
	     pool ? "glibc.malloc.hugetlb=0 or 1 in GLIBC_TUNABLES instead of 2"
		  : "munlockall() or munlock() in the program, then malloc_trim(0); lock what must not wait, not the heap (MCL_FUTURE)",
	     pool ? "more TLB misses" : "what was unlocked can be swapped out");
}

/* --- the trim threshold -------------------------------------------------- */

struct range {
	double low, high;
};

/* Resident bytes of an arena's top: what is retained and neither below the top
 * nor in a thread cache. */
static struct range top_resident(const struct ht_arena *r)
{
	double high =
		ht_advised_known(r->retained) - ht_advised_known(r->pinned);

	high = fmin(high, ht_advised_known(r->top));
	return (struct range){fmax(0, high - ht_advised_known(r->tcache)),
			      high};
}

/* Tops of `from` bytes to below `to`. systrim and heap_trim leave `pad` and
 * MINSIZE, and whole pages go. */
static struct range held_tops(const struct ht_snapshot *s, double from,
			      double to, double pad)
{
	struct range sum = {0, 0};

	for (size_t i = 0; i < s->arenas.n; i++) {
		const struct ht_arena *r = &s->arenas.v[i];
		double size = ht_advised_known(r->top);
		struct range top = top_resident(r);

		if (!(size >= from && size < to) || isnan(top.high))
			continue;
		sum.low += fmax(0, top.low - pad - 2 * HT_PAGE);
		sum.high += top.high;
	}
	return sum;
}

static double pad_of(const struct ht_params *p)
{
	double pad = ht_advised_known(p->top_pad);

	return isnan(pad) ? HT_DEFAULT_THRESHOLD : pad;
}

/* What is set in code no environment changes: it goes where it was set. */
static void type_threshold(struct ht_advice *row, bool was_set)
{
	type(row,
	     was_set ? "131072 where it was set: mallopt(M_TRIM_THRESHOLD) in code, MALLOC_TRIM_THRESHOLD_, or glibc.malloc.trim_threshold in GLIBC_TUNABLES"
		     : "GLIBC_TUNABLES=glibc.malloc.trim_threshold=131072 (glibc 2.26 on), MALLOC_TRIM_THRESHOLD_=131072, or mallopt(M_TRIM_THRESHOLD, 131072) first in main()",
	     "the next peak is faulted in again; the mmap threshold stays at 128 KiB, so each larger block costs an mmap and an munmap");
}

static void remedy_trim_threshold(struct ht_advised *a)
{
	const struct ht_params *p = &a->s->params;
	double threshold = ht_advised_known(p->trim_threshold);
	bool was_set = p->no_dyn_threshold == 1;
	char is[80];
	struct ht_advice *row;
	struct range tops;

	if (!(threshold > HT_DEFAULT_THRESHOLD))
		return;
	tops = held_tops(a->s, HT_DEFAULT_THRESHOLD, threshold, pad_of(p));
	if (!(tops.high >= ht_t.advice_bytes))
		return;
	if (p->trim_threshold == HT_PARAM_OFF)
		snprintf(is, sizeof(is),
			 "free() is told never to trim (M_TRIM_THRESHOLD -1)");
	else
		snprintf(
			is, sizeof(is), "the trim threshold is %s%s",
			HT_SIZE_OF(threshold),
			was_set ? ""
				: " (raised by freeing a large mmapped block)");
	row = ht_advise_of(
		a, "trim_threshold", tops.high,
		"the tops of arenas keep %s because %s; with the default of 128 KiB free() returns them, in every arena",
		HT_SIZE_OF(tops.high), is);
	returns(row, tops.low);
	type_threshold(row, was_set);
}

/* Beyond the threshold free() shrinks a top to top_pad. */
static void remedy_top_pad(struct ht_advised *a)
{
	const struct ht_params *p = &a->s->params;
	double threshold = ht_advised_known(p->trim_threshold);
	struct ht_advice *row;
	struct range tops;

	if (!(pad_of(p) > HT_DEFAULT_THRESHOLD))
		return;
	tops = held_tops(a->s, threshold, INFINITY, HT_DEFAULT_THRESHOLD);
	if (!(tops.high >= ht_t.advice_bytes))
		return;
	row = ht_advise_of(
		a, "top_pad", tops.high,
		"the tops of arenas keep %s because top_pad is %s: free() shrinks a top no further; with the default of 128 KiB it returns the rest",
		HT_SIZE_OF(tops.high), HT_SIZE_OF(pad_of(p)));
	returns(row, tops.low);
	type(row,
	     "131072 where it was set: mallopt(M_TOP_PAD) in code, MALLOC_TOP_PAD_, or glibc.malloc.top_pad in GLIBC_TUNABLES",
	     "a heap that grows asks the kernel more often");
}

/* --- the mmap threshold -------------------------------------------------- */

/* In arenas, in chunks that the default threshold would give mappings of their
 * own: in use (`low`, the evidence that such blocks live there), and free
 * (`high`: the holes that they may have left, among others). */
static struct range large_in_arenas(const struct ht_snapshot *s)
{
	struct range sum = {0, 0};

	for (size_t i = 0; i < s->size_classes.n; i++) {
		const struct ht_size_class *c = &s->size_classes.v[i];

		if (!((double)c->max_size > HT_DEFAULT_THRESHOLD))
			continue;
		if (c->in_use_bytes != HT_UNKNOWN)
			sum.low += (double)c->in_use_bytes;
		if (c->free_bytes != HT_UNKNOWN)
			sum.high += (double)c->free_bytes;
	}
	return sum;
}

static void remedy_mmap_threshold(struct ht_advised *a)
{
	const struct ht_params *p = &a->s->params;
	double threshold = ht_advised_known(p->mmap_threshold);
	struct range large = large_in_arenas(a->s);
	double holes = fmin(large.high, a->retained);
	struct ht_advice *row;

	if (!ht_much_retained(a) || !(threshold > HT_DEFAULT_THRESHOLD) ||
	    p->no_dyn_threshold != 0 || !(large.low >= ht_t.advice_bytes) ||
	    !(holes >= ht_t.advice_bytes))
		return;
	row = ht_advise_of(
		a, "mmap_threshold", holes,
		"the mmap threshold rose to %s, so blocks of 128 KiB and more live in arenas (%s in use now) and leave holes there, as far as the %s of large holes are theirs; pinned at 128 KiB each such block goes back to the system when it is freed",
		HT_SIZE_OF(threshold), HT_SIZE_OF(large.low),
		HT_SIZE_OF(large.high));
	returns(row, 0);
	type(row,
	     "GLIBC_TUNABLES=glibc.malloc.mmap_threshold=131072 (glibc 2.26 on), MALLOC_MMAP_THRESHOLD_=131072, or mallopt(M_MMAP_THRESHOLD, 131072) first in main()",
	     "each such block costs an mmap, its page faults and an munmap; the trim threshold stays where it is, too");
}

#define DEFAULT_MMAPS 65536 /* glibc's DEFAULT_MMAP_MAX */

/* As many mappings as malloc may have: what else is large lives in arenas. */
static void remedy_mmap_max(struct ht_advised *a)
{
	const struct ht_params *p = &a->s->params;
	double holes = fmin(large_in_arenas(a->s).high, a->retained);
	struct ht_advice *row;

	if (!ht_much_retained(a) || p->n_mmaps_max == HT_UNKNOWN ||
	    p->n_mmaps == HT_UNKNOWN || p->n_mmaps < p->n_mmaps_max ||
	    !(holes >= ht_t.advice_bytes))
		return;
	row = ht_advise_of(
		a, "mmap_max", holes,
		"malloc may map %" PRIu64 " blocks, and has mapped %" PRIu64
		": other blocks of 128 KiB and more live in arenas, and leave holes there, as far as the %s of large holes are theirs; in a mapping of its own each goes back to the system when it is freed",
		p->n_mmaps_max, p->n_mmaps, HT_SIZE_OF(holes));
	returns(row, 0);
	type(row,
	     p->n_mmaps_max < DEFAULT_MMAPS
		     ? "take M_MMAP_MAX away where it was set: mallopt() in code, MALLOC_MMAP_MAX_, or glibc.malloc.mmap_max in GLIBC_TUNABLES"
		     : "GLIBC_TUNABLES=glibc.malloc.mmap_max=1000000 (glibc 2.26 on), MALLOC_MMAP_MAX_=1000000, and vm.max_map_count above it",
	     "each such block costs an mmap, its page faults and an munmap");
}

static void remedy_small_mappings(struct ht_advised *a)
{
	double threshold = ht_advised_known(a->s->params.mmap_threshold);
	double mapped = ht_advised_known(a->s->totals.mmapped);
	double chunks = ht_advised_known(a->s->totals.mmapped_chunks);
	struct ht_advice *row;

	if (!(chunks > ht_t.many_mmapped &&
	      mapped < ht_t.small_mmapped * chunks &&
	      threshold < HT_DEFAULT_THRESHOLD))
		return;
	row = ht_advise_of(
		a, "mmap_threshold", fmax(0, mapped - chunks * threshold),
		"%.0f blocks of %s on average have a mapping of their own, whole pages each, because the mmap threshold is %s; the default of 128 KiB puts them into an arena",
		chunks, HT_SIZE_OF(mapped / chunks), HT_SIZE_OF(threshold));
	returns(row, 0);
	type(row,
	     "take MALLOC_MMAP_THRESHOLD_, glibc.malloc.mmap_threshold or mallopt(M_MMAP_THRESHOLD) away, whichever set it",
	     "freed blocks may stay in the arena");
}

/* --- arenas -------------------------------------------------------------- */

static size_t idle_arenas(const struct ht_snapshot *s)
{
	size_t idle = 0;

	for (size_t i = 0; i < s->arenas.n; i++)
		idle += s->arenas.v[i].in_use < (uint64_t)ht_t.advice_bytes;
	return idle;
}

/* What the largest keeps: whoever shares an arena still peaks in one, and the
 * rule that keeps what is left there is no other. */
double ht_largest_shareable(const struct ht_snapshot *s)
{
	double most = 0;

	for (size_t i = 0; i < s->arenas.n; i++) {
		const struct ht_arena *r = &s->arenas.v[i];

		if (r->kind == HT_ARENA_THREAD && r->retained != HT_UNKNOWN &&
		    r->tcache != HT_UNKNOWN && r->retained > r->tcache)
			most = fmax(most, (double)(r->retained - r->tcache));
	}
	return most;
}

static void remedy_arena_max(struct ht_advised *a)
{
	const struct ht_snapshot *s = a->s;
	size_t idle = idle_arenas(s);
	double bytes = ht_shareable(s), most = bytes - ht_largest_shareable(s);
	struct ht_advice *row;

	if (!ht_many_arenas(a) || 2 * idle < s->arenas.n ||
	    !(bytes >= ht_t.cause_share * a->retained) ||
	    !(most >= ht_t.advice_bytes) ||
	    (s->params.arena_max >= 1 && s->params.arena_max <= 2))
		return;
	row = ht_advise_of(
		a, "arena_max", most,
		"%zu of %" PRIu64
		" arenas hold less than %s in use: with two arenas threads share free memory. It returns what peaks of different threads do not need at the same time: the verdict of a record says how much",
		idle, s->totals.arenas, HT_SIZE_OF(ht_t.advice_bytes));
	returns(row, 0);
	type(row,
	     "MALLOC_ARENA_MAX=2, GLIBC_TUNABLES=glibc.malloc.arena_max=2 (glibc 2.26 on), or mallopt(M_ARENA_MAX, 2) first in main()",
	     "threads wait for each other's locks in malloc and free");
}

/* --- thread caches ------------------------------------------------------- */

/* Bins of a thread cache (TCACHE_SMALL_BINS; 76 from 2.42 on, which only makes
 * the lower end lower). */
#define TCACHE_BINS 76

/* Share of the cached chunks that a limit of `count` a bin would not cache:
 * at least those of each thread beyond full bins. */
static double beyond(const struct ht_snapshot *s, double count)
{
	double all = 0, over = 0;

	for (size_t i = 0; i < s->threads.n; i++) {
		double chunks = ht_advised_known(s->threads.v[i].tcache_chunks);

		if (isnan(chunks))
			continue;
		all += chunks;
		over += fmax(0, chunks - TCACHE_BINS * count);
	}
	return all > 0 ? over / all : 0;
}

/* Free pages that only cached chunks keep apart from the rest. */
static double cached_pages(const struct ht_advised *a)
{
	double idle = ht_advised_known(a->s->totals.resident_free);

	return fmax(0, fmin(a->tcache, idle - a->trimmable - a->tops));
}

static void remedy_tcache(struct ht_advised *a)
{
	double now = ht_advised_known(a->s->params.tcache_count);
	double count = now > 2 ? 2 : 0, share, at_least, bytes;
	char how[160];
	struct ht_advice *row;

	if (!ht_thread_caches(a) || !(now > 0))
		return;
	if (beyond(a->s, count) < ht_t.cause_share)
		count = 0; /* few chunks a list: a limit would not touch them */
	share = beyond(a->s, count);
	bytes = a->tcache * (count > 0 ? 1 - count / now : 1);
	/* what is cached no more fills tops first, up to the threshold */
	at_least = ht_t.tcache_sure * share * cached_pages(a) -
		   2 * HT_DEFAULT_THRESHOLD * (double)a->s->arenas.n;
	row = ht_advise_of(
		a, "tcache_count", fmax(bytes, at_least),
		"%" PRIu64
		" threads cache %s in lists of up to %.0f chunks of a size; shorter lists leave the rest to the arenas, which can return it. A cache also goes when its thread ends",
		a->s->process.threads, HT_SIZE_OF(a->tcache), now);
	returns(row, at_least);
	snprintf(
		how, sizeof(how),
		"GLIBC_TUNABLES=glibc.malloc.tcache_count=%.0f (glibc 2.26 on; %.0f now)",
		count, now);
	type(row, how,
	     "malloc and free of small blocks take the arena's lock more often");
}

/* --- placement ----------------------------------------------------------- */

/* global_max_fast by default: chunks up to it are not merged when freed. */
#define FASTBIN_MAX 128

/* At least so much leaves where free() sees the pin: it is the last of the main
 * heap, no fastbin takes it, and what it joins reaches the trim threshold. */
static double cached_last(const struct ht_snapshot *s,
			  const struct ht_arena *pin)
{
	double holds = ht_advised_known(pin->pin_holds);
	double alone = ht_advised_known(s->blocked.chunks_1);
	double threshold = ht_advised_known(s->params.trim_threshold);

	if (pin->kind != HT_ARENA_MAIN || pin->pin_size <= FASTBIN_MAX ||
	    !(alone >= ht_t.pin_alone * holds) || !(holds >= threshold))
		return 0;
	return ht_t.pin_alone * holds - pad_of(&s->params) - 2 * HT_PAGE;
}

/* The program freed it; its arena does not know. */
static void pinned_by_cache(struct ht_advised *a, const struct ht_arena *pin)
{
	struct ht_advice *row = ht_advise_of(
		a, "pin", ht_advised_known(pin->pin_holds),
		"the %" PRIu64 "-byte chunk at 0x%" PRIx64
		" holds %s below it: the program freed it, and it waits in the cache of thread %" PRIu64
		", which to its arena is in use. It goes when that thread ends",
		pin->pin_size, pin->pin_address,
		HT_SIZE_OF(ht_advised_known(pin->pin_holds)),
		pin->pin_cached_by);

	returns(row, cached_last(a->s, pin));
	type(row, "GLIBC_TUNABLES=glibc.malloc.tcache_count=0 (glibc 2.26 on)",
	     pin->pin_size <= FASTBIN_MAX
		     ? "without a cache a chunk of this size waits in a fastbin until the next large request merges it; malloc and free take the arena's lock each time"
		     : "malloc and free of small blocks take the arena's lock each time");
}

static void remedy_pin(struct ht_advised *a)
{
	const struct ht_arena *worst = NULL;

	for (size_t i = 0; i < a->s->arenas.n; i++) {
		const struct ht_arena *r = &a->s->arenas.v[i];

		if (r->pin_holds != HT_UNKNOWN &&
		    (!worst || r->pin_holds > worst->pin_holds))
			worst = r;
	}
	if (!worst || !ht_is_pinned(a) || worst->pin_address == HT_UNKNOWN)
		return;
	if (worst->pin_cached_by != HT_UNKNOWN)
		pinned_by_cache(a, worst);
	else
		returns(ht_advise_of(
				a, "pin", ht_advised_known(worst->pin_holds),
				"the %" PRIu64
				"-byte chunk in use at 0x%" PRIx64
				" holds %s below it: allocate what lives long before what is large and short-lived, or free this chunk",
				worst->pin_size, worst->pin_address,
				HT_SIZE_OF(ht_advised_known(worst->pin_holds))),
			0);
}

/* jemalloc's class for a request: 16 apart up to 128 bytes, then four to each
 * doubling. */
#define CLASS_APART 16
#define CLASSES	    8 /* of one distance, at its end */
static double class_of(double request)
{
	double apart = CLASS_APART;

	while (request > CLASSES * apart)
		apart *= 2;
	return apart * ceil(request / apart);
}

/* Where what stays has the sizes of what was freed, another allocator keeps as
 * many pages, in its own classes, with 128 bytes and more about each of them,
 * and what it begins with: jemalloc's 3 MiB. */
static double allocator_takes(const struct ht_snapshot *s)
{
	double is = 0, would_be = 0;

	for (size_t i = 0; i < s->size_classes.n; i++) {
		const struct ht_size_class *c = &s->size_classes.v[i];

		if (c->in_use_bytes == HT_UNKNOWN || !c->in_use_bytes)
			continue;
		is += (double)c->in_use_bytes;
		would_be += (double)c->in_use_bytes / (double)c->max_size *
			    class_of((double)c->max_size - 8);
	}
	return ht_advised_known(s->totals.heap_resident) *
		       (is > 0 ? fmax(0, would_be / is - 1) +
					 ht_t.allocator_share
			       : ht_t.allocator_unknown) +
	       ht_t.allocator_bytes;
}

static void remedy_allocator(struct ht_advised *a)
{
	double takes = allocator_takes(a->s);
	struct ht_advice *row;
	char cost[200];

	if (!ht_is_fragmented(a))
		return;
	row = ht_advise_of(
		a, "allocator", a->stuck,
		"%s are stuck in holes between chunks in use: keep objects of one lifetime together (a pool per request). An allocator with size-class pages (jemalloc, mimalloc) helps where what was freed had other sizes than what stays; of the same size it returns nothing",
		HT_SIZE_OF(a->stuck));
	returns(row, 0);
	if (row && !isnan(takes))
		row->at_worst = (uint64_t)takes;
	snprintf(
		cost, sizeof(cost),
		"its own classes and pages: where it returns nothing up to %s more than now; freed pages stay with it for some seconds; compare RSS under load",
		HT_SIZE_OF(takes));
	type(row, "LD_PRELOAD=libjemalloc.so.2 for a trial under your own load",
	     cost);
}

static void (*const remedies[])(struct ht_advised *a) = {
	remedy_trim,	  remedy_unlock,	 remedy_trim_threshold,
	remedy_top_pad,	  remedy_mmap_threshold, remedy_small_mappings,
	remedy_arena_max, remedy_tcache,	 remedy_pin,
	remedy_mmap_max,  ht_advise_mxfast,	 remedy_allocator,
};

void ht_remedies(struct ht_advised *a)
{
	for (size_t i = 0; i < sizeof(remedies) / sizeof(*remedies); i++)
		remedies[i](a);
}
