/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/rules.h"
#include "analysis/thresholds.h"
#include "common/clock.h"
#include "common/fnv.h"
#include "schema/figure_text.h"

static const char *const state_names[] = {
#define STATE_NAME(c, s) s,
	HT_ALERT_STATE_NAMES(STATE_NAME)};

const char *ht_alert_state_name(enum ht_alert_state state)
{
	return (unsigned)state < HT_ALERT_STATE_COUNT ? state_names[state]
						      : "?";
}

void ht_alert_init(struct ht_alert *a, const struct ht_rule *r,
		   const char *target, const char *process_key)
{
	*a = (struct ht_alert){.value = NAN, .level = NAN};
	snprintf(a->rule, sizeof(a->rule), "%s", r->name);
	snprintf(a->target, sizeof(a->target), "%s", target);
	snprintf(a->process_key, sizeof(a->process_key), "%s", process_key);
	snprintf(a->severity, sizeof(a->severity), "%s", r->severity);
}

/* A byte that no text has ends each. */
static uint64_t with_field(uint64_t hash, const char *text)
{
	return ht_fnv(ht_fnv(hash, text, strlen(text)), "\xff", 1);
}

/* Same rule, process and begin: same id, whoever works it out. Not a secret. */
static void make_id(struct ht_alert *a)
{
	char begin[24];
	uint64_t high = HT_FNV_BASIS, low = ~high;

	snprintf(begin, sizeof(begin), "%" PRId64, a->pending_ns);
	for (const char *const *part =
		     (const char *const[]){a->rule, a->target, a->process_key,
					   begin, NULL};
	     *part; part++) {
		high = with_field(high, *part);
		low = with_field(low, *part);
	}
	snprintf(a->id, sizeof(a->id), "%016" PRIx64 "%016" PRIx64, high, low);
}

static enum ht_truth both(enum ht_truth a, enum ht_truth b)
{
	if (a == HT_FALSE || b == HT_FALSE)
		return HT_FALSE;
	return a == HT_UNSURE || b == HT_UNSURE ? HT_UNSURE : HT_TRUE;
}

static enum ht_truth judged(const struct ht_rule *r, const struct ht_verdict *v,
			    double confidence)
{
	if (r->labels == 0)
		return HT_TRUE;
	if (!v || v->label == HT_LABEL_INSUFFICIENT_DATA)
		return HT_UNSURE;
	return (r->labels >> v->label & 1) && v->confidence >= confidence
		       ? HT_TRUE
		       : HT_FALSE;
}

static enum ht_truth large_enough(const struct ht_rule *r,
				  const struct ht_situation *s)
{
	size_t last;
	double anon;

	if (r->minimum <= 0)
		return HT_TRUE;
	if (!s->series || s->series->rows == 0)
		return HT_UNSURE;
	last = s->series->rows - 1;
	anon = s->series->metric[HT_M_rss_anon][HT_STAT_MEDIAN][last] +
	       s->series->metric[HT_M_swap][HT_STAT_MEDIAN][last];
	if (isnan(anon))
		return HT_UNSURE;
	return anon >= r->minimum ? HT_TRUE : HT_FALSE;
}

static enum ht_truth raised(const struct ht_rule *r,
			    const struct ht_situation *s, double *left,
			    double *right)
{
	enum ht_truth t =
		both(judged(r, s->verdict, r->confidence), large_enough(r, s));

	if (r->condition.ops_n)
		t = both(t, ht_condition_ask(&r->condition, s, 1, left, right));
	return t;
}

/* What keeps it firing is easier than what raised it: see rules.h. */
static enum ht_truth held(const struct ht_rule *r, const struct ht_situation *s)
{
	enum ht_truth t =
		judged(r, s->verdict, r->confidence * ht_t.hold_confidence);

	if (r->hold.ops_n)
		return both(t, ht_condition_ask(&r->hold, s, 1, NULL, NULL));
	if (r->condition.ops_n)
		return both(t, ht_condition_ask(&r->condition, s, r->ease, NULL,
						NULL));
	return t;
}

