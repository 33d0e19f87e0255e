/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Daemon: the parts of heaptided and the loop that they share. One thread; what
 * happens next is always a callback of sd-event; no part waits.
 */
#ifndef HT_DAEMON_DAEMON_H
#define HT_DAEMON_DAEMON_H

#include <systemd/sd-event.h>

#include "daemon/alerts.h"
#include "daemon/clocks.h"
#include "daemon/config.h"
#include "daemon/control.h"
#include "daemon/http.h"
#include "daemon/ingest.h"
#include "daemon/judge.h"
#include "daemon/registry.h"
#include "daemon/sinks.h"
#include "daemon/supervise.h"

/* How late timers fire: a loop that is busy or was not scheduled. */
struct ht_lag {
	sd_event_source *timer;
	int64_t planned_ns;
	int64_t last_ns, max_ns;
};

struct ht_daemon {
	sd_event *event;
	struct ht_config config;
	const char *config_path; /* NULL: none was given, none is there */
	int64_t started_ns;	 /* wall clock: for people */
	int64_t begun_ns;	 /* the same, monotonic: for waiting */
	bool reload_ok;
	struct ht_registry registry;
	struct ht_supervisor supervisor;
	struct ht_ingest ingest;
	struct ht_judge judge;
	struct ht_alerts alerts;
	struct ht_sinks sinks;
	struct ht_http http;
	struct ht_control control;
	struct ht_lag lag;
	struct ht_clocks clocks;
};

/* Sets up all parts from d->config, in the order of their needs. */
enum ht_code ht_daemon_init(struct ht_daemon *d,
			    struct ht_err *err) HT_MUST_CHECK;
void ht_daemon_fini(struct ht_daemon *d);
/* Runs until SIGTERM or SIGINT. */
enum ht_code ht_daemon_run(struct ht_daemon *d,
			   struct ht_err *err) HT_MUST_CHECK;
/* Reads the file again. When it has a problem, all stays as it was. */
enum ht_code ht_daemon_reload(struct ht_daemon *d,
			      struct ht_err *err) HT_MUST_CHECK;

/* Arms a timer (made when *source is NULL) at a monotonic time. */
enum ht_code ht_timer_set(sd_event *event, sd_event_source **source,
			  int64_t at_ns, sd_event_time_handler_t on_time,
			  void *ctx, struct ht_err *err) HT_MUST_CHECK;

#endif
