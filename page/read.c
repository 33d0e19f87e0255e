/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what a page shows of one process. */
#include <stdlib.h>
#include <string.h>

#include "analysis/advice.h"
#include "common/clock.h"
#include "page/page_int.h"
#include "schema/snapshot_json.h"
#include "store/alert.h"

#define ROWS	   1000
#define EVENTS_MAX 500

void ht_page_init(struct ht_page *p)
{
	*p = (struct ht_page){.events = json_array(), .alerts = json_array()};
	ht_judged_init(&p->judged);
	ht_series_init(&p->series);
}

void ht_page_fini(struct ht_page *p)
{
	for (size_t i = 0; i < p->asked_n; i++) {
		free(p->asked[i].name);
		free(p->asked[i].help);
		free(p->asked[i].value);
	}
	free(p->asked);
	json_decref(p->events);
	json_decref(p->alerts);
	json_decref(p->family);
	json_decref(p->sites);
	json_decref(p->types);
	ht_series_fini(&p->series);
	ht_judged_fini(&p->judged);
}

bool ht_page_add(struct ht_page *p, const char *name, const char *help,
		 const char *unit, double *value)
{
	struct ht_page_asked *grown =
		reallocarray(p->asked, p->asked_n + 1, sizeof(*grown));
	struct ht_page_asked *a;

	if (!grown) {
		free(value);
		return false;
	}
	p->asked = grown;
	a = &grown[p->asked_n++];
	*a = (struct ht_page_asked){.name = strdup(name),
				    .help = strdup(help),
				    .unit = unit,
				    .value = value};
	return a->name && a->help && value;
}

/* The newest EVENTS_MAX stay. */
static int take_event(void *ctx, const struct ht_store_event_row *e)
{
	struct ht_page *p = ctx;

	if (json_array_size(p->events) == EVENTS_MAX)
		json_array_remove(p->events, 0);
	return json_array_append_new(p->events,
				     json_pack("{s:o, s:o, s:o}", "time",
					       ht_time_json(e->at_ns), "kind",
					       ht_text_json(e->kind), "text",
					       ht_text_json(e->text)));
}

bool ht_page_add_alert(struct ht_page *p, const struct ht_alert *a)
{
	static const char *const states[] = {
#define STATE_NAME(c, s) s,
		HT_ALERT_STATE_NAMES(STATE_NAME)};

	if (a->process_id != p->judged.process.id ||
	    (unsigned)a->state >= HT_ALERT_STATE_COUNT)
		return true;
	return !json_array_append_new(
		p->alerts,
		json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "rule",
			  ht_text_json(a->rule), "state", states[a->state],
			  "severity", ht_optional_text_json(a->severity),
			  "pending", ht_time_json(a->pending_ns), "firing",
			  ht_time_json(a->firing_ns), "resolved",
			  ht_time_json(a->resolved_ns), "summary",
			  ht_text_json(a->summary)));
}

static int take_alert(void *ctx, const struct ht_alert *a)
{
	return !ht_page_add_alert(ctx, a);
}

static enum ht_code read_beside(struct ht_store *store, struct ht_page *p,
				struct ht_err *err)
{
	const struct ht_series *s = &p->series;
	int64_t id = p->judged.process.id, until = p->ask.until_ns;
	enum ht_code code;

	code = ht_store_events(store, id, s->time_ns[0],
			       s->time_ns[s->rows - 1] + HT_NS_PER_S,
			       take_event, p, err);
	if (code == HT_OK)
		code = ht_store_alerts(store, false, s->time_ns[0], take_alert,
				       p, err);
	if (code == HT_OK)
		code = ht_held_by_read(store, id, until, &p->traced, err);
	if (code == HT_OK)
		code = ht_grown_read(store, id, &p->judged.verdict,
				     &p->traced.grown, err);
	if (code == HT_OK)
		code = ht_page_sites(store, id, until, &p->sites, err);
	if (code == HT_OK)
		code = ht_page_types(store, id, s->time_ns[0],
				     s->time_ns[s->rows - 1] + HT_NS_PER_S,
				     &p->types, err);
	if (code == HT_OK)
		code = ht_pin_text(store, id, until, false, p->pin, err);
	return code;
}

enum ht_code ht_page_read(struct ht_store *store,
			  const struct ht_store_process *process,
			  const struct ht_page_ask *ask, struct ht_page *p,
			  struct ht_err *err)
{
	const int parts = HT_SERIES_CLASSES | HT_SERIES_MEDIANS |
			  HT_SERIES_LIST(HT_LINES_BINS) |
			  HT_SERIES_LIST(HT_LINES_ARENAS) |
			  HT_SERIES_LIST(HT_LINES_THREADS);
	enum ht_code code;

	if (!p->events || !p->alerts)
		return ht_fail(err, HT_NOMEM, "out of memory for a page");
	p->ask = *ask;
	p->judged.process = *process;
	code = ht_judged_read(store, ask->since_ns, ask->until_ns, &p->judged,
			      err);
	if (code == HT_OK && p->judged.have_latest)
		code = ht_advise(&p->judged.latest, err);
	if (code == HT_OK)
		code = ht_store_series_of(store, process->id, ask->since_ns,
					  ask->until_ns ? ask->until_ns
							: INT64_MAX,
					  ask->rows ? ask->rows : ROWS, parts,
					  NULL, &p->series, err);
	if (code == HT_OK && p->series.rows == 0)
		code = ht_fail(err, HT_NODATA, "no sample of %s in this time",
			       process->comm);
	return code == HT_OK ? read_beside(store, p, err) : code;
}
