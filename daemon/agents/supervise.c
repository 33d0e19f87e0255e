/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/agents/supervise.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/agents/owners.h"
#include "daemon/agents/reaper.h"
#include "daemon/agents/trims.h"
#include "daemon/agents/types.h"
#include "daemon/loop/timer.h"
#include "daemon/registry/targets.h"
#include "link/facts_file.h"

/* The agent's own alarm comes first; ours is for one that ignores it. */
#define GRACE_NS (250 * HT_NS_PER_MS)

/* Who is due within twice as long is asked in one go. */
#define LEEWAY_NS (50 * HT_NS_PER_MS)

/* What is asked of every chunk. */
#define WALKS (HT_WANT_GRAPH | HT_WHO | HT_TRIM | HT_TRIM_NOW)

static double chance(void)
{
	return drand48();
}

/* The agent goes its own way: the reaper sees to its end without waiting. */
static void let_go(struct ht_supervisor *s, struct ht_watched *p)
{
	if (p->client_lives)
		ht_answers_leave(&s->answers, p->client.socket, p);
	if (p->client_lives)
		ht_reap(s->event, &p->client);
	p->client = HT_CLIENT_NONE;
	p->client_lives = false;
	p->agent_cpu_ns = 0;
}

void ht_supervisor_release(struct ht_supervisor *s, struct ht_watched *p)
{
	ht_turns_leave(&s->line, &p->due);
	ht_turns_leave(&s->late, &p->late);
	if (p->measuring)
		s->measuring--;
	p->measuring = false;
	let_go(s, p);
}

/* --- the end of a sample ------------------------------------------------- */

/* False: the snapshot is of another process or program than was meant. */
static bool is_meant(struct ht_watched *p)
{
	const struct ht_head *h = &p->newest.open->head;

	if (h->pid != HT_UNKNOWN && h->pid != (uint64_t)p->pid)
		return false;
	if (h->start_ticks != HT_UNKNOWN && h->start_ticks != p->start_ticks)
		return false;
	if (p->maybe && !ht_target_match_exe(p->config, h->exe))
		return false;
	p->maybe = false;
	return true;
}

/* The file under a pid changed: another program, so another life. */
static bool is_other_program(const struct ht_watched *p, uint64_t dev,
			     uint64_t inode)
{
	const struct ht_head *h = &p->newest.open->head;

	return dev != HT_UNKNOWN && h->exe_dev != HT_UNKNOWN &&
	       (h->exe_dev != dev || h->exe_inode != inode);
}

static void take_sample(struct ht_supervisor *s, struct ht_watched *p)
{
	const struct ht_head *h = &p->newest.open->head;

	if (is_other_program(p, p->exe_dev, p->exe_inode)) {
		ht_ingest_event(s->ingest, p, "exec", h->comm);
		s->events.replaced(s->events.ctx, p);
		p->store_id = 0;
		p->judged = false;
		p->calm = (struct ht_calm){.moved = false};
		p->trimming = (struct ht_trimming){0};
		p->looks = (struct ht_looks){0};
		p->holding = p->making = (struct ht_holding){0};
		p->typing = (struct ht_typing){0};
		ht_recent_forget(&p->recent);
	}
	p->exe_dev = h->exe_dev;
	p->exe_inode = h->exe_inode;
	p->samples++;
	p->last_error = (struct ht_err){0};
	p->inconsistent = (uint8_t)(p->inconsistent << 1 |
				    (p->newest.open->findings.n > 0));
	ht_pauses_count(&p->pauses, p->newest.open->stop.pause_us);
	ht_pauses_count(&p->gaps, p->newest.open->stop.gap_us);
	p->measured_ns = ht_mono_ns();
	ht_latest_take(&p->latest, p->newest.open, s->config->metrics_arenas,
		       s->config->metrics_bins);
	ht_calm_take(&p->calm, p->latest.values);
	if (s->config->ui != HT_UI_OFF)
		ht_recent_take(&p->recent, p->latest.taken_ns,
			       p->latest.values);
	p->started_at_ns = h->started_at;
	if (h->exe[0])
		snprintf(p->exe, sizeof(p->exe), "%s", h->exe);
	ht_ingest_sample(s->ingest, p);
	ht_trims_take(s->ingest, p, p->measured_ns);
	ht_owners_take(s->ingest, p);
	ht_types_take(s->ingest, p);
}

