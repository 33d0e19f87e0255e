/* SPDX-License-Identifier: Apache-2.0 */
/* The references in docs/ are made from the lists that the code has. To make
 * them anew: HT_WRITE_DOCS=1 build/tests/test_docs */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "daemon/http/metrics.h"
#include "schema/metrics.h"
#include "schema/snapshot.h"

static const char *type_of(const struct ht_field *f)
{
	static const char *const types[] = {
		[HT_T_U64] = "integer",	     [HT_T_HEX] = "address, \"0x...\"",
		[HT_T_BOOL] = "true, false", [HT_T_ENUM] = "word",
		[HT_T_TIME] = "time",	     [HT_T_F64] = "number",
		[HT_T_TEXT] = "text",
	};

	return types[f->type];
}

static void write_field(FILE *to, const struct ht_field *f)
{
	fprintf(to, "| `%s` | %s | %s", f->name, type_of(f), f->doc);
	for (unsigned i = 0; i < f->names_count; i++)
		fprintf(to, "%s`%s`", i ? ", " : ": ", f->names[i]);
	fputs(" |\n", to);
}

static void write_fields(FILE *to)
{
	fputs("# Fields of a snapshot\n\n"
	      "What one look at a process yields: `heaptide explain --json`, "
	      "and the tables of the\n"
	      "database. Made from `schema/records.h`. Sizes are bytes; times "
	      "are RFC 3339, UTC.\n"
	      "`null`: not read; never 0 instead.\n",
	      to);
	for (unsigned id = 0; id < HT_RECORD_COUNT; id++) {
		const struct ht_record_type *r = &ht_record_types[id];

		fprintf(to,
			"\n## %s%s\n\n| field | type | meaning |\n"
			"| --- | --- | --- |\n",
			r->name, ht_record_is_list(id) ? " (a list)" : "");
		for (unsigned i = 0; i < r->fields_count; i++)
			write_field(to, &r->fields[i]);
	}
}

/* --- JSON Schema --------------------------------------------------------- */

static const char *json_type_of(const struct ht_field *f)
{
	static const char *const types[] = {
		[HT_T_U64] = "number",	 [HT_T_HEX] = "string",
		[HT_T_BOOL] = "boolean", [HT_T_ENUM] = "string",
		[HT_T_TIME] = "string",	 [HT_T_F64] = "number",
		[HT_T_TEXT] = "string",
	};

	return types[f->type];
}

/* Inside a JSON string. */
static void put_escaped(FILE *to, const char *text)
{
	for (; *text; text++) {
		if (strchr("\"\\", *text))
			fputc('\\', to);
		fputc(*text, to);
	}
}

static bool is_told(const struct ht_field *f, const char *skip)
{
	return !skip || strncmp(f->name, skip, strlen(skip)) != 0;
}

/* Any field may be null: not known. */
static void put_def(FILE *to, const char *name, enum ht_record_id id,
		    const char *skip, const char *more)
{
	const struct ht_record_type *r = &ht_record_types[id];
	const char *comma = "";

	fprintf(to,
		"\t\t\"%s\": {\n\t\t\t\"type\": \"object\",\n"
		"\t\t\t\"properties\": {",
		name);
	for (unsigned i = 0; i < r->fields_count; i++) {
		const struct ht_field *f = &r->fields[i];

		if (!is_told(f, skip))
			continue;
		fprintf(to,
			"%s\n\t\t\t\t\"%s\": {\"type\": [\"%s\", \"null\"], "
			"\"description\": \"",
			comma, f->name, json_type_of(f));
		put_escaped(to, f->doc);
		fputs("\"}", to);
		comma = ",";
	}
	fprintf(to, "%s\n\t\t\t},\n\t\t\t\"required\": [", more);
	comma = "";
	for (unsigned i = 0; i < r->fields_count; i++)
		if (is_told(&r->fields[i], skip)) {
			fprintf(to, "%s\"%s\"", comma, r->fields[i].name);
			comma = ", ";
		}
	fputs("]\n\t\t}", to);
}

/* As heaptide.snapshot has them, some rows lie within their arena and do not
 * name it. */
