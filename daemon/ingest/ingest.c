/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/ingest/ingest.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "analysis/type_growth.h"
#include "common/clock.h"
#include "common/log.h"
#include "daemon/loop/timer.h"
#include "store/types.h"

#define RETRY_FIRST_NS	  (2 * HT_NS_PER_S)
#define RETRY_LAST_NS	  (60 * HT_NS_PER_S)
#define MAINTAIN_EVERY_NS (10 * HT_NS_PER_S)
#define MAINTAIN_AGAIN_NS (HT_NS_PER_S / 25)
#define TELL_EVERY	  10 /* times told of a long opening, a log line */

static void open_store(struct ht_ingest *i);
static void write_ends(struct ht_ingest *i);
static void write_waiting(struct ht_ingest *i);

static int on_retry(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct ht_ingest *i = ctx;

	(void)source;
	(void)now_us;
	open_store(i);
	if (i->store)
		i->events.opened(i->events.ctx);
	write_ends(i);
	return 0;
}

static void set_timer(struct ht_ingest *i, sd_event_source **timer,
		      int64_t wait_ns, sd_event_time_handler_t on_time)
{
	struct ht_err err;

	if (ht_timer_set(i->event, timer, ht_mono_ns() + wait_ns, on_time, i,
			 &err) != HT_OK)
		ht_log_err(LOG_ERR, "store timer", &err);
}

static void forget_waiting(struct ht_ingest *i)
{
	for (size_t k = 0; k < i->waiting_n; k++)
		i->waiting[k]->waits = false;
	i->waiting_n = 0;
}

/* After closing, which may write to it. */
static void note_damaged(struct ht_ingest *i)
{
	if (stat(i->config->store, &i->damaged) < 0)
		i->damaged.st_ino = 0;
}

/* Parts of a damaged file can be written as if it were sound: then trouble
 * would come and go, and the damage spread. */
static bool still_damaged(const struct ht_ingest *i)
{
	const struct stat *old = &i->damaged;
	struct stat now;

	return old->st_ino && stat(i->config->store, &now) == 0 &&
	       now.st_ino == old->st_ino && now.st_dev == old->st_dev &&
	       now.st_size == old->st_size &&
	       now.st_mtim.tv_sec == old->st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == old->st_mtim.tv_nsec;
}

static void try_later(struct ht_ingest *i)
{
	set_timer(i, &i->retry_timer, i->retry_wait_ns, on_retry);
	i->retry_wait_ns *= 2;
	if (i->retry_wait_ns > RETRY_LAST_NS)
		i->retry_wait_ns = RETRY_LAST_NS;
}

void ht_ingest_trouble(struct ht_ingest *i, const char *doing,
		       const struct ht_err *err)
{
	bool damaged = i->store && ht_store_damaged(i->store);

	if (!i->trouble[0]) {
		i->trouble_ns = ht_wall_ns();
		ht_log(LOG_ERR,
		       "store: %s: %s; recording stops until it works again",
		       doing, err->msg);
	}
	snprintf(i->trouble, sizeof(i->trouble), "%.40s: %.180s", doing,
		 err->msg);
	forget_waiting(i);
	i->lost += i->pending;
	i->lost_events += i->pending_events;
	i->pending = i->pending_events = 0;
	ht_ends_undone(&i->ends);
	i->begun = false;
	ht_store_close_held(i->store, &i->held); /* rolls back what is open */
	i->store = NULL;
	if (damaged)
		note_damaged(i);
	try_later(i);
}

/* The loop stands still meanwhile: systemd hears that this is no hang. */
static void tell(void *ctx, const char *text)
{
	struct ht_ingest *i = ctx;

	sd_notify(0, "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=60000000");
	if (i->told++ % TELL_EVERY == 0)
		ht_log(LOG_NOTICE, "store: %s", text);
}

/* The file may be another than the one that was open. */
static enum ht_code open_anew(struct ht_ingest *i, struct ht_err *err)
{
	char aside[PATH_MAX + 16];
	enum ht_code code = ht_held_set_aside(&i->held, i->config->store, aside,
					      sizeof(aside), err);

	if (code != HT_OK)
		return code;
	if (aside[0])
		ht_log(LOG_WARNING,
		       "store: the journal beside it was another file's, put away as %s",
		       aside);
	code = ht_store_open_telling(i->config->store, HT_STORE_WRITE, tell, i,
				     &i->store, err);
	if (code == HT_OK)
		ht_held_fini(&i->held);
	return code;
}

