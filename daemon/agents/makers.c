/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/agents/makers.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "analysis/who_text.h"
#include "common/clock.h"
#include "daemon/agents/reaper.h"
#include "daemon/loop/timer.h"
#include "link/who_pace.h"

#define GRACE_NS  (250 * HT_NS_PER_MS)
#define LOOK_NS	  HT_NS_PER_S
#define WINDOW_US 250000

static void ask(struct ht_makers *m, enum ht_makers_step step);

/* --- the end ------------------------------------------------------------- */

static void end(struct ht_makers *m)
{
	m->socket_source = sd_event_source_disable_unref(m->socket_source);
	m->timer = sd_event_source_disable_unref(m->timer);
	m->deadline = sd_event_source_disable_unref(m->deadline);
	if (m->client.socket >= 0)
		ht_reap(m->event, &m->client);
	m->client = HT_CLIENT_NONE;
	ht_snapshot_fini(&m->answer);
	ht_snapshot_fini(&m->seen);
	ht_snapshot_fini(&m->before);
	ht_snapshot_fini(&m->after);
	if (m->p)
		m->p->making.asking = false;
	m->p = NULL;
	m->asking = false;
}

static void fail(struct ht_makers *m, const struct ht_err *err)
{
	m->refused++;
	ht_ingest_tell(m->ingest, m->p, "who_refused", err->msg);
	end(m);
}

/* What was found, stack by stack, for the history. */
static void record(struct ht_makers *m, const struct ht_who_judged *j)
{
	const struct ht_holding *h = &m->p->making;
	struct ht_store_site sites[HT_STORE_SITES_MAX];
	char names[HT_STORE_SITES_MAX][HT_HELD_BY_TEXT];
	const struct ht_store_who who = {.at_ns = h->found.at_ns,
					 .max_size = h->max_size,
					 .windows = m->seen.windows.v[0],
					 .growth = j->growth};
	size_t n = 0;

	for (; n < j->n && n < HT_STORE_SITES_MAX; n++) {
		const struct ht_who_site *s = &j->v[n];

		ht_who_site_name(&m->seen, s->site, names[n]);
		sites[n] = (struct ht_store_site){
			.name = names[n],
			.seen = m->seen.sites.v[s->site],
			.survival = s->survival,
			.low = s->low,
			.high = s->high,
			.bytes_per_s = s->bytes_per_s,
			.share_of_growth = s->share_of_growth,
			.confidence = s->confidence,
			.leaking = s->leaking == HT_LEAKING_UNKNOWN
					   ? -1
					   : s->leaking == HT_LEAKING_YES,
			.row = s->site};
	}
	ht_ingest_who(m->ingest, m->p, &who, &m->seen, sites, n);
}

static void conclude(struct ht_makers *m)
{
	HT_AUTO_WHO struct ht_who_judged judged = {0};
	struct ht_holding *h = &m->p->making;
	bool walked =
		m->before.size_classes.n > 0 && m->after.size_classes.n > 0;
	const struct ht_who_in in = {
		.seen = &m->seen,
		.before = walked ? &m->before : NULL,
		.after = walked ? &m->after : NULL,
		.seconds = (double)(m->after_ns - m->before_ns) / 1e9,
		.size = h->max_size,
	};
	struct ht_err err;

	if (ht_who_judge(&in, &judged, &err) != HT_OK) {
		fail(m, &err);
		return;
	}
	ht_who_text(&m->seen, &judged, h->found.text);
	h->found.at_ns = ht_wall_ns();
	h->news = true;
	m->runs++;
	ht_ingest_tell(m->ingest, m->p, "who", h->found.text);
	record(m, &judged);
	end(m);
}

/* --- one step after the other -------------------------------------------- */

static int on_time(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct ht_makers *m = ctx;
	bool over = ht_mono_ns() - m->begin_ns >= m->for_ns;

	(void)source;
	(void)now_us;
	ask(m, over ? HT_MAKERS_AFTER : HT_MAKERS_LOOK);
	return 0;
}

