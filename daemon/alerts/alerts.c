/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/alerts/alerts.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"

#define LOAD_WAIT_NS (30 * HT_NS_PER_S)
#define SWEEP_NS     HT_NS_PER_S
/* An alert read back waits so long for its process to be found again. */
#define FOUND_AGAIN_NS (10 * HT_NS_PER_S)

static const struct ht_rule *rule_of(const struct ht_alerts *a,
				     const char *name)
{
	const struct ht_config *c = a->config;

	for (size_t i = 0; i < c->rules_n; i++) {
		if (c->rules[i].enabled && strcmp(c->rules[i].name, name) == 0)
			return &c->rules[i];
	}
	return NULL;
}

/* --- silences ------------------------------------------------------------ */

bool ht_alerts_silenced(const struct ht_alerts *a, const struct ht_alert *alert)
{
	int64_t now_ns = ht_wall_ns();

	for (size_t i = 0; i < a->silences_n; i++) {
		const struct ht_silence *s = &a->silences[i];

		if (s->from_ns <= now_ns && now_ns < s->until_ns &&
		    fnmatch(s->rule, alert->rule, 0) == 0 &&
		    fnmatch(s->target, alert->target, 0) == 0)
			return true;
	}
	return false;
}

static int on_silence(void *ctx, const struct ht_silence *s)
{
	struct ht_alerts *a = ctx;
	struct ht_silence *grown =
		reallocarray(a->silences, a->silences_n + 1, sizeof(*grown));

	if (!grown)
		return -1;
	a->silences = grown;
	a->silences[a->silences_n++] = *s;
	return 0;
}

/* The store, once all that waits for it is written. */
static enum ht_code flush(struct ht_alerts *a, struct ht_store **ret,
			  struct ht_err *err)
{
	*ret = ht_ingest_store(a->ingest);
	if (!*ret)
		return ht_fail(err, HT_STORE, "the store is in trouble: %.180s",
			       a->ingest->trouble);
	ht_ingest_flush(a->ingest);
	return HT_OK;
}

enum ht_code ht_alerts_silence(struct ht_alerts *a, struct ht_silence *s,
			       struct ht_err *err)
{
	struct ht_store *st;
	enum ht_code code = flush(a, &st, err);

	if (code != HT_OK)
		return code;
	code = ht_store_silence_add(st, s, err);
	if (code == HT_OK && on_silence(a, s) < 0)
		return ht_fail(err, HT_NOMEM, "no memory for a silence");
	return code;
}

enum ht_code ht_alerts_unsilence(struct ht_alerts *a, int64_t id,
				 struct ht_err *err)
{
	struct ht_store *st;
	enum ht_code code = flush(a, &st, err);

	if (code != HT_OK)
		return code;
	code = ht_store_silence_end(st, id, ht_wall_ns(), err);
	for (size_t i = 0; i < a->silences_n && code == HT_OK; i++) {
		if (a->silences[i].id == id)
			a->silences[i].until_ns = 0;
	}
	return code;
}

/* --- entries ------------------------------------------------------------- */

static struct ht_alert_entry *find(struct ht_alerts *a, const struct ht_rule *r,
				   const struct ht_watched *p)
{
	struct ht_alert_entry *e;

	DL_FOREACH (a->list, e) {
		if (strcmp(e->alert.rule, r->name) != 0 ||
		    strcmp(e->alert.target, p->target) != 0)
			continue;
		if (strcmp(e->alert.process_key, p->key) == 0 ||
		    (e->orphan && r->keep_on_restart))
			return e;
	}
	return NULL;
}

static void discard(struct ht_alerts *a, struct ht_alert_entry *e)
{
	DL_DELETE(a->list, e);
	free(e);
}

/* The sinks hear of it unless it is silenced; when the silence ends first, the
 * sweep tells them. */
static void tell_firing(struct ht_alerts *a, struct ht_alert_entry *e)
{
	if (e->notified || ht_alerts_silenced(a, &e->alert))
		return;
	e->notified = true;
	ht_sinks_notify(a->sinks, &e->alert);
}

static void settle(struct ht_alerts *a, struct ht_alert_entry *e,
		   enum ht_alert_change change)
{
	struct ht_ingest *i = a->ingest;

	switch (change) {
	case HT_CHANGE_NONE:
		break;
	case HT_CHANGE_PENDING:
		ht_ingest_alert(i, &e->alert);
		break;
	case HT_CHANGE_DROPPED:
		ht_ingest_alert_forget(i, &e->alert);
		discard(a, e);
		break;
	case HT_CHANGE_FIRING:
		a->fired++;
		ht_ingest_alert(i, &e->alert);
		tell_firing(a, e);
		break;
	case HT_CHANGE_RESOLVED:
		a->resolved++;
		ht_ingest_alert(i, &e->alert);
		if (e->notified)
			ht_sinks_notify(a->sinks, &e->alert);
		discard(a, e);
		break;
	}
}

static void ask(struct ht_alerts *a, struct ht_watched *p,
		const struct ht_rule *r, const struct ht_situation *s)
{
	struct ht_alert_entry *e = find(a, r, p);
	struct ht_alert_entry fresh = {0};
	enum ht_alert_change change;

	if (!e) {
		ht_alert_init(&fresh.alert, r, p->target, p->key);
		fresh.alert.process_id = p->store_id;
		change = ht_alert_step(&fresh.alert, r, s);
		if (change == HT_CHANGE_NONE)
			return;
		e = malloc(sizeof(*e));
		if (!e)
			return; /* asked again next time */
		*e = fresh;
		DL_APPEND(a->list, e);
	} else {
		e->orphan = false;
		strcpy(e->alert.process_key, p->key);
		change = ht_alert_step(&e->alert, r, s);
	}
	settle(a, e, change);
}

