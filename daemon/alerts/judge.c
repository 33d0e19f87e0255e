/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/alerts/judge.h"

#include <math.h>

#include "analysis/needs.h"
#include "common/clock.h"
#include "common/log.h"
#include "daemon/loop/timer.h"

#define HISTORY_NS    (INT64_C(7) * 86400 * HT_NS_PER_S)
#define TICK_NS	      (100 * HT_NS_PER_MS)
#define JUDGE_SHARE   0.0025 /* of a processor, for all verdicts together */
#define HISTORY_PARTS 500
#define CALM_PARTS    8
/* What rules without a window of their own look at. */
#define RECENT_NS (60 * HT_NS_PER_S)
/* Up to so much a mixed history is of samples. */
#define REMEMBERED_NS (3600 * HT_NS_PER_S)

static int64_t longest_window_ns(const struct ht_config *c)
{
	int64_t longest_ns = RECENT_NS;

	for (size_t i = 0; i < c->rules_n; i++) {
		int64_t ns = ht_condition_window_ns(&c->rules[i].condition);
		int64_t hold_ns = ht_condition_window_ns(&c->rules[i].hold);

		if (ns > longest_ns)
			longest_ns = ns;
		if (hold_ns > longest_ns)
			longest_ns = hold_ns;
	}
	return longest_ns;
}

int64_t ht_judge_wait_ns(int64_t evaluate_ns, int64_t cost_ns,
			 int64_t history_ns, size_t processes)
{
	double dear_ns = (double)cost_ns * (double)processes / JUDGE_SHARE;
	double wait_ns = fmin(dear_ns, (double)history_ns / HISTORY_PARTS);

	return wait_ns > (double)evaluate_ns ? (int64_t)wait_ns : evaluate_ns;
}

int64_t ht_judge_calm_ns(int64_t wait_ns, int64_t history_ns)
{
	double calm_ns = fmin((double)history_ns / CALM_PARTS,
			      (double)HISTORY_NS / HISTORY_PARTS);

	return calm_ns > (double)wait_ns ? (int64_t)calm_ns : wait_ns;
}

bool ht_judge_still_holds(const struct ht_watched *p, int64_t mono_ns)
{
	if (!p->judged)
		return false;
	return mono_ns < p->verdict_ns ||
	       (p->verdict.label == HT_LABEL_STABLE && ht_calm_is(&p->calm) &&
		mono_ns < p->calm_ns);
}

void ht_judge_made(struct ht_watched *p, int64_t mono_ns, int64_t wait_ns,
		   int64_t history_ns)
{
	p->judged = true;
	p->verdict_ns = mono_ns + wait_ns;
	p->calm_ns = mono_ns + ht_judge_calm_ns(wait_ns, history_ns);
	ht_calm_judged(&p->calm);
}

/* A little sooner: its turn comes every `evaluate`, not a tick after. */
static void plan_next(const struct ht_judge *j, struct ht_watched *p,
		      int64_t begun_ns, int64_t cpu_ns, int64_t history_ns)
{
	int64_t wait_ns =
		ht_judge_wait_ns(j->config->daemon.evaluate_ns, cpu_ns,
				 history_ns, ht_registry_count(j->registry));

	ht_judge_made(p, begun_ns - TICK_NS / 4, wait_ns, history_ns);
}

