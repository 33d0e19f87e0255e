/* SPDX-License-Identifier: Apache-2.0 */
/* `status`, `watch`, `unwatch`, `sample`: what is asked of a running
 * heaptided over its control socket. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/daemon.h"
#include "cli/json.h"
#include "cli/table.h"
#include "cli/target.h"
#include "common/clock.h"
#include "common/size.h"
#include "schema/snapshot_json.h"

#define COLUMNS_KEPT 3 /* of a table, whatever the width */
#define QUICK_MS     5000
#define SAMPLE_MS    60000

enum ht_code ht_daemon_ask(const struct ht_cli *cli, const char *command,
			   json_t *arguments, int timeout_ms, json_t **ret,
			   struct ht_err *err)
{
	const char *path = cli->opt.socket ?: getenv("HEAPTIDE_SOCKET");
	enum ht_code code;

	if (!path || !*path)
		path = HT_CONTROL_PATH;
	code = ht_control_call(path, command, arguments, timeout_ms, ret, err);
	json_decref(arguments);
	return code;
}

/* As people read it: text bare, times in their zone, the rest as JSON. The
 * caller frees it. */
static char *value_text(const json_t *v)
{
	const char *text = json_string_value(v);
	char here[HT_TIME_TEXT];
	int64_t at;

	if (text && strlen(text) == strlen("2026-01-31T12:00:00.000Z") &&
	    ht_time_parse(text, 0, &at) == 0) {
		ht_time_here_text(at, here);
		return strdup(here);
	}
	if (text)
		return strdup(text);
	if (json_is_null(v))
		return strdup("-");
	return json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT |
				     JSON_REAL_PRECISION(6));
}

static void add_cell(struct ht_table *t, const json_t *v)
{
	HT_AUTO_FREE char *text = value_text(v);

	ht_table_text(t, "%s", text ?: "");
}

/* One value behind its name. */
static void print_value(const struct ht_cli *cli, const char *lead,
			const json_t *v)
{
	HT_AUTO_FREE char *text = value_text(v);

	ht_paragraph(&cli->term, lead, "%s", text ?: "");
}

static bool is_table(const json_t *v)
{
	return json_is_array(v) && json_is_object(json_array_get(v, 0));
}

/* Rows of one shape: their keys are the columns, the last of them the least
 * needed. */
static enum ht_code print_rows(const struct ht_cli *cli, json_t *rows,
			       struct ht_err *err)
{
	struct ht_column columns[HT_TABLE_COLUMNS] = {0};
	HT_AUTO_TABLE struct ht_table t = {0};
	size_t n = 0, index;
	const char *key;
	json_t *row, *value;
	enum ht_code code;

	json_object_foreach(json_array_get(rows, 0), key, value)
	{
		bool number = json_is_number(value);

		if (n == HT_TABLE_COLUMNS)
			break;
		columns[n] = (struct ht_column){
			key, number, n < COLUMNS_KEPT ? 0 : (int)n, !number};
		n++;
	}
	code = ht_table_init(&cli->term, false, columns, n, &t, err);
	if (code != HT_OK)
		return code;
	json_array_foreach(rows, index, row)
	{
		ht_table_row(&t);
		for (size_t i = 0; i < n; i++)
			add_cell(&t, json_object_get(row, columns[i].title));
	}
	return ht_table_print(&t, err);
}

static void print_members(const struct ht_cli *cli, const char *indent,
			  json_t *object)
{
	char lead[64];

	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		snprintf(lead, sizeof(lead), "%s%-14.40s ", indent, key);
		if (json_is_object(value)) {
			puts(lead);
			print_members(cli, "  ", value);
		} else {
			print_value(cli, lead, value);
		}
	}
}

/* The daemon's answer, with the beginning that every command's has. */
static enum ht_code print_answer(const char *command, json_t *answer,
				 struct ht_err *err)
{
	char schema[64];
	json_t *o;

	snprintf(schema, sizeof(schema), "heaptide.%s/1", command);
	o = ht_json_now(schema);
	if (o && json_object_update(o, answer)) {
		json_decref(o);
		o = NULL;
	}
	json_decref(answer);
	return ht_json_print(o, err);
}

