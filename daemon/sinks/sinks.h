/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sinks: where alerts go. Each sink has a queue and delivers one notice at a
 * time; a failure waits longer each time and is tried again, for ever, so that
 * an alert is delivered at least once; receivers tell repeats by the alert's id
 * and state. A sink that fails is itself seen: in `status` and in /metrics.
 */
#ifndef HT_DAEMON_SINKS_SINKS_H
#define HT_DAEMON_SINKS_SINKS_H

#include <systemd/sd-event.h>

#include "daemon/ingest/ingest.h"
#include "schema/alert.h"

struct ht_sink;
struct ht_sinks;

struct ht_notice {
	struct ht_notice *next, *prev; /* utlist */
	struct ht_alert alert;	       /* as it was when it changed */
	uint32_t attempts;
	bool recorded; /* the store has a delivery row for it */
};

struct ht_sink_ops {
	/* NULL where there is nothing to do. */
	enum ht_code (*open)(struct ht_sink *s, struct ht_err *err);
	/* Begins a delivery; ends it now or later by ht_sink_done(). */
	void (*deliver)(struct ht_sink *s, const struct ht_notice *n);
	/* Gives up the delivery that runs, if any. */
	void (*cancel)(struct ht_sink *s);
	void (*close)(struct ht_sink *s);
};

struct ht_sink {
	struct ht_sink *next;
	struct ht_sinks *sinks;
	struct ht_sink_config config;
	const struct ht_sink_ops *ops;
	void *state; /* of the kind of sink */
	struct ht_notice *queue, *flying;
	size_t queued;
	sd_event_source *retry, *limit;
	uint32_t failures; /* in a row */
	uint64_t delivered, failed, dropped;
	char last_error[200]; /* empty: the last one went well */
};

/* Calls each for every alert that fires now, from this severity on. */
struct ht_firing {
	void (*of)(void *ctx, size_t min_severity,
		   void (*each)(void *each_ctx, const struct ht_alert *a),
		   void *each_ctx);
	void *ctx;
};

struct ht_sinks {
	sd_event *event;
	struct ht_ingest *ingest;
	struct ht_firing firing;
	struct ht_sink *list; /* utlist, singly linked */
	bool loaded;	      /* what the store has was queued */
	struct ht_curl *curl; /* shared by sinks that speak HTTP; NULL: none */
};

/* Opens those of the configuration. */
enum ht_code ht_sinks_init(struct ht_sinks *s, sd_event *event,
			   const struct ht_config *config,
			   struct ht_ingest *ingest,
			   const struct ht_firing *firing,
			   struct ht_err *err) HT_MUST_CHECK;
void ht_sinks_fini(struct ht_sinks *s);
/* Queues what was not delivered before we ended, once: at the start, or when
 * the store opens at last. */
void ht_sinks_load(struct ht_sinks *s);
/* Queues a changed alert for every sink that wants its severity. In the store
 * as well, so that a crash does not lose it. */
void ht_sinks_notify(struct ht_sinks *s, const struct ht_alert *a);

/* For kinds of sinks: the delivery that runs is over. error NULL: delivered. */
void ht_sink_done(struct ht_sink *s, const char *error);

extern const struct ht_sink_ops ht_sink_journal, ht_sink_command,
	ht_sink_alertmanager;

#endif
