/* SPDX-License-Identifier: Apache-2.0 */
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/near.h"
#include "daemon/control/control_int.h"
#include "daemon/control/watches.h"
#include "schema/alert_json.h"
#include "schema/snapshot_json.h"

#define DAY_NS (86400 * HT_NS_PER_S)

static const char *text_of(const json_t *arguments, const char *key)
{
	return json_string_value(json_object_get(arguments, key));
}

static enum ht_code need_text(const json_t *arguments, const char *key,
			      const char **ret, struct ht_err *err)
{
	*ret = text_of(arguments, key);
	if (!*ret || !**ret)
		return ht_fail(err, HT_USAGE, "the request has no \"%s\"", key);
	return HT_OK;
}

/* --- looking ------------------------------------------------------------- */

static json_t *sinks_json(struct ht_parts *d)
{
	json_t *all = json_array();
	const struct ht_sink *s;

	LL_FOREACH (d->sinks.list, s)
		json_array_append_new(
			all,
			json_pack("{s:s, s:b, s:I, s:I, s:I, s:o}", "sink",
				  s->config.name, "ok",
				  s->last_error[0] == '\0', "queued",
				  (json_int_t)s->queued, "delivered",
				  (json_int_t)s->delivered, "failed",
				  (json_int_t)s->failed, "last_error",
				  s->last_error[0] ? ht_text_json(s->last_error)
						   : json_null()));
	return all;
}

static void add_unknowns(json_t *all, const struct ht_watched *p,
			 const struct ht_snapshot *s)
{
	for (size_t i = 0; i < s->unknowns.n; i++) {
		const struct ht_unknown *u = &s->unknowns.v[i];

		json_array_append_new(
			all,
			json_pack("{s:s, s:i, s:s, s:I, s:o, s:o}", "target",
				  p->target, "pid", (int)p->pid, "reason",
				  u->reason < HT_WHY_COUNT
					  ? ht_why_names[u->reason]
					  : "",
				  "figures", (json_int_t)u->figures, "names",
				  ht_text_json(u->names), "why",
				  ht_text_json(u->text)));
	}
}

/* A row for each process and reason: what is not known of it. */
static json_t *unknown_json(struct ht_parts *d)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot newest;
	json_t *all = json_array();

	ht_snapshot_init(&newest);
	HT_EACH_PROCESS (&d->registry, p) {
		if (ht_newest_read(&p->newest, &newest))
			add_unknowns(all, p, &newest);
	}
	return all;
}

/* Processes that have waited for their turn for longer than their interval:
 * agents_max is too small for so many, or their interval too short. */
static size_t late_processes(struct ht_parts *d)
{
	int64_t now_ns = ht_mono_ns();
	size_t n = 0;

	HT_EACH_PROCESS (&d->registry, p)
		n += !p->measuring && p->config &&
		     now_ns - p->schedule.due_ns > p->config->interval_ns;
	return n;
}

/* lost_share: of a thread's time, by the calls of the newest run, at most. */
static json_t *who_json(const struct ht_makers *m)
{
	return json_pack("{s:I, s:I, s:o, s:o}", "runs", (json_int_t)m->runs,
			 "refused", (json_int_t)m->refused, "pid",
			 m->p ? json_integer(m->p->pid) : json_null(),
			 "lost_share",
			 m->pace.windows ? json_real(m->lost) : json_null());
}

