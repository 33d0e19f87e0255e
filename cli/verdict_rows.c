/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verdict_rows.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli/show.h"
#include "cli/table.h"
#include "common/clock.h"

static enum ht_style style_of(enum ht_label label)
{
	switch (label) {
	case HT_LABEL_LEAK:
	case HT_LABEL_NON_MALLOC_GROWTH:
		return HT_RED;
	case HT_LABEL_STABLE:
	case HT_LABEL_PERIODIC:
	case HT_LABEL_CACHE_WARMUP:
		return HT_GREEN;
	case HT_LABEL_INSUFFICIENT_DATA:
	case HT_LABEL_POOL_GROWTH:
	case HT_LABEL_TOP_PINNED:
	case HT_LABEL_FRAGMENTATION:
	case HT_LABEL_ARENA_PROLIFERATION:
	case HT_LABEL_COUNT:
		break;
	}
	return HT_YELLOW;
}

const char *ht_judged_name(const struct ht_judged *j)
{
	return *j->process.target ? j->process.target : j->process.comm;
}

int ht_verdict_head(const struct ht_cli *cli, const struct ht_judged *j)
{
	const struct ht_verdict *v = &j->verdict;
	char span[32], text[512];
	int lines;

	ht_duration_text(v->to_ns - v->from_ns, span, sizeof(span));
	snprintf(text, sizeof(text),
		 "%s%s%s%s (%.2f, %s)  %s, pid %" PRIu64 ", %zu samples in %s",
		 ht_style(&cli->term, HT_BOLD),
		 ht_style(&cli->term, style_of(v->label)),
		 ht_label_names[v->label], ht_style_off(&cli->term),
		 v->confidence, ht_confidence_word(v->confidence),
		 ht_judged_name(j), j->process.pid, v->samples, span);
	lines = ht_wrap_lines(cli->term.width, 0, text);
	if (lines > 1)
		ht_wrap(&cli->term, 0, text);
	else
		puts(text);
	return lines;
}

/* The head and the row of the limit say the same. */
static bool is_told_here(const struct ht_verdict *v, size_t i)
{
	return v->evidence_again >> i & 1;
}

/* What decides stays; the last line says how far it can be relied on. */
static void add_evidence(const struct ht_verdict *v, struct ht_sheet *sheet)
{
	size_t n = v->evidence_n;

	while (n && is_told_here(v, n - 1))
		n--;
	for (size_t i = 0; i < n; i++) {
		bool last = i + 1 == n;
		int weight = i == 0 ? 0 : last ? 1 : i == 1 ? 2 : 7;

		if (!is_told_here(v, i))
			ht_sheet_add(sheet, weight, "evidence", "%s",
				     v->evidence[i]);
	}
}

static void add_slope(const struct ht_cli *cli, const struct ht_verdict *v,
		      struct ht_sheet *sheet)
{
	double slope = v->slope_bytes_per_hour;
	char rate[HT_NUMBER_TEXT];

	if (isfinite(slope))
		ht_sheet_add(sheet, 9, "slope", "%s%s/h", slope < 0 ? "-" : "+",
			     ht_show_bytes(cli, (uint64_t)llround(fabs(slope)),
					   rate));
}

static void add_eta(const struct ht_cli *cli, const struct ht_verdict *v,
		    struct ht_sheet *sheet)
{
	char limit[64], at[HT_TIME_TEXT];
	char low[32], high[64];

	if (!v->eta_at_ns)
		return;
	ht_time_here_text(v->eta_at_ns, at);
	ht_duration_text(v->eta_low_ns - v->to_ns, low, sizeof(low));
	snprintf(high, sizeof(high), "perhaps never");
	if (v->eta_high_ns > v->to_ns) {
		size_t used = (size_t)sprintf(high, "at the latest in ");

		ht_duration_text(v->eta_high_ns - v->to_ns, high + used,
				 sizeof(high) - used);
	}
	if (v->limit_count != HT_UNKNOWN)
		snprintf(limit, sizeof(limit), "%" PRIu64, v->limit_count);
	else
		ht_show_bytes(cli, v->limit_bytes, limit);
	ht_sheet_add(sheet, 0, "limit",
		     "%s%s%s%s reached at about %s: at the earliest in %s, %s",
		     limit, v->limit_name[0] ? " (" : "", v->limit_name,
		     v->limit_name[0] ? ")" : "", at, low, high);
}

static void add_idle(const struct ht_cli *cli, const struct ht_verdict *v,
		     struct ht_sheet *sheet)
{
	char floor[HT_NUMBER_TEXT];

	if (v->idle_floor != HT_UNKNOWN && v->idle_floor > 0)
		ht_sheet_add(sheet, 7, "idle",
			     "%s was kept all the time and never needed",
			     ht_show_bytes(cli, v->idle_floor, floor));
}

void ht_verdict_rows(const struct ht_cli *cli, const struct ht_judged *j,
		     const char *pin, struct ht_sheet *sheet)
{
	const struct ht_verdict *v = &j->verdict;
	char since[HT_TIME_TEXT];

	add_evidence(v, sheet);
	for (size_t i = 0; i < v->also_n; i++)
		ht_sheet_add(sheet, 5, "also", "%s",
			     ht_label_names[v->also[i]]);
	ht_sheet_add(sheet, 3, "culprit", "%s", v->culprit);
	ht_sheet_add(sheet, 6, "pin", "%s", pin);
	if (v->since_ns) {
		ht_time_here_text(v->since_ns, since);
		ht_sheet_add(sheet, 8, "since", "%s", since);
	}
	add_slope(cli, v, sheet);
	add_eta(cli, v, sheet);
	add_idle(cli, v, sheet);
	ht_sheet_add(sheet, 0, "remedy", "%s", v->remedy);
}

void ht_next_rows(const struct ht_next *next, size_t n, struct ht_sheet *sheet)
{
	for (size_t i = 0; i < n; i++)
		ht_sheet_add(sheet, i ? 4 : 0, "next", "%s (%s%s%s)",
			     next[i].type, next[i].why,
			     *next[i].cost ? "; " : "", next[i].cost);
}
