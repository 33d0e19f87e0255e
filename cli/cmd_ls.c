/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide ls`: what the database holds, one line a process, with sparklines
 * of the memory in use. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/board.h"
#include "cli/json.h"
#include "cli/plot.h"
#include "cli/table.h"
#include "common/clock.h"
#include "schema/snapshot_json.h"

#define SPARK_WIDTH 24

static json_t *row_json(const struct ht_board_row *r)
{
	const struct ht_store_process *p = &r->process;

	return json_pack(
		"{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
		"s:o, s:o}",
		"process_id", (json_int_t)p->id, "target",
		ht_optional_text_json(p->target), "pid", ht_u64_json(p->pid),
		"comm", ht_text_json(p->comm), "exe", ht_text_json(p->exe),
		"started_at", ht_time_json(p->started_ns), "first",
		ht_time_json(p->first_ns), "last", ht_time_json(p->last_ns),
		"ended_at", ht_time_json(p->ended_ns), "samples",
		ht_u64_json(p->samples), "rss", ht_u64_json(r->rss), "in_use",
		ht_u64_json(r->in_use), "retained", ht_u64_json(r->retained),
		"trimmable", ht_u64_json(r->trimmable));
}

static enum ht_code print_json(const struct ht_board *b, struct ht_err *err)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < b->n; i++)
		json_array_append_new(rows, row_json(&b->rows[i]));
	return ht_json_print(rows, err);
}

static void add_row(const struct ht_cli *cli, struct ht_table *t,
		    const struct ht_board_row *r)
{
	const struct ht_store_process *p = &r->process;
	char spark[HT_SPARK_MAX * 4], span[32], seen[32];

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
	ht_table_size(t, r->rss);
	ht_table_size(t, r->in_use);
	ht_table_size(t, r->retained);
	ht_table_text(t, "%s",
		      ht_spark(&cli->term, r->in_use_over_time, r->points,
			       SPARK_WIDTH, spark));
}

static enum ht_code print_table(const struct ht_cli *cli,
				const struct ht_board *b, struct ht_err *err)
{
	static const struct ht_column columns[] = {
		{"id", true},	    {"target", false},
		{"pid", true},	    {"last sample", true},
		{"samples", true},  {"over", true},
		{"RSS", true},	    {"in use", true},
		{"retained", true}, {"in use over time", false}};
	HT_AUTO_TABLE struct ht_table t = {0};
	enum ht_code code;

	code = ht_table_init(&cli->term, cli->opt.bytes, columns, 10, &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < b->n; i++)
		add_row(cli, &t, &b->rows[i]);
	return ht_table_print(&t, err);
}

enum ht_code ht_cmd_ls(struct ht_cli *cli, struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	HT_AUTO_BOARD struct ht_board board = {0};
	enum ht_code code = ht_history_open(&cli->opt, &store, err);

	if (code == HT_OK)
		code = ht_board_read(store, 0, &board, err);
	if (code != HT_OK)
		return code;
	if (cli->opt.json)
		return print_json(&board, err);
	if (!board.n)
		return ht_fail_hint(err, HT_NODATA, HT_HINT_RECORD,
				    "the database is empty");
	return print_table(cli, &board, err);
}
