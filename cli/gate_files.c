/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/gate_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/verdict_json.h"
#include "schema/snapshot_json.h"

static double seconds_of(const struct ht_checked *c)
{
	return (double)(c->to_ns - c->from_ns) / 1e9;
}

json_t *ht_check_json(const struct ht_checked *c)
{
	json_t *outcomes = json_array();

	for (size_t i = 0; i < c->gate->outcomes; i++) {
		const struct ht_outcome *o = &c->gate->outcome[i];

		json_array_append_new(
			outcomes,
			json_pack("{s:s, s:s, s:s}", "name", o->name, "state",
				  ht_outcome_names[o->state], "text", o->text));
	}
	return json_pack(
		"{s:s, s:s, s:o, s:o, s:o, s:s, s:i, s:f, s:o, s:o}", "schema",
		"heaptide.check/1", "target", c->command, "pid",
		c->pid == HT_UNKNOWN ? json_null()
				     : json_integer((json_int_t)c->pid),
		"from", ht_time_json(c->from_ns), "to", ht_time_json(c->to_ns),
		"command", c->command, "status", c->status, "seconds",
		seconds_of(c), "outcomes", outcomes, "verdict",
		c->verdict
			? ht_verdict_json(c->verdict, c->command, c->pid, NULL)
			: json_null());
}

/* --- JUnit --------------------------------------------------------------- */

/* As the value of an XML attribute. What XML 1.0 cannot hold becomes '?'. */
static void put_attribute(FILE *f, const char *name, const char *value)
{
	fprintf(f, " %s=\"", name);
	for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
		if (*c < 0x20 || *c >= 0x7f)
			fputc('?', f);
		else if (*c == '&' || *c == '<' || *c == '>' || *c == '"')
			fprintf(f, "&#%d;", *c);
		else
			fputc(*c, f);
	}
	fputc('"', f);
}

static void put_case(FILE *f, const char *command, const struct ht_outcome *o)
{
	fputs("  <testcase", f);
	put_attribute(f, "classname", command);
	put_attribute(f, "name", o->name);
	if (o->state == HT_OUTCOME_KEPT) {
		fputs("/>\n", f);
		return;
	}
	fprintf(f, "><%s",
		o->state == HT_OUTCOME_MISSED ? "failure" : "skipped");
	put_attribute(f, "message", o->text);
	fputs("/></testcase>\n", f);
}

static enum ht_code open_file(const char *path, FILE **ret, struct ht_err *err)
{
	*ret = fopen(path, "we");
	if (*ret)
		return HT_OK;
	return ht_fail_sys(err, HT_SYS, errno, "write %s", path);
}

static enum ht_code close_file(FILE *f, const char *path, struct ht_err *err)
{
	bool failed = ferror(f);

	if (fclose(f) || failed)
		return ht_fail_sys(err, HT_SYS, errno ?: EIO, "write %s", path);
	return HT_OK;
}

enum ht_code ht_check_junit(const struct ht_checked *c, const char *path,
			    struct ht_err *err)
{
	const struct ht_gate *g = c->gate;
	enum ht_code code;
	FILE *f;

	code = open_file(path, &f, err);
	if (code != HT_OK)
		return code;
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", f);
	fprintf(f,
		"<testsuite name=\"heaptide check\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\" time=\"%.3f\">\n",
		g->outcomes, ht_gate_count(g, HT_OUTCOME_MISSED),
		ht_gate_count(g, HT_OUTCOME_UNKNOWN), seconds_of(c));
	for (size_t i = 0; i < g->outcomes; i++)
		put_case(f, c->command, &g->outcome[i]);
	fputs("</testsuite>\n</testsuites>\n", f);
	return close_file(f, path, err);
}

/* --- SARIF --------------------------------------------------------------- */

static json_t *sarif_result(const struct ht_checked *c,
			    const struct ht_outcome *o)
{
	return json_pack("{s:s, s:s, s:{s:s}, s:[{s:{s:{s:s}}}]}", "ruleId",
			 o->name, "level", "error", "message", "text", o->text,
			 "locations", "physicalLocation", "artifactLocation",
			 "uri", c->command);
}

static json_t *sarif(const struct ht_checked *c)
{
	json_t *rules = json_array(), *results = json_array();

	for (size_t i = 0; i < c->gate->outcomes; i++) {
		const struct ht_outcome *o = &c->gate->outcome[i];

		json_array_append_new(rules, json_pack("{s:s}", "id", o->name));
		if (o->state == HT_OUTCOME_MISSED)
			json_array_append_new(results, sarif_result(c, o));
	}
	return json_pack(
		"{s:s, s:s, s:[{s:{s:{s:s, s:s, s:o}}, s:o}]}", "$schema",
		"https://json.schemastore.org/sarif-2.1.0.json", "version",
		"2.1.0", "runs", "tool", "driver", "name", "heaptide",
		"version", HT_VERSION, "rules", rules, "results", results);
}

enum ht_code ht_check_sarif(const struct ht_checked *c, const char *path,
			    struct ht_err *err)
{
	json_t *value = sarif(c);
	enum ht_code code;
	FILE *f;

	if (!value)
		return ht_fail(err, HT_NOMEM, "no memory for %s", path);
	code = open_file(path, &f, err);
	if (code == HT_OK) {
		json_dumpf(value, f, JSON_INDENT(2));
		fputc('\n', f);
		code = close_file(f, path, err);
	}
	json_decref(value);
	return code;
}