static void take_failure(struct ht_supervisor *s, struct ht_watched *p,
			 enum ht_code code, const struct ht_err *err)
{
	p->failures[code]++;
	s->failures[code]++;
	p->last_error = *err;
	if (p->schedule.failures == 1)
		ht_log(LOG_WARNING,
		       "pid %d not measured: %s reason=%s target=%s",
		       (int)p->pid, err->msg, ht_code_label(code), p->target);
	ht_ingest_event(s->ingest, p, "failed", err->msg);
}

static int64_t agent_cpu_ns(const struct ht_watched *p)
{
	return p->client_lives ? ht_client_cpu_ns(&p->client) : 0;
}

/* Of the sample that ends, since the one before: what the agent did after its
 * answer is the next one's. An agent that stays finds malloc once, with its
 * first sample: that is not counted. */
static int64_t sample_cpu_ns(const struct ht_supervisor *s,
			     struct ht_watched *p)
{
	bool stays = s->config->agent_life != HT_AGENT_SAMPLE;
	int64_t begun_ns = p->agent_cpu_ns, now_ns = agent_cpu_ns(p);

	p->agent_cpu_ns = now_ns;

	if ((stays && begun_ns == 0) || now_ns < begun_ns)
		return 0;
	return now_ns - begun_ns;
}

static struct ht_looks_limits looks_of(const struct ht_target_config *t)
{
	return (struct ht_looks_limits){
		.choice = t->look,
		.budget_ns = (int64_t)((double)t->interval_ns * t->look_cpu)};
}

/* More than a sample was asked for. Who waits for one gets the next. */
static void finish_without_graph(struct ht_supervisor *s, struct ht_watched *p,
				 const struct ht_err *err)
{
	ht_schedule_again(&p->schedule, p->config, ht_mono_ns(),
			  sample_cpu_ns(s, p));
	if (p->holding.asking)
		ht_owners_refused(s->ingest, p, err);
	ht_types_refused(s->ingest, p, err);
}

static void finish_sample(struct ht_supervisor *s, struct ht_watched *p,
			  enum ht_code code, const struct ht_err *err)
{
	const int64_t now_ns = ht_mono_ns(), cpu_ns = sample_cpu_ns(s, p);
	const struct ht_looks_limits limits = looks_of(p->config);

	ht_schedule_end(&p->schedule, p->config, now_ns, code,
			code == HT_OK ? p->newest.open->stop.pause_us
				      : HT_UNKNOWN,
			cpu_ns, chance());
	if (code == HT_OK)
		ht_looks_note(&p->looks, &limits, p->newest.open, cpu_ns,
			      now_ns);
	if (code == HT_OK)
		take_sample(s, p);
	else
		take_failure(s, p, code, err);
}

static void finish(struct ht_watched *p, enum ht_code code,
		   const struct ht_err *err)
{
	struct ht_supervisor *s = p->supervisor;

	s->measuring--;
	p->measuring = false;
	ht_turns_leave(&s->late, &p->late);
	if (code != HT_OK && (p->holding.asking || p->typing.asking)) {
		finish_without_graph(s, p, err);
	} else {
		finish_sample(s, p, code, err);
		s->events.sampled(s->events.ctx, p, code, err);
	}
	ht_newest_close(&p->newest);
	ht_wire_in_fini(&p->client.in); /* the answer as it came */
	if (code != HT_OK || s->config->agent_life == HT_AGENT_SAMPLE)
		let_go(s, p);
	ht_supervisor_expect(s, p);
}

/* The answer is whole; was it about the process that was meant? */
static void finish_ok(struct ht_watched *p)
{
	struct ht_err err;

	if (is_meant(p)) {
		finish(p, HT_OK, NULL);
	} else if (p->maybe) {
		p->supervisor->events.mistaken(p->supervisor->events.ctx, p);
	} else {
		ht_err_put(&err, HT_PROTOCOL, 0, 0,
			   "the agent measured another process");
		finish(p, HT_PROTOCOL, &err);
	}
}

/* --- while it is measured ------------------------------------------------ */

static void on_answer(void *of)
{
	struct ht_watched *p = of;
	struct ht_err err;
	enum ht_code code;

	if (!p->measuring) { /* an idle agent that ended or speaks unasked */
		let_go(p->supervisor, p);
		return;
	}
	code = ht_client_receive(&p->client, &err);
	if (code != HT_OK)
		finish(p, code, &err);
	else if (p->client.in.state != HT_WIRE_OPEN)
		finish_ok(p);
}

