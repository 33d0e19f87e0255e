/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/advice_int.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "analysis/evidence_int.h"
#include "analysis/fragmentation.h"
#include "analysis/holds.h"
#include "analysis/thresholds.h"

struct ht_advice *ht_advise_of(struct ht_advised *a, const char *code,
			       double bytes, const char *fmt, ...)
{
	struct ht_advice *row = ht_snapshot_add_advice(a->s);
	va_list args;

	if (!row) {
		a->failed = true;
		return NULL;
	}
	snprintf(row->code, sizeof(row->code), "%s", code);
	row->bytes = isnan(bytes) ? HT_UNKNOWN : (uint64_t)bytes;
	va_start(args, fmt);
	vsnprintf(row->text, sizeof(row->text), fmt, args);
	va_end(args);
	return row;
}

/* --- states -------------------------------------------------------------- */

bool ht_most_of_retained(const struct ht_advised *a, double bytes)
{
	return ht_much_retained(a) && bytes >= ht_t.cause_share * a->retained;
}

/* Enough to speak of; NaN where it is not known of how much it is a share, and
 * then no test holds (fmax() alone would drop it). */
static double at_least(double share, double of)
{
	return isnan(of) ? of : fmax(ht_t.retained_bytes, share * of);
}

bool ht_much_retained(const struct ht_advised *a)
{
	return a->retained >= at_least(ht_t.retained_share, a->anon);
}

bool ht_is_pinned(const struct ht_advised *a)
{
	return ht_much_retained(a) &&
	       a->blocked >= ht_t.pinned_share * a->retained;
}

bool ht_is_fragmented(const struct ht_advised *a)
{
	return ht_most_of_retained(a, a->stuck);
}

static bool keeps_tops(const struct ht_advised *a)
{
	/* fastbins would join them, and are no tops yet */
	double merged = isnan(a->fastbin) ? 0 : fmin(a->fastbin, a->tops);

	return ht_most_of_retained(a, a->tops - merged);
}

double ht_shareable(const struct ht_snapshot *s)
{
	double sum = ht_advised_known(s->totals.non_main_free_resident);

	for (size_t i = 0; i < s->arenas.n; i++)
		if (s->arenas.v[i].kind == HT_ARENA_THREAD &&
		    s->arenas.v[i].tcache != HT_UNKNOWN)
			sum -= (double)s->arenas.v[i].tcache;
	return sum < 0 ? 0 : sum;
}

bool ht_many_arenas(const struct ht_advised *a)
{
	const struct ht_totals *t = &a->s->totals;

	return ht_much_retained(a) &&
	       ht_advised_known(t->arenas_holding) >= ht_t.arenas_holding &&
	       ht_shareable(a->s) >=
		       ht_t.arenas_share * ht_advised_known(t->resident_free);
}

bool ht_thread_caches(const struct ht_advised *a)
{
	return ht_most_of_retained(a, a->tcache);
}

static bool outside(const struct ht_advised *a)
{
	return a->outside >= at_least(ht_t.outside_state, a->anon);
}

static void state_retained(struct ht_advised *a)
{
	ht_advise_of(
		a, "retained_high", a->retained,
		"%s of %s anonymous memory is free inside malloc: the program gave it up, the machine did not get it back",
		HT_SIZE_OF(a->retained), HT_SIZE_OF(a->anon));
}

static void state_pinned(struct ht_advised *a)
{
	bool threads = a->blocked <= ht_pinned_in_threads(a->s);

	ht_advise_of(
		a, "pinned", a->blocked,
		"%s lie below a handful of chunks in use at the end of %s: free() can give back only what is above the last one",
		HT_SIZE_OF(a->blocked),
		threads ? "a thread's arena" : "the main heap");
}

static void state_fragmented(struct ht_advised *a)
{
	ht_advise_of(
		a, "fragmented", a->stuck,
		"%s of the %s that are free lie in pages that also hold bytes in use: nobody can give them back without moving objects",
		HT_SIZE_OF(a->stuck), HT_SIZE_OF(a->retained));
}

