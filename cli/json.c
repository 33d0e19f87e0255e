/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json.h"

#include <errno.h>
#include <stdio.h>

#include "common/clock.h"
#include "schema/snapshot_json.h"

const char *ht_process_name(const struct ht_store_process *p)
{
	return *p->target ? p->target : p->comm;
}

json_t *ht_json_look(const char *schema, const char *target,
		     const struct ht_snapshot *s)
{
	const char *name = target && *target ? target : s->head.comm;

	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "schema", schema,
			 "target", ht_text_json(name), "pid",
			 ht_u64_json(s->head.pid), "comm",
			 ht_text_json(s->head.comm), "taken_at",
			 ht_time_json(s->head.taken_at));
}

json_t *ht_json_span(const char *schema, const struct ht_store_process *p,
		     int64_t from_ns, int64_t to_ns)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "schema", schema,
			 "target", ht_text_json(ht_process_name(p)), "pid",
			 ht_u64_json(p->pid), "comm", ht_text_json(p->comm),
			 "from", ht_time_json(from_ns), "to",
			 ht_time_json(to_ns));
}

json_t *ht_json_now(const char *schema)
{
	return json_pack("{s:s, s:o}", "schema", schema, "taken_at",
			 ht_time_json(ht_wall_ns()));
}

void ht_json_add(json_t **o, const char *key, json_t *value)
{
	if (*o && !json_object_set_new(*o, key, value))
		return;
	if (!*o)
		json_decref(value);
	json_decref(*o);
	*o = NULL;
}

enum ht_code ht_json_print(json_t *value, struct ht_err *err)
{
	int failed;

	if (!value)
		return ht_fail(err, HT_NOMEM, "out of memory for JSON");
	failed = json_dumpf(value, stdout,
			    JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	json_decref(value);
	if (failed)
		return ht_fail_sys(err, HT_SYS, errno,
				   "write JSON to standard output");
	putchar('\n');
	return HT_OK;
}
