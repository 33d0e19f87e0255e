/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/alert_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "schema/snapshot_json.h"

static const char *const state_names[] = {
#define STATE_NAME(c, s) s,
	HT_ALERT_STATE_NAMES(STATE_NAME)};

long ht_alert_pid(const struct ht_alert *a)
{
	const char *colon = strchr(a->process_key, ':');

	return colon ? strtol(colon + 1, NULL, 10) : 0;
}

static json_t *number(double v)
{
	return isfinite(v) ? json_real(v) : json_null();
}

static json_t *lines(const char *text)
{
	json_t *array = json_array();

	while (array && *text) {
		size_t n = strcspn(text, "\n");

		if (n)
			json_array_append_new(array, json_stringn(text, n));
		text += n + (text[n] == '\n');
	}
	return array;
}

json_t *ht_alert_json(const struct ht_alert *a)
{
	long pid = ht_alert_pid(a);

	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"schema", HT_ALERT_SCHEMA, "id", a->id, "rule", a->rule,
		"state",
		a->state < HT_ALERT_STATE_COUNT ? state_names[a->state] : "?",
		"severity", a->severity, "target", a->target, "pid",
		pid ? json_integer(pid) : json_null(), "process",
		a->process_key, "pending_at", ht_time_json(a->pending_ns),
		"firing_at", ht_time_json(a->firing_ns), "resolved_at",
		ht_time_json(a->resolved_ns), "value", number(a->value),
		"level", number(a->level), "summary", ht_text_json(a->summary),
		"evidence", lines(a->evidence));
}
