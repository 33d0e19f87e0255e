/* SPDX-License-Identifier: Apache-2.0 */
/* What malloc keeps of what the program freed, and which rule keeps it. */
#include "analysis/evidence_int.h"

#include <inttypes.h>
#include <math.h>

#include "analysis/advice_int.h"
#include "analysis/bugs.h"
#include "analysis/thresholds.h"

/* --- retained memory ----------------------------------------------------- */

/* Of what malloc_trim(0) would return: what nobody but the process has, so that
 * the machine gets it; NaN: not measured. */
static double machine_gets(const struct told *t)
{
	return t->latest ? ht_advised_known(t->latest->totals.trimmable_private)
			 : NAN;
}

static bool is_shared(const struct told *t)
{
	return machine_gets(t) + ht_t.advice_bytes < t->m->quiet.trimmable;
}

void ht_quiet_line(const struct told *t)
{
	const struct ht_quiet *q = &t->m->quiet;

	ht_say(t->v,
	       "in quiet moments %s of %s anonymous memory is free inside malloc (in use %s); malloc_trim(0) would return %s",
	       B(q->retained), B(q->anon), B(q->in_use), B(q->trimmable));
	if (is_shared(t))
		ht_say(t->v,
		       "the machine would get %s of it now: other pages are shared, since a fork() or because KSM merged equal ones",
		       B(machine_gets(t)));
}

/* Neither a growth nor a step of late. */
static bool heap_is_level(const struct ht_measure *m)
{
	struct ht_points late;

	ht_points_part(&m->heap, 1 - ht_t.late_part, 1, &late);
	return m->heap_growth.kind < HT_GROWTH_SLOWING &&
	       ht_points_rise(&late) <=
		       fmax(ht_t.warm_bytes,
			    ht_t.warm_share * ht_last_level(&late));
}

static void plateau_line(const struct told *t)
{
	const struct ht_measure *m = t->m;
	double first = ht_first_level(&m->heap), last = ht_last_level(&m->heap);
	double peak = ht_quantile(m->in_use.high, m->in_use.n, 1);

	if (heap_is_level(m))
		ht_say(t->v,
		       "the heap went %s -> %s, level now; no exhaustion expected from it: in use peaks at %s",
		       B(first), B(last), B(peak));
	else
		ht_say(t->v,
		       "the heap went %s -> %s and rose of late, in use peaks at %s: it ends where the largest peak is met, or not at all; look again",
		       B(first), B(last), B(peak));
}

/* Of what lies in holes: whether peaks need it again is in the figures. */
static void holes_remedy(const struct told *t)
{
	const struct ht_quiet *q = &t->m->quiet;

	if (is_shared(t))
		ht_remedy(
			t, q->trimmable,
			"not a leak; malloc_trim(0) lowers RSS by %s and gives the machine %s; where a fork() shares the rest, call it in the parent before it forks: what it has free then is in every child",
			B(q->trimmable), B(machine_gets(t)));
	else if (q->peak >= ht_t.peak_needs * q->heap)
		ht_remedy(
			t, q->trimmable,
			"not a leak; malloc_trim(0) would return %s now, the next peak will ask for it again (in use of arenas peaks at %s of %s)",
			B(q->trimmable), B(q->peak), B(q->heap));
	else
		ht_remedy(
			t, q->trimmable,
			"not a leak; malloc_trim(0) would return %s now: of late in use of arenas peaks at %s of %s, the rest is not needed",
			B(q->trimmable), B(q->peak), B(q->heap));
}

/* Whole free pages that the kernel does not take back; NaN: not known. */
static double refused(const struct told *t)
{
	return t->latest ? ht_advised_known(ht_snapshot_cause(t->latest,
							      HT_CAUSE_LOCKED))
			 : NAN;
}

static bool in_huge_pool(const struct told *t)
{
	const struct ht_process *p = &t->latest->process;

	return p->huge_pool != HT_UNKNOWN && p->huge_pool;
}

/* madvise() of locked pages and of the huge page pool's fails, and
 * malloc_trim() asks for nothing else. */
static bool is_refused(const struct told *t)
{
	return refused(t) >= ht_t.cause_share * t->m->quiet.retained;
}