void ht_alerts_ask(struct ht_alerts *a, struct ht_watched *p,
		   const struct ht_situation *s)
{
	const struct ht_config *c = a->config;

	/* What fires may be in a store that somebody holds for a moment: asked
	 * now, it would begin again under another id. */
	if (!a->loaded && ht_mono_ns() - a->begun_ns < LOAD_WAIT_NS)
		return;
	for (size_t i = 0; i < c->rules_n; i++) {
		if (ht_rule_concerns(&c->rules[i], p->target))
			ask(a, p, &c->rules[i], s);
	}
}

static void end(struct ht_alerts *a, struct ht_alert_entry *e)
{
	enum ht_alert_change change = ht_alert_end(
		&e->alert, rule_of(a, e->alert.rule), ht_wall_ns());

	if (change == HT_CHANGE_NONE)
		e->orphan = true;
	settle(a, e, change);
}

void ht_alerts_process_ended(struct ht_alerts *a, const struct ht_watched *p)
{
	struct ht_alert_entry *e, *next;

	DL_FOREACH_SAFE (a->list, e, next) {
		if (strcmp(e->alert.process_key, p->key) == 0)
			end(a, e);
	}
}

void ht_alerts_sweep(struct ht_alerts *a)
{
	int64_t now_ns = ht_mono_ns();
	bool searched = now_ns - a->begun_ns > FOUND_AGAIN_NS;
	struct ht_alert_entry *e, *next;

	if (now_ns - a->swept_ns < SWEEP_NS)
		return;
	a->swept_ns = now_ns;
	DL_FOREACH_SAFE (a->list, e, next) {
		const struct ht_rule *r = rule_of(a, e->alert.rule);

		if (!r ||
		    (searched && !e->orphan &&
		     !ht_registry_with_key(a->registry, e->alert.process_key)))
			end(a, e);
		else if (e->alert.state == HT_ALERT_FIRING)
			tell_firing(a, e);
	}
}

void ht_alerts_each_notified(const struct ht_alerts *a, size_t min_severity,
			     void (*each)(void *ctx, const struct ht_alert *al),
			     void *ctx)
{
	struct ht_alert_entry *e;

	DL_FOREACH (a->list, e) {
		if (e->alert.state == HT_ALERT_FIRING && e->notified &&
		    ht_severity_of(e->alert.severity) >= min_severity &&
		    !ht_alerts_silenced(a, &e->alert))
			each(ctx, &e->alert);
	}
}

size_t ht_alerts_of(const struct ht_alerts *a, const struct ht_watched *p,
		    enum ht_alert_state state)
{
	struct ht_alert_entry *e;
	size_t n = 0;

	DL_FOREACH (a->list, e)
		n += e->alert.state == state &&
		     strcmp(e->alert.process_key, p->key) == 0;
	return n;
}

void ht_alerts_record(struct ht_alerts *a)
{
	struct ht_alert_entry *e;

	DL_FOREACH (a->list, e)
		ht_ingest_alert(a->ingest, &e->alert);
}

/* --- reading back -------------------------------------------------------- */

static void drop_same(struct ht_alerts *a, const struct ht_alert *alert)
{
	struct ht_alert_entry *e, *next;

	DL_FOREACH_SAFE (a->list, e, next) {
		if (strcmp(e->alert.rule, alert->rule) == 0 &&
		    strcmp(e->alert.target, alert->target) == 0 &&
		    strcmp(e->alert.process_key, alert->process_key) == 0)
			discard(a, e);
	}
}

static int on_alert(void *ctx, const struct ht_alert *alert)
{
	struct ht_alerts *a = ctx;
	struct ht_alert_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return -1;
	/* what began while the store could not be read goes on as before */
	drop_same(a, alert);
	e->alert = *alert;
	DL_APPEND(a->list, e);
	return 0;
}

static enum ht_code load(struct ht_alerts *a, struct ht_store *st,
			 struct ht_err *err)
{
	struct ht_alert_entry *e;
	enum ht_code code = ht_store_alerts(st, true, 0, on_alert, a, err);

	if (code == HT_OK)
		code = ht_store_silences(st, ht_wall_ns(), on_silence, a, err);
	DL_FOREACH (a->list, e) {
		if (code == HT_OK)
			code = ht_store_delivery_known(
				st, e->alert.id, "firing", &e->notified, err);
	}
	return code;
}

void ht_alerts_load(struct ht_alerts *a)
{
	struct ht_store *st = ht_ingest_store(a->ingest);
	struct ht_err err;

	if (a->loaded || !st)
		return;
	a->loaded = load(a, st, &err) == HT_OK;
	if (!a->loaded)
		ht_ingest_trouble(a->ingest, "read alerts", &err);
}

void ht_alerts_init(struct ht_alerts *a, const struct ht_config *config,
		    const struct ht_registry *registry,
		    struct ht_ingest *ingest, struct ht_sinks *sinks)
{
	*a = (struct ht_alerts){.config = config,
				.registry = registry,
				.ingest = ingest,
				.sinks = sinks,
				.begun_ns = ht_mono_ns()};
	ht_alerts_load(a);
}

void ht_alerts_fini(struct ht_alerts *a)
{
	struct ht_alert_entry *e, *next;

	DL_FOREACH_SAFE (a->list, e, next)
		free(e);
	a->list = NULL;
	free(a->silences);
	a->silences = NULL;
	a->silences_n = 0;
}