static void state_tops(struct ht_advised *a)
{
	uint64_t threshold = a->s->params.trim_threshold;
	double pad = ht_advised_known(a->s->params.top_pad);
	char now[48] = "";

	if (threshold <= HT_DEFAULT_THRESHOLD && pad > HT_DEFAULT_THRESHOLD) {
		ht_advise_of(
			a, "tops_kept", a->tops,
			"%s of the %s that are free are the tops of arenas: free() leaves top_pad (%s) in each, malloc_trim() shrinks that of the main arena alone",
			HT_SIZE_OF(a->tops), HT_SIZE_OF(a->retained),
			HT_SIZE_OF(pad));
		return;
	}
	if (threshold == HT_PARAM_OFF)
		snprintf(now, sizeof(now), " (off now)");
	else if (threshold != HT_UNKNOWN)
		snprintf(now, sizeof(now), " (%s now)",
			 HT_SIZE_OF((double)threshold));
	ht_advise_of(
		a, "tops_kept", a->tops,
		"%s of the %s that are free are the tops of arenas: free() shrinks a top from the trim threshold on%s, malloc_trim() that of the main arena alone",
		HT_SIZE_OF(a->tops), HT_SIZE_OF(a->retained), now);
}

static void state_arenas(struct ht_advised *a)
{
	const struct ht_totals *t = &a->s->totals;
	double bytes = ht_shareable(a->s);

	ht_advise_of(
		a, "many_arenas", bytes,
		"%" PRIu64 " of %" PRIu64
		" arenas hold 5 %% or more of the free pages each; %s of them lie outside the main arena and thread caches",
		t->arenas_holding, t->arenas, HT_SIZE_OF(bytes));
}

static void state_caches(struct ht_advised *a)
{
	ht_advise_of(
		a, "thread_caches", a->tcache,
		"%s of freed chunks wait in thread caches, where neither free() nor malloc_trim() finds them",
		HT_SIZE_OF(a->tcache));
}

/* The mapping that has the most anonymous memory outside malloc; NULL: they
 * were not asked for. */
static const struct ht_mapping *largest_outside(const struct ht_snapshot *s)
{
	const struct ht_mapping *most = NULL;

	for (size_t i = 0; i < s->mappings.n; i++) {
		const struct ht_mapping *m = &s->mappings.v[i];

		if (m->kind < HT_MAPPING_KIND_COUNT &&
		    m->anonymous != HT_UNKNOWN &&
		    (!most || m->anonymous > most->anonymous))
			most = m;
	}
	return most;
}

static void state_outside(struct ht_advised *a)
{
	const struct ht_mapping *m = largest_outside(a->s);
	char what[160];

	if (!m) {
		ht_advise_of(
			a, "outside_malloc", a->outside,
			"%s of %s anonymous memory is not malloc's: stacks, own mappings, static data or another allocator",
			HT_SIZE_OF(a->outside), HT_SIZE_OF(a->anon));
		return;
	}
	ht_mapping_words((enum ht_mapping_kind)m->kind, m->name, what,
			 sizeof(what));
	ht_advise_of(a, "outside_malloc", a->outside,
		     "%s of %s anonymous memory is not malloc's, %s of it: %s",
		     HT_SIZE_OF(a->outside), HT_SIZE_OF(a->anon),
		     HT_SIZE_OF((double)m->anonymous), what);
}

/* Shared memory and mapped files: in RSS, and no anonymous memory. */
static double shared(const struct ht_advised *a)
{
	return ht_advised_known(a->s->process.rss_shmem);
}

static bool is_shared(const struct ht_advised *a)
{
	return shared(a) >= at_least(ht_t.outside_state,
				     ht_advised_known(a->s->process.rss));
}

