/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/advice.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>

#include "analysis/fragmentation.h"
#include "analysis/thresholds.h"
#include "common/size.h"

/* glibc's DEFAULT_MMAP_THRESHOLD and DEFAULT_TRIM_THRESHOLD: a larger value
 * without M_* or tunable was set by freeing a large mmapped block. */
#define DEFAULT_THRESHOLD 131072.0

/* The figures the advices ask about; NaN: unknown, and no test with it holds.
 */
struct look {
	struct ht_snapshot *s;
	double anon, retained, trimmable, tcache, outside, blocked;
	bool failed; /* out of memory */
	size_t states;
};

static double known(uint64_t v)
{
	return v == HT_UNKNOWN ? NAN : (double)v;
}

static const char *bytes(double v, char out[HT_SIZE_TEXT])
{
	return ht_size_text(isnan(v) ? HT_UNKNOWN : (uint64_t)v, out,
			    HT_SIZE_TEXT);
}
#define SIZE(v) bytes((v), (char[HT_SIZE_TEXT]){0})

static void advise(struct look *l, const char *code, double about,
		   const char *fmt, ...) HT_PRINTF(4, 5);

static void advise(struct look *l, const char *code, double about,
		   const char *fmt, ...)
{
	struct ht_advice *a = ht_snapshot_add_advice(l->s);
	va_list args;

	if (!a) {
		l->failed = true;
		return;
	}
	snprintf(a->code, sizeof(a->code), "%s", code);
	a->bytes = isnan(about) ? HT_UNKNOWN : (uint64_t)about;
	va_start(args, fmt);
	vsnprintf(a->text, sizeof(a->text), fmt, args);
	va_end(args);
}

static bool much_retained(const struct look *l)
{
	return l->retained >=
	       fmax(ht_t.retained_bytes, ht_t.retained_share * l->anon);
}

static bool pinned(const struct look *l)
{
	return much_retained(l) &&
	       l->blocked >= ht_t.pinned_share * l->retained;
}

static bool fragmented(const struct look *l)
{
	return much_retained(l) &&
	       l->retained - l->trimmable >= ht_t.cause_share * l->retained &&
	       !(l->tcache >= ht_t.cause_share * l->retained);
}

static bool many_arenas(const struct look *l)
{
	const struct ht_totals *t = &l->s->totals;

	return much_retained(l) &&
	       known(t->arenas_holding) >= ht_t.arenas_holding &&
	       known(t->non_main_free_resident) >=
		       ht_t.arenas_share * known(t->resident_free);
}

static bool thread_caches(const struct look *l)
{
	return much_retained(l) && l->tcache >= ht_t.cause_share * l->retained;
}

static bool outside(const struct look *l)
{
	return l->outside >=
	       fmax(ht_t.retained_bytes, ht_t.outside_state * l->anon);
}

/* --- states
 * -------------------------------------------------------------------- */

static void state_retained(struct look *l)
{
	advise(l, "retained_high", l->retained,
	       "%s of %s anonymous memory is free inside malloc: the program "
	       "gave it up, the machine did not get it back",
	       SIZE(l->retained), SIZE(l->anon));
}

static void state_pinned(struct look *l)
{
	advise(l, "pinned", l->blocked,
	       "%s lie below a handful of chunks in use at the end of the main "
	       "heap: free() can give back only what is above the last one",
	       SIZE(l->blocked));
}

static void state_fragmented(struct look *l)
{
	double stuck = l->retained - l->trimmable;

	advise(l, "fragmented", stuck,
	       "%s of the %s that are free lie in pages that also hold bytes "
	       "in use: nobody can give them back without moving objects",
	       SIZE(stuck), SIZE(l->retained));
}

static void state_arenas(struct look *l)
{
	const struct ht_totals *t = &l->s->totals;

	advise(l, "many_arenas", known(t->non_main_free_resident),
	       "%" PRIu64 " of %" PRIu64 " arenas hold 5 %% or more of the "
	       "free pages each; %s of them lie outside the main arena",
	       t->arenas_holding, t->arenas,
	       SIZE(known(t->non_main_free_resident)));
}

static void state_caches(struct look *l)
{
	advise(l, "thread_caches", l->tcache,
	       "%s of freed chunks wait in thread caches, where neither "
	       "free() nor malloc_trim() finds them",
	       SIZE(l->tcache));
}

static void state_outside(struct look *l)
{
	advise(l, "outside_malloc", l->outside,
	       "%s of %s anonymous memory is not malloc's: stacks, own "
	       "mappings, static data or another allocator",
	       SIZE(l->outside), SIZE(l->anon));
}

/* --- remedies
 * -------------------------------------------------------------------- */

static void remedy_trim(struct look *l)
{
	if (!(l->trimmable >= ht_t.advice_bytes))
		return;
	advise(l, "trim_now", l->trimmable,
	       "malloc_trim(0) would return %s now (heaptide trim PID says "
	       "what stays); "
	       "worth it when the next peak will not need them at once",
	       SIZE(l->trimmable));
}

/* Only the main arena's top is trimmed by the threshold. */
static void remedy_trim_threshold(struct look *l)
{
	const struct ht_params *p = &l->s->params;
	double top = l->s->arenas.n ? known(l->s->arenas.v[0].top) : NAN;
	double threshold = known(p->trim_threshold);

	if (!(top >= ht_t.advice_bytes && top < threshold &&
	      threshold > DEFAULT_THRESHOLD))
		return;
	advise(l, "trim_threshold", top,
	       "the top chunk's %s stay because the trim threshold is %s%s: "
	       "mallopt(M_TRIM_THRESHOLD, 131072) or GLIBC_TUNABLES="
	       "glibc.malloc.trim_threshold=131072 lets free() return them",
	       SIZE(top), SIZE(threshold),
	       p->no_dyn_threshold == 0
		       ? " (raised by freeing a large mmapped block)"
		       : "");
}

