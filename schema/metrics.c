/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/metrics.h"

#include <math.h>
#include <string.h>

const struct ht_metric_info ht_metric_infos[HT_METRIC_COUNT] = {
#define HT_METRIC(id, unit, expression, help) {#id, unit, help},
#include "schema/metrics.def"
#undef HT_METRIC
};

static uint64_t ht_add(uint64_t a, uint64_t b)
{
	return a == HT_UNKNOWN || b == HT_UNKNOWN ? HT_UNKNOWN : a + b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b; /* HT_UNKNOWN is the largest */
}

/* How much anonymous memory the process may reach: its own share now plus what
 * the nearest ceiling leaves. RLIMIT_AS and RLIMIT_DATA bound address space,
 * so what they leave is an upper bound for memory too. */
static uint64_t ht_limit(const struct ht_snapshot *s)
{
	const uint64_t none = HT_UNKNOWN;
	uint64_t now = ht_add(s->process.rss_anon, s->process.swap);
	uint64_t room = none;

	if (now == none)
		return none;
	if (s->limits.cgroup_max != none && s->limits.cgroup_used != none)
		room = s->limits.cgroup_max > s->limits.cgroup_used
			       ? s->limits.cgroup_max - s->limits.cgroup_used
			       : 0;
	if (s->limits.rlimit_as != none && s->process.vsz != none)
		room = smaller(room,
			       s->limits.rlimit_as > s->process.vsz
				       ? s->limits.rlimit_as - s->process.vsz
				       : 0);
	room = smaller(
		room,
		ht_add(s->limits.mem_available,
		       s->limits.swap_free == none ? 0 : s->limits.swap_free));
	return ht_add(now, room);
}

static double of_figure(uint64_t v)
{
	return v == HT_UNKNOWN ? NAN : (double)v;
}

static double of_ratio(double v)
{
	return isfinite(v) ? v : NAN;
}

#define NUMBER(v) _Generic((v), double : of_ratio, uint64_t : of_figure)(v)

void ht_metrics_of(const struct ht_snapshot *s, double values[HT_METRIC_COUNT])
{
#define HT_METRIC(id, unit, expression, help)                                  \
	values[HT_M_##id] = NUMBER(expression);
#include "schema/metrics.def"
#undef HT_METRIC
}

bool ht_metric_is_ratio(enum ht_metric m)
{
	return strcmp(ht_metric_infos[m].unit, "ratio") == 0;
}

enum ht_metric ht_metric_find(const char *name)
{
	enum ht_metric m = 0;

	while (m < HT_METRIC_COUNT && strcmp(ht_metric_infos[m].name, name))
		m++;
	return m;
}