static void state_shared(struct ht_advised *a)
{
	const struct ht_mapping *most = NULL;
	char what[160];

	for (size_t i = 0; i < a->s->mappings.n; i++) {
		const struct ht_mapping *m = &a->s->mappings.v[i];

		if (m->kind == HT_MAPPING_SHMEM && m->resident != HT_UNKNOWN &&
		    (!most || m->resident > most->resident))
			most = m;
	}
	ht_mapping_words(HT_MAPPING_SHMEM, most ? most->name : "", what,
			 sizeof(what));
	ht_advise_of(
		a, "shared_memory", shared(a),
		"%s of %s resident is shared memory%s%s: who else maps it has the same pages, the machine has them once",
		HT_SIZE_OF(shared(a)),
		HT_SIZE_OF(ht_advised_known(a->s->process.rss)),
		most ? ", most of it " : "", most ? what : "");
}

static void type_diagnose(const struct ht_advised *a, struct ht_advice *row)
{
	if (row)
		snprintf(row->how, sizeof(row->how),
			 "heaptide diagnose %" PRIu64 " -d 10m",
			 a->s->head.pid);
}

/* What is in use was not judged: that takes time. */
static void state_quiet(struct ht_advised *a)
{
	struct ht_advice *row = ht_advise_of(
		a, "nothing_notable", NAN,
		"malloc keeps little of what was freed. Whether what is in use grows, one look cannot see: that takes some minutes and a verdict");

	type_diagnose(a, row);
}

/* Whatever one look saw, what grows it did not see. */
static void state_over_time(struct ht_advised *a)
{
	type_diagnose(
		a,
		ht_advise_of(
			a, "over_time", NAN,
			"whether what the program holds, or what lies outside malloc, grows, one look cannot see: that takes some minutes and a verdict"));
}

static const struct {
	bool (*holds)(const struct ht_advised *a);
	void (*tell)(struct ht_advised *a);
} states[] = {
	{ht_much_retained, state_retained},
	{ht_is_pinned, state_pinned},
	{ht_is_fragmented, state_fragmented},
	{keeps_tops, state_tops},
	{ht_in_fastbins, ht_state_fastbins},
	{ht_many_arenas, state_arenas},
	{ht_thread_caches, state_caches},
	{outside, state_outside},
	{is_shared, state_shared},
};

/* --- all of them --------------------------------------------------------- */

static void take_figures(struct ht_snapshot *s, struct ht_advised *ret)
{
	const struct ht_process *p = &s->process;

	*ret = (struct ht_advised){
		.s = s,
		.anon = ht_advised_known(p->rss_anon) +
			(p->swap == HT_UNKNOWN ? 0 : (double)p->swap),
		.retained = ht_advised_known(s->totals.retained),
		.trimmable = ht_advised_known(s->totals.trimmable),
		.machine_gets = ht_advised_known(s->totals.trimmable_private),
		.tcache = ht_advised_known(s->totals.tcache),
		.fastbin = ht_advised_known(s->totals.fastbin),
		.tops = ht_advised_known(ht_snapshot_tops_kept(s)),
		.stuck = ht_advised_known(
			ht_snapshot_cause(s, HT_CAUSE_SUB_PAGE)),
		.outside = ht_advised_known(s->totals.non_malloc_anon),
		.blocked = fmax(fmax(ht_advised_known(s->blocked.chunks_4),
				     ht_advised_known(s->blocked.span_64k)),
				ht_pinned_in_threads(s)),
	};
}

enum ht_code ht_advise(struct ht_snapshot *s, struct ht_err *err)
{
	struct ht_advised a;
	size_t told = 0;

	ht_fragmentation(s);
	take_figures(s, &a);
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		if (states[i].holds(&a)) {
			states[i].tell(&a);
			told++;
		}
	}
	ht_remedies(&a);
	if (told == 0 && !isnan(a.retained))
		state_quiet(&a);
	else if (told && s->stop.mode != HT_MODE_CORE)
		state_over_time(&a);
	return a.failed ? ht_fail(err, HT_NOMEM, "advices of one snapshot")
			: HT_OK;
}

bool ht_advice_is_next_step(const struct ht_advice *a)
{
	return strcmp(a->code, "nothing_notable") == 0 ||
	       strcmp(a->code, "over_time") == 0;
}
