/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/daemon.h"
#include "daemon/watches.h"

#define LAG_EVERY_NS HT_NS_PER_S

enum ht_code ht_timer_set(sd_event *event, sd_event_source **source,
			  int64_t at_ns, sd_event_time_handler_t on_time,
			  void *ctx, struct ht_err *err)
{
	uint64_t at_us = at_ns > 0 ? (uint64_t)at_ns / HT_NS_PER_US : 0;
	int failed;

	if (!*source)
		failed = sd_event_add_time(event, source, CLOCK_MONOTONIC,
					   at_us, 1000, on_time, ctx);
	else
		failed = sd_event_source_set_time(*source, at_us);
	if (failed >= 0)
		failed = sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT);
	if (failed < 0)
		return ht_fail_sys(err, HT_SYS, -failed, "set a timer");
	return HT_OK;
}

/* --- how late we are ----------------------------------------------------- */

static int on_lag(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct ht_daemon *d = ctx;
	int64_t now_ns = ht_mono_ns();
	struct ht_err err;

	(void)source;
	(void)now_us;
	d->lag.last_ns = now_ns - d->lag.planned_ns;
	if (d->lag.last_ns < 0)
		d->lag.last_ns = 0;
	if (d->lag.last_ns > d->lag.max_ns)
		d->lag.max_ns = d->lag.last_ns;
	ht_clocks_look(&d->clocks, d);
	d->lag.planned_ns = now_ns + LAG_EVERY_NS;
	if (ht_timer_set(d->event, &d->lag.timer, d->lag.planned_ns, on_lag, d,
			 &err) != HT_OK)
		ht_log_err(LOG_ERR, "lag timer", &err);
	return 0;
}

/* --- signals ------------------------------------------------------------- */

static int on_hup(sd_event_source *source, const struct signalfd_siginfo *info,
		  void *ctx)
{
	struct ht_err err;

	(void)source;
	(void)info;
	if (ht_daemon_reload(ctx, &err) != HT_OK)
		ht_log_err(LOG_ERR, "the old configuration stays in use", &err);
	return 0;
}

static int on_end(sd_event_source *source, const struct signalfd_siginfo *info,
		  void *ctx)
{
	struct ht_daemon *d = ctx;

	(void)source;
	ht_log(LOG_INFO, "ending: signal %u", info->ssi_signo);
	sd_notify(0, "STOPPING=1");
	sd_event_exit(d->event, 0);
	return 0;
}

static enum ht_code watch_signals(struct ht_daemon *d, struct ht_err *err)
{
	static const struct {
		int number;
		sd_event_signal_handler_t handler;
	} signals[] = {{SIGHUP, on_hup}, {SIGTERM, on_end}, {SIGINT, on_end}};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < 3; i++)
		sigaddset(&set, signals[i].number);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < 3; i++) {
		if (sd_event_add_signal(d->event, NULL, signals[i].number,
					signals[i].handler, d) < 0)
			return ht_fail(err, HT_SYS, "cannot watch signals");
	}
	return HT_OK;
}

/* --- configuration anew -------------------------------------------------- */

/* Settings that are bound to sockets and files stay until a restart. */
static void tell_what_stays(const struct ht_daemon_config *old,
			    const struct ht_daemon_config *new)
{
	const char *pairs[][3] = {{"store", old->store, new->store},
				  {"control", old->control, new->control},
				  {"metrics", old->metrics, new->metrics},
				  {"agent", old->agent, new->agent}};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		if (strcmp(pairs[i][1], pairs[i][2]) != 0)
			ht_log(LOG_WARNING,
			       "[daemon] %s takes effect at the next start",
			       pairs[i][0]);
	}
}

static void keep_bound(struct ht_daemon_config *c,
		       const struct ht_daemon_config *old)
{
	memcpy(c->store, old->store, sizeof(c->store));
	memcpy(c->control, old->control, sizeof(c->control));
	memcpy(c->metrics, old->metrics, sizeof(c->metrics));
	memcpy(c->agent, old->agent, sizeof(c->agent));
}