static void give_up(struct ht_watched *p)
{
	struct ht_err err;

	ht_client_kill(&p->client);
	p->supervisor->killed++;
	ht_err_put(&err, HT_TIMEOUT, 0, 0,
		   "no answer from the agent in %.1f s; it was ended",
		   (double)p->config->timeout_ns / 1e9);
	finish(p, HT_TIMEOUT, &err);
}

static enum ht_code watch_late(struct ht_supervisor *s, struct ht_err *err);

/* Nearly always for one that has answered since: the next that is waited for
 * then has its turn. */
static int on_late(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct ht_supervisor *s = ctx;
	struct ht_err err;

	(void)source;
	(void)now_us;
	s->late_ns = 0;
	while (s->late.first && s->late.first->at_ns <= ht_mono_ns())
		give_up(ht_watched_late(s->late.first));
	if (watch_late(s, &err) != HT_OK)
		ht_log_err(LOG_ERR, "deadline timer", &err);
	return 0;
}

/* One timer for all: it is set to the first deadline where it would go off
 * after that, and not touched where an answer came in time. */
static enum ht_code watch_late(struct ht_supervisor *s, struct ht_err *err)
{
	const struct ht_turn *first = s->late.first;
	enum ht_code code;

	if (!first || (s->late_ns && s->late_ns <= first->at_ns))
		return HT_OK;
	code = ht_timer_set(s->event, &s->late_timer, first->at_ns, on_late, s,
			    err);
	s->late_ns = code == HT_OK ? first->at_ns : 0;
	return code;
}

static enum ht_code start_agent(struct ht_supervisor *s, struct ht_watched *p,
				struct ht_err *err)
{
	enum ht_code code =
		ht_client_start(s->agent, p->pid, NULL, &p->client, err);

	if (code != HT_OK)
		return code;
	p->client_lives = true;
	s->started++;
	return ht_answers_add(&s->answers, p->client.socket, p, err);
}

/* Only where the process hardly waits for it, by what it had before; what was
 * known of one that grew is known no more. */
static bool may_ask_pss(struct ht_watched *p, const struct ht_request *r)
{
	double rss = p->latest.values[HT_M_rss];
	bool may = rss >= 0 && ht_rollup_us((uint64_t)rss) <= r->max_pause_us;

	if (!may)
		p->latest.values[HT_M_pss] = NAN;
	return may;
}

static struct ht_request request_of(const struct ht_supervisor *s,
				    struct ht_watched *p, int64_t now_ns)
{
	const struct ht_target_config *t = p->config;
	const struct ht_daemon_config *d = s->config;
	struct ht_request r = {
		.mode = t->mode,
		.max_pause_us = (uint64_t)(t->max_pause_ns / HT_NS_PER_US),
		.timeout_ms = (uint64_t)(t->timeout_ns / HT_NS_PER_MS),
		.flags = HT_WANT_CLASSES | HT_WANT_MAPPINGS,
		.attempts = t->attempts,
	};

	if (p->detail_ns == 0 || now_ns - p->detail_ns >= d->detail_ns) {
		r.flags |= HT_WANT_BINS | HT_WANT_THREADS | HT_WANT_HEAPS;
		p->detail_ns = now_ns;
	}
	if (p->latest.taken_ns && now_ns - p->pss_ns >= d->detail_ns &&
	    may_ask_pss(p, &r)) {
		r.flags |= HT_WANT_PSS;
		p->pss_ns = now_ns;
	}
	if (d->agent_life == HT_AGENT_SAMPLE)
		r.flags |= HT_LAST_REQUEST;
	return r;
}

/* What is asked beside a sample, one thing at a time. */
static bool asks_more(struct ht_watched *p, struct ht_request *r,
		      int64_t now_ns)
{
	p->typing.asking = false;
	return ht_trims_ask(p, r, now_ns) || ht_owners_ask(p, r, now_ns) ||
	       ht_types_ask(p, r, now_ns);
}

