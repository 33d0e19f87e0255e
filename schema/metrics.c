/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct ht_metric_info ht_metric_infos[HT_METRIC_COUNT] = {
#define GAUGE(family)				      family, NULL, NULL, false
#define COUNTER(family)				      family, NULL, NULL, true
#define PART(family, label, part)		      family, label, part, false
#define NONE					      NULL, NULL, NULL, false
#define HT_METRIC(id, unit, expression, help, family) {#id, unit, help, family},
#include "schema/metrics.def"
#undef HT_METRIC
};

static uint64_t ht_add(uint64_t a, uint64_t b)
{
	return a == HT_UNKNOWN || b == HT_UNKNOWN ? HT_UNKNOWN : a + b;
}

/* What one ceiling leaves. RLIMIT_AS and RLIMIT_DATA bound address space, so
 * what they leave is an upper bound for memory too. */
struct room {
	uint64_t bytes; /* HT_UNKNOWN: no such limit */
	const char *name;
};

static uint64_t left(uint64_t most, uint64_t used)
{
	if (most == HT_UNKNOWN || used == HT_UNKNOWN)
		return HT_UNKNOWN;
	return most > used ? most - used : 0;
}

static struct room nearest(const struct ht_snapshot *s)
{
	const struct ht_limits *l = &s->limits;
	const struct room all[] = {
		{left(l->cgroup_max, l->cgroup_used), "cgroup"},
		{left(l->rlimit_as, s->process.vsz), "RLIMIT_AS"},
		{left(l->rlimit_data, s->process.writable_private),
		 "RLIMIT_DATA"},
		{ht_add(l->mem_available,
			l->swap_free == HT_UNKNOWN ? 0 : l->swap_free),
		 "the machine's memory and swap"},
	};
	struct room least = {HT_UNKNOWN, ""};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (all[i].bytes < least.bytes)
			least = all[i];
	return least;
}

/* How much anonymous memory the process may reach: its own share now plus what
 * the nearest ceiling leaves. */
static uint64_t ht_limit(const struct ht_snapshot *s)
{
	return ht_add(ht_add(s->process.rss_anon, s->process.swap),
		      nearest(s).bytes);
}

void ht_limit_name(const struct ht_snapshot *s, char *ret, size_t size)
{
	const char *name = nearest(s).name;

	if (strcmp(name, "cgroup") == 0)
		snprintf(ret, size, "cgroup %s", s->limits.cgroup_path);
	else
		snprintf(ret, size, "%s", name);
}

const char *ht_limit_unread(const struct ht_snapshot *s)
{
	static const char *const fields[] = {
		"limits.cgroup_max", "limits.rlimit_as", "limits.rlimit_data",
		"limits.mem_available"};

	for (size_t i = 0; i < s->unknowns.n; i++)
		for (size_t k = 0; k < sizeof(fields) / sizeof(*fields); k++)
			if (strstr(s->unknowns.v[i].names, fields[k]))
				return s->unknowns.v[i].text;
	return NULL;
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
#define HT_METRIC(id, unit, expression, help, family)                          \
	values[HT_M_##id] = NUMBER(expression);
#include "schema/metrics.def"
#undef HT_METRIC
}

double ht_metric_factor(enum ht_metric m)
{
	const char *unit = ht_metric_infos[m].unit;

	return strcmp(unit, "microseconds") == 0  ? 1e-6
	       : strcmp(unit, "nanoseconds") == 0 ? 1e-9
						  : 1;
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
