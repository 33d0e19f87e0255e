/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon.h"

#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/control/watches.h"

/* --- what the parts report ----------------------------------------------- */

static void on_store_opened(void *ctx)
{
	struct ht_parts *p = &((struct ht_daemon *)ctx)->parts;

	ht_alerts_load(&p->alerts);
	/* notices refer to them, and this file may be a new one */
	ht_alerts_record(&p->alerts);
	ht_sinks_load(&p->sinks);
}

static void on_sampled(void *ctx, struct ht_watched *w, enum ht_code code,
		       const struct ht_err *err)
{
	struct ht_daemon *d = ctx;

	ht_control_sampled(&d->control, w, code, err);
	if (code == HT_OK)
		ht_makers_consider(&d->parts.makers, w);
}

static void on_mistaken(void *ctx, struct ht_watched *w)
{
	ht_registry_drop(&((struct ht_daemon *)ctx)->parts.registry, w,
			 "its executable is another one");
}

static void on_arrived(void *ctx, struct ht_watched *w)
{
	struct ht_parts *p = &((struct ht_daemon *)ctx)->parts;

	ht_judge_arrived(&p->judge, w);
	ht_supervisor_expect(&p->supervisor, w);
}

/* A life of it: the process, or the program that ran in it. */
static void on_ended(void *ctx, struct ht_watched *w)
{
	struct ht_parts *p = &((struct ht_daemon *)ctx)->parts;

	ht_makers_release(&p->makers, w);
	ht_alerts_process_ended(&p->alerts, w);
}

static void on_left(void *ctx, struct ht_watched *w)
{
	struct ht_daemon *d = ctx;

	ht_control_forget(&d->control, w);
	ht_ingest_left(&d->parts.ingest, w);
	ht_makers_release(&d->parts.makers, w);
	ht_judge_left(&d->parts.judge, w);
	ht_supervisor_release(&d->parts.supervisor, w);
	ht_supervisor_pump(&d->parts.supervisor);
}

static void each_firing(void *ctx, size_t min_severity,
			void (*each)(void *each_ctx, const struct ht_alert *a),
			void *each_ctx)
{
	ht_alerts_each_notified(ctx, min_severity, each, each_ctx);
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

static enum ht_code begin_sinks(struct ht_daemon *d, struct ht_err *err)
{
	const struct ht_firing firing = {.of = each_firing,
					 .ctx = &d->parts.alerts};

	return ht_sinks_init(&d->parts.sinks, d->parts.event, &d->parts.config,
			     &d->parts.ingest, &firing, err);
}

/* When the file has a problem, all stays as it was. */
static enum ht_code reload(void *ctx, struct ht_err *err)
{
	struct ht_parts *p = &((struct ht_daemon *)ctx)->parts;
	struct ht_config old, fresh;
	enum ht_code code;

	if (!p->config_path)
		return ht_fail(err, HT_CONFIG,
			       "started without a configuration file");
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
		   (long long)(ht_mono_ns() / HT_NS_PER_US));
	code = ht_config_load(p->config_path, &fresh, err);
	p->reload_ok = code == HT_OK;
	if (code != HT_OK) {
		ht_config_fini(&fresh);
		sd_notify(0, "READY=1");
		return code;
	}
	ht_watches_load(&fresh);
	tell_what_stays(&p->config.daemon, &fresh.daemon);
	keep_bound(&fresh.daemon, &p->config.daemon);
	keep_lives(&fresh, &p->config);
	old = p->config;
	p->config = fresh;
	ht_registry_rebind(&p->registry); /* samples in flight go on */
	ht_sinks_fini(&p->sinks);
	ht_ingest_flush(&p->ingest);
	code = begin_sinks(ctx, err); /* queues come from the store */
	ht_config_fini(&old);
	sd_notify(0, "READY=1");
	if (p->config.daemon.ui != HT_UI_OFF &&
	    !ht_ui_is_on(&((struct ht_daemon *)ctx)->http.ui))
		ht_log(LOG_WARNING,
		       "[daemon] ui takes effect at the next start");
	ht_log(LOG_INFO, "configuration read again: %zu targets",
	       p->config.targets_n);
	return code;
}

/* --- signals ------------------------------------------------------------- */

static int on_hup(sd_event_source *source, const struct signalfd_siginfo *info,
		  void *ctx)
{
	struct ht_err err;

	(void)source;
	(void)info;
	if (reload(ctx, &err) != HT_OK)
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
	sd_event_exit(d->parts.event, 0);
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
		if (sd_event_add_signal(d->parts.event, NULL, signals[i].number,
					signals[i].handler, d) < 0)
			return ht_fail(err, HT_SYS, "cannot watch signals");
	}
	return HT_OK;
}

