/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/process/looks.h"

#include <string.h>

#include "common/clock.h"

/* A walk that takes less is never replaced: on a short interval, too, it is
 * hardly felt, and small heaps are always known whole. */
#define FULL_LEAST_NS (100 * HT_NS_PER_MS)
/* Back to walks only where they have become this much cheaper than allowed. */
#define BACK_SHARE  0.7
#define SLICE_FIRST (UINT64_C(64) << 20)
#define SLICE_LEAST (UINT64_C(1) << 20)
#define SLICE_MOST  (UINT64_C(64) << 30)

/* Processor time that one look may take. */
static int64_t budget_ns(const struct ht_target_config *t)
{
	return (int64_t)((double)t->interval_ns * t->look_cpu);
}

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
			const struct ht_target_config *t)
{
	int64_t most = budget_ns(t);

	if (most < FULL_LEAST_NS)
		most = FULL_LEAST_NS;
	if (l->light)
		most = (int64_t)((double)most * BACK_SHARE);
	return ht_looks_full_ns(l) > most && !is_unfit(l);
}

void ht_looks_choose(struct ht_looks *l, const struct ht_target_config *t,
		     struct ht_request *r)
{
	l->light = t->look == HT_LOOKS_LIGHT ||
		   (t->look == HT_LOOKS_AUTO && is_too_dear(l, t));
	if (!l->light)
		return;
	if (l->slice == 0)
		l->slice = SLICE_FIRST;
	r->flags |= HT_LOOK_LIGHTLY;
	/* A round lives with its agent. */
	r->slice_max = r->flags & HT_LAST_REQUEST ? 0 : l->slice;
}

/* Up to what the budget leaves room for, and down at once. */
static void pace_slice(struct ht_looks *l, int64_t cpu_ns, int64_t most)
{
	double factor = (double)most / (double)(cpu_ns ?: 1);

	factor = factor > 1.5 ? 1.5 : factor < 0.25 ? 0.25 : factor;
	l->slice = (uint64_t)((double)l->slice * factor * 0.95);
	if (l->slice < SLICE_LEAST)
		l->slice = SLICE_LEAST;
	if (l->slice > SLICE_MOST)
		l->slice = SLICE_MOST;
}

static void note_light(struct ht_looks *l, const struct ht_target_config *t,
		       const struct ht_snapshot *s, int64_t cpu_ns)
{
	int64_t full_ns = ht_looks_full_ns(l);
	bool least = l->slice == SLICE_LEAST;

	if (cpu_ns) {
		l->light_ns = cpu_ns;
		pace_slice(l, cpu_ns, budget_ns(t));
	}
	if (s->totals.in_use != HT_UNKNOWN &&
	    !(full_ns && least && cpu_ns > full_ns))
		return;
	l->unfit = true;
	l->unfit_system = l->system;
}

/* Classes are whole after a walk, and where a round of slices ended. */
static void note_classes(struct ht_looks *l, const struct ht_snapshot *s,
			 int64_t now_ns)
{
	if (s->size_classes.n == 0)
		return;
	l->classes_ns = now_ns;
	l->classes_age_ns = 0;
	for (size_t i = 0; i < s->qualities.n; i++) {
		const struct ht_quality *q = &s->qualities.v[i];

		if (strcmp(q->figures, "size_classes") == 0 &&
		    q->age_us != HT_UNKNOWN)
			l->classes_age_ns = (int64_t)q->age_us * HT_NS_PER_US;
	}
}

int64_t ht_looks_classes_age_ns(const struct ht_looks *l, int64_t now_ns)
{
	return l->classes_ns ? now_ns - l->classes_ns + l->classes_age_ns : -1;
}

void ht_looks_note(struct ht_looks *l, const struct ht_target_config *t,
		   const struct ht_snapshot *s, int64_t cpu_ns, int64_t now_ns)
{
	if (s->totals.system != HT_UNKNOWN)
		l->system = s->totals.system;
	if (s->stop.look == HT_LOOK_LIGHT) {
		note_light(l, t, s, cpu_ns);
	} else if (cpu_ns) {
		l->full_ns = cpu_ns;
		l->full_system = l->system;
	}
	note_classes(l, s, now_ns);
}