static bool is_growth(const struct ht_makers *m)
{
	return m->seen.windows.n == 1 &&
	       m->seen.windows.v[0].way == HT_WAY_GROWTH;
}

/* Not at even times: a program may do something at even times of its own. */
static void rest(struct ht_makers *m)
{
	int64_t after_ns = is_growth(m) && m->window
				   ? ht_who_pace_growth_ns(&m->pace)
				   : LOOK_NS;
	int64_t at_ns = ht_mono_ns() + after_ns / 2 +
			(int64_t)(drand48() * (double)after_ns);
	struct ht_err err;

	if (ht_timer_set(m->event, &m->timer, at_ns, on_time, m, &err) != HT_OK)
		fail(m, &err);
}

static void keep(struct ht_snapshot *to, struct ht_snapshot *answer)
{
	struct ht_snapshot old = *to;

	*to = *answer;
	*answer = old;
}

/* Why calls cannot be seen: the agent's first warning. */
static void tell_why(struct ht_makers *m)
{
	if (m->seen.warnings.n > 0)
		ht_ingest_tell(m->ingest, m->p, "who_growth",
			       m->seen.warnings.v[0].text);
}

static void take_look(struct ht_makers *m)
{
	const struct ht_windows *w;
	struct ht_err err;

	if (m->answer.windows.n != 1) {
		ht_err_put(&err, HT_PROTOCOL, 0, 0,
			   "the agent did not answer about malloc's calls");
		fail(m, &err);
		return;
	}
	keep(&m->seen, &m->answer);
	w = &m->seen.windows.v[0];
	if (is_growth(m) && m->answer.windows.n == 0)
		tell_why(m);
	if (is_growth(m))
		ht_who_pace_grew(&m->pace, m->begin_ns, w->hits, w->seen,
				 w->armed_us);
	else if (m->window)
		ht_who_pace_took(&m->pace, ht_mono_ns(), w->hits,
				 w->samples + w->lost);
	m->lost = ht_who_pace_lost(&m->pace, m->for_ns);
	if (m->step == HT_MAKERS_LAST)
		conclude(m);
	else if (m->before.size_classes.n == 0)
		ask(m, HT_MAKERS_BEFORE);
	else
		rest(m);
}

/* A walk that does not come off (the heap moved too much) is no end. */
static void take_walk(struct ht_makers *m, bool ok)
{
	bool before = m->step == HT_MAKERS_BEFORE;

	if (ok && before) {
		keep(&m->before, &m->answer);
		m->before_ns = ht_mono_ns();
	} else if (ok) {
		keep(&m->after, &m->answer);
		m->after_ns = ht_mono_ns();
	}
	if (before)
		rest(m);
	else if (m->after.size_classes.n == 0 && ++m->tries < HT_WHO_WALKS)
		ask(m, HT_MAKERS_AFTER);
	else
		ask(m, HT_MAKERS_LAST);
}

static int on_socket(sd_event_source *source, int fd, uint32_t events,
		     void *ctx)
{
	struct ht_makers *m = ctx;
	struct ht_err err = {0};
	enum ht_code code;
	bool walk = m->step == HT_MAKERS_BEFORE || m->step == HT_MAKERS_AFTER;

	(void)source;
	(void)fd;
	(void)events;
	if (!m->asking) {
		ht_err_put(&err, HT_GONE, 0, 0, "its agent ended by itself");
		fail(m, &err);
		return 0;
	}
	code = ht_client_receive(&m->client, &err);
	if (code == HT_OK && m->client.in.state == HT_WIRE_OPEN)
		return 0;
	m->asking = false;
	m->deadline = sd_event_source_disable_unref(m->deadline);
	if (walk)
		take_walk(m, code == HT_OK);
	else if (code == HT_OK)
		take_look(m);
	else
		fail(m, &err);
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct ht_makers *m = ctx;
	struct ht_err err;

	(void)source;
	(void)now_us;
	ht_client_kill(&m->client);
	ht_err_put(&err, HT_TIMEOUT, 0, 0,
		   "no answer from the agent in time; it was ended");
	fail(m, &err);
	return 0;
}

