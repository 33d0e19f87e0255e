/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence: one line that decides, one with figures a person can check by hand
 * (pmap, /proc/PID/smaps, heaptide trend), and the remedy with its figure.
 */
#include "analysis/judge.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "analysis/thresholds.h"
#include "common/clock.h"

#define B(x) (ht_bytes(x).text)

struct told {
	const struct ht_measure *m;
	const struct ht_snapshot *latest; /* may be NULL */
	struct ht_verdict *v;
};

static double first_level(const struct ht_points *p)
{
	return p->n ? ht_median(p->x, p->n / 8 ? p->n / 8 : 1) : NAN;
}

static double last_level(const struct ht_points *p)
{
	size_t k = p->n / 8 ? p->n / 8 : 1;

	return p->n ? ht_median(p->x + p->n - k, k) : NAN;
}

static double span_of(const struct told *t)
{
	return t->m->w.t[t->m->w.n - 1];
}

static void remedy(const struct told *t, double bytes, const char *fmt, ...)
	HT_PRINTF(3, 4);

static void remedy(const struct told *t, double bytes, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(t->v->remedy, sizeof(t->v->remedy), fmt, args);
	va_end(args);
	t->v->remedy_bytes =
		isnan(bytes) || bytes < 0 ? HT_UNKNOWN : (uint64_t)bytes;
}

static void window_line(const struct told *t)
{
	ht_say(t->v, "judged on %zu samples over %s", t->v->samples,
	       ht_span(span_of(t)).text);
}

/* --- growth
 * ------------------------------------------------------------------------ */

static void steady_line(const struct told *t, const char *what,
			const struct ht_growth *g)
{
	char pace[48];

	if (isfinite(g->speed_late) && g->speed_late > 0)
		snprintf(pace, sizeof(pace),
			 "last 20 %% at %.0f %% of the "
			 "speed before",
			 100 * fmin(g->speed_late, 9.99));
	else
		snprintf(pace, sizeof(pace), "in steps");
	ht_say(t->v, "%s %s -> %s in %s, %s/s now, %s%s", what, B(g->first),
	       B(g->last), ht_span(span_of(t)).text, ht_change(g->slope).text,
	       pace, g->record ? "; the end is above all before" : "");
}

static void name_class(const struct told *t, const struct ht_class_growth *c)
{
	t->v->culprit_class = c->series->max_size;
	if (c->series->max_size == 0)
		snprintf(t->v->culprit, sizeof(t->v->culprit),
			 "mmapped chunks (each a mapping of its own)");
	else
		snprintf(t->v->culprit, sizeof(t->v->culprit),
			 "size class %" PRIu64, c->series->max_size);
}

/* Gained bytes, but not chunks in that proportion. */
static bool same_chunks(const struct ht_class_growth *c)
{
	double more = c->growth.last / fmax(1, c->growth.last - c->growth.rise);

	return c->chunks_last - c->chunks_first <
	       0.1 * (more - 1) * fmax(1, c->chunks_first);
}

static void class_line(const struct told *t)
{
	const struct ht_class_growth *c = &t->m->worst_class;
	const struct ht_class_growth *likely = &t->m->likely_class;

	if (c->series) {
		name_class(t, c);
		ht_say(t->v,
		       "%s rose %s -> %s (%.0f -> %.0f chunks, %+.1f/s): %.0f "
		       "%% of what the rising classes gained",
		       t->v->culprit, B(c->growth.first), B(c->growth.last),
		       c->chunks_first, c->chunks_last, c->chunks_per_s,
		       100 * c->growth.rise / t->m->classes_rise);
	} else if (likely->series) {
		c = likely;
		name_class(t, c);
		ht_say(t->v,
		       "no size class rose all the time; %s gained most: %s "
		       "(%.0f -> %.0f chunks)",
		       t->v->culprit, B(c->growth.rise), c->chunks_first,
		       c->chunks_last);
	}
	if (c->series && same_chunks(c))
		ht_say(t->v, "its chunks grow, not their number: one buffer "
			     "that is appended to and never cleared?");
}

static void pool_line(const struct told *t)
{
	const struct ht_measure *m = t->m;

	ht_say(t->v, "freed and kept by malloc: %s -> %s%s",
	       B(first_level(&m->retained)), B(last_level(&m->retained)),
	       m->retained_rise < 0.25 * ht_growth_of(m, t->v)->rise
		       ? ", so it is not the pool that grows"
		       : "");
}

