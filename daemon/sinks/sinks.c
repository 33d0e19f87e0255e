/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sinks/sinks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/loop/timer.h"
#include "daemon/sinks/curl.h"
#include "store/alert.h"

/* A sink that is down for long keeps the newest; what was dropped is counted,
 * and is still in the store. */
#define QUEUE_MAX 1000

static const struct ht_sink_ops *const ops_of[] = {
	[HT_SINK_JOURNAL] = &ht_sink_journal,
	[HT_SINK_COMMAND] = &ht_sink_command,
	[HT_SINK_ALERTMANAGER] = &ht_sink_alertmanager,
};

static void fly(struct ht_sink *s);

static int on_retry(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct ht_sink *s = ctx;

	(void)source;
	(void)now_us;
	s->retry = sd_event_source_disable_unref(s->retry);
	fly(s);
	return 0;
}

static int on_limit(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct ht_sink *s = ctx;
	char why[64];

	(void)source;
	(void)now_us;
	if (s->ops->cancel)
		s->ops->cancel(s);
	snprintf(why, sizeof(why), "no end within %.1f s",
		 (double)s->config.timeout_ns / 1e9);
	ht_sink_done(s, why);
	return 0;
}

/* Starts the first of the queue unless one flies or a retry waits. */
static void fly(struct ht_sink *s)
{
	struct ht_err err;

	while (!s->flying && !s->retry && s->queue) {
		s->flying = s->queue;
		DL_DELETE(s->queue, s->flying);
		s->queued--;
		s->flying->attempts++;
		if (ht_timer_set(s->sinks->event, &s->limit,
				 ht_mono_ns() + s->config.timeout_ns, on_limit,
				 s, &err) != HT_OK)
			ht_log_err(LOG_ERR, s->config.name, &err);
		s->ops->deliver(s, s->flying); /* may call ht_sink_done() */
	}
}

static int64_t retry_wait_ns(const struct ht_sink *s)
{
	int64_t wait_ns = HT_NS_PER_S;

	for (uint32_t i = 1;
	     i < s->failures && wait_ns < s->config.retry_max_ns; i++)
		wait_ns *= 2;
	return wait_ns < s->config.retry_max_ns ? wait_ns
						: s->config.retry_max_ns;
}

static void again_later(struct ht_sink *s, struct ht_notice *n,
			const char *error)
{
	struct ht_err err;

	s->failed++;
	s->failures++;
	if (s->failures == 1)
		ht_log(LOG_WARNING, "sink %s failed: %s; will retry",
		       s->config.name, error);
	snprintf(s->last_error, sizeof(s->last_error), "%s", error);
	DL_PREPEND(s->queue, n);
	s->queued++;
	if (ht_timer_set(s->sinks->event, &s->retry,
			 ht_mono_ns() + retry_wait_ns(s), on_retry, s,
			 &err) != HT_OK)
		ht_log_err(LOG_ERR, s->config.name, &err);
}

void ht_sink_done(struct ht_sink *s, const char *error)
{
	struct ht_notice *n = s->flying;

	if (!n)
		return;
	s->flying = NULL;
	s->limit = sd_event_source_disable_unref(s->limit);
	if (n->recorded)
		ht_ingest_settle(s->sinks->ingest, &n->alert, s->config.name,
				 error);
	if (error) {
		again_later(s, n, error);
		return;
	}
	if (s->failures)
		ht_log(LOG_INFO, "sink %s works again", s->config.name);
	s->failures = 0;
	s->last_error[0] = '\0';
	s->delivered++;
	free(n);
	fly(s);
}

static void enqueue(struct ht_sink *s, const struct ht_alert *a, bool recorded)
{
	struct ht_notice *n = calloc(1, sizeof(*n));

	if (!n) {
		s->dropped++;
		return;
	}
	n->alert = *a;
	n->recorded = recorded;
	if (s->queued >= QUEUE_MAX) {
		struct ht_notice *oldest = s->queue;

		DL_DELETE(s->queue, oldest);
		free(oldest);
		s->queued--;
		s->dropped++;
	}
	DL_APPEND(s->queue, n);
	s->queued++;
}

void ht_sinks_notify(struct ht_sinks *s, const struct ht_alert *a)
{
	struct ht_sink *sink;

	LL_FOREACH (s->list, sink) {
		if (ht_severity_of(a->severity) < sink->config.min_severity)
			continue;
		enqueue(sink, a,
			ht_ingest_delivery(s->ingest, a, sink->config.name));
	}
	/* durable before it is sent: see store/alert.h */
	ht_ingest_flush(s->ingest);
	LL_FOREACH (s->list, sink)
		fly(sink);
}

/* What was queued when we ended, perhaps by a crash. */
static int on_delivery(void *ctx, const struct ht_store_delivery *d)
{
	struct ht_sinks *s = ctx;
	struct ht_sink *sink;
	struct ht_alert a = d->alert;

	a.state = strcmp(d->state, "resolved") == 0 ? HT_ALERT_RESOLVED
						    : HT_ALERT_FIRING;
	LL_FOREACH (s->list, sink) {
		if (strcmp(sink->config.name, d->sink) == 0)
			enqueue(sink, &a, true);
	}
	return 0;
}

void ht_sinks_load(struct ht_sinks *s)
{
	struct ht_sink *sink;

	if (s->loaded || !ht_ingest_store(s->ingest))
		return;
	s->loaded = ht_ingest_deliveries(s->ingest, on_delivery, s);
	LL_FOREACH (s->list, sink)
		fly(sink);
}

static enum ht_code open_sink(struct ht_sinks *s,
			      const struct ht_sink_config *c,
			      struct ht_err *err)
{
	struct ht_sink *sink = calloc(1, sizeof(*sink));

	if (!sink)
		return ht_fail(err, HT_NOMEM, "no memory for sink %s", c->name);
	sink->sinks = s;
	sink->config = *c;
	sink->ops = ops_of[c->type];
	LL_APPEND(s->list, sink);
	return sink->ops->open ? sink->ops->open(sink, err) : HT_OK;
}

enum ht_code ht_sinks_init(struct ht_sinks *s, sd_event *event,
			   const struct ht_config *c, struct ht_ingest *ingest,
			   const struct ht_firing *firing, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	*s = (struct ht_sinks){
		.event = event, .ingest = ingest, .firing = *firing};
	for (size_t i = 0; i < c->sinks_n && code == HT_OK; i++) {
		code = open_sink(s, &c->sinks[i], err);
		if (code == HT_OK && !s->curl &&
		    c->sinks[i].type == HT_SINK_ALERTMANAGER)
			code = ht_curl_new(event, &s->curl, err);
	}
	if (code != HT_OK)
		return code;
	ht_sinks_load(s);
	return HT_OK;
}

void ht_sinks_fini(struct ht_sinks *s)
{
	struct ht_sink *sink, *next_sink;
	struct ht_notice *n, *next;

	LL_FOREACH_SAFE (s->list, sink, next_sink) {
		if (sink->flying && sink->ops->cancel)
			sink->ops->cancel(sink);
		if (sink->ops->close)
			sink->ops->close(sink);
		sd_event_source_disable_unref(sink->retry);
		sd_event_source_disable_unref(sink->limit);
		free(sink->flying);
		DL_FOREACH_SAFE (sink->queue, n, next)
			free(n);
		free(sink);
	}
	s->list = NULL;
	ht_curl_free(s->curl);
	s->curl = NULL;
}