/* Asks and prints the answer. */
static enum ht_code ask_and_print(struct ht_cli *cli, const char *command,
				  json_t *arguments, int timeout_ms,
				  struct ht_err *err)
{
	json_t *answer, *first;
	enum ht_code code = ht_daemon_ask(cli, command, arguments, timeout_ms,
					  &answer, err);

	if (code != HT_OK)
		return code;
	if (cli->opt.json)
		return print_answer(command, answer, err);
	first = json_object_iter_value(json_object_iter(answer));
	if (is_table(first))
		code = print_rows(cli, first, err);
	else
		print_members(cli, "", answer);
	json_decref(answer);
	return code;
}

static json_t *size_json(const json_t *bytes)
{
	char text[HT_SIZE_TEXT];

	return json_is_integer(bytes)
		       ? json_string(ht_size_text(
				 (uint64_t)json_integer_value(bytes), text,
				 sizeof(text)))
		       : json_null();
}

static json_t *span_json(const json_t *us)
{
	char text[32];

	if (!json_is_number(us))
		return json_null();
	ht_duration_text((int64_t)(json_number_value(us) * 1000), text,
			 sizeof(text));
	return json_string(text);
}

static json_t *ago_json(const json_t *time)
{
	int64_t now = ht_wall_ns(), at;
	char text[32];

	if (!json_is_string(time) ||
	    ht_time_parse(json_string_value(time), now, &at) != 0)
		return json_null();
	ht_duration_text(now > at ? now - at : 0, text, sizeof(text));
	return json_sprintf("%s ago", text);
}

/* What is known of each process, without what `ls` and `top` show: what is
 * wrong before what is well, for the last columns are left out first. */
static json_t *process_rows(json_t *rows)
{
	static const struct {
		const char *title, *key;
	} columns[] = {
		{"target", "target"},	      {"pid", "pid"},
		{"state", "state"},	      {"last sample", "sampled_at"},
		{"last error", "last_error"}, {"failures", "failures"},
		{"pause", "pause_us"},	      {"samples", "samples"},
		{"command", "comm"}};
	json_t *some = json_array(), *row;
	size_t index;

	json_array_foreach(rows, index, row)
	{
		json_t *one = json_object();

		for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
			json_object_set(one, columns[i].title,
					json_object_get(row, columns[i].key));
		json_object_set_new(
			one, "last sample",
			ago_json(json_object_get(row, "sampled_at")));
		json_object_set_new(
			one, "pause",
			span_json(json_object_get(row, "pause_us")));
		json_array_append_new(some, one);
	}
	return some;
}

static enum ht_code print_table(const struct ht_cli *cli, const char *title,
				json_t *rows, struct ht_err *err)
{
	if (!json_array_size(rows))
		return HT_OK;
	printf("\n%s%s%s\n", ht_style(&cli->term, HT_BOLD), title,
	       ht_style_off(&cli->term));
	return print_rows(cli, rows, err);
}

enum ht_code ht_cmd_status(struct ht_cli *cli, struct ht_err *err)
{
	static const char *const tables[] = {"sinks", "unknown"};
	json_auto_t *status = NULL, *ls = NULL, *processes = NULL;
	json_t *store;
	enum ht_code code = ht_daemon_ask(cli, "status", json_object(),
					  QUICK_MS, &status, err);

	if (code == HT_OK && cli->opt.json)
		return print_answer("status", json_incref(status), err);
	if (code == HT_OK)
		code = ht_daemon_ask(cli, "ls", json_object(), QUICK_MS, &ls,
				     err);
	if (code != HT_OK)
		return code;
	processes = process_rows(json_object_get(ls, "targets"));
	for (size_t i = 0; i < 2; i++) {
		json_object_set(ls, tables[i],
				json_object_get(status, tables[i]));
		json_object_del(status, tables[i]);
	}
	store = json_object_get(status, "store");
	json_object_set_new(store, "bytes",
			    size_json(json_object_get(store, "bytes")));
	print_members(cli, "", status);
	code = print_table(cli, "processes", processes, err);
	for (size_t i = 0; code == HT_OK && i < 2; i++)
		code = print_table(cli, tables[i],
				   json_object_get(ls, tables[i]), err);
	return code;
}