/* --- the whole ----------------------------------------------------------- */

static enum ht_code begin_desks(struct ht_daemon *d, struct ht_err *err)
{
	enum ht_code code = ht_control_init(&d->control, &d->parts, err);

	if (code == HT_OK)
		code = ht_http_init(&d->http, &d->parts, err);
	return code;
}

static enum ht_code begin_measuring(struct ht_daemon *d, struct ht_err *err)
{
	struct ht_parts *p = &d->parts;
	const struct ht_supervisor_events measured = {.sampled = on_sampled,
						      .replaced = on_ended,
						      .mistaken = on_mistaken,
						      .ctx = d};
	const struct ht_ingest_events stored = {.opened = on_store_opened,
						.ctx = d};
	enum ht_code code =
		ht_supervisor_init(&p->supervisor, p->event, &p->config.daemon,
				   &p->ingest, &measured, err);

	if (code == HT_OK)
		code = ht_ingest_init(&p->ingest, p->event, &p->config.daemon,
				      &stored, err);
	if (code == HT_OK)
		ht_makers_init(&p->makers, p->event, p->supervisor.agent,
			       &p->ingest);
	return code;
}

static enum ht_code begin_judging(struct ht_daemon *d, struct ht_err *err)
{
	struct ht_parts *p = &d->parts;
	enum ht_code code;

	ht_alerts_init(&p->alerts, &p->config, &p->registry, &p->ingest,
		       &p->sinks);
	code = begin_sinks(d, err);
	if (code == HT_OK)
		code = ht_judge_init(&p->judge, p->event, &p->config,
				     &p->registry, &p->ingest, &p->alerts, err);
	return code;
}

static enum ht_code begin_watching(struct ht_daemon *d, struct ht_err *err)
{
	struct ht_parts *p = &d->parts;
	const struct ht_registry_events watched = {.arrived = on_arrived,
						   .ended = on_ended,
						   .left = on_left,
						   .ctx = d};
	enum ht_code code = ht_registry_init(&p->registry, p->event, &p->config,
					     &p->ingest, &watched, err);

	if (code == HT_OK)
		code = ht_lag_init(&p->lag, p->event, &p->registry, &p->ingest,
				   err);
	return code;
}

enum ht_code ht_daemon_init(struct ht_daemon *d, struct ht_err *err)
{
	struct ht_parts *p = &d->parts;
	enum ht_code code;

	p->started_ns = ht_wall_ns();
	p->reload_ok = true;
	p->reload = reload;
	p->ctx = d;
	if (sd_event_new(&p->event) < 0)
		return ht_fail(err, HT_SYS, "cannot make an event loop");
	ht_watches_load(&p->config);
	code = watch_signals(d, err);
	if (code == HT_OK)
		code = begin_desks(d, err);
	if (code == HT_OK)
		code = begin_measuring(d, err);
	if (code == HT_OK)
		code = begin_judging(d, err);
	if (code == HT_OK)
		code = begin_watching(d, err);
	return code;
}

void ht_daemon_fini(struct ht_daemon *d)
{
	struct ht_parts *p = &d->parts;

	ht_judge_fini(&p->judge);
	ht_makers_fini(&p->makers);
	ht_supervisor_fini(&p->supervisor);
	ht_registry_fini(&p->registry);
	ht_control_fini(&d->control);
	ht_http_fini(&d->http);
	ht_sinks_fini(&p->sinks);
	ht_alerts_fini(&p->alerts);
	ht_ingest_fini(&p->ingest);
	ht_lag_fini(&p->lag);
	sd_event_unref(p->event);
	ht_config_fini(&p->config);
}

enum ht_code ht_daemon_run(struct ht_daemon *d, struct ht_err *err)
{
	const struct ht_parts *p = &d->parts;
	int failed;

	sd_event_set_watchdog(p->event, true); /* if systemd asks for it */
	sd_notifyf(0, "READY=1\nSTATUS=%zu targets", p->config.targets_n);
	ht_log(LOG_INFO,
	       "heaptided " HT_VERSION
	       " is ready: %zu targets, store %s, metrics %s%s",
	       p->config.targets_n, p->config.daemon.store,
	       p->config.daemon.metrics,
	       ht_ui_is_on(&d->http.ui) ? " with the page" : "");
	failed = sd_event_loop(p->event);
	if (failed < 0)
		return ht_fail_sys(err, HT_SYS, -failed, "the event loop");
	return HT_OK;
}