static enum ht_code do_status(struct ht_peer *peer, json_t *arguments,
			      json_t **ret, struct ht_err *err)
{
	struct ht_parts *d = peer->control->parts;

	(void)arguments;
	(void)err;
	*ret = json_pack(
		"{s:s, s:i, s:o, s:s, s:{s:s, s:o, s:I, s:I, s:I}, s:I, s:I, s:I, s:{s:I, s:I, s:I}, s:f, s:f, s:o, s:o, s:o, s:o}",
		"version", HT_VERSION, "pid", (int)getpid(), "started_at",
		ht_time_json(d->started_ns), "config",
		d->config_path ? d->config_path : "", "store", "path",
		d->config.daemon.store, "bytes",
		d->ingest.size_bytes
			? json_integer((json_int_t)d->ingest.size_bytes)
			: json_null(), /* not looked at yet */
		"samples", (json_int_t)d->ingest.stored, "lost",
		(json_int_t)d->ingest.lost, "lost_events",
		(json_int_t)d->ingest.lost_events, "targets",
		(json_int_t)d->config.targets_n, "processes",
		(json_int_t)ht_registry_count(&d->registry), "late",
		(json_int_t)late_processes(d), "agents", "started",
		(json_int_t)d->supervisor.started, "killed",
		(json_int_t)d->supervisor.killed, "measuring",
		(json_int_t)d->supervisor.measuring, "loop_lag_ms",
		(double)d->lag.last_ns / 1e6, "loop_lag_max_ms",
		(double)d->lag.max_ns / 1e6, "sinks", sinks_json(d), "trouble",
		d->ingest.trouble[0] ? ht_text_json(d->ingest.trouble)
				     : json_null(),
		"unknown", unknown_json(d), "who", who_json(&d->makers));
	return HT_OK;
}

static const char *state_of(const struct ht_watched *p)
{
	return p->measuring ? "measuring"
			    : ht_schedule_state_name(p->schedule.state);
}

static json_t *metric_json(const struct ht_watched *p, enum ht_metric m)
{
	double v = p->latest.taken_ns ? p->latest.values[m] : NAN;

	return isnan(v) ? json_null() : ht_u64_json((uint64_t)v);
}

static uint64_t failures_of(const struct ht_watched *p)
{
	uint64_t n = 0;

	for (size_t i = 0; i < HT_CODE_COUNT; i++)
		n += p->failures[i];
	return n;
}

static json_t *seconds_json(int64_t ns, bool known)
{
	return known ? json_real((double)ns / 1e9) : json_null();
}

/* How, how old, and by which share it may be off. */
static json_t *sureness_json(const struct ht_watched *p,
			     const struct ht_sureness *s)
{
	if (p->latest.taken_ns == 0)
		return json_null();
	return json_pack(
		"{s:s, s:o, s:o}", "how", ht_how_names[s->how], "age_s",
		s->age_us != HT_UNKNOWN ? json_real((double)s->age_us / 1e6)
					: json_null(),
		"off", isnan(s->off) ? json_null() : json_real(s->off));
}

/* How it is looked at, what that costs, how old its size classes are. */
static void add_looks(json_t *row, const struct ht_watched *p, int64_t now_ns)
{
	const struct ht_looks *l = &p->looks;
	int64_t cpu_ns = l->light ? l->light_ns : l->full_ns;
	int64_t age_ns = ht_looks_classes_age_ns(l, now_ns);

	json_object_set_new(row, "look",
			    p->latest.taken_ns
				    ? json_string(ht_look_names[l->light])
				    : json_null());
	json_object_set_new(row, "look_cpu_s", seconds_json(cpu_ns, cpu_ns));
	json_object_set_new(row, "full_look_cpu_s",
			    seconds_json(ht_looks_full_ns(l), l->full_ns));
	json_object_set_new(row, "classes_age_s",
			    seconds_json(age_ns, age_ns >= 0));
	json_object_set_new(row, "cpu_share",
			    cpu_ns ? json_real((double)cpu_ns /
					       (double)p->config->interval_ns)
				   : json_null());
	json_object_set_new(row, "cpu_share_max",
			    json_real(p->config->look_cpu));
	json_object_set_new(row, "in_use_sure", sureness_json(p, &l->in_use));
	json_object_set_new(row, "retained_sure",
			    sureness_json(p, &l->retained));
}