static void tell_young(const struct told *t)
{
	const struct ht_measure *m = t->m;

	ht_say(t->v,
	       "in use %s -> %s, anonymous memory %s -> %s, and still rising: "
	       "a program that loads its data looks like this as well; %.0f "
	       "samples of the rise tell",
	       B(first_level(&m->in_use)), B(last_level(&m->in_use)),
	       B(first_level(&m->anon)), B(last_level(&m->anon)),
	       ht_t.young_rows);
	remedy(t, NAN, "wait and look again");
}

/* Why residency is unknown, if the last look says it. */
static const char *why_blind(const struct told *t)
{
	for (size_t i = 0; t->latest && i < t->latest->unknowns.n; i++)
		if (t->latest->unknowns.v[i].reason == HT_WHY_PAGEMAP)
			return t->latest->unknowns.v[i].text;
	return "its samples say why (heaptide explain, heaptide doctor)";
}

static void tell_blind(const struct told *t)
{
	window_line(t);
	ht_say(t->v,
	       "in use does not grow, but what malloc keeps of freed memory is "
	       "unknown: neither a grown pool nor fragmentation could be seen");
	ht_say(t->v, "%s", why_blind(t));
	remedy(t, NAN,
	       "let the agent read which pages are resident (docs/"
	       "privileges.md)");
}

static void tell_too_little(const struct told *t)
{
	if (strcmp(t->v->reason, HT_REASON_BLIND) == 0)
		tell_blind(t);
	else
		tell_young(t);
}

static void written_lines(const struct told *t)
{
	const struct ht_points *u = &t->m->in_use;

	steady_line(t, "what is written of in use", &t->m->written_growth);
	ht_say(t->v,
	       "in use %s -> %s in ever rarer steps, each written full before "
	       "the next: a vector or table that doubles",
	       B(first_level(u)), B(last_level(u)));
}

/* Growth over hours and days: how fast, since when, how sure, and what it was
 * held against. */
static void lasting_lines(const struct told *t, const char *what)
{
	const struct ht_lasting *g = t->m->lasting;
	const struct ht_trend *r = &g->trend;
	char since[HT_TIME_TEXT];

	ht_time_text(g->since_ns, since);
	ht_say(t->v, "%s: %s/h for %s, since %s: %s (+- %s) in all", what,
	       ht_change(r->slope).text,
	       ht_span((r->end - r->begin) * 3600).text, since,
	       ht_change(r->rise).text, B(1.28 * r->se * (r->end - r->begin)));
	ht_say(t->v,
	       "held against %s%s: not explained (t %.0f; last 40 %% at %.0f "
	       "%% of the speed before; deepest fall beside them %s)",
	       g->load_known ? "the load" : "no load, for none is known",
	       g->day_known ? " and the time of day" : "", fmin(r->t, 999),
	       100 * fmin(fmax(r->pace, 0), 9.99), B(r->drop));
	if (!isnan(g->per_work))
		ht_say(t->v, "%s for each hour of processor time",
		       ht_change(g->per_work).text);
}

static void tell_leak(const struct told *t)
{
	const struct ht_measure *m = t->m;

	if (m->lasting && m->lasting->kind == HT_GROWTH_SUSTAINED &&
	    strcmp(t->v->reason, HT_REASON_WRITTEN) != 0)
		lasting_lines(t,
			      m->lasting->class ? "one size class" : "in use");
	else if (strcmp(t->v->reason, HT_REASON_TOTAL) == 0)
		steady_line(t, "in use (floor)", &m->in_use_growth);
	else if (strcmp(t->v->reason, HT_REASON_WRITTEN) == 0)
		written_lines(t);
	else
		ht_say(t->v,
		       "in use as a whole %s -> %s, but one size class "
		       "never comes down",
		       B(first_level(&m->in_use)), B(last_level(&m->in_use)));
	class_line(t);
	pool_line(t);
	remedy(t, NAN,
	       "the program asks and does not free: find who allocates "
	       "%s (`heaptide diff` shows what grew with it), look for a "
	       "container that only grows; malloc_trim() and tunables will "
	       "not help",
	       t->v->culprit[0] ? t->v->culprit : "it");
}

static const char *const mapping_kinds[] = {
#define HT_KIND_NAME(id, name) name,
	HT_MAPPING_KIND_NAMES(HT_KIND_NAME)
#undef HT_KIND_NAME
};

