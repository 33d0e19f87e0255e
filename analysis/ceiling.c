/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/ceiling.h"

#include <math.h>
#include <stdio.h>

#include "analysis/thresholds.h"

static const struct count {
	enum ht_need count, limit;
	const char *what, *of, *remedy;
	double unit; /* bytes of one; 0: it is no memory */
} counts[] = {
	{HT_NEED_mappings, HT_NEED_mappings_limit, "mappings",
	 "vm.max_map_count",
	 "mmap() and pthread_create() fail then: look for mappings that are never unmapped and threads that are never joined (heaptide map PID)",
	 0},
	{HT_NEED_descriptors, HT_NEED_descriptors_limit, "descriptors",
	 "RLIMIT_NOFILE",
	 "open(), socket() and accept() fail then: look for files and sockets that are never closed (ls -l /proc/PID/fd)",
	 0},
	{HT_NEED_threads, HT_NEED_threads_limit, "threads", "threads-max",
	 "pthread_create() fails then: look for threads that never end", 0},
	{HT_NEED_locked, HT_NEED_locked_limit, "locked memory",
	 "RLIMIT_MEMLOCK",
	 "mlock() fails then, and after mlockall(MCL_FUTURE) malloc(), mmap() and pthread_create() do: lock what must not wait, not the heap, or raise the limit (LimitMEMLOCK=)",
	 4096},
};

/* The 10th percentiles are not asked: a count that swings is at its limit when
 * its peaks are. */
static void points_of(const struct ht_window *w, enum ht_need need,
		      struct ht_points *ret)
{
	double low[HT_POINTS_MAX], x[HT_POINTS_MAX], high[HT_POINTS_MAX];

	ht_window_column(w, need, HT_STAT_P10, low);
	ht_window_column(w, need, HT_STAT_MEDIAN, x);
	ht_window_column(w, need, HT_STAT_MAX, high);
	ht_window_points(w, low, x, high, ret);
}

static bool rises(const struct ht_window *w, const struct count *c,
		  struct ht_ceiling *ret)
{
	struct ht_points now, most;
	double span = w->t[w->n - 1];

	points_of(w, c->count, &now);
	points_of(w, c->limit, &most);
	if (now.n < (size_t)ht_t.min_rows || most.n == 0)
		return false;
	*ret = (struct ht_ceiling){.what = c->what,
				   .remedy = c->remedy,
				   .bytes = c->unit > 0,
				   .first = now.x[0],
				   .now = now.x[now.n - 1],
				   .most = most.x[most.n - 1]};
	ht_growth(&now, ret->now, ht_t.ceiling_rise * fmax(1, c->unit), NAN,
		  &ret->growth);
	if (ret->growth.kind != HT_GROWTH_SUSTAINED || !(ret->growth.slope > 0))
		return false;
	ret->eta = fmax(0, ret->most - ret->now) / ret->growth.slope;
	return ret->eta <= fmax(HT_DAY_S, ht_t.ceiling_far * span);
}

static void name(const struct count *c, const struct ht_snapshot *latest,
		 struct ht_ceiling *r)
{
	const char *of = c->of;

	if (c->count == HT_NEED_threads && latest &&
	    latest->limits.threads_max_of[0])
		of = latest->limits.threads_max_of;
	snprintf(r->of, sizeof(r->of), "%s", of);
}

void ht_ceiling(const struct ht_window *w, const struct ht_snapshot *latest,
		struct ht_ceiling *ret)
{
	*ret = (struct ht_ceiling){.eta = INFINITY};
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		struct ht_ceiling c;

		if (!rises(w, &counts[i], &c) || c.eta >= ret->eta)
			continue;
		name(&counts[i], latest, &c);
		*ret = c;
	}
}