static json_t *row_json(struct ht_parts *d, const struct ht_watched *p)
{
	int64_t now_ns = ht_mono_ns();
	json_t *row = json_pack(
		"{s:s, s:i, s:o, s:o, s:o, s:s, s:f, s:f, s:I, s:I, s:o}",
		"target", p->target, "pid", (int)p->pid, "comm",
		ht_text_json(p->comm), "exe", ht_text_json(p->exe),
		"process_id",
		p->store_id ? json_integer(p->store_id) : json_null(), "state",
		state_of(p), "interval_s", (double)p->config->interval_ns / 1e9,
		"next_s",
		p->schedule.due_ns > now_ns
			? (double)(p->schedule.due_ns - now_ns) / 1e9
			: 0.0,
		"samples", (json_int_t)p->samples, "failures",
		(json_int_t)failures_of(p), "last_error",
		p->last_error.code ? ht_text_json(p->last_error.msg)
				   : json_null());
	json_t *figures = json_pack(
		"{s:o, s:f, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o}",
		"pause_us", metric_json(p, HT_M_pause_us), "stop_ratio",
		ht_schedule_stop_ratio(&p->schedule, now_ns), "sampled_at",
		ht_time_json(p->latest.taken_ns), "started_at",
		ht_time_json(p->started_at_ns), "verdict",
		p->judged ? json_string(ht_label_names[p->verdict.label])
			  : json_null(),
		"confidence",
		p->judged ? json_real(p->verdict.confidence) : json_null(),
		"alerts",
		(json_int_t)ht_alerts_of(&d->alerts, p, HT_ALERT_FIRING),
		"in_use", metric_json(p, HT_M_in_use), "retained",
		metric_json(p, HT_M_retained), "trimmable",
		metric_json(p, HT_M_trimmable), "rss",
		metric_json(p, HT_M_rss));

	json_object_update(row, figures);
	add_looks(row, p, now_ns);
	json_decref(figures);
	return row;
}

static enum ht_code do_ls(struct ht_peer *peer, json_t *arguments, json_t **ret,
			  struct ht_err *err)
{
	struct ht_parts *d = peer->control->parts;
	const char *only = text_of(arguments, "target");
	json_t *rows = json_array();

	(void)err;
	HT_EACH_PROCESS (&d->registry, p) {
		if (!only || fnmatch(only, p->target, 0) == 0)
			json_array_append_new(rows, row_json(d, p));
	}
	*ret = json_pack("{s:o}", "targets", rows);
	return HT_OK;
}

static enum ht_code do_alerts(struct ht_peer *peer, json_t *arguments,
			      json_t **ret, struct ht_err *err)
{
	struct ht_parts *d = peer->control->parts;
	json_t *all = json_array();
	const struct ht_alert_entry *e;

	(void)arguments;
	(void)err;
	DL_FOREACH (d->alerts.list, e) {
		json_t *one = ht_alert_json(&e->alert);

		json_object_set_new(
			one, "since",
			ht_time_json(e->alert.firing_ns ? e->alert.firing_ns
							: e->alert.pending_ns));
		json_object_set_new(one, "silenced",
				    json_boolean(ht_alerts_silenced(
					    &d->alerts, &e->alert)));
		json_array_append_new(all, one);
	}
	*ret = json_pack("{s:o}", "alerts", all);
	return HT_OK;
}

/* --- targets ------------------------------------------------------------- */

static enum ht_code do_watch(struct ht_peer *peer, json_t *arguments,
			     json_t **ret, struct ht_err *err)
{
	struct ht_parts *d = peer->control->parts;
	struct ht_target_config t;
	const char *target;
	enum ht_code code = need_text(arguments, "target", &target, err);
	size_t processes = 0;

	if (code == HT_OK)
		code = ht_watch_parse(&d->config, target, arguments, &t, err);
	if (code == HT_OK)
		code = ht_watch_add(&d->registry, &t, err);
	if (code != HT_OK)
		return code;
	HT_EACH_PROCESS (&d->registry, p)
		processes += strcmp(p->target, target) == 0;
	ht_log(LOG_INFO, "watch added by %s target=%s", peer->user, target);
	*ret = json_pack("{s:s, s:I}", "target", target, "processes",
			 (json_int_t)processes);
	return HT_OK;
}