/* The kind of mapping that rose most. */
static double worst_mapping(const struct told *t,
			    const struct ht_mapping_series **ret)
{
	const struct ht_window *w = &t->m->w;
	double column[HT_POINTS_MAX], most = 0;
	struct ht_points p;

	*ret = NULL;
	for (size_t i = 0; i < w->s->mappings_n; i++) {
		const struct ht_mapping_series *s = &w->s->mappings[i];

		ht_window_rows(w, s->anonymous, HT_STAT_MEDIAN, column);
		ht_window_points(w, column, column, column, &p);
		if (ht_points_rise(&p) <= most)
			continue;
		most = ht_points_rise(&p);
		*ret = s;
	}
	return most;
}

static void mapping_line(const struct told *t)
{
	const struct ht_mapping_series *s;
	double rise = worst_mapping(t, &s),
	       shmem = ht_points_rise(&t->m->shmem);
	char *culprit = t->v->culprit;
	size_t len = sizeof(t->v->culprit);

	if (shmem >= 0.5 * t->m->outside_rise)
		snprintf(culprit, len, "shared memory (memfd, shm, tmpfs)");
	else if (s && s->kind < HT_MAPPING_KIND_COUNT)
		snprintf(culprit, len, "mappings of kind %s%s%.100s",
			 mapping_kinds[s->kind], s->name[0] ? ": " : "",
			 s->name);
	else
		return;
	ht_say(t->v, "%s gained %s of it", culprit, B(fmax(rise, shmem)));
}

static void tell_outside(const struct told *t)
{
	const struct ht_measure *m = t->m;

	if (m->lasting)
		lasting_lines(t, "memory outside malloc");
	else
		steady_line(t, "memory outside malloc", &m->outside_growth);
	ht_say(t->v, "malloc's in use %s -> %s in the same time",
	       B(first_level(&m->in_use)), B(last_level(&m->in_use)));
	mapping_line(t);
	remedy(t, NAN,
	       "not malloc's: look at stacks, own mmap() pools, an "
	       "interpreter's heap (Python, Java), static tables, other "
	       "allocators%s%s; `heaptide map PID` lists them",
	       t->v->culprit[0] ? "; here: " : "", t->v->culprit);
}

/* --- retained memory
 * ------------------------------------------------------------------ */

static void quiet_line(const struct told *t)
{
	const struct ht_quiet *q = &t->m->quiet;

	ht_say(t->v,
	       "in quiet moments %s of %s anonymous memory is free inside "
	       "malloc (in use %s); malloc_trim(0) would return %s",
	       B(q->retained), B(q->anon), B(q->in_use), B(q->trimmable));
}

static void plateau_line(const struct told *t)
{
	const struct ht_measure *m = t->m;

	ht_say(t->v,
	       "the heap went %s -> %s, %s; no exhaustion expected from "
	       "it: in use peaks at %s",
	       B(first_level(&m->heap)), B(last_level(&m->heap)),
	       m->heap_growth.kind >= HT_GROWTH_SLOWING
		       ? "still growing while in use is bounded"
		       : "level now",
	       B(ht_quantile(m->in_use.high, m->in_use.n, 1)));
}

static void tell_pool(const struct told *t)
{
	const struct ht_quiet *q = &t->m->quiet;
	const char *why = t->v->reason;

	quiet_line(t);
	if (strcmp(why, HT_REASON_THREAD_CACHE) == 0) {
		ht_say(t->v, "%s of it wait in thread caches", B(q->tcache));
		remedy(t, q->tcache,
		       "%s in thread caches, where neither free() "
		       "nor malloc_trim() finds them: lower "
		       "glibc.malloc.tcache_count or let idle threads end",
		       B(q->tcache));
	} else if (strcmp(why, HT_REASON_FASTBINS) == 0) {
		ht_say(t->v, "%s of it lie in fastbins, never merged",
		       B(q->fastbin));
		remedy(t, q->trimmable,
		       "malloc_trim(0) merges the fastbins and "
		       "returns %s",
		       B(q->trimmable));
	} else if (strcmp(why, HT_REASON_TRIM) == 0) {
		ht_say(t->v, "the top chunk is %s, the trim threshold %s",
		       B(q->top), B(q->trim_threshold));
		remedy(t, q->top,
		       "GLIBC_TUNABLES=glibc.malloc.trim_threshold=131072 "
		       "lets free() return %s; malloc_trim(0) does it once",
		       B(q->top));
	} else if (strcmp(why, HT_REASON_TOPS) == 0) {
		ht_say(t->v,
		       "%s of it are the tops of arenas, which free() shrinks "
		       "from the trim threshold (%s) on and malloc_trim() not "
		       "at all",
		       B(q->tops_kept), B(q->trim_threshold));
		remedy(t, q->tops_kept,
		       "GLIBC_TUNABLES=glibc.malloc.trim_threshold=131072 "
		       "lets free() return up to %s in every arena; the next "
		       "peak is faulted in again",
		       B(q->tops_kept));
	} else {
		ht_say(t->v,
		       "it lies in holes between chunks that live longer");
		remedy(t, q->trimmable,
		       "not a leak; malloc_trim(0) would return "
		       "%s now, the next peak will ask for it again",
		       B(q->trimmable));
	}
	plateau_line(t);
}

