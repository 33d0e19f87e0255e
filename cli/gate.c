/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/gate.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stats.h"
#include "analysis/thresholds.h"
#include "cli/table.h"
#include "common/near.h"

/* The first quarter is the program's start, of less than so many samples no
 * quarter is taken. */
#define GROWTH_ROWS 8

const char *const ht_outcome_names[] = {[HT_OUTCOME_KEPT] = "kept",
					[HT_OUTCOME_MISSED] = "missed",
					[HT_OUTCOME_UNKNOWN] = "unknown"};

static const char *label_at(const void *ctx, size_t i)
{
	(void)ctx;
	return i < HT_LABEL_COUNT ? ht_label_names[i] : NULL;
}

/* --- what is asked for --------------------------------------------------- */

static enum ht_code add_label(struct ht_gate *g, const char *name,
			      struct ht_err *err)
{
	char near[HT_NEAR_TEXT];

	for (size_t i = 0; i < HT_LABEL_COUNT; i++) {
		if (strcasecmp(name, ht_label_names[i]) != 0)
			continue;
		g->fails_on[i] = true;
		return HT_OK;
	}
	return ht_fail(err, HT_USAGE, "--fail-on: no verdict is called '%s'%s",
		       name, ht_near_text(ht_near(name, label_at, NULL), near));
}

static enum ht_code add_labels(struct ht_gate *g, const char *list,
			       struct ht_err *err)
{
	char copy[512], *rest = copy, *name;
	enum ht_code code = HT_OK;

	if (strlen(list) >= sizeof(copy))
		return ht_fail(err, HT_USAGE,
			       "--fail-on: the list is too long");
	memcpy(copy, list, strlen(list) + 1);
	while (code == HT_OK && (name = strsep(&rest, ",")))
		code = add_label(g, name, err);
	return code;
}

enum ht_code ht_gate_init(const struct ht_options *o, struct ht_gate *ret,
			  struct ht_err *err)
{
	*ret = (struct ht_gate){
		.confidence = isnan(o->confidence) ? ht_t.gate_confidence
						   : o->confidence,
		.max_growth = o->max_growth,
		.max_in_use = o->max_in_use,
		.max_retained = o->max_retained,
	};
	return o->fail_on ? add_labels(ret, o->fail_on, err) : HT_OK;
}

static bool asks_verdict(const struct ht_gate *g)
{
	for (size_t i = 0; i < HT_LABEL_COUNT; i++)
		if (g->fails_on[i])
			return true;
	return false;
}

void ht_gate_default(struct ht_gate *g)
{
	if (asks_verdict(g) || g->max_growth != HT_UNKNOWN ||
	    g->max_in_use != HT_UNKNOWN || g->max_retained != HT_UNKNOWN)
		return;
	g->fails_on[HT_LABEL_LEAK] = true;
	g->fails_on[HT_LABEL_NON_MALLOC_GROWTH] = true;
}

/* --- how it turned out --------------------------------------------------- */

static struct ht_outcome *add(struct ht_gate *g, const char *name)
{
	struct ht_outcome *o = &g->outcome[g->outcomes++];

	*o = (struct ht_outcome){.name = name, .state = HT_OUTCOME_UNKNOWN};
	return o;
}

static void judge_verdict(struct ht_gate *g, const struct ht_verdict *v)
{
	struct ht_outcome *o = add(g, "verdict");
	bool sure = v->confidence >= g->confidence;

	if (v->label == HT_LABEL_INSUFFICIENT_DATA && !g->fails_on[v->label])
		o->state = HT_OUTCOME_UNKNOWN;
	else
		o->state = g->fails_on[v->label] && sure ? HT_OUTCOME_MISSED
							 : HT_OUTCOME_KEPT;
	snprintf(o->text, sizeof(o->text), "%s (%.2f)%s%s; counts from %.2f on",
		 ht_label_names[v->label], v->confidence,
		 *v->culprit ? ", " : "", v->culprit, g->confidence);
}

/* value: NaN is unknown. */
static void judge_limit(struct ht_gate *g, const char *name, const char *what,
			double value, uint64_t limit)
{
	char is[HT_NUMBER_TEXT], allowed[HT_NUMBER_TEXT];
	struct ht_outcome *o;

	if (limit == HT_UNKNOWN)
		return;
	o = add(g, name);
	ht_bytes_text(limit, false, allowed);
	if (isnan(value)) {
		snprintf(
			o->text, sizeof(o->text),
			"%s is not known: too few samples have it; allowed are %s",
			what, allowed);
		return;
	}
	o->state = value > (double)limit ? HT_OUTCOME_MISSED : HT_OUTCOME_KEPT;
	snprintf(o->text, sizeof(o->text), "%s %s%s, allowed are %s", what,
		 value < 0 ? "-" : "",
		 ht_bytes_text((uint64_t)fabs(value), false, is), allowed);
}

static double largest(const struct ht_series *s, enum ht_metric m)
{
	double max = NAN;

	for (size_t i = 0; i < s->rows; i++)
		max = fmax(max, s->metric[m][HT_STAT_MAX][i]);
	return max;
}

/* Of the known values of x[from, to). */
static double median_of(const double *x, size_t from, size_t to)
{
	double *known = calloc(to - from, sizeof(*known)), median = NAN;
	size_t n = 0;

	if (!known)
		return NAN;
	for (size_t i = from; i < to; i++)
		if (!isnan(x[i]))
			known[n++] = x[i];
	if (n)
		median = ht_median(known, n);
	free(known);
	return median;
}

static double growth(const struct ht_series *s)
{
	const double *x = s->metric[HT_M_in_use][HT_STAT_MEDIAN];
	size_t quarter = s->rows / 4;

	if (s->rows < GROWTH_ROWS)
		return NAN;
	return median_of(x, s->rows - quarter, s->rows) -
	       median_of(x, quarter, 2 * quarter);
}

void ht_gate_judge(struct ht_gate *g, const struct ht_judged *j)
{
	const struct ht_series *s = &j->series;

	g->outcomes = 0;
	if (asks_verdict(g))
		judge_verdict(g, &j->verdict);
	judge_limit(g, "max-growth", "in use grew by", growth(s),
		    g->max_growth);
	judge_limit(g, "max-in-use", "in use was at most",
		    largest(s, HT_M_in_use), g->max_in_use);
	judge_limit(g, "max-retained", "retained was at most",
		    largest(s, HT_M_retained), g->max_retained);
}

void ht_gate_unknown(struct ht_gate *g, const char *why)
{
	const struct {
		const char *name;
		bool asked;
	} rows[] = {{"verdict", asks_verdict(g)},
		    {"max-growth", g->max_growth != HT_UNKNOWN},
		    {"max-in-use", g->max_in_use != HT_UNKNOWN},
		    {"max-retained", g->max_retained != HT_UNKNOWN}};

	g->outcomes = 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].asked)
			snprintf(add(g, rows[i].name)->text,
				 sizeof(g->outcome->text), "%s", why);
}

size_t ht_gate_count(const struct ht_gate *g, enum ht_outcome_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < g->outcomes; i++)
		n += g->outcome[i].state == state;
	return n;
}

enum ht_code ht_gate_result(const struct ht_gate *g, struct ht_err *err)
{
	for (size_t i = 0; i < g->outcomes; i++)
		if (g->outcome[i].state == HT_OUTCOME_MISSED)
			return ht_fail(err, HT_EXCEEDED, "%s: %s",
				       g->outcome[i].name, g->outcome[i].text);
	return HT_OK;
}
