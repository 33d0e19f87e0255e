/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/type_course.h"

#include <math.h>
#include <stdio.h>

#include "cli/json.h"
#include "cli/service.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/target.h"
#include "common/clock.h"
#include "schema/snapshot_json.h"
#include "store/types.h"

#define SHOWN 40

static json_t *column(const double *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < n; i++)
		json_array_append_new(list, ht_real_json(v[i]));
	return list;
}

static json_t *line_json(const struct ht_type_line *t, size_t n)
{
	json_t *o = json_object();

	ht_json_add(&o, "name", ht_text_json(t->name));
	ht_json_add(&o, "kind", ht_text_json(t->kind));
	ht_json_add(&o, "module", ht_optional_text_json(t->module));
	ht_json_add(&o, "chunks", column(t->chunks, n));
	ht_json_add(&o, "bytes", column(t->bytes, n));
	return o;
}

json_t *ht_type_course_json(const struct ht_store_process *p,
			    const struct ht_type_looks *l)
{
	json_t *o = ht_json_span("heaptide.types_series/1", p, l->at_ns[0],
				 l->at_ns[l->n - 1]);
	json_t *times = json_array(), *types = json_array();

	for (size_t i = 0; times && i < l->n; i++)
		json_array_append_new(times, ht_time_json(l->at_ns[i]));
	for (size_t i = 0; types && i < l->lines; i++)
		json_array_append_new(types, line_json(&l->v[i], l->n));
	ht_json_add(&o, "times", times);
	ht_json_add(&o, "bytes", column(l->bytes, l->n));
	ht_json_add(&o, "unknown_bytes", column(l->unknown, l->n));
	ht_json_add(&o, "other_bytes", column(l->others, l->n));
	ht_json_add(&o, "types", types);
	return o;
}

/* --- in text -------------------------------------------------------------- */

static double most(const double *v, size_t n)
{
	double most = NAN;

	for (size_t i = 0; i < n; i++)
		most = fmax(most, v[i]); /* of a number and NaN the number */
	return most;
}

static void print_row(const char *name, const char *kind, const char *module,
		      const double *bytes, size_t n, struct ht_table *t)
{
	ht_table_row(t);
	ht_table_text(t, "%s", name);
	ht_table_text(t, "%s", kind);
	ht_table_text(t, "%s", module);
	ht_table_real_size(t, bytes[0]);
	ht_table_real_size(t, most(bytes, n));
	ht_table_real_size(t, bytes[n - 1]);
}

static enum ht_code print_course(const struct ht_cli *cli,
				 const struct ht_store_process *p,
				 const struct ht_type_looks *l,
				 struct ht_err *err)
{
	static const struct ht_column columns[] = {
		{"type", false, 0, true},   {"kind", false, 2},
		{"module", false, 3, true}, {"then", true},
		{"most", true, 1},	    {"now", true}};
	HT_AUTO_TABLE struct ht_table t = {0};
	char from[HT_TIME_TEXT], to[HT_TIME_TEXT];
	enum ht_code code;

	ht_time_here_text(l->at_ns[0], from);
	ht_time_here_text(l->at_ns[l->n - 1], to);
	ht_paragraph(&cli->term, "", "%s%s, pid %d: %zu looks from %s to %s%s",
		     ht_style(&cli->term, HT_BOLD), ht_process_name(p),
		     (int)p->pid, l->n, from, to, ht_style_off(&cli->term));
	putchar('\n');
	code = ht_table_init(&cli->term, cli->opt.bytes, columns, 6, &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < l->lines && i < SHOWN; i++)
		print_row(l->v[i].name, l->v[i].kind, l->v[i].module,
			  l->v[i].bytes, l->n, &t);
	print_row("others", "", "", l->others, l->n, &t);
	print_row("not known", "", "", l->unknown, l->n, &t);
	print_row("in use", "", "", l->bytes, l->n, &t);
	code = ht_table_print(&t, err);
	if (l->lines > SHOWN)
		printf("and %zu types more: --json has them all\n",
		       l->lines - SHOWN);
	return code;
}

enum ht_code ht_type_course_read(struct ht_cli *cli,
				 struct ht_store_process *ret_process,
				 struct ht_type_looks *ret, struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	enum ht_code code = ht_history_open(&cli->opt, &store, err);

	if (code == HT_OK)
		code = ht_service_one(store, cli->opt.args[0], ret_process,
				      err);
	if (code == HT_OK)
		code = ht_store_types(store, ret_process->id, cli->opt.since_ns,
				      cli->opt.until_ns ?: INT64_MAX, ret, err);
	if (code == HT_OK && ret->n == 0)
		return ht_fail(
			err, HT_NODATA,
			"nobody looked at the types of %s in this time: heaptided does where the target has 'types = on', and 'heaptide record --types'",
			ht_process_name(ret_process));
	return code;
}

enum ht_code ht_type_course(struct ht_cli *cli, struct ht_err *err)
{
	HT_AUTO_TYPE_LOOKS struct ht_type_looks l = {0};
	struct ht_store_process p;
	enum ht_code code;

	if (cli->opt.core || cli->opt.by || !cli->opt.args_n)
		return ht_fail(
			err, HT_USAGE,
			"--db, --since and --until are for a TARGET of the history, without --core and --by");
	code = ht_type_course_read(cli, &p, &l, err);
	if (code != HT_OK)
		return code;
	return cli->opt.json ? ht_json_print(ht_type_course_json(&p, &l), err)
			     : print_course(cli, &p, &l, err);
}