static enum ht_code do_unwatch(struct ht_peer *peer, json_t *arguments,
			       json_t **ret, struct ht_err *err)
{
	struct ht_parts *d = peer->control->parts;
	const char *target;
	enum ht_code code = need_text(arguments, "target", &target, err);

	if (code == HT_OK)
		code = ht_watch_remove(&d->registry, target, err);
	if (code != HT_OK)
		return code;
	ht_log(LOG_INFO, "watch removed by %s target=%s", peer->user, target);
	*ret = json_pack("{s:s}", "target", target);
	return HT_OK;
}

static enum ht_code do_sample(struct ht_peer *peer, json_t *arguments,
			      struct ht_err *err)
{
	struct ht_parts *d = peer->control->parts;
	const char *word;
	struct ht_watched *p;
	enum ht_code code = need_text(arguments, "target", &word, err);

	if (code != HT_OK)
		return code;
	p = ht_registry_find(&d->registry, word);
	if (!p)
		return ht_fail_hint(
			err, HT_NODATA, HT_HINT_WATCHED,
			"no process of target or pid '%.60s' is watched", word);
	peer->awaits = p;
	ht_schedule_soonest(&p->schedule, ht_mono_ns());
	ht_supervisor_expect(&d->supervisor, p);
	return HT_OK;
}

json_t *ht_command_sampled(const struct ht_watched *p)
{
	return json_pack("{s:s, s:i, s:o, s:o, s:o}", "target", p->target,
			 "pid", (int)p->pid, "process_id",
			 p->store_id ? json_integer(p->store_id) : json_null(),
			 "pause_us", metric_json(p, HT_M_pause_us),
			 "sampled_at", ht_time_json(p->latest.taken_ns));
}

/* --- silences ------------------------------------------------------------ */

static json_t *silence_json(const struct ht_silence *s)
{
	return json_pack("{s:I, s:s, s:s, s:o, s:o, s:o, s:o}", "id",
			 (json_int_t)s->id, "rule", s->rule, "target",
			 s->target, "from", ht_time_json(s->from_ns), "until",
			 ht_time_json(s->until_ns), "author",
			 ht_text_json(s->author), "comment",
			 ht_text_json(s->comment));
}

static enum ht_code parse_until(const char *text, int64_t now_ns, int64_t *ret,
				struct ht_err *err)
{
	int64_t ns;

	if (ht_duration_parse(text, &ns) == 0) {
		if (__builtin_add_overflow(now_ns, ns, ret))
			return ht_fail_hint(
				err, HT_USAGE, HT_HINT_TIME,
				"'%.60s' is longer than time is counted", text);
	} else if (ht_time_parse(text, now_ns, ret) < 0) {
		return ht_fail_hint(err, HT_USAGE, HT_HINT_TIME,
				    "'%.60s' is neither a time nor a duration",
				    text);
	} else if (*ret <= now_ns &&
		   strspn(text, "0123456789:") == strlen(text) &&
		   ht_time_parse(text, now_ns + DAY_NS, ret) < 0) {
		return ht_fail(err, HT_BUG, "no %s in the coming day", text);
	}
	if (*ret <= now_ns)
		return ht_fail_hint(err, HT_USAGE, HT_HINT_TIME,
				    "a silence must end in the future");
	return HT_OK;
}

static const char *rule_at(const void *ctx, size_t i)
{
	const struct ht_config *c = ctx;

	return i < c->rules_n ? c->rules[i].name : NULL;
}

/* A silence for a rule that is not there would keep nobody's sleep. A target
 * may come later. */
static enum ht_code check_silenced(const struct ht_config *c, const char *rule,
				   const char *target, struct ht_err *err)
{
	char near[HT_NEAR_TEXT];

	if (strlen(rule) >= sizeof(((struct ht_silence *)0)->rule) ||
	    strlen(target) >= sizeof(((struct ht_silence *)0)->target))
		return ht_fail(err, HT_USAGE, "a longer name than any can be");
	for (size_t i = 0; i < c->rules_n; i++) {
		if (fnmatch(rule, c->rules[i].name, 0) == 0)
			return HT_OK;
	}
	return ht_fail_hint(err, HT_USAGE, HT_HINT_RULES,
			    "there is no rule '%.60s'%s", rule,
			    ht_near_text(ht_near(rule, rule_at, c), near));
}

