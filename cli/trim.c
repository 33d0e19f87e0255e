/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/trim.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli/show.h"
#include "cli/table.h"
#include "common/clock.h"

#define WITHIN_NS (3600 * HT_NS_PER_S)

static double highest(const struct ht_series *s)
{
	const double *held = s->metric[HT_M_in_use_arena][HT_STAT_MAX];
	double most = NAN;

	for (size_t i = 0; i < s->rows; i++)
		if (!isnan(held[i]) && !(most >= held[i]))
			most = held[i];
	return most;
}

uint64_t ht_trim_faulted_back(const struct ht_cli *cli,
			      const struct ht_snapshot *s)
{
	static const bool wanted[HT_METRIC_COUNT] = {[HT_M_in_use_arena] =
							     true};
	const struct ht_history_ask ask = {.metrics = wanted};
	HT_AUTO_SERIES struct ht_series series;
	struct ht_cli recent = *cli;
	struct ht_store_process process;
	uint64_t now = s->totals.in_use;
	double most = NAN;
	char pid[24];

	ht_series_init(&series);
	recent.opt.since_ns = s->head.taken_at - WITHIN_NS;
	snprintf(pid, sizeof(pid), "%" PRIu64, s->head.pid);
	if (ht_history_series(&recent, pid, &ask, &process, &series, NULL) ==
	    HT_OK)
		most = highest(&series);
	if (isnan(most) || now == HT_UNKNOWN ||
	    s->totals.trimmable == HT_UNKNOWN)
		return HT_UNKNOWN;
	if (most <= (double)now)
		return 0;
	return most - (double)now < (double)s->totals.trimmable
		       ? (uint64_t)(most - (double)now)
		       : s->totals.trimmable;
}

/* docs/adr/0022 has what was tried. */
void ht_trim_refuse_tops(const struct ht_cli *cli, struct ht_target_trim *t)
{
	const struct ht_snapshot *s = &t->before;
	uint64_t threshold = s->params.trim_threshold;
	char tops[HT_NUMBER_TEXT], from[HT_NUMBER_TEXT];

	t->forecast.refusal = HT_TRIM_ARENA_TOPS;
	snprintf(
		t->forecast.why, sizeof(t->forecast.why),
		"malloc_trim(0) leaves the tops of other arenas (%s): free() shrinks them from trim_threshold (%s) on, which no single call can lower for itself, and madvise without the arena's lock would lose data",
		ht_show_bytes(cli, ht_snapshot_cause(s, HT_CAUSE_TOP_THREAD),
			      tops),
		threshold == HT_PARAM_OFF
			? "never"
			: ht_show_bytes(cli, threshold, from));
}
