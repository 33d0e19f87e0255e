/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide ls`: what the database holds, one line a process, with sparklines
 * of the memory in use. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/board.h"
#include "cli/family.h"
#include "cli/json.h"
#include "cli/metrics.h"
#include "cli/plot.h"
#include "cli/table.h"
#include "common/clock.h"
#include "schema/snapshot_json.h"

#define SPARK_WIDTH 24

/* What each row says; the metric of --sort comes with them. */
static const enum ht_metric shown[] = {HT_M_rss, HT_M_in_use, HT_M_retained,
				       HT_M_trimmable, HT_M_external};
#define SHOWN (sizeof(shown) / sizeof(shown[0]))

struct list {
	const struct ht_cli *cli;
	struct ht_board board;
	enum ht_metric metrics[SHOWN + 1];
	size_t metrics_n;
	enum ht_metric sort; /* HT_METRIC_COUNT: by time */
};

static json_t *row_json(const struct list *l, const struct ht_board_row *r)
{
	const struct ht_store_process *p = &r->process;
	struct ht_family family = ht_family_of(&l->board, r);
	json_t *o = json_pack(
		"{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"process_id", (json_int_t)p->id, "target",
		ht_text_json(ht_process_name(p)), "pid", ht_u64_json(p->pid),
		"comm", ht_text_json(p->comm), "exe", ht_text_json(p->exe),
		"started_at", ht_time_json(p->started_ns), "first",
		ht_time_json(p->first_ns), "last", ht_time_json(p->last_ns),
		"ended_at", ht_time_json(p->ended_ns), "samples",
		ht_u64_json(p->samples));

	for (size_t i = 0; i < l->metrics_n; i++)
		json_object_set_new(o, ht_metric_infos[l->metrics[i]].name,
				    ht_metric_json(l->metrics[i],
						   r->newest[l->metrics[i]]));
	json_object_set_new(o, "pss",
			    ht_metric_json(HT_M_pss, r->newest[HT_M_pss]));
	ht_family_put_verdict(o, &r->verdict);
	json_object_set_new(o, "family", ht_family_json(&family));
	return o;
}

static enum ht_code print_json(const struct list *l, struct ht_err *err)
{
	json_t *o = ht_json_now("heaptide.processes/1");
	json_t *rows = json_array();

	for (size_t i = 0; i < l->board.n; i++)
		json_array_append_new(rows, row_json(l, &l->board.rows[i]));
	ht_json_add(&o, "processes", rows);
	return ht_json_print(o, err);
}

static void add_row(const struct list *l, struct ht_table *t,
		    const struct ht_board_row *r)
{
	const struct ht_cli *cli = l->cli;
	const struct ht_store_process *p = &r->process;
	char spark[HT_SPARK_MAX * 4], span[32], seen[32];
	char growth[HT_BOARD_TEXT], limit[HT_BOARD_TEXT];

	ht_duration_text(p->last_ns - p->first_ns, span, sizeof(span));
	ht_duration_text(ht_wall_ns() - p->last_ns, seen, sizeof(seen));
	ht_table_row(t);
	ht_table_text(t, "%" PRId64, p->id);
	ht_table_text(t, "%s", *p->target ? p->target : p->comm);
	ht_table_text(t, "%" PRIu64, p->pid);
	if (p->ended_ns)
		ht_table_text(t, "ended");
	else
		ht_table_text(t, "%s ago", seen);
	ht_table_count(t, p->samples);
	ht_table_text(t, "%s", span);
	ht_table_text(t, "%s", ht_verdict_brief_label(&r->verdict));
	ht_table_text(t, "%s", ht_board_growth(cli, r, growth));
	ht_table_text(t, "%s", ht_board_limit(r, limit));
	for (size_t i = 0; i < l->metrics_n; i++) {
		char text[HT_NUMBER_TEXT];
		enum ht_metric m = l->metrics[i];

		ht_table_text(t, "%s",
			      ht_value_text(ht_metric_infos[m].unit,
					    r->newest[m], t->bytes, text));
	}
	ht_table_text(t, "%s",
		      ht_spark(&cli->term, r->in_use_over_time, r->points,
			       SPARK_WIDTH, spark));
}

static const char *title_of(enum ht_metric m)
{
	return m == HT_M_rss	  ? "RSS"
	       : m == HT_M_in_use ? "in use"
				  : ht_metric_infos[m].name;
}

/* RSS, in use and what is sorted by stay. */
static int least_of(const struct list *l, size_t i)
{
	enum ht_metric m = l->metrics[i];

	if (m == HT_M_rss || m == HT_M_in_use || m == l->sort)
		return 0;
	return m == HT_M_retained ? 3 : m == HT_M_trimmable ? 7 : 8;
}

static enum ht_code print_table(const struct list *l, struct ht_err *err)
{
	struct ht_column columns[10 + SHOWN + 1] = {
		{"id", true, 6},       {"target", false, 0, true},
		{"pid", true},	       {"last sample", true, 5},
		{"samples", true, 11}, {"over", true, 10},
		{"verdict", false},    {"growth", true, 1},
		{"limit in", true, 4}};
	HT_AUTO_TABLE struct ht_table t = {0};
	enum ht_code code;
	size_t n = 9;

	for (size_t i = 0; i < l->metrics_n; i++)
		columns[n++] = (struct ht_column){title_of(l->metrics[i]), true,
						  least_of(l, i)};
	columns[n++] = (struct ht_column){"in use over time", false, 12};
	code = ht_table_init(&l->cli->term, l->cli->opt.bytes, columns, n, &t,
			     err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < l->board.n; i++)
		add_row(l, &t, &l->board.rows[i]);
	return ht_table_print(&t, err);
}

/* The metrics to read, and the one to sort by. */
static enum ht_code choose(struct list *l, struct ht_err *err)
{
	const char *word = l->cli->opt.sort;
	bool there = false;

	l->sort = word ? ht_metric_find(word) : HT_METRIC_COUNT;
	if (word && l->sort == HT_METRIC_COUNT)
		return ht_fail(
			err, HT_USAGE,
			"no metric '%s': 'heaptide trend --metric help' lists them",
			word);
	for (size_t i = 0; i < SHOWN; i++) {
		l->metrics[l->metrics_n++] = shown[i];
		there |= shown[i] == l->sort;
	}
	if (word && !there)
		l->metrics[l->metrics_n++] = l->sort;
	return HT_OK;
}

static void list_fini(struct list *l)
{
	ht_board_fini(&l->board);
}

enum ht_code ht_cmd_ls(struct ht_cli *cli, struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	HT_CLEANUP(list_fini) struct list l = {.cli = cli};
	struct ht_board_ask ask = {.cli = cli};
	enum ht_code code = choose(&l, err);

	for (size_t i = 0; i < l.metrics_n; i++)
		ask.metrics[l.metrics[i]] = true;
	ht_family_needs(ask.metrics);
	if (code == HT_OK)
		code = ht_history_open(&cli->opt, &store, err);
	if (code == HT_OK)
		code = ht_board_read(store, &ask, &l.board, err);
	if (code != HT_OK)
		return code;
	if (code == HT_OK && l.sort < HT_METRIC_COUNT)
		ht_board_sort(&l.board, l.sort);
	if (cli->opt.json)
		return print_json(&l, err);
	if (!l.board.n)
		return ht_fail_hint(err, HT_NODATA, HT_HINT_RECORD,
				    "nothing is recorded in %s",
				    ht_history_path(&cli->opt));
	code = print_table(&l, err);
	if (code == HT_OK)
		ht_family_print_all(cli, &l.board);
	return code;
}