static void measure(struct ht_supervisor *s, struct ht_watched *p)
{
	const struct ht_looks_limits limits = looks_of(p->config);
	int64_t now_ns = ht_mono_ns();
	struct ht_request r = request_of(s, p, now_ns);
	struct ht_err err;
	enum ht_code code = ht_newest_open(&p->newest, &err);

	ht_turns_leave(&s->line, &p->due);
	p->supervisor = s;
	p->measuring = true;
	s->measuring++;
	/* An agent of its own: it leaves a freezer before it is confined. */
	if (asks_more(p, &r, now_ns) && p->client_lives)
		let_go(s, p);
	if (r.mode == p->config->mode && !(r.flags & WALKS))
		ht_looks_choose(&p->looks, &limits, &r);
	ht_schedule_begin(&p->schedule, now_ns);
	if (code == HT_OK && !p->client_lives)
		code = start_agent(s, p, &err);
	if (code == HT_OK)
		code = ht_client_ask(&p->client, &r, p->newest.open, &err);
	if (code == HT_OK) {
		ht_turns_put(&s->late, &p->late,
			     now_ns + p->config->timeout_ns + GRACE_NS);
		code = watch_late(s, &err);
	}
	if (code != HT_OK)
		finish(p, code, &err);
}

/* --- who is next --------------------------------------------------------- */

/* NULL: nobody waits. One without a target is about to be dropped. */
static struct ht_watched *nearest(struct ht_supervisor *s)
{
	while (s->line.first) {
		struct ht_watched *p = ht_watched_due(s->line.first);

		if (p->config)
			return p;
		ht_turns_leave(&s->line, &p->due);
	}
	return NULL;
}

/* So much sooner or later than due, with others: jitter moves it by more. */
static int64_t leeway_ns(const struct ht_watched *p)
{
	double ns = (double)p->config->interval_ns * p->config->jitter / 20;

	if (p->schedule.state != HT_SCHEDULE_OK)
		return 0; /* a cap says when */
	return ns < LEEWAY_NS ? (int64_t)ns : LEEWAY_NS;
}

static int on_due(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct ht_supervisor *s = ctx;

	(void)source;
	(void)now_us;
	s->next_ns = 0;
	ht_supervisor_pump(s);
	return 0;
}

static void wait_until(struct ht_supervisor *s, int64_t due_ns)
{
	struct ht_err err;

	if (s->next_ns == due_ns)
		return;
	s->next_ns = due_ns;
	if (ht_timer_set(s->event, &s->timer, due_ns, on_due, s, &err) == HT_OK)
		return;
	s->next_ns = 0;
	ht_log_err(LOG_ERR, "sample timer", &err);
}

void ht_supervisor_pump(struct ht_supervisor *s)
{
	struct ht_watched *p;

	if (s->pumping) /* measure() failed at once and came back here */
		return;
	s->pumping = true;
	while (s->measuring < s->config->agents_max &&
	       (p = nearest(s)) != NULL) {
		const int64_t leeway = leeway_ns(p);

		if (p->due.at_ns - leeway > ht_mono_ns()) {
			wait_until(s, p->due.at_ns + leeway);
			break;
		}
		measure(s, p);
	}
	if (s->measuring > 1)
		ht_answers_rest(&s->answers);
	s->pumping = false;
}

void ht_supervisor_expect(struct ht_supervisor *s, struct ht_watched *p)
{
	if (!p->measuring)
		ht_turns_put(&s->line, &p->due, p->schedule.due_ns);
	ht_supervisor_pump(s);
}

enum ht_code ht_supervisor_init(struct ht_supervisor *s, sd_event *event,
				const struct ht_daemon_config *config,
				struct ht_ingest *ingest,
				const struct ht_supervisor_events *events,
				struct ht_err *err)
{
	*s = (struct ht_supervisor){.event = event,
				    .config = config,
				    .ingest = ingest,
				    .events = *events};
	ht_facts_file_make();
	srand48((long)(ht_mono_ns() ^ getpid()));
	if (ht_answers_init(&s->answers, event, on_answer, err) != HT_OK)
		return HT_SYS;
	if (config->agent[0]) {
		snprintf(s->agent, sizeof(s->agent), "%s", config->agent);
		if (access(s->agent, X_OK) < 0)
			return ht_fail_sys(err, HT_CONFIG, errno, "agent %s",
					   s->agent);
		return HT_OK;
	}
	return ht_client_find_agent(s->agent, sizeof(s->agent), err);
}

void ht_supervisor_fini(struct ht_supervisor *s)
{
	s->pumping = true; /* nothing begins any more */
	s->timer = sd_event_source_disable_unref(s->timer);
	s->late_timer = sd_event_source_disable_unref(s->late_timer);
	ht_answers_fini(&s->answers);
}
