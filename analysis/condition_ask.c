/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "analysis/condition_int.h"
#include "analysis/stats.h"
#include "analysis/thresholds.h"
#include "analysis/verdict_int.h"
#include "common/clock.h"

/* Rows of the window that ends with the newest row. */
static size_t first_row(const struct ht_series *s, int64_t now_ns,
			double seconds)
{
	int64_t from_ns = now_ns - (int64_t)(seconds * (double)HT_NS_PER_S);
	size_t row = s->rows;

	while (row > 0 && s->time_ns[row - 1] >= from_ns)
		row--;
	return row;
}

static double cell(const struct ht_series *s, uint16_t metric,
		   enum ht_stat stat, size_t row)
{
	return s->metric[metric][stat] ? s->metric[metric][stat][row] : NAN;
}

/* What a function is asked about: a sum of what is recorded, postfix. */
struct operand {
	const struct ht_condition_op *ops;
	size_t n;
	const struct ht_series *s;
};

static double recorded(const struct ht_condition_op *op,
		       const struct ht_series *s, size_t row)
{
	if (op->value < HT_METRIC_COUNT)
		return cell(s, op->value, HT_STAT_MEDIAN, row);
	return cell(s, HT_M_rss_anon, HT_STAT_MEDIAN, row) +
	       cell(s, HT_M_swap, HT_STAT_MEDIAN, row);
}

/* Of the medians in a row; NaN when anything in it is unknown, or divided by 0.
 */
static double in_row(const struct operand *o, size_t row)
{
	double numbers[HT_CONDITION_OPS + 1] = {NAN};
	size_t n = 0;

	for (size_t i = 0; i < o->n; i++) {
		const struct ht_condition_op *op = &o->ops[i];

		if (op->op == HT_OP_NUMBER) {
			numbers[n++] = op->number;
		} else if (op->op == HT_OP_VALUE) {
			numbers[n++] = recorded(op, o->s, row);
		} else {
			n--;
			numbers[n - 1] = ht_condition_calculate(
				op->op, numbers[n - 1], numbers[n]);
		}
	}
	return isfinite(numbers[0]) ? numbers[0] : NAN;
}

/* Of a roll-up the lowest or highest of a metric is known; of a sum of several
 * only what its medians make. */
static double extreme_in_row(const struct operand *o, size_t row,
			     enum ht_stat stat)
{
	if (o->n == 1 && o->ops[0].op == HT_OP_VALUE &&
	    o->ops[0].value < HT_METRIC_COUNT)
		return cell(o->s, o->ops[0].value, stat, row);
	return in_row(o, row);
}

static double extreme(const struct operand *o, size_t from, enum ht_stat stat)
{
	double best = NAN;

	for (size_t row = from; row < o->s->rows; row++) {
		double v = extreme_in_row(o, row, stat);

		if (isnan(v))
			continue;
		if (isnan(best) || (stat == HT_STAT_MIN ? v < best : v > best))
			best = v;
	}
	return best;
}

static double mean(const struct operand *o, size_t from, size_t to)
{
	double sum = 0;
	size_t n = 0;

	for (size_t row = from; row < to; row++) {
		double v = in_row(o, row);

		if (isnan(v))
			continue;
		sum += v;
		n++;
	}
	return n ? sum / (double)n : NAN;
}

static double at_trough(const struct operand *o, size_t from)
{
	double lowest = NAN, there = NAN;

	for (size_t row = from; row < o->s->rows; row++) {
		double u = cell(o->s, HT_M_in_use, HT_STAT_MEDIAN, row);
		double v = in_row(o, row);

		if (isnan(u) || isnan(v) || (!isnan(lowest) && u > lowest))
			continue;
		lowest = u;
		there = v;
	}
	return there;
}

static double rate_per_hour(const struct operand *o, size_t from)
{
	const struct ht_series *s = o->s;
	size_t rows = s->rows - from, middle = from + rows / 2;
	double change, hours;

	if ((double)rows < ht_t.rate_rows)
		return NAN;
	change = mean(o, middle, s->rows) - mean(o, from, middle);
	hours = (double)(s->time_ns[s->rows - 1] - s->time_ns[from]) /
		(HT_HOUR_S * (double)HT_NS_PER_S);
	return hours > 0 ? change / (hours / 2) : NAN;
}

static double call(const struct ht_condition_op *op,
		   const struct ht_situation *s)
{
	const struct operand o = {op - op->value, op->value, s->series};
	size_t from;

	if (!o.s || o.s->rows == 0)
		return NAN;
	from = first_row(o.s, s->now_ns, op->number);
	switch ((enum ht_condition_function)op->function) {
	case HT_FN_lowest:
		return extreme(&o, from, HT_STAT_MIN);
	case HT_FN_highest:
		return extreme(&o, from, HT_STAT_MAX);
	case HT_FN_mean:
		return mean(&o, from, o.s->rows);
	case HT_FN_trough:
		return at_trough(&o, from);
	case HT_FN_rate:
		return rate_per_hour(&o, from);
	case HT_FN_COUNT:
		break;
	}
	return NAN;
}

static double newest(const struct ht_situation *s, uint16_t metric)
{
	if (!s->series || s->series->rows == 0)
		return NAN;
	return cell(s->series, metric, HT_STAT_MEDIAN, s->series->rows - 1);
}