/* True: p->verdict is of its history, made now or not long ago. */
static bool judge_history(struct ht_judge *j, struct ht_watched *p,
			  int64_t now_ns)
{
	struct ht_store *st = ht_ingest_store_of(j->ingest, p);
	int64_t begun_ns = ht_mono_ns();
	int64_t cpu_ns = ht_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	HT_AUTO_SERIES struct ht_series history;
	HT_AUTO_LIVES struct ht_store_lives before = {.n = 0};
	HT_AUTO_SNAPSHOT struct ht_snapshot newest;
	bool metrics[HT_METRIC_COUNT];
	struct ht_err err;

	ht_series_init(&history);
	ht_snapshot_init(&newest);
	ht_verdict_needs(metrics);
	if (!st || !p->store_id)
		return false;
	if (ht_judge_still_holds(p, begun_ns))
		return true;
	if (ht_store_series_mixed(st, p->store_id, now_ns - HISTORY_NS, now_ns,
				  HT_SERIES_CLASSES | HT_SERIES_MAPPINGS,
				  metrics, &history, &err) != HT_OK ||
	    ht_store_lives(st, p->store_id, now_ns, metrics, &before, &err) !=
		    HT_OK) {
		if (err.code != HT_NODATA)
			ht_ingest_trouble(j->ingest, "read history", &err);
		return false;
	}
	history.earlier = before.life;
	history.earlier_n = before.n;
	ht_verdict(&history, now_ns,
		   ht_newest_read(&p->newest, &newest) ? &newest : NULL,
		   &p->verdict);
	ht_ingest_verdict(j->ingest, p, now_ns);
	j->judged++;
	plan_next(j, p, begun_ns, ht_clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns,
		  history.rows ? now_ns - history.time_ns[0] : 0);
	return true;
}

/* False: no rule asks anything of it. */
static bool flag_metrics(const struct ht_config *c, const char *target,
			 bool metrics[HT_METRIC_COUNT])
{
	bool any = false;

	for (size_t i = 0; i < c->rules_n; i++) {
		if (!ht_rule_concerns(&c->rules[i], target))
			continue;
		any = true;
		ht_condition_metrics(&c->rules[i].condition, metrics);
		ht_condition_metrics(&c->rules[i].hold, metrics);
	}
	return any;
}

/* What the rules look at. Of an hour, samples are all that a mixed history has,
 * and those of it that were read before are remembered: a minute of ten was
 * read ten times. */
static enum ht_code read_recent(struct ht_judge *j, struct ht_store *st,
				const struct ht_watched *p, int64_t now_ns,
				const bool metrics[HT_METRIC_COUNT],
				struct ht_series *ret, struct ht_err *err)
{
	const int64_t window_ns = longest_window_ns(j->config);

	if (window_ns <= REMEMBERED_NS)
		return ht_store_series_mixed(
			st, p->store_id, now_ns - window_ns, now_ns,
			HT_SERIES_METRICS, metrics, ret, err);
	return ht_store_series_of(st, p->store_id, now_ns - window_ns, now_ns,
				  0, HT_SERIES_METRICS, metrics, ret, err);
}

/* By the clock that a suspend and a set wall clock leave alone; when it was to
 * be asked: if we were late ourselves, so were the samples. */
static double gap_intervals(const struct ht_watched *p, int64_t due_ns)
{
	if (!p->latest.taken_ns)
		return NAN;
	return ht_schedule_gap(&p->schedule, p->config, p->measured_ns, due_ns);
}

static void ask_rules(struct ht_judge *j, struct ht_watched *p, int64_t due_ns,
		      int64_t now_ns, bool judged)
{
	struct ht_store *st = ht_ingest_store_of(j->ingest, p);
	HT_AUTO_SERIES struct ht_series recent;
	bool metrics[HT_METRIC_COUNT] = {
		[HT_M_rss_anon] = true, [HT_M_swap] = true}; /* minimum */
	struct ht_err err;
	struct ht_situation s = {
		.now_ns = now_ns,
		.verdict = judged ? &p->verdict : NULL,
		.held_by =
			judged ? ht_holding_of(&p->holding, &p->verdict) : NULL,
		.made_by =
			judged ? ht_holding_of(&p->making, &p->verdict) : NULL,
		.grown = judged ? ht_typing_of(&p->typing, &p->verdict) : NULL,
		.series = &recent,
		.failures = p->schedule.failures,
		.inconsistent = ht_watched_inconsistent(p),
		.gap_intervals = gap_intervals(p, due_ns),
		.stop_ratio =
			ht_schedule_stop_ratio(&p->schedule, ht_mono_ns()),
	};

	ht_series_init(&recent);
	if (flag_metrics(j->config, p->target, metrics) && st && p->store_id &&
	    read_recent(j, st, p, now_ns, metrics, &recent, &err) != HT_OK &&
	    err.code != HT_NODATA)
		ht_ingest_trouble(j->ingest, "read samples", &err);
	ht_alerts_ask(j->alerts, p, &s);
	if (p->holding.news || p->making.news || (p->typing.news && s.grown))
		ht_alerts_record(j->alerts);
	p->holding.news = p->making.news = false;
	p->typing.news &= !s.grown;
}