static struct ht_request request_of(struct ht_makers *m)
{
	struct ht_request r = HT_REQUEST_DEFAULT;
	int64_t now_ns = ht_mono_ns();
	double over = (double)(now_ns - m->begin_ns) / (double)m->for_ns;

	m->window = m->step == HT_MAKERS_LOOK &&
		    (is_growth(m) || over < HT_WHO_WINDOWS_SHARE) &&
		    now_ns >= m->pace.next_ns;
	r.flags = m->step == HT_MAKERS_BEFORE || m->step == HT_MAKERS_AFTER
			  ? HT_WANT_CLASSES
			  : HT_WHO | HT_WHO_GROWTH_LAST;
	if (m->window)
		r.flags |= HT_WHO_WINDOW;
	if (m->step == HT_MAKERS_LAST)
		r.flags |= HT_WHO_LINES;
	r.size = m->p->making.max_size;
	r.window_us = WINDOW_US;
	r.window_hits = ht_who_pace_hits(&m->pace);
	return r;
}

static void ask(struct ht_makers *m, enum ht_makers_step step)
{
	struct ht_request r;
	struct ht_err err;
	enum ht_code code;

	m->step = step;
	r = request_of(m);
	code = ht_client_ask(&m->client, &r, &m->answer, &err);
	m->asking = true;
	if (code == HT_OK)
		code = ht_timer_set(
			m->event, &m->deadline,
			ht_mono_ns() + (int64_t)r.timeout_ms * HT_NS_PER_MS +
				GRACE_NS,
			on_deadline, m, &err);
	if (code != HT_OK)
		fail(m, &err);
}

/* --- the begin ----------------------------------------------------------- */

static bool is_due(const struct ht_watched *p, int64_t now_ns)
{
	return p->config && p->config->who == HT_WHO_ON_LEAK && p->judged &&
	       ht_holding_due(&p->making, &p->verdict, now_ns);
}

static void begin(struct ht_makers *m, struct ht_watched *p, int64_t now_ns)
{
	struct ht_holding *h = &p->making;
	struct ht_err err;

	m->p = p;
	h->asking = true;
	h->asked_ns = now_ns;
	h->max_size = ht_holding_class(&p->verdict);
	h->found.at_ns = 0;
	m->begin_ns = now_ns;
	m->for_ns = p->config->who_for_ns;
	m->pace = (struct ht_who_pace){.share = p->config->who_budget};
	m->tries = 0;
	ht_snapshot_init(&m->answer);
	ht_snapshot_init(&m->seen);
	ht_snapshot_init(&m->before);
	ht_snapshot_init(&m->after);
	if (ht_client_start(m->agent, p->pid, NULL, &m->client, &err) !=
	    HT_OK) {
		fail(m, &err);
		return;
	}
	if (sd_event_add_io(m->event, &m->socket_source, m->client.socket,
			    EPOLLIN, on_socket, m) < 0) {
		ht_err_put(&err, HT_SYS, 0, 0,
			   "cannot watch the agent's socket");
		fail(m, &err);
		return;
	}
	ask(m, HT_MAKERS_LOOK);
}

void ht_makers_consider(struct ht_makers *m, struct ht_watched *p)
{
	int64_t now_ns = ht_mono_ns();

	if (!m->p && m->event && is_due(p, now_ns))
		begin(m, p, now_ns);
}

void ht_makers_release(struct ht_makers *m, const struct ht_watched *p)
{
	if (m->p && m->p == p)
		end(m);
}

void ht_makers_init(struct ht_makers *m, sd_event *event, const char *agent,
		    struct ht_ingest *ingest)
{
	*m = (struct ht_makers){.event = event,
				.agent = agent,
				.ingest = ingest,
				.client = HT_CLIENT_NONE};
}

void ht_makers_fini(struct ht_makers *m)
{
	if (m->p)
		end(m);
	m->event = NULL;
}