/* What peaks of all arenas together did not need: with two arenas the heap
 * need not be larger than the largest in use at one time. */
static double arena_max_returns(const struct ht_quiet *q)
{
	return fmax(0, fmin(q->non_main, q->heap - q->peak));
}

static void tell_arenas(const struct told *t)
{
	const struct ht_quiet *q = &t->m->quiet;

	quiet_line(t);
	ht_say(t->v,
	       "%.0f of %.0f arenas hold 5 %% or more of the free pages "
	       "each, %s outside the main arena; %.0f have no thread",
	       q->arenas_holding, q->arenas, B(q->non_main),
	       isnan(q->unattached) ? 0 : q->unattached);
	snprintf(t->v->culprit, sizeof(t->v->culprit), "%.0f arenas",
		 q->arenas_holding);
	remedy(t, arena_max_returns(q),
	       "MALLOC_ARENA_MAX=2 makes threads share free memory: up to %s, "
	       "as their peaks did not coincide; malloc_trim(0) returns %s now",
	       B(arena_max_returns(q)), B(q->trimmable));
}

static void tell_fragmentation(const struct told *t)
{
	const struct ht_quiet *q = &t->m->quiet;
	double stuck = q->stuck;

	quiet_line(t);
	ht_say(t->v,
	       "%s (%.0f %%) of it share pages with chunks in use: "
	       "nobody can return them without moving objects",
	       B(stuck), 100 * stuck / q->retained);
	remedy(t, stuck,
	       "%s are stuck: keep objects of one lifetime together, "
	       "or try an allocator with size-class pages (jemalloc, "
	       "mimalloc)",
	       B(stuck));
}

/* Main arena's pin of the newest snapshot. */
static const struct ht_arena *pin_of(const struct ht_snapshot *s)
{
	const struct ht_arena *a = s && s->arenas.n ? &s->arenas.v[0] : NULL;

	return a && a->pin_address != HT_UNKNOWN && a->pin_holds != HT_UNKNOWN
		       ? a
		       : NULL;
}

static void tell_pinned(const struct told *t)
{
	const struct ht_quiet *q = &t->m->quiet;
	const struct ht_arena *pin = pin_of(t->latest);

	quiet_line(t);
	ht_say(t->v,
	       "%s (%.0f %%) of it would go back if a handful of chunks "
	       "at the end of the heap were freed",
	       B(q->blocked), 100 * fmin(1, q->blocked / q->retained));
	if (pin) {
		snprintf(t->v->culprit, sizeof(t->v->culprit),
			 "the %" PRIu64 "-byte chunk at 0x%" PRIx64,
			 pin->pin_size, pin->pin_address);
		ht_say(t->v, "%s holds %s below it", t->v->culprit,
		       B((double)pin->pin_holds));
	}
	remedy(t, q->trimmable,
	       "malloc_trim(0) returns %s in spite of the pin; "
	       "for good: allocate what lives long before what is large and "
	       "short-lived",
	       B(q->trimmable));
}

/* --- the harmless
 * -------------------------------------------------------------------------- */

static void tell_periodic(const struct told *t)
{
	const struct ht_measure *m = t->m;

	ht_say(t->v,
	       "in use swings %s .. %s every %s, %.1f periods seen, "
	       "troughs level",
	       B(ht_quantile(m->in_use.low, m->in_use.n, 0)),
	       B(ht_quantile(m->in_use.high, m->in_use.n, 1)),
	       ht_span(m->period).text, span_of(t) / m->period);
	if (m->quiet.n)
		quiet_line(t);
	remedy(t, NAN,
	       "nothing to do: memory that is free between peaks is "
	       "what the next peak needs");
}