/* A side of a condition, in the words of its unit. */
static const char *side_text(const struct ht_rule *r, double v,
			     char out[HT_NUMBER_TEXT])
{
	if (strcmp(r->condition.unit, "seconds") != 0 || !isfinite(v))
		return ht_value_text(r->condition.unit, v, false, out);
	ht_duration_text((int64_t)(v * HT_NS_PER_S), out, HT_NUMBER_TEXT);
	return out;
}

static size_t explain_condition(struct ht_alert *a, const struct ht_rule *r)
{
	char value[HT_NUMBER_TEXT], level[HT_NUMBER_TEXT];

	return (size_t)snprintf(a->evidence, sizeof(a->evidence),
				"%s: %s against %s\n", r->condition.text,
				side_text(r, a->value, value),
				side_text(r, a->level, level));
}

static void explain(struct ht_alert *a, const struct ht_rule *r,
		    const struct ht_situation *s)
{
	const struct ht_verdict *v = s->verdict;
	size_t used;

	used = (size_t)snprintf(a->summary, sizeof(a->summary), "%s: %s",
				a->target,
				r->summary[0] ? r->summary : r->name);
	if (r->labels && v && used < sizeof(a->summary))
		snprintf(a->summary + used, sizeof(a->summary) - used,
			 " (%s %.2f)", ht_label_names[v->label], v->confidence);
	used = 0;
	a->evidence[0] = '\0';
	if (r->condition.ops_n)
		used = explain_condition(a, r);
	if (s->made_by && r->labels && used < sizeof(a->evidence))
		used += (size_t)snprintf(a->evidence + used,
					 sizeof(a->evidence) - used,
					 "made by: %s\n", s->made_by);
	if (s->held_by && r->labels && used < sizeof(a->evidence))
		used += (size_t)snprintf(a->evidence + used,
					 sizeof(a->evidence) - used,
					 "held: %s\n", s->held_by);
	if (s->grown && r->labels && used < sizeof(a->evidence))
		used += (size_t)snprintf(a->evidence + used,
					 sizeof(a->evidence) - used,
					 "type: %s\n", s->grown);
	for (size_t i = 0; v && i < v->evidence_n && used < sizeof(a->evidence);
	     i++)
		used += (size_t)snprintf(a->evidence + used,
					 sizeof(a->evidence) - used, "%s\n",
					 v->evidence[i]);
	if (v && v->remedy[0] && used < sizeof(a->evidence))
		snprintf(a->evidence + used, sizeof(a->evidence) - used, "%s\n",
			 v->remedy);
}

static enum ht_alert_change resolve(struct ht_alert *a, int64_t now_ns)
{
	if (a->state != HT_ALERT_FIRING) {
		a->state = HT_ALERT_OK;
		return HT_CHANGE_DROPPED;
	}
	a->state = HT_ALERT_RESOLVED;
	a->resolved_ns = now_ns;
	return HT_CHANGE_RESOLVED;
}

static enum ht_alert_change climb(struct ht_alert *a, const struct ht_rule *r,
				  int64_t now_ns)
{
	enum ht_alert_change change = HT_CHANGE_NONE;

	if (a->state != HT_ALERT_PENDING) {
		a->state = HT_ALERT_PENDING;
		a->pending_ns = now_ns;
		a->hits = 0;
		make_id(a);
		change = HT_CHANGE_PENDING;
	}
	if (now_ns < a->pending_ns) /* the clock was set back: wait anew */
		a->pending_ns = now_ns;
	a->hits++;
	if (a->hits < r->evaluations || now_ns - a->pending_ns < r->for_ns)
		return change;
	a->state = HT_ALERT_FIRING;
	a->firing_ns = now_ns;
	a->clear_ns = 0;
	return HT_CHANGE_FIRING;
}

