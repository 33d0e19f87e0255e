/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/graph.h"

#include <stdio.h>
#include <string.h>

#include "cli/json.h"
#include "cli/show.h"
#include "cli/target.h"
#include "common/demangle.h"
#include "schema/snapshot_json.h"

enum ht_code ht_graph_look(struct ht_cli *cli, uint64_t flags,
			   struct ht_snapshot *ret, struct ht_err *err)
{
	pid_t pid = 0;
	enum ht_code code = HT_OK;

	if (!cli->opt.core == !cli->opt.args_n)
		return ht_fail(err, HT_USAGE,
			       "name either a PID or --core FILE");
	if ((cli->opt.exe || cli->opt.sysroot) && !cli->opt.core)
		return ht_fail(err, HT_USAGE,
			       "--exe and --sysroot go with --core");
	if (!cli->opt.core)
		code = ht_target_pid(cli->opt.args[0], &pid, err);
	if (cli->opt.mode == HT_UNKNOWN)
		cli->opt.mode = HT_MODE_SNAPSHOT;
	if (code == HT_OK)
		code = ht_target_measure(cli, pid, flags | HT_WANT_CLASSES, ret,
					 err);
	if (code == HT_OK && !ht_show_has_heap(ret))
		return ht_show_no_heap(ret, err);
	if (code == HT_OK && ret->graphs.n == 0)
		return ht_fail(err, HT_PROTOCOL, "the agent sent no graph");
	return code;
}

void ht_graph_warnings(const struct ht_cli *cli, const struct ht_snapshot *s)
{
	for (size_t i = 0; i < s->warnings.n; i++) {
		fputs(i ? "  ! " : "\n  ! ", stdout);
		ht_wrap(&cli->term, 4, s->warnings.v[i].text);
	}
}

json_t *ht_graph_json(const char *schema, const struct ht_snapshot *s)
{
	json_t *top = ht_json_look(schema, NULL, s);
	json_t *head = ht_record_json(HT_RECORD_head, &s->head, NULL);
	json_t *warnings = json_array();
	int bad = json_object_update(top, head);

	bad = bad
		      ?: json_object_set_new(top, "stop",
					     ht_record_json(HT_RECORD_stop,
							    &s->stop, NULL));
	for (size_t i = 0; !bad && i < s->warnings.n; i++)
		bad = json_array_append_new(
			warnings, ht_text_json(s->warnings.v[i].text));
	bad = bad ?: json_object_set(top, "warnings", warnings);
	json_decref(head);
	json_decref(warnings);
	if (!bad)
		return top;
	json_decref(top);
	return NULL;
}

/* Class names come as their type_info has them. */
static int demangle(json_t *row)
{
	static const char *const keys[] = {"name", "type", "head_type",
					   "symbol", "function"};
	char out[HT_GRAPH_NAME];
	int bad = 0;

	for (size_t i = 0; !bad && i < sizeof(keys) / sizeof(*keys); i++) {
		const char *text =
			json_string_value(json_object_get(row, keys[i]));

		if (!text)
			continue;
		if (strcmp(keys[i], "function") == 0)
			ht_demangle_function(text, out, sizeof(out));
		else
			ht_demangle(text, out, sizeof(out));
		bad = json_object_set_new(row, keys[i], ht_text_json(out));
	}
	return bad;
}

json_t *ht_graph_rows(const struct ht_snapshot *s, enum ht_record_id id,
		      const char *skip)
{
	/* Row access is shared with writers; nothing is changed. */
	struct ht_snapshot *rows = (struct ht_snapshot *)(uintptr_t)s;
	json_t *list = json_array();
	int bad = list ? 0 : -1;

	for (size_t i = 0; !bad && i < ht_snapshot_count(s, id); i++) {
		json_t *row =
			ht_record_json(id, ht_snapshot_row(rows, id, i), skip);

		bad = demangle(row);
		bad = bad ?: json_array_append(list, row);
		json_decref(row);
	}
	if (!bad)
		return list;
	json_decref(list);
	return NULL;
}