static void open_store(struct ht_ingest *i)
{
	struct ht_err err;

	if (i->store)
		return;
	if (still_damaged(i)) {
		try_later(i);
		return;
	}
	i->damaged.st_ino = 0;
	if (open_anew(i, &err) != HT_OK) {
		i->store = NULL;
		ht_ingest_trouble(i, "open", &err);
	}
}

/* A commit that worked is what ends a trouble: opening alone proves little. */
static void recovered(struct ht_ingest *i)
{
	i->retry_wait_ns = RETRY_FIRST_NS;
	if (!i->trouble[0])
		return;
	i->trouble[0] = '\0';
	ht_log(LOG_NOTICE,
	       "store: works again, %llu samples and %llu events were lost in all",
	       (unsigned long long)i->lost, (unsigned long long)i->lost_events);
}

void ht_ingest_flush(struct ht_ingest *i)
{
	struct ht_err err;

	write_waiting(i);
	if (!i->begun)
		return;
	if (ht_store_commit(i->store, &err) != HT_OK) {
		ht_ingest_trouble(i, "commit", &err);
		return;
	}
	i->begun = false;
	i->stored += i->pending;
	i->pending = i->pending_events = 0;
	ht_ends_committed(&i->ends);
	i->commits++;
	recovered(i);
}

static int on_maintain(sd_event_source *source, uint64_t now_us, void *ctx);

static int on_commit(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct ht_ingest *i = ctx;

	(void)source;
	(void)now_us;
	ht_ingest_flush(i);
	i->planned = false;
	if (i->store && ht_store_is_due(i->store))
		set_timer(i, &i->maintain_timer, MAINTAIN_AGAIN_NS,
			  on_maintain);
	return 0;
}

static void plan_commit(struct ht_ingest *i)
{
	if (i->planned)
		return;
	i->planned = true;
	set_timer(i, &i->commit_timer, HT_NS_PER_S, on_commit);
}

/* True: a transaction is open. */
static bool begin(struct ht_ingest *i)
{
	struct ht_err err;

	if (!i->store)
		return false;
	if (i->begun)
		return true;
	if (ht_store_in_place(i->store, &err) != HT_OK ||
	    ht_store_begin(i->store, &err) != HT_OK) {
		ht_ingest_trouble(i, "begin", &err);
		return false;
	}
	i->begun = true;
	plan_commit(i);
	return true;
}

/* room: for its snapshot. False: in trouble, and nothing waits any more. */
static bool write_sample(struct ht_ingest *i, struct ht_watched *p,
			 struct ht_snapshot *room)
{
	int64_t sample_id;
	struct ht_err err;

	if (!begin(i))
		return false;
	if (ht_snapshot_unpack(&p->newest.packed, room, &err) == HT_OK &&
	    ht_store_add(i->store, p->target, room, &sample_id, &err) ==
		    HT_OK &&
	    ht_store_sample_process(i->store, sample_id, &p->store_id, &err) ==
		    HT_OK)
		return true;
	ht_ingest_trouble(i, "add a sample", &err);
	return false;
}

static void write_waiting(struct ht_ingest *i)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot room;

	ht_snapshot_init(&room);
	for (size_t k = 0; k < i->waiting_n; k++)
		if (!write_sample(i, i->waiting[k], &room))
			return;
	forget_waiting(i);
}

void ht_ingest_sample(struct ht_ingest *i, struct ht_watched *p)
{
	ht_ingest_left(i, p); /* its bytes are about to be others */
	if (!ht_newest_pack(&p->newest) || !i->store) {
		i->lost++;
		return;
	}
	i->pending++;
	p->waits = true;
	i->waiting[i->waiting_n++] = p;
	plan_commit(i);
	if (!p->store_id || i->waiting_n == HT_INGEST_WAITING)
		write_waiting(i);
}

void ht_ingest_left(struct ht_ingest *i, const struct ht_watched *p)
{
	if (p->waits)
		write_waiting(i);
}

/* The same for what is no sample: counted where it cannot be recorded. */
static bool begin_event(struct ht_ingest *i, const struct ht_watched *p)
{
	if (!p->store_id)
		return false; /* the store knows no such process */
	ht_ingest_left(i, p); /* what is told comes after its sample */
	if (!begin(i)) {
		i->lost_events++;
		return false;
	}
	i->pending_events++;
	return true;
}