static enum ht_alert_change stay(struct ht_alert *a, const struct ht_rule *r,
				 enum ht_truth still, int64_t now_ns)
{
	if (still != HT_FALSE) {
		if (still == HT_TRUE)
			a->clear_ns = 0;
		return HT_CHANGE_NONE;
	}
	if (a->clear_ns == 0 || now_ns < a->clear_ns)
		a->clear_ns = now_ns;
	if (now_ns - a->clear_ns < r->keep_firing_ns)
		return HT_CHANGE_NONE;
	return resolve(a, now_ns);
}

enum ht_alert_change ht_alert_step(struct ht_alert *a, const struct ht_rule *r,
				   const struct ht_situation *s)
{
	double left = NAN, right = NAN;
	enum ht_truth up;
	enum ht_alert_change change;

	a->seen_ns = s->now_ns;
	up = raised(r, s, &left, &right);
	if (a->state == HT_ALERT_FIRING) {
		change = stay(a, r, up == HT_TRUE ? HT_TRUE : held(r, s),
			      s->now_ns);
	} else if (up == HT_TRUE) {
		change = climb(a, r, s->now_ns);
	} else if (up == HT_FALSE && a->state == HT_ALERT_PENDING) {
		return resolve(a, s->now_ns);
	} else {
		return HT_CHANGE_NONE;
	}
	if (up == HT_TRUE) {
		a->value = left;
		a->level = right;
		explain(a, r, s);
	}
	return change;
}

enum ht_alert_change ht_alert_end(struct ht_alert *a, const struct ht_rule *r,
				  int64_t now_ns)
{
	if (r && r->keep_on_restart)
		return HT_CHANGE_NONE;
	return resolve(a, now_ns);
}

/* The first rows of s, without copying: rows only. */
static struct ht_series prefix(const struct ht_series *s, size_t rows)
{
	struct ht_series view = *s;

	view.rows = rows;
	return view;
}

enum ht_code ht_rule_replay(const struct ht_rule *r, const struct ht_series *s,
			    int64_t step_ns,
			    void (*each)(void *ctx, enum ht_alert_change change,
					 const struct ht_alert *a),
			    void *ctx, struct ht_replay *ret,
			    struct ht_err *err)
{
	struct ht_replay out = {0};
	struct ht_alert a;
	int64_t next_ns;
	bool judge = r->labels || ht_condition_needs_verdict(&r->condition);

	if (step_ns <= 0)
		return ht_fail(err, HT_USAGE,
			       "the step of a replay must be above 0");
	ht_alert_init(&a, r, s->target, "");
	next_ns = s->rows ? s->time_ns[0] : 0;
	for (size_t rows = 1; rows <= s->rows; rows++) {
		struct ht_series seen = prefix(s, rows);
		struct ht_verdict verdict;
		struct ht_situation now = {.now_ns = s->time_ns[rows - 1],
					   .series = &seen,
					   .failures = NAN,
					   .inconsistent = NAN,
					   .gap_intervals = NAN,
					   .stop_ratio = NAN};
		enum ht_alert_change change;

		if (now.now_ns < next_ns)
			continue;
		next_ns = now.now_ns + step_ns;
		if (judge) {
			ht_verdict(&seen, now.now_ns, NULL, &verdict);
			now.verdict = &verdict;
		}
		out.asked++;
		change = ht_alert_step(&a, r, &now);
		out.fired += change == HT_CHANGE_FIRING;
		if (change == HT_CHANGE_RESOLVED)
			out.firing_ns += a.resolved_ns - a.firing_ns;
		if (change != HT_CHANGE_NONE && each)
			each(ctx, change, &a);
		if (change == HT_CHANGE_RESOLVED || change == HT_CHANGE_DROPPED)
			ht_alert_init(&a, r, s->target, "");
	}
	if (a.state == HT_ALERT_FIRING && s->rows)
		out.firing_ns += s->time_ns[s->rows - 1] - a.firing_ns;
	*ret = out;
	return HT_OK;
}