static void write_records_schema(FILE *to)
{
	fputs("{\n\t\"$schema\": "
	      "\"https://json-schema.org/draft/2020-12/schema\",\n"
	      "\t\"$id\": \"records.json\",\n"
	      "\t\"description\": \"The records of a snapshot, made from "
	      "schema/records.h. Sizes are bytes.\",\n"
	      "\t\"$defs\": {\n",
	      to);
	for (unsigned id = 0; id < HT_RECORD_COUNT; id++) {
		put_def(to, ht_record_types[id].name, (enum ht_record_id)id,
			NULL, "");
		fputs(",\n", to);
	}
	put_def(to, "heap_of_arena", HT_RECORD_heap, "arena", "");
	fputs(",\n", to);
	put_def(to, "bin_of_arena", HT_RECORD_bin, "arena", "");
	fputs(",\n", to);
	put_def(to, "arena_with_rows", HT_RECORD_arena, "pin_",
		",\n\t\t\t\t\"pin_cached_by\": {\"type\": [\"number\", "
		"\"null\"]},\n"
		"\t\t\t\t\"pin\": {\"$ref\": \"#/$defs/pin\"},\n"
		"\t\t\t\t\"heaps\": {\"type\": \"array\", \"items\": "
		"{\"$ref\": \"#/$defs/heap_of_arena\"}},\n"
		"\t\t\t\t\"bins\": {\"type\": \"array\", \"items\": "
		"{\"$ref\": \"#/$defs/bin_of_arena\"}}");
	fputs(",\n\t\t\"pin\": {\"type\": [\"object\", \"null\"], "
	      "\"properties\": {\"address\": {\"type\": \"string\"}, "
	      "\"size\": {\"type\": [\"number\", \"null\"]}, "
	      "\"holds\": {\"type\": [\"number\", \"null\"]}}, "
	      "\"required\": [\"address\", \"size\", \"holds\"]}\n"
	      "\t}\n}\n",
	      to);
}

static void write_metrics(FILE *to)
{
	fputs("# Metrics\n\n"
	      "One number each a sample: names for `heaptide trend --metric` "
	      "and for rules, columns\n"
	      "of the table `sample`; beside them the family on /metrics that "
	      "shows the same figure.\n"
	      "Made from `schema/metrics.def`. What else /metrics has: "
	      "[fleet.md](fleet.md).\n\n"
	      "| metric | unit | meaning | /metrics |\n"
	      "| --- | --- | --- | --- |\n",
	      to);
	for (enum ht_metric m = 0; m < HT_METRIC_COUNT; m++) {
		const struct ht_metric_info *info = &ht_metric_infos[m];
		const char *family = info->family;

		fprintf(to, "| `%s` | %s | %s | %s%s%s |\n", info->name,
			info->unit, info->help, family ? "`" : "",
			family ? family : "", family ? "`" : "");
	}
}

static void hold(const char *path, void (*write)(FILE *))
{
	HT_AUTO_FREE char *made = NULL, *there = NULL;
	size_t size, got = 0;
	FILE *to = open_memstream(&made, &size), *f;

	assert_non_null(to);
	write(to);
	fclose(to);
	if (getenv("HT_WRITE_DOCS")) {
		f = fopen(path, "w");
		assert_non_null(f);
		assert_int_equal(fwrite(made, 1, size, f), size);
		fclose(f);
	}
	there = calloc(1, size + 2);
	f = fopen(path, "r");
	assert_non_null(there);
	assert_non_null(f);
	got = fread(there, 1, size + 1, f);
	fclose(f);
	if (got != size || memcmp(made, there, size) != 0)
		fail_msg("%s is not what the lists say: HT_WRITE_DOCS=1 "
			 "build/tests/test_docs makes it",
			 path);
}

static void the_fields_are_documented_as_the_code_has_them(void **state)
{
	(void)state;
	hold("docs/fields.md", write_fields);
}

static void the_records_have_a_schema_as_the_code_has_them(void **state)
{
	(void)state;
	hold("docs/schema/records.json", write_records_schema);
}

static void the_metrics_are_documented_as_the_code_has_them(void **state)
{
	(void)state;
	hold("docs/metrics.md", write_metrics);
}

static void each_metric_with_a_family_is_shown_once_and_no_other(void **state)
{
	(void)state;
	for (enum ht_metric m = 0; m < HT_METRIC_COUNT; m++)
		if (ht_metrics_times_shown(m) !=
		    (ht_metric_infos[m].family ? 1 : 0))
			fail_msg("%s is shown %zu times",
				 ht_metric_infos[m].name,
				 ht_metrics_times_shown(m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			each_metric_with_a_family_is_shown_once_and_no_other),
		cmocka_unit_test(
			the_fields_are_documented_as_the_code_has_them),
		cmocka_unit_test(
			the_records_have_a_schema_as_the_code_has_them),
		cmocka_unit_test(
			the_metrics_are_documented_as_the_code_has_them),
	};

	return cmocka_run_group_tests_name("docs", tests, NULL, NULL);
}