static void remedy_mmap_threshold(struct look *l)
{
	const struct ht_params *p = &l->s->params;
	double threshold = known(p->mmap_threshold);
	double mapped = known(l->s->totals.mmapped);
	double chunks = known(l->s->totals.mmapped_chunks);

	if (much_retained(l) && threshold > DEFAULT_THRESHOLD &&
	    p->no_dyn_threshold == 0)
		advise(l, "mmap_threshold", l->retained,
		       "the dynamic mmap threshold rose to %s, so blocks up to "
		       "that size now live in the arena and leave holes there: "
		       "M_MMAP_THRESHOLD=131072 pins it and each such block "
		       "goes back to the system when it is freed",
		       SIZE(threshold));
	if (chunks > ht_t.many_mmapped && mapped < ht_t.small_mmapped * chunks)
		advise(l, "mmap_threshold", mapped,
		       "%.0f blocks of %s on average have a mapping of their "
		       "own, whole pages each: a larger M_MMAP_THRESHOLD "
		       "(now %s) puts them into the arena",
		       chunks, SIZE(mapped / chunks), SIZE(threshold));
}

static void remedy_arena_max(struct look *l)
{
	const struct ht_snapshot *s = l->s;
	size_t idle = 0;

	if (!many_arenas(l))
		return;
	for (size_t i = 0; i < s->arenas.n; i++)
		idle += s->arenas.v[i].in_use < (uint64_t)ht_t.advice_bytes;
	advise(l, "arena_max", known(s->totals.non_main_free_resident),
	       "%zu of %" PRIu64 " arenas hold less than %s in use: "
	       "MALLOC_ARENA_MAX=2 (or glibc.malloc.arena_max) lets threads "
	       "share free memory, at the price of some waiting for locks",
	       idle, s->totals.arenas, SIZE(ht_t.advice_bytes));
}

static void remedy_tcache(struct look *l)
{
	if (!thread_caches(l))
		return;
	advise(l, "tcache_count", l->tcache,
	       "GLIBC_TUNABLES=glibc.malloc.tcache_count=7 (now %" PRIu64
	       ") limits what %" PRIu64 " threads keep; a thread's cache also "
	       "goes when the thread ends",
	       l->s->params.tcache_count, l->s->process.threads);
}

static void remedy_pin(struct look *l)
{
	const struct ht_arena *worst = NULL;

	for (size_t i = 0; i < l->s->arenas.n; i++) {
		const struct ht_arena *a = &l->s->arenas.v[i];

		if (a->pin_holds != HT_UNKNOWN &&
		    (!worst || a->pin_holds > worst->pin_holds))
			worst = a;
	}
	if (!worst || !pinned(l) || worst->pin_address == HT_UNKNOWN)
		return;
	advise(l, "pin", known(worst->pin_holds),
	       "the %" PRIu64 "-byte chunk in use at 0x%" PRIx64
	       " holds %s below it: allocate what lives long before what is "
	       "large and short-lived, or free this chunk",
	       worst->pin_size, worst->pin_address,
	       SIZE(known(worst->pin_holds)));
}

static void remedy_allocator(struct look *l)
{
	double stuck = l->retained - l->trimmable;

	if (!fragmented(l))
		return;
	advise(l, "allocator", stuck,
	       "%s are stuck in holes between chunks in use: keep objects of "
	       "one lifetime together (a pool per request), or try an "
	       "allocator with size-class pages such as jemalloc or mimalloc",
	       SIZE(stuck));
}

/* --- all of them
 * ------------------------------------------------------------------ */

static const struct {
	bool (*holds)(const struct look *l);
	void (*tell)(struct look *l);
} states[] = {
	{much_retained, state_retained}, {pinned, state_pinned},
	{fragmented, state_fragmented},	 {many_arenas, state_arenas},
	{thread_caches, state_caches},	 {outside, state_outside},
};

static void (*const remedies[])(struct look *l) = {
	remedy_trim,	  remedy_trim_threshold, remedy_mmap_threshold,
	remedy_arena_max, remedy_tcache,	 remedy_pin,
	remedy_allocator,
};

static double highest_blocked(const struct ht_blocked *b)
{
	return fmax(known(b->chunks_4), known(b->span_64k));
}

enum ht_code ht_advise(struct ht_snapshot *s, struct ht_err *err)
{
	struct look l = {
		.s = s,
		.anon = known(s->process.rss_anon) +
			(s->process.swap == HT_UNKNOWN
				 ? 0
				 : (double)s->process.swap),
		.retained = known(s->totals.retained),
		.trimmable = known(s->totals.trimmable),
		.tcache = known(s->totals.tcache),
		.outside = known(s->totals.non_malloc_anon),
		.blocked = highest_blocked(&s->blocked),
	};

	ht_fragmentation(s);
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		if (states[i].holds(&l)) {
			states[i].tell(&l);
			l.states++;
		}
	}
	for (size_t i = 0; i < sizeof(remedies) / sizeof(*remedies); i++)
		remedies[i](&l);
	if (l.states == 0 && !isnan(l.retained))
		advise(&l, "nothing_notable", NAN,
		       "nothing notable: what is "
		       "resident is in use or "
		       "small");
	return l.failed ? ht_fail(err, HT_NOMEM, "advices of one snapshot")
			: HT_OK;
}