void ht_ingest_event(struct ht_ingest *i, const struct ht_watched *p,
		     const char *kind, const char *text)
{
	struct ht_err err;

	if (begin_event(i, p) &&
	    ht_store_event(i->store, p->store_id, ht_wall_ns(), kind, text,
			   &err) != HT_OK)
		ht_ingest_trouble(i, "add an event", &err);
}

static void write_ends(struct ht_ingest *i)
{
	const struct ht_store_end *end;
	struct ht_err err;

	while ((end = ht_ends_next(&i->ends)) != NULL && begin(i)) {
		if (ht_store_ended(i->store, end, &err) != HT_OK) {
			ht_ingest_trouble(i, "add an end", &err);
			return;
		}
		i->ends.written++;
	}
}

void ht_ingest_ended(struct ht_ingest *i, const struct ht_watched *p)
{
	/* not from its snapshot, which is empty while it is looked at */
	struct ht_store_end e = {.pid = (uint64_t)p->pid,
				 .start_ticks = p->start_ticks,
				 .at_ns = ht_wall_ns()};

	if (p->samples == 0)
		return;
	ht_ingest_left(i, p);
	snprintf(e.boot_id, sizeof(e.boot_id), "%.*s",
		 (int)strcspn(p->key, ":"), p->key);
	if (!ht_ends_add(&i->ends, &e))
		i->lost_events++;
	write_ends(i);
}

void ht_ingest_tell(struct ht_ingest *i, const struct ht_watched *p,
		    const char *kind, const char *text)
{
	ht_log(LOG_NOTICE, "pid %d: %s: %s target=%s", (int)p->pid, kind, text,
	       p->target);
	ht_ingest_event(i, p, kind, text);
}

void ht_ingest_who(struct ht_ingest *i, const struct ht_watched *p,
		   const struct ht_store_who *who,
		   const struct ht_snapshot *seen,
		   const struct ht_store_site *sites, size_t n)
{
	struct ht_err err;

	if (begin_event(i, p) &&
	    ht_store_add_who(i->store, p->store_id, who, seen, sites, n,
			     &err) != HT_OK)
		ht_ingest_trouble(i, "add call stacks", &err);
}

/* Which type grows, in the stretch of history that was judged. */
static enum ht_code find_growth(struct ht_ingest *i, struct ht_watched *p,
				struct ht_err *err)
{
	const bool known = p->typing.grown.at_ns;
	HT_AUTO_TYPE_LOOKS struct ht_type_looks looks = {0};
	enum ht_code code = ht_store_types(i->store, p->store_id,
					   p->judged ? p->verdict.from_ns : 0,
					   INT64_MAX, &looks, err);

	if (code == HT_OK)
		ht_type_growth_text(&looks, &p->typing.grown);
	p->typing.news |= !known && p->typing.grown.at_ns;
	return code;
}

void ht_ingest_types(struct ht_ingest *i, struct ht_watched *p)
{
	struct ht_err err;

	if (!begin_event(i, p))
		return;
	if (ht_store_add_types(i->store, p->store_id, p->newest.open, &err) !=
		    HT_OK ||
	    find_growth(i, p, &err) != HT_OK)
		ht_ingest_trouble(i, "add types", &err);
}

void ht_ingest_verdict(struct ht_ingest *i, const struct ht_watched *p,
		       int64_t now_ns)
{
	json_auto_t *json = NULL;
	HT_AUTO_FREE char *text = NULL;
	const struct ht_traced traced = {p->holding.found, p->making.found,
					 p->typing.grown};
	struct ht_err err;

	if (!p->store_id || !begin(i))
		return;
	json = ht_verdict_json(&p->verdict, p->target, (uint64_t)p->pid,
			       &traced);
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	if (text && ht_store_add_verdict(
			    i->store, p->store_id, now_ns, p->verdict.since_ns,
			    ht_label_names[p->verdict.label],
			    p->verdict.confidence, text, &err) != HT_OK)
		ht_ingest_trouble(i, "add a verdict", &err);
}

void ht_ingest_alert(struct ht_ingest *i, const struct ht_alert *a)
{
	struct ht_err err;

	if (begin(i) && ht_store_alert_put(i->store, a, &err) != HT_OK)
		ht_ingest_trouble(i, "record an alert", &err);
}

void ht_ingest_alert_forget(struct ht_ingest *i, const struct ht_alert *a)
{
	struct ht_err err;

	if (begin(i) && ht_store_alert_forget(i->store, a->id, &err) != HT_OK)
		ht_ingest_trouble(i, "forget an alert", &err);
}

