/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sink: Alertmanager's API v2 (POST /api/v2/alerts). Labels are the same in
 * every state of an alert, so that Alertmanager recognises it; endsAt is a
 * little in the future while it fires, as Prometheus does it, so what fires is
 * told again every `repeat`, and ends by itself should this host disappear.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/loop/timer.h"
#include "daemon/sinks/curl.h"
#include "daemon/sinks/sinks.h"
#include "schema/alert_json.h"
#include "schema/snapshot_json.h"

#define REPEATS_MISSED 4

struct sender {
	struct ht_curl_post *post, *repeat;
	sd_event_source *timer;
};

/* near_limit -> HeaptideNearLimit: as in packaging/prometheus/rules.yml. */
static void alert_name(const char *rule, char *out, size_t len)
{
	size_t n = (size_t)snprintf(out, len, "Heaptide");
	bool upper = true;

	for (; *rule && n + 1 < len; rule++) {
		if (*rule == '_' || *rule == '-' || *rule == '.') {
			upper = true;
			continue;
		}
		out[n++] = upper ? (char)toupper((unsigned char)*rule) : *rule;
		upper = false;
	}
	out[n] = '\0';
}

static json_t *labels_of(const struct ht_alert *a)
{
	char name[80], host[256] = "", pid[24];

	alert_name(a->rule, name, sizeof(name));
	gethostname(host, sizeof(host) - 1);
	snprintf(pid, sizeof(pid), "%ld", ht_alert_pid(a));
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "alertname", name,
			 "severity", a->severity, "target", a->target, "pid",
			 pid, "instance", host, "job", "heaptide");
}

static json_t *alert_object(const struct ht_alert *a, int64_t repeat_ns)
{
	int64_t ends_ns = a->state == HT_ALERT_RESOLVED
				  ? a->resolved_ns
				  : ht_wall_ns() + REPEATS_MISSED * repeat_ns;

	return json_pack("{s:o, s:{s:o, s:o, s:s, s:s}, s:o, s:o}", "labels",
			 labels_of(a), "annotations", "summary",
			 ht_text_json(a->summary), "evidence",
			 ht_text_json(a->evidence), "id", a->id, "rule",
			 a->rule, "startsAt", ht_time_json(a->firing_ns),
			 "endsAt", ht_time_json(ends_ns));
}

static enum ht_code post(struct ht_sink *s, json_t *alerts,
			 void (*done)(void *ctx, const char *error),
			 struct ht_curl_post **ret, struct ht_err *err)
{
	HT_AUTO_FREE char *body = json_dumps(alerts, JSON_COMPACT);
	char url[sizeof(s->config.url) + 32];
	size_t n = strlen(s->config.url);

	if (!body)
		return ht_fail(err, HT_NOMEM, "no memory for an alert");
	while (n > 0 && s->config.url[n - 1] == '/')
		n--;
	snprintf(url, sizeof(url), "%.*s/api/v2/alerts", (int)n, s->config.url);
	return ht_curl_post(s->sinks->curl, url, body, s->config.timeout_ns,
			    done, s, ret, err);
}

/* --- telling again what fires -------------------------------------------- */

static int on_repeat(sd_event_source *source, uint64_t now_us, void *ctx);

static void set_repeat(struct ht_sink *s)
{
	struct sender *to = s->state;
	struct ht_err err;

	if (ht_timer_set(s->sinks->event, &to->timer,
			 ht_mono_ns() + s->config.repeat_ns, on_repeat, s,
			 &err) != HT_OK)
		ht_log_err(LOG_ERR, s->config.name, &err);
}

static void repeated(void *ctx, const char *error)
{
	struct ht_sink *s = ctx;
	struct sender *to = s->state;

	to->repeat = NULL;
	if (error) {
		s->failed++;
		snprintf(s->last_error, sizeof(s->last_error), "%.190s", error);
	}
}

struct repeating {
	json_t *alerts;
	int64_t repeat_ns;
};

static void add_firing(void *ctx, const struct ht_alert *a)
{
	struct repeating *r = ctx;

	json_array_append_new(r->alerts, alert_object(a, r->repeat_ns));
}

static int on_repeat(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct ht_sink *s = ctx;
	struct sender *to = s->state;
	json_auto_t *alerts = json_array();
	struct repeating all = {alerts, s->config.repeat_ns};
	struct ht_err err;

	(void)source;
	(void)now_us;
	set_repeat(s);
	s->sinks->firing.of(s->sinks->firing.ctx, s->config.min_severity,
			    add_firing, &all);
	if (json_array_size(alerts) == 0 || to->repeat)
		return 0;
	if (post(s, alerts, repeated, &to->repeat, &err) != HT_OK)
		ht_log_err(LOG_WARNING, s->config.name, &err);
	return 0;
}

/* --- telling what changed ------------------------------------------------ */

static void delivered(void *ctx, const char *error)
{
	struct ht_sink *s = ctx;
	struct sender *to = s->state;

	to->post = NULL;
	ht_sink_done(s, error);
}

static void deliver(struct ht_sink *s, const struct ht_notice *n)
{
	json_auto_t *alerts = json_array();
	struct ht_err err;

	json_array_append_new(alerts,
			      alert_object(&n->alert, s->config.repeat_ns));
	if (post(s, alerts, delivered, &((struct sender *)s->state)->post,
		 &err) != HT_OK)
		ht_sink_done(s, err.msg);
}

static enum ht_code open_sender(struct ht_sink *s, struct ht_err *err)
{
	s->state = calloc(1, sizeof(struct sender));
	if (!s->state)
		return ht_fail(err, HT_NOMEM, "no memory for a sink");
	set_repeat(s);
	return HT_OK;
}

static void cancel(struct ht_sink *s)
{
	struct sender *to = s->state;

	ht_curl_cancel(to->post);
	to->post = NULL;
}

static void close_sender(struct ht_sink *s)
{
	struct sender *to = s->state;

	if (!to)
		return;
	ht_curl_cancel(to->repeat);
	ht_curl_cancel(to->post);
	sd_event_source_disable_unref(to->timer);
	free(to);
	s->state = NULL;
}

const struct ht_sink_ops ht_sink_alertmanager = {.open = open_sender,
						 .deliver = deliver,
						 .cancel = cancel,
						 .close = close_sender};
