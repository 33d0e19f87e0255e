/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/leaks.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/graph.h"
#include "cli/show.h"
#include "cli/table.h"
#include "schema/snapshot_json.h"

int ht_leaks_add_json(json_t *top, const struct ht_snapshot *s)
{
	json_t *graph = ht_record_json(HT_RECORD_graph, &s->graphs.v[0], NULL);
	json_t *groups = ht_graph_rows(s, HT_RECORD_leak, NULL);
	int bad = json_object_del(graph, "unknown_chunks")
			  ?: json_object_del(graph, "unknown_bytes");

	bad = bad ?: json_object_update(top, graph);
	bad = bad ?: json_object_set(top, "groups", groups);
	json_decref(graph);
	json_decref(groups);
	return bad;
}

static void print_answer(const struct ht_cli *cli, const struct ht_snapshot *s)
{
	const struct ht_graph *g = &s->graphs.v[0];
	char leaked[HT_NUMBER_TEXT], chunks[HT_NUMBER_TEXT];
	char all[HT_NUMBER_TEXT], more[HT_NUMBER_TEXT];

	ht_paragraph(
		&cli->term, "",
		"%s%s, pid %" PRIu64
		": %s in %s chunks can be reached from nowhere%s, of %s in use.",
		ht_style(&cli->term, HT_BOLD), s->head.comm, s->head.pid,
		ht_show_bytes(cli, g->leaked_bytes, leaked),
		ht_count_text(g->leaked_chunks, chunks),
		ht_style_off(&cli->term), ht_show_bytes(cli, g->bytes, all));
	if (g->uncertain_bytes && g->uncertain_bytes != HT_UNKNOWN)
		ht_paragraph(
			&cli->term, "",
			"At most %s more: what only words lead to that may be left over (on a stack, or where few chunks of their kind have a pointer).",
			ht_show_bytes(cli, g->uncertain_bytes, more));
}

enum ht_code ht_leaks_print(const struct ht_cli *cli,
			    const struct ht_snapshot *s, struct ht_err *err)
{
	static const struct ht_column columns[] = {
		{"at the head", false, 0, true},
		{"pieces", true, 2},
		{"chunks", true, 1},
		{"bytes", true},
		{"share", true}};
	HT_AUTO_TABLE struct ht_table t = {0};
	const struct ht_graph *g = &s->graphs.v[0];
	enum ht_code code;

	print_answer(cli, s);
	if (s->leaks.n == 0)
		return HT_OK;
	putchar('\n');
	code = ht_table_init(&cli->term, cli->opt.bytes, columns, 5, &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < s->leaks.n; i++) {
		const struct ht_leak *l = &s->leaks.v[i];
		char what[HT_GRAPH_NAME];

		ht_table_row(&t);
		ht_table_text(
			&t, "%s",
			ht_graph_chunks(s, l->head_type, l->max_size, what));
		ht_table_count(&t, l->heads);
		ht_table_count(&t, l->chunks);
		ht_table_size(&t, l->bytes);
		ht_table_share(&t, l->bytes, g->leaked_bytes);
	}
	return ht_table_print(&t, err);
}