static enum ht_code do_silence(struct ht_peer *peer, json_t *arguments,
			       json_t **ret, struct ht_err *err)
{
	struct ht_parts *d = peer->control->parts;
	const char *until, *rule = text_of(arguments, "rule") ?: "*";
	const char *target = text_of(arguments, "target") ?: "*";
	const char *comment = text_of(arguments, "comment");
	struct ht_silence s = {.from_ns = ht_wall_ns()};
	enum ht_code code = need_text(arguments, "until", &until, err);

	if (code == HT_OK)
		code = parse_until(until, s.from_ns, &s.until_ns, err);
	if (code == HT_OK)
		code = check_silenced(&d->config, rule, target, err);
	if (code != HT_OK)
		return code;
	snprintf(s.rule, sizeof(s.rule), "%s", rule);
	snprintf(s.target, sizeof(s.target), "%s", target);
	snprintf(s.author, sizeof(s.author), "%s", peer->user);
	snprintf(s.comment, sizeof(s.comment), "%s", comment ? comment : "");
	code = ht_alerts_silence(&d->alerts, &s, err);
	if (code == HT_OK)
		*ret = silence_json(&s);
	return code;
}

static enum ht_code do_silences(struct ht_peer *peer, json_t *arguments,
				json_t **ret, struct ht_err *err)
{
	const struct ht_alerts *a = &peer->control->parts->alerts;
	json_t *all = json_array();
	int64_t now_ns = ht_wall_ns();

	(void)arguments;
	(void)err;
	for (size_t i = 0; i < a->silences_n; i++) {
		if (a->silences[i].until_ns > now_ns)
			json_array_append_new(all,
					      silence_json(&a->silences[i]));
	}
	*ret = json_pack("{s:o}", "silences", all);
	return HT_OK;
}

static enum ht_code do_unsilence(struct ht_peer *peer, json_t *arguments,
				 json_t **ret, struct ht_err *err)
{
	const json_t *id = json_object_get(arguments, "id");
	enum ht_code code;

	if (!json_is_integer(id))
		return ht_fail(err, HT_USAGE,
			       "the request has no number \"id\"");
	code = ht_alerts_unsilence(&peer->control->parts->alerts,
				   json_integer_value(id), err);
	if (code == HT_OK)
		*ret = json_pack("{s:I}", "id", json_integer_value(id));
	return code;
}

static enum ht_code do_reload(struct ht_peer *peer, json_t *arguments,
			      json_t **ret, struct ht_err *err)
{
	struct ht_parts *d = peer->control->parts;
	enum ht_code code = d->reload(d->ctx, err);

	(void)arguments;
	if (code == HT_OK)
		*ret = json_pack("{s:I, s:I, s:I}", "targets",
				 (json_int_t)d->config.targets_n, "rules",
				 (json_int_t)d->config.rules_n, "sinks",
				 (json_int_t)d->config.sinks_n);
	return code;
}

enum ht_code ht_command_run(struct ht_peer *peer, enum ht_control_command c,
			    json_t *arguments, json_t **ret_result,
			    bool *ret_later, struct ht_err *err)
{
	static enum ht_code (*const commands[HT_CONTROL_COUNT])(
		struct ht_peer * peer, json_t * arguments, json_t * *ret,
		struct ht_err * err) = {
		[HT_CONTROL_status] = do_status,
		[HT_CONTROL_ls] = do_ls,
		[HT_CONTROL_watch] = do_watch,
		[HT_CONTROL_unwatch] = do_unwatch,
		[HT_CONTROL_alerts] = do_alerts,
		[HT_CONTROL_silence] = do_silence,
		[HT_CONTROL_silences] = do_silences,
		[HT_CONTROL_unsilence] = do_unsilence,
		[HT_CONTROL_reload] = do_reload,
	};

	*ret_later = c == HT_CONTROL_sample;
	if (*ret_later)
		return do_sample(peer, arguments, err);
	return commands[c](peer, arguments, ret_result, err);
}