enum ht_code ht_cmd_unwatch(struct ht_cli *cli, struct ht_err *err)
{
	return ask_and_print(cli, "unwatch",
			     json_pack("{s:s}", "target", cli->opt.args[0]),
			     QUICK_MS, err);
}

enum ht_code ht_cmd_sample(struct ht_cli *cli, struct ht_err *err)
{
	return ask_and_print(cli, "sample",
			     json_pack("{s:s}", "target", cli->opt.args[0]),
			     SAMPLE_MS, err);
}

/* "unit=nginx.service", a bare pid, or the name of a process that runs, into
 * the request. */
static enum ht_code add_selector(json_t *o, const char *word,
				 struct ht_err *err)
{
	static const char *const keys[] = {"pid",  "name",   "exe", "cmdline",
					   "unit", "cgroup", "user"};
	size_t len = strcspn(word, "=");

	pid_t pid;

	if (!word[len]) {
		enum ht_code code = ht_target_pid(word, &pid, err);

		if (code == HT_OK)
			json_object_set_new(o, "pid", json_integer(pid));
		else
			ht_err_advise(err, HT_HINT_WATCH_NAME);
		return code;
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *value = word + len + 1;
		enum ht_code code = HT_OK;

		if (strlen(keys[i]) != len || strncmp(keys[i], word, len) != 0)
			continue;
		if (i == 0) /* pid=: a name will do as well */
			code = ht_target_pid(value, &pid, err);
		if (code == HT_OK)
			json_object_set_new(o, keys[i],
					    i == 0 ? json_integer(pid)
						   : ht_text_json(value));
		return code;
	}
	return ht_fail(
		err, HT_USAGE,
		"'%s' selects nothing: pid, name, exe, cmdline, unit, cgroup or user = VALUE",
		word);
}

static void add_span(json_t *o, const char *key, int64_t ns)
{
	char text[32];

	if (!ns)
		return;
	snprintf(text, sizeof(text), "%" PRId64 "us", ns / HT_NS_PER_US);
	json_object_set_new(o, key, json_string(text));
}

enum ht_code ht_cmd_watch(struct ht_cli *cli, struct ht_err *err)
{
	const struct ht_options *opt = &cli->opt;
	json_t *o = json_pack("{s:s}", "target", opt->args[0]);
	enum ht_code code;

	code = add_selector(o, opt->args[opt->args_n - 1], err);
	if (code != HT_OK) {
		json_decref(o);
		return code;
	}
	add_span(o, "interval", opt->interval_ns);
	add_span(o, "max_pause", opt->max_pause_ns);
	if (opt->mode != HT_UNKNOWN)
		json_object_set_new(o, "mode",
				    json_string(ht_mode_names[opt->mode]));
	return ask_and_print(cli, "watch", o, QUICK_MS, err);
}

enum ht_code ht_cmd_silence(struct ht_cli *cli, struct ht_err *err)
{
	char **args = cli->opt.args;

	return ask_and_print(cli, "silence",
			     json_pack("{s:s, s:s, s:s, s:s}", "rule", args[0],
				       "target", args[1], "until", args[2],
				       "comment", args[3] ? args[3] : ""),
			     QUICK_MS, err);
}

enum ht_code ht_cmd_silences(struct ht_cli *cli, struct ht_err *err)
{
	return ask_and_print(cli, "silences", json_object(), QUICK_MS, err);
}

enum ht_code ht_cmd_unsilence(struct ht_cli *cli, struct ht_err *err)
{
	const char *word = cli->opt.args[0];

	if (!*word || word[strspn(word, "0123456789")] || strlen(word) > 18)
		return ht_fail_hint(err, HT_USAGE, HT_HINT_SILENCES,
				    "'%s' is no silence's number", word);
	return ask_and_print(cli, "unsilence",
			     json_pack("{s:I}", "id", (json_int_t)atoll(word)),
			     QUICK_MS, err);
}