void ht_tell_holes(const struct told *t)
{
	ht_quiet_line(t);
	ht_say(t->v, "it lies in holes between chunks that live longer");
	if (is_refused(t))
		ht_say(t->v,
		       "%s of it are whole free pages that %s: malloc_trim(0) asks the kernel to take them, and is refused",
		       B(refused(t)),
		       in_huge_pool(t)
			       ? "lie in the huge page pool or are locked"
			       : "are locked in memory");
	plateau_line(t);
}

void ht_remedy_holes(const struct told *t)
{
	if (is_refused(t))
		ht_remedy(
			t, refused(t),
			"not a leak; %s, then malloc_trim(0) returns %s",
			in_huge_pool(t)
				? "glibc.malloc.hugetlb=0 or 1 in GLIBC_TUNABLES"
				: "munlockall() or munlock() in the program",
			B(refused(t)));
	else
		holes_remedy(t);
}

/* The heap grows and in use does not: no peak explains it. */
void ht_tell_unbounded(const struct told *t)
{
	const struct ht_measure *m = t->m;
	const struct ht_bug *bug = ht_bug_of(t->latest);

	ht_steady_line(t, "the heap", &m->heap_growth);
	ht_say(t->v,
	       "in use %s -> %s in the same time, at most %s: what is freed is not found again, new memory is taken instead",
	       B(ht_first_level(&m->in_use)), B(ht_last_level(&m->in_use)),
	       B(ht_quantile(m->in_use.high, m->in_use.n, 1)));
	ht_quiet_line(t);
	if (bug)
		ht_say(t->v, "glibc %.40s has bug %u: %s",
		       t->latest->libc.version, bug->number, bug->text);
}

void ht_remedy_unbounded(const struct told *t)
{
	const struct ht_measure *m = t->m;

	ht_remedy(
		t, m->quiet.trimmable,
		"no leak: free memory that malloc does not use again; malloc_trim(0) returns %s now and the growth begins anew, so trim on a timer, or keep and reuse large buffers and allocate what stays apart from them",
		B(m->quiet.trimmable));
}

/* The threshold as text: "62.0 MiB", or that free() never trims. */
struct threshold_text {
	char text[48];
};

static struct threshold_text threshold_of(double bytes)
{
	struct threshold_text ret;

	if (bytes >= (double)HT_PARAM_OFF)
		snprintf(ret.text, sizeof(ret.text),
			 "off: M_TRIM_THRESHOLD -1");
	else
		snprintf(ret.text, sizeof(ret.text), "%s", B(bytes));
	return ret;
}

/* What free() leaves in each top, where that and no threshold keeps it; 0: it
 * does not. */
static double raised_pad(const struct told *t)
{
	double pad =
		t->latest ? ht_advised_known(t->latest->params.top_pad) : NAN;

	return t->m->quiet.trim_threshold <= HT_DEFAULT_THRESHOLD &&
			       pad > HT_DEFAULT_THRESHOLD
		       ? pad
		       : 0;
}

/* Tops that hold `bytes`: by the threshold, by top_pad, or until a free() of 64
 * KiB and more looks at them. What the program set itself no environment
 * changes. */
static void tops_remedy(const struct told *t, double bytes)
{
	const struct ht_params *p = t->latest ? &t->latest->params : NULL;
	double pad = raised_pad(t);
	const char *once = bytes <= t->m->quiet.trimmable * ht_t.trim_all
				   ? "; malloc_trim(0) does it once"
				   : "; the next peak is faulted in again";

	if (pad > 0)
		ht_remedy(
			t, bytes,
			"top_pad is %s: free() leaves as much in each top; M_TOP_PAD (MALLOC_TOP_PAD_, glibc.malloc.top_pad) back at 131072 lets it return up to %s%s",
			B(pad), B(bytes), once);
	else if (t->m->quiet.trim_threshold <= HT_DEFAULT_THRESHOLD)
		ht_remedy(
			t, bytes,
			"the next free() of 64 KiB and more that meets the top returns up to %s%s",
			B(bytes), once);
	else if (p && p->no_dyn_threshold == 1)
		ht_remedy(
			t, bytes,
			"M_TRIM_THRESHOLD was set, by mallopt(), MALLOC_TRIM_THRESHOLD_ or a tunable: back at 131072 there it lets free() return up to %s in every arena%s",
			B(bytes), once);
	else
		ht_remedy(
			t, bytes,
			"GLIBC_TUNABLES=glibc.malloc.trim_threshold=131072 lets free() return up to %s in every arena%s",
			B(bytes), once);
}