/* The life that a pid was watched for stays the one that is meant. */
static void keep_lives(struct ht_config *c, const struct ht_config *old)
{
	for (size_t i = 0; i < c->targets_n; i++) {
		for (size_t k = 0; k < old->targets_n; k++) {
			if (strcmp(c->targets[i].name, old->targets[k].name) ==
				    0 &&
			    c->targets[i].select.pid ==
				    old->targets[k].select.pid)
				c->targets[i].select.start_ticks =
					old->targets[k].select.start_ticks;
		}
	}
}

enum ht_code ht_daemon_reload(struct ht_daemon *d, struct ht_err *err)
{
	struct ht_config old, fresh;
	enum ht_code code;

	if (!d->config_path)
		return ht_fail(err, HT_CONFIG,
			       "started without a configuration file");
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
		   (long long)(ht_mono_ns() / HT_NS_PER_US));
	code = ht_config_load(d->config_path, &fresh, err);
	d->reload_ok = code == HT_OK;
	if (code != HT_OK) {
		ht_config_fini(&fresh);
		sd_notify(0, "READY=1");
		return code;
	}
	ht_watches_load(&fresh);
	tell_what_stays(&d->config.daemon, &fresh.daemon);
	keep_bound(&fresh.daemon, &d->config.daemon);
	keep_lives(&fresh, &d->config);
	old = d->config;
	d->config = fresh;
	ht_registry_rebind(&d->registry); /* samples in flight go on */
	ht_sinks_fini(&d->sinks);
	ht_ingest_flush(&d->ingest);
	code = ht_sinks_init(&d->sinks, d,
			     err); /* queues come from the store */
	ht_config_fini(&old);
	sd_notify(0, "READY=1");
	ht_log(LOG_INFO, "configuration read again: %zu targets",
	       d->config.targets_n);
	return code;
}

/* --- the whole ----------------------------------------------------------- */

enum ht_code ht_daemon_init(struct ht_daemon *d, struct ht_err *err)
{
	enum ht_code code;

	d->started_ns = ht_wall_ns();
	d->begun_ns = ht_mono_ns();
	d->reload_ok = true;
	if (sd_event_new(&d->event) < 0)
		return ht_fail(err, HT_SYS, "cannot make an event loop");
	ht_watches_load(&d->config);
	code = watch_signals(d, err);
	if (code == HT_OK)
		code = ht_control_init(&d->control, d, err);
	if (code == HT_OK)
		code = ht_http_init(&d->http, d, err);
	if (code == HT_OK)
		code = ht_supervisor_init(&d->supervisor, d, err);
	if (code == HT_OK)
		code = ht_ingest_init(&d->ingest, d, err);
	if (code == HT_OK)
		code = ht_alerts_init(&d->alerts, d, err);
	if (code == HT_OK)
		code = ht_sinks_init(&d->sinks, d, err);
	if (code == HT_OK)
		code = ht_judge_init(&d->judge, d, err);
	if (code == HT_OK)
		code = ht_registry_init(&d->registry, d, err);
	d->lag.planned_ns = ht_mono_ns() + LAG_EVERY_NS;
	if (code == HT_OK)
		code = ht_timer_set(d->event, &d->lag.timer, d->lag.planned_ns,
				    on_lag, d, err);
	return code;
}

void ht_daemon_fini(struct ht_daemon *d)
{
	ht_judge_fini(&d->judge);
	ht_supervisor_fini(&d->supervisor);
	ht_registry_fini(&d->registry);
	ht_control_fini(&d->control);
	ht_http_fini(&d->http);
	ht_sinks_fini(&d->sinks);
	ht_alerts_fini(&d->alerts);
	ht_ingest_fini(&d->ingest);
	sd_event_source_disable_unref(d->lag.timer);
	sd_event_unref(d->event);
	ht_config_fini(&d->config);
}

enum ht_code ht_daemon_run(struct ht_daemon *d, struct ht_err *err)
{
	int failed;

	sd_event_set_watchdog(d->event,
			      true); /* pings if systemd asks for it */
	sd_notifyf(0, "READY=1\nSTATUS=%zu targets", d->config.targets_n);
	ht_log(LOG_INFO,
	       "heaptided " HT_VERSION
	       " is ready: %zu targets, store %s, metrics %s",
	       d->config.targets_n, d->config.daemon.store,
	       d->config.daemon.metrics);
	failed = sd_event_loop(d->event);
	if (failed < 0)
		return ht_fail_sys(err, HT_SYS, -failed, "the event loop");
	return HT_OK;
}