static void tell_warmup(const struct told *t)
{
	const struct ht_growth *g = &t->m->in_use_growth;

	if (strcmp(t->v->reason, HT_REASON_SLOWING) == 0) {
		steady_line(t, "in use (floor)", g);
		ht_say(t->v,
		       "at this rate it levels off at about %s; if it is "
		       "no cache that fills, it is a leak",
		       B(g->plateau));
		remedy(t, NAN,
		       "wait and look again: a cache levels off, a leak "
		       "does not");
		return;
	}
	if (strcmp(t->v->reason, HT_REASON_FILLING) == 0) {
		steady_line(t, "what is written of in use",
			    &t->m->written_growth);
		ht_say(t->v,
		       "in use %s -> %s, level now; when all of it is written "
		       "and more is asked for, it is a leak",
		       B(first_level(&t->m->in_use)),
		       B(last_level(&t->m->in_use)));
		remedy(t, NAN,
		       "wait and look again: a table fills up, a vector that "
		       "doubles does not");
		return;
	}
	ht_say(t->v, "in use %s -> %s, 80 %% of the way in %s, level now",
	       B(first_level(&t->m->in_use)), B(last_level(&t->m->in_use)),
	       ht_span(t->m->warm_seconds).text);
	remedy(t, NAN, "nothing to do: it filled and is level");
}

static void tell_stable(const struct told *t)
{
	const struct ht_measure *m = t->m;
	char when[HT_TIME_TEXT];

	ht_time_text(t->v->since_ns, when);
	if (strcmp(t->v->reason, HT_REASON_SHIFT) == 0)
		ht_say(t->v,
		       "one step: in use %s -> %s within %s at %s, flat "
		       "before and after",
		       B(first_level(&m->in_use)), B(last_level(&m->in_use)),
		       ht_span(m->warm_seconds).text, when);
	else
		ht_say(t->v,
		       "in use %s -> %s, lowest %s, highest %s: no growth "
		       "that lasts",
		       B(first_level(&m->in_use)), B(last_level(&m->in_use)),
		       B(ht_quantile(m->in_use.low, m->in_use.n, 0)),
		       B(ht_quantile(m->in_use.high, m->in_use.n, 1)));
	if (strcmp(t->v->reason, HT_REASON_LOAD) == 0)
		ht_say(t->v, "it rises: as its load does, or for no longer "
			     "than a day's load may; the same hour of "
			     "tomorrow tells");
	if (m->written_growth.kind == HT_GROWTH_SUSTAINED)
		steady_line(t,
			    "still takes memory, up to what is in use: what is "
			    "written of it",
			    &m->written_growth);
	if (m->quiet.n)
		ht_say(t->v,
		       "free inside malloc in quiet moments: %s, below "
		       "what is worth a word (%s and %.0f %% of anonymous "
		       "memory)",
		       B(m->quiet.retained), B(ht_t.retained_bytes),
		       100 * ht_t.retained_share);
	remedy(t, NAN, "nothing to do");
}

static void (*const tell[HT_LABEL_COUNT])(const struct told *t) = {
	[HT_LABEL_INSUFFICIENT_DATA] = tell_too_little,
	[HT_LABEL_LEAK] = tell_leak,
	[HT_LABEL_NON_MALLOC_GROWTH] = tell_outside,
	[HT_LABEL_POOL_GROWTH] = tell_pool,
	[HT_LABEL_ARENA_PROLIFERATION] = tell_arenas,
	[HT_LABEL_FRAGMENTATION] = tell_fragmentation,
	[HT_LABEL_TOP_PINNED] = tell_pinned,
	[HT_LABEL_PERIODIC] = tell_periodic,
	[HT_LABEL_CACHE_WARMUP] = tell_warmup,
	[HT_LABEL_STABLE] = tell_stable,
};

void ht_evidence(const struct ht_measure *m, const struct ht_snapshot *latest,
		 struct ht_verdict *v)
{
	const struct told t = {m, latest, v};

	if (tell[v->label])
		tell[v->label](&t);
	if (m->guarded && v->label != HT_LABEL_STABLE &&
	    m->in_use_rise < ht_t.guard_in_use * m->anon_rise)
		ht_say(v,
		       "anonymous memory grew %s, in use only %s of it: the "
		       "growth is mostly memory that was freed",
		       B(m->anon_rise), B(fmax(0, m->in_use_rise)));
	window_line(&t);
}