void ht_tell_tcache(const struct told *t)
{
	ht_quiet_line(t);
	ht_say(t->v, "%s of it wait in thread caches", B(t->m->quiet.tcache));
	plateau_line(t);
}

void ht_remedy_tcache(const struct told *t)
{
	const struct ht_quiet *q = &t->m->quiet;

	ht_remedy(
		t, q->tcache,
		"%s in thread caches, where neither free() nor malloc_trim() finds them: lower glibc.malloc.tcache_count or let idle threads end",
		B(q->tcache));
}

static void fastbin_line(const struct told *t)
{
	ht_say(t->v, "%s of it lie in fastbins, never merged",
	       B(t->m->quiet.fastbin));
}

void ht_tell_fastbins(const struct told *t)
{
	ht_quiet_line(t);
	fastbin_line(t);
	plateau_line(t);
}

/* What joins the top of a thread arena malloc_trim() leaves there. */
void ht_remedy_fastbins(const struct told *t)
{
	const struct ht_quiet *q = &t->m->quiet;

	if (q->trimmable >= ht_t.cause_share * q->fastbin)
		ht_remedy(
			t, q->trimmable,
			"malloc_trim(0) merges the fastbins and returns %s; glibc.malloc.mxfast=0 in GLIBC_TUNABLES (2.31 on) or mallopt(M_MXFAST, 0) leaves them empty",
			B(q->trimmable));
	else
		ht_remedy(
			t, q->fastbin,
			"malloc_trim(0) merges the fastbins and returns %s: it leaves the tops of thread arenas, and holes between chunks in use; with glibc.malloc.mxfast=0 in GLIBC_TUNABLES (2.31 on) or mallopt(M_MXFAST, 0) free() merges, and shrinks the tops: up to %s",
			B(q->trimmable), B(q->fastbin));
}

void ht_tell_top(const struct told *t)
{
	const struct ht_quiet *q = &t->m->quiet;

	ht_quiet_line(t);
	ht_say(t->v,
	       "the top chunk is %s, %s of it resident, the trim threshold %s",
	       B(q->top), B(q->top_resident),
	       threshold_of(q->trim_threshold).text);
	plateau_line(t);
}

void ht_remedy_top(const struct told *t)
{
	tops_remedy(t, t->m->quiet.top_resident);
}

void ht_tell_tops(const struct told *t)
{
	const struct ht_quiet *q = &t->m->quiet;
	double pad = raised_pad(t);

	ht_quiet_line(t);
	if (pad > 0)
		ht_say(t->v,
		       "%s of it are the tops of arenas, of which free() leaves top_pad (%s) each and malloc_trim() all",
		       B(q->tops_kept), B(pad));
	else
		ht_say(t->v,
		       "%s of it are the tops of arenas, which free() shrinks from the trim threshold (%s) on and malloc_trim() not at all",
		       B(q->tops_kept), threshold_of(q->trim_threshold).text);
	plateau_line(t);
}

void ht_remedy_tops(const struct told *t)
{
	tops_remedy(t, t->m->quiet.tops_kept);
}

/* What peaks of all arenas together did not need: with two arenas the heap
 * need not be larger than the largest in use at one time, as far as a look met
 * it; whoever shares an arena still has the largest's peak. What peaks at one
 * time need they need in two arenas, too. */
static double arena_max_returns(const struct ht_quiet *q,
				const struct ht_snapshot *latest)
{
	double largest = latest ? ht_largest_shareable(latest) : 0;

	return fmax(0, fmin(q->shareable - largest, q->heap - q->peak_ever));
}