bool ht_ingest_delivery(struct ht_ingest *i, const struct ht_alert *a,
			const char *sink)
{
	struct ht_err err;

	if (!begin(i))
		return false;
	if (ht_store_delivery_queue(i->store, a->id,
				    ht_alert_state_name(a->state), sink,
				    ht_wall_ns(), &err) == HT_OK)
		return true;
	ht_ingest_trouble(i, "queue a notice", &err);
	return false;
}

void ht_ingest_settle(struct ht_ingest *i, const struct ht_alert *a,
		      const char *sink, const char *error)
{
	struct ht_err err;

	if (begin(i) && ht_store_delivery_settle(
				i->store, a->id, ht_alert_state_name(a->state),
				sink, ht_wall_ns(), error, &err) != HT_OK)
		ht_ingest_trouble(i, "settle a notice", &err);
	if (!error)
		ht_ingest_flush(i); /* so that a crash does not send it twice */
}

bool ht_ingest_deliveries(struct ht_ingest *i,
			  int (*each)(void *ctx,
				      const struct ht_store_delivery *d),
			  void *ctx)
{
	struct ht_err err;

	if (!i->store)
		return false;
	if (ht_store_deliveries(i->store, each, ctx, &err) == HT_OK)
		return true;
	ht_ingest_trouble(i, "read notices", &err);
	return false;
}

struct ht_store *ht_ingest_store(struct ht_ingest *i)
{
	return i->store;
}

struct ht_store *ht_ingest_store_of(struct ht_ingest *i,
				    const struct ht_watched *p)
{
	ht_ingest_left(i, p);
	return i->store;
}

/* --- roll-ups and retention ---------------------------------------------- */

static struct ht_store_policy policy_of(const struct ht_daemon_config *c)
{
	struct ht_store_policy policy = HT_STORE_POLICY_DEFAULT;

	policy.raw_s = c->keep_raw_ns / HT_NS_PER_S;
	policy.minute_s = c->keep_minute_ns / HT_NS_PER_S;
	policy.ten_minutes_s = c->keep_10min_ns / HT_NS_PER_S;
	policy.hour_s = c->keep_hour_ns / HT_NS_PER_S;
	policy.max_bytes = (int64_t)c->store_max;
	return policy;
}

static enum ht_code maintain(struct ht_ingest *i, bool *ret_done,
			     struct ht_err *err)
{
	struct ht_store_policy policy = policy_of(i->config);
	int64_t bytes;
	enum ht_code code = ht_store_in_place(i->store, err);

	if (code == HT_OK)
		code = ht_store_maintain(i->store, &policy, ht_wall_ns(),
					 HT_STORE_SLICE_NS, ret_done, err);
	if (code == HT_OK)
		code = ht_store_size(i->store, &bytes, err);
	if (code == HT_OK)
		i->size_bytes = (uint64_t)bytes;
	return code;
}

static int on_maintain(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct ht_ingest *i = ctx;
	bool done = true;
	struct ht_err err;

	(void)source;
	(void)now_us;
	ht_ingest_flush(i);
	if (i->store && maintain(i, &done, &err) != HT_OK)
		ht_ingest_trouble(i, "roll up", &err);
	set_timer(i, &i->maintain_timer,
		  done ? MAINTAIN_EVERY_NS : MAINTAIN_AGAIN_NS, on_maintain);
	return 0;
}

enum ht_code ht_ingest_init(struct ht_ingest *i, sd_event *event,
			    const struct ht_daemon_config *config,
			    const struct ht_ingest_events *events,
			    struct ht_err *err)
{
	*i = (struct ht_ingest){.event = event,
				.config = config,
				.events = *events,
				.held = HT_HELD_NONE,
				.retry_wait_ns = RETRY_FIRST_NS};
	open_store(i);
	return ht_timer_set(event, &i->maintain_timer,
			    ht_mono_ns() + MAINTAIN_EVERY_NS, on_maintain, i,
			    err);
}

void ht_ingest_fini(struct ht_ingest *i)
{
	ht_ingest_flush(i);
	sd_event_source_disable_unref(i->commit_timer);
	sd_event_source_disable_unref(i->maintain_timer);
	ht_store_close_held(i->store, &i->held);
	ht_held_fini(&i->held);
	i->store = NULL;
	ht_ends_fini(&i->ends);
	i->retry_timer = sd_event_source_disable_unref(i->retry_timer);
}