/* No growth towards a limit: never, not unknown. */
static double eta_s(const struct ht_situation *s)
{
	if (!s->verdict || s->verdict->label == HT_LABEL_INSUFFICIENT_DATA)
		return NAN;
	if (s->verdict->eta_at_ns == 0)
		return INFINITY;
	return (double)(s->verdict->eta_at_ns - s->now_ns) /
	       (double)HT_NS_PER_S;
}

static double slope(const struct ht_situation *s)
{
	if (!s->verdict || s->verdict->label == HT_LABEL_INSUFFICIENT_DATA)
		return NAN;
	return isnan(s->verdict->slope_bytes_per_hour)
		       ? 0
		       : s->verdict->slope_bytes_per_hour;
}

/* As far back as the verdict's window saw it; what does not grow: 0. */
static double rising_s(const struct ht_situation *s)
{
	const struct ht_verdict *v = s->verdict;
	int64_t since_ns;

	if (!v || v->label == HT_LABEL_INSUFFICIENT_DATA)
		return NAN;
	if (isnan(v->slope_bytes_per_hour) || v->why == HT_REASON_BOUNDED)
		return 0; /* what fills a mapping ends with it */
	since_ns = v->since_ns ? v->since_ns : v->from_ns;
	return (double)(v->to_ns - since_ns) / (double)HT_NS_PER_S;
}

static double known(uint64_t v)
{
	return v == HT_UNKNOWN ? NAN : (double)v;
}

static double value(const struct ht_condition_op *op,
		    const struct ht_situation *s)
{
	if (op->value < HT_METRIC_COUNT)
		return newest(s, op->value);
	switch ((enum ht_condition_value)(op->value - HT_METRIC_COUNT)) {
	case HT_V_anon:
		return newest(s, HT_M_rss_anon) + newest(s, HT_M_swap);
	case HT_V_eta:
		return eta_s(s);
	case HT_V_slope:
		return slope(s);
	case HT_V_rising:
		return rising_s(s);
	case HT_V_confidence:
		return s->verdict ? s->verdict->confidence : NAN;
	case HT_V_idle_floor:
		return s->verdict ? known(s->verdict->idle_floor) : NAN;
	case HT_V_failures:
		return s->failures;
	case HT_V_inconsistent:
		return s->inconsistent;
	case HT_V_gap_intervals:
		return s->gap_intervals;
	case HT_V_stop_ratio:
		return s->stop_ratio;
	case HT_V_COUNT:
		break;
	}
	return NAN;
}

double ht_condition_calculate(enum ht_condition_op_code op, double a, double b)
{
	if (isnan(a) || isnan(b))
		return NAN;
	switch ((int)op) {
	case HT_OP_ADD:
		return a + b;
	case HT_OP_SUB:
		return a - b;
	case HT_OP_MUL:
		return a * b;
	case HT_OP_DIV:
		return b == 0 ? NAN : a / b;
	case HT_OP_MIN:
		return a < b ? a : b;
	default:
		return a > b ? a : b;
	}
}

static enum ht_truth compare(enum ht_condition_op_code op, double a, double b,
			     double ease)
{
	if (isnan(a) || isnan(b))
		return HT_UNSURE;
	switch ((int)op) {
	case HT_OP_GE:
		return a >= b * ease ? HT_TRUE : HT_FALSE;
	case HT_OP_GT:
		return a > b * ease ? HT_TRUE : HT_FALSE;
	case HT_OP_LE:
		return a <= b / ease ? HT_TRUE : HT_FALSE;
	default:
		return a < b / ease ? HT_TRUE : HT_FALSE;
	}
}

/* Kleene's logic: what is unsure stays so unless the other side decides. */
static enum ht_truth combine(enum ht_condition_op_code op, enum ht_truth a,
			     enum ht_truth b)
{
	enum ht_truth decides = op == HT_OP_AND ? HT_FALSE : HT_TRUE;

	if (a == decides || b == decides)
		return decides;
	return a == HT_UNSURE || b == HT_UNSURE ? HT_UNSURE : a;
}

enum ht_truth ht_condition_ask(const struct ht_condition *c,
			       const struct ht_situation *s, double ease,
			       double *left, double *right)
{
	double numbers[HT_CONDITION_OPS];
	enum ht_truth truths[HT_CONDITION_OPS];
	size_t n = 0, t = 0;
	bool first = true;

	for (size_t i = 0; i < c->ops_n; i++) {
		const struct ht_condition_op *op = &c->ops[i];
		enum ht_condition_op_code what = op->op;

		if (what == HT_OP_NUMBER) {
			numbers[n++] = op->number;
		} else if (what == HT_OP_VALUE) {
			numbers[n++] = value(op, s);
		} else if (what == HT_OP_FUNCTION) {
			numbers[n - 1] = call(op, s);
		} else if (what <= HT_OP_MAX) {
			n--;
			numbers[n - 1] = ht_condition_calculate(
				what, numbers[n - 1], numbers[n]);
		} else if (what <= HT_OP_LT) {
			n -= 2;
			truths[t++] =
				compare(what, numbers[n], numbers[n + 1], ease);
			if (first && left)
				*left = numbers[n];
			if (first && right)
				*right = numbers[n + 1];
			first = false;
		} else {
			t--;
			truths[t - 1] = combine(what, truths[t - 1], truths[t]);
		}
	}
	return t == 1 ? truths[0] : HT_UNSURE;
}

/* --- expressions --------------------------------------------------------- */

double ht_expression_at(const struct ht_expression *e,
			const struct ht_series *s, size_t row)
{
	return in_row(&(struct operand){e->c.ops, e->c.ops_n, s}, row);
}
