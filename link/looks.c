/* SPDX-License-Identifier: Apache-2.0 */
#include "link/looks.h"

#include <math.h>
#include <string.h>

#include "common/clock.h"

/* A walk that takes less is never replaced, and small heaps are always known
 * whole: each second it is half a per cent of two processors, which is what a
 * program that keeps both busy loses by it. */
#define FULL_LEAST_NS (10 * HT_NS_PER_MS)
/* Back to walks only where they have become this much cheaper than allowed. */
#define BACK_SHARE   0.7
#define SLICE_FIRST  (UINT64_C(64) << 20)
#define SLICE_LEAST  (UINT64_C(1) << 20)
#define SLICE_MOST   (UINT64_C(64) << 30)
#define CHUNKS_FIRST (UINT64_C(1) << 15)
#define CHUNKS_LEAST (UINT64_C(1) << 10)
#define CHUNKS_MOST  (UINT64_C(1) << 20)
/* Of the budget, for the free lists: beyond, slices would grow so small that
 * what completes the lists is of another day. */
#define LISTS_SHARE 0.5
/* The budget is the most, and looks differ: what slices aim at is less. */
#define AIM 0.85

int64_t ht_looks_full_ns(const struct ht_looks *l)
{
	if (l->full_ns == 0 || l->full_system == 0)
		return l->full_ns;
	return (int64_t)((double)l->full_ns * (double)l->system /
			 (double)l->full_system);
}

/* What did not fit a heap may fit one that is quite another. */
static bool is_unfit(const struct ht_looks *l)
{
	return l->unfit && l->system < 2 * l->unfit_system &&
	       2 * l->system > l->unfit_system;
}

static bool is_too_dear(const struct ht_looks *l,
			const struct ht_looks_limits *limits)
{
	int64_t most = limits->budget_ns;

	if (most < FULL_LEAST_NS)
		most = FULL_LEAST_NS;
	if (l->light)
		most = (int64_t)((double)most * BACK_SHARE);
	return ht_looks_full_ns(l) > most && !is_unfit(l);
}

void ht_looks_choose(struct ht_looks *l, const struct ht_looks_limits *limits,
		     struct ht_request *r)
{
	/* A round lives with its agent. */
	const bool rounds = !(r->flags & HT_LAST_REQUEST);

	if (l->slice == 0) {
		l->slice = SLICE_FIRST;
		l->chunks = CHUNKS_FIRST;
	}
	l->light = limits->choice == HT_LOOKS_LIGHT ||
		   (limits->choice == HT_LOOKS_AUTO && is_too_dear(l, limits));
	if (limits->choice != HT_LOOKS_FULL && rounds)
		r->slice_max = l->slice;
	if (!l->light)
		return;
	r->flags |= HT_LOOK_LIGHTLY;
	/* Without rounds nothing completes a list. */
	r->chunks_max = rounds ? l->chunks : CHUNKS_MOST;
}

static uint64_t within(double v, uint64_t least, uint64_t most)
{
	return v < (double)least  ? least
	       : v > (double)most ? most
				  : (uint64_t)v;
}

/* Up to what the budget leaves room for, and down at once. */
static uint64_t pace(uint64_t v, double cost, double most, uint64_t least,
		     uint64_t greatest)
{
	double factor = most / (cost > 1 ? cost : 1);

	factor = factor > 1.5 ? 1.5 : factor < 0.25 ? 0.25 : factor;
	return within((double)v * factor * AIM, least, greatest);
}

/* What a slice takes is known of a walk; the rest is the lists'. */
static void pace_both(struct ht_looks *l, int64_t cpu_ns, int64_t most_ns)
{
	const double cpu = (double)cpu_ns, most = (double)most_ns;
	double slice = 0, lists;

	if (l->full_ns && l->full_system)
		slice = (double)l->full_ns * (double)l->slice /
			(double)l->full_system;
	if (slice > cpu)
		slice = cpu;
	lists = cpu - slice;
	l->slice = pace(l->slice, cpu, most, SLICE_LEAST, SLICE_MOST);
	if (lists > most * LISTS_SHARE || l->chunks < CHUNKS_MOST)
		l->chunks = pace(l->chunks, lists, most * LISTS_SHARE,
				 CHUNKS_LEAST, CHUNKS_MOST);
}

static void note_light(struct ht_looks *l, const struct ht_looks_limits *limits,
		       const struct ht_snapshot *s, int64_t cpu_ns)
{
	int64_t full_ns = ht_looks_full_ns(l);
	bool least = l->slice == SLICE_LEAST && l->chunks == CHUNKS_LEAST;

	if (cpu_ns) {
		l->light_ns = cpu_ns;
		pace_both(l, cpu_ns, limits->budget_ns);
	}
	if (s->totals.in_use != HT_UNKNOWN &&
	    !(full_ns && least && cpu_ns > full_ns))
		return;
	l->unfit = true;
	l->unfit_system = l->system;
}

struct ht_sureness ht_sureness_of(const struct ht_snapshot *s,
				  const char *figures)
{
	if (s->stop.look != HT_LOOK_LIGHT)
		return (struct ht_sureness){.how = HT_HOW_EXACT};
	for (size_t i = 0; i < s->qualities.n; i++) {
		const struct ht_quality *q = &s->qualities.v[i];

		if (strcmp(q->figures, figures) == 0)
			return (struct ht_sureness){
				.how = (enum ht_how)q->how,
				.age_us = q->age_us,
				.off = q->how == HT_HOW_DERIVED ? 0 : q->off};
	}
	return (struct ht_sureness){
		.how = HT_HOW_UNKNOWN, .age_us = HT_UNKNOWN, .off = NAN};
}

/* Classes are whole after a walk, and where a round of slices ended. */
static void note_classes(struct ht_looks *l, const struct ht_snapshot *s,
			 int64_t now_ns)
{
	uint64_t age_us;

	if (s->size_classes.n == 0)
		return;
	l->classes_ns = now_ns;
	l->classes_age_ns = 0;
	age_us = ht_sureness_of(s, "size_classes").age_us;
	if (age_us != HT_UNKNOWN)
		l->classes_age_ns = (int64_t)age_us * HT_NS_PER_US;
}

int64_t ht_looks_classes_age_ns(const struct ht_looks *l, int64_t now_ns)
{
	return l->classes_ns ? now_ns - l->classes_ns + l->classes_age_ns : -1;
}

void ht_looks_note(struct ht_looks *l, const struct ht_looks_limits *limits,
		   const struct ht_snapshot *s, int64_t cpu_ns, int64_t now_ns)
{
	if (s->totals.system != HT_UNKNOWN)
		l->system = s->totals.system;
	if (s->stop.look == HT_LOOK_LIGHT) {
		note_light(l, limits, s, cpu_ns);
	} else if (cpu_ns) {
		l->full_ns = cpu_ns;
		l->full_system = l->system;
	}
	l->in_use = ht_sureness_of(s, "in_use");
	l->retained = ht_sureness_of(s, "retained");
	note_classes(l, s, now_ns);
}