static void judge(struct ht_judge *j, struct ht_watched *p)
{
	int64_t begun_ns = ht_mono_ns(), now_ns = ht_wall_ns();
	int64_t due_ns = p->asked.at_ns, wait_ns;
	bool judged;

	/* what it tells is nearly there */
	wait_ns = p->measuring ? TICK_NS : j->config->daemon.evaluate_ns;
	ht_turns_put(&j->line, &p->asked, begun_ns + wait_ns);
	if (p->measuring || (p->samples == 0 && p->schedule.failures == 0))
		return;
	judged = p->samples && judge_history(j, p, now_ns);
	ask_rules(j, p, due_ns, now_ns, judged);
	j->cost_ns = ht_mono_ns() - begun_ns;
}

/* A process that comes meanwhile is not due before evaluate / 16 is over. */
static int64_t next_tick_ns(const struct ht_judge *j, int64_t now_ns)
{
	const struct ht_turn *due = j->line.first;
	int64_t rest_ns = j->config->daemon.evaluate_ns / 16;
	int64_t next_ns;

	if (rest_ns > HT_NS_PER_S)
		rest_ns = HT_NS_PER_S;
	next_ns = now_ns + (rest_ns > TICK_NS ? rest_ns : TICK_NS);
	if (due && due->at_ns < next_ns)
		next_ns = due->at_ns;
	return next_ns > now_ns + TICK_NS / 4 ? next_ns : now_ns + TICK_NS / 4;
}

static int on_tick(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct ht_judge *j = ctx;
	int64_t now_ns = ht_mono_ns();
	struct ht_turn *due = j->line.first;
	struct ht_err err;

	(void)source;
	(void)now_us;
	if (due && due->at_ns <= now_ns)
		judge(j, ht_watched_asked(due));
	ht_alerts_sweep(j->alerts);
	if (ht_timer_set(j->event, &j->timer, next_tick_ns(j, now_ns), on_tick,
			 j, &err) != HT_OK)
		ht_log_err(LOG_ERR, "judge timer", &err);
	return 0;
}

/* Spread over the period, by a number that differs from one to the next. */
void ht_judge_arrived(struct ht_judge *j, struct ht_watched *p)
{
	ht_turns_put(&j->line, &p->asked,
		     ht_mono_ns() + j->config->daemon.evaluate_ns / 16 *
					    (int64_t)(1 + p->id % 16));
}

void ht_judge_left(struct ht_judge *j, struct ht_watched *p)
{
	ht_turns_leave(&j->line, &p->asked);
}

enum ht_code ht_judge_init(struct ht_judge *j, sd_event *event,
			   const struct ht_config *config,
			   const struct ht_registry *registry,
			   struct ht_ingest *ingest, struct ht_alerts *alerts,
			   struct ht_err *err)
{
	*j = (struct ht_judge){.event = event,
			       .config = config,
			       .registry = registry,
			       .ingest = ingest,
			       .alerts = alerts};
	return ht_timer_set(event, &j->timer, ht_mono_ns() + TICK_NS, on_tick,
			    j, err);
}

void ht_judge_fini(struct ht_judge *j)
{
	j->timer = sd_event_source_disable_unref(j->timer);
}