void ht_tell_arenas(const struct told *t)
{
	const struct ht_quiet *q = &t->m->quiet;

	ht_quiet_line(t);
	ht_say(t->v,
	       "%.0f of %.0f arenas hold 5 %% or more of the free pages each, %s outside the main arena and thread caches; %.0f have no thread",
	       q->arenas_holding, q->arenas, B(q->shareable),
	       isnan(q->unattached) ? 0 : q->unattached);
	if (q->fastbin >= ht_t.cause_share * q->retained)
		fastbin_line(t);
	snprintf(t->v->culprit, sizeof(t->v->culprit), "%.0f arenas",
		 q->arenas_holding);
}

void ht_remedy_arenas(const struct told *t)
{
	const struct ht_quiet *q = &t->m->quiet;

	if (q->fastbin >= ht_t.cause_share * q->retained) {
		ht_remedy_fastbins(t); /* the rule that keeps it is theirs */
		return;
	}
	ht_remedy(
		t, arena_max_returns(q, t->latest),
		"malloc_trim(0) returns %s now; MALLOC_ARENA_MAX=2 makes threads share free memory, which returns up to %s where their peaks come one after the other, and nothing where they coincide (the most in use of all arenas that a look met: %s)",
		B(q->trimmable), B(arena_max_returns(q, t->latest)),
		B(q->peak_ever));
}

void ht_tell_stuck(const struct told *t)
{
	const struct ht_quiet *q = &t->m->quiet;

	ht_quiet_line(t);
	ht_say(t->v,
	       "%s (%.0f %%) of it share pages with chunks in use: nobody can return them without moving objects",
	       B(q->stuck), 100 * q->stuck / q->retained);
}

void ht_remedy_stuck(const struct told *t)
{
	double stuck = t->m->quiet.stuck;
	bool also = t->m->quiet.trimmable >= ht_t.advice_bytes;

	ht_remedy(
		t, stuck,
		"%s are stuck: keep objects of one lifetime together; an allocator with size-class pages (jemalloc, mimalloc) returns at most that, and nothing where what stays has the sizes of what was freed%s%s%s",
		B(stuck), also ? "; malloc_trim(0) returns " : "",
		also ? B(t->m->quiet.trimmable) : "",
		also ? " of the rest" : "");
}

/* The pin of the newest snapshot: the one that holds most, whichever arena's.
 */
static const struct ht_arena *pin_of(const struct ht_snapshot *s)
{
	const struct ht_arena *most = NULL;

	for (size_t i = 0; s && i < s->arenas.n; i++) {
		const struct ht_arena *a = &s->arenas.v[i];

		if (a->pin_address != HT_UNKNOWN &&
		    a->pin_holds != HT_UNKNOWN &&
		    (!most || a->pin_holds > most->pin_holds))
			most = a;
	}
	return most;
}

void ht_tell_pinned(const struct told *t)
{
	const struct ht_quiet *q = &t->m->quiet;
	const struct ht_arena *pin = pin_of(t->latest);

	ht_quiet_line(t);
	ht_say(t->v,
	       "%s (%.0f %%) of it would go back if a handful of chunks at the end of %s were freed",
	       B(q->blocked), 100 * fmin(1, q->blocked / q->retained),
	       pin && pin->kind == HT_ARENA_THREAD ? "a thread's arena"
						   : "the heap");
	if (pin) {
		snprintf(t->v->culprit, sizeof(t->v->culprit),
			 "the %" PRIu64 "-byte chunk at 0x%" PRIx64,
			 pin->pin_size, pin->pin_address);
		ht_say(t->v, "%s holds %s below it", t->v->culprit,
		       B((double)pin->pin_holds));
		if (pin->pin_cached_by != HT_UNKNOWN)
			ht_say(t->v,
			       "it is freed, and waits in the cache of thread %" PRIu64
			       ": to its arena it is in use",
			       pin->pin_cached_by);
	}
}

void ht_remedy_pinned(const struct told *t)
{
	const struct ht_quiet *q = &t->m->quiet;
	const struct ht_arena *pin = pin_of(t->latest);

	ht_remedy(
		t, q->trimmable,
		"malloc_trim(0) returns %s in spite of the pin; %s",
		B(q->trimmable),
		pin && pin->pin_cached_by != HT_UNKNOWN
			? "the pin goes when its thread ends, or uses that size again"
			: "for good: allocate what lives long before what is large and short-lived");
}
