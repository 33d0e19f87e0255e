/* SPDX-License-Identifier: Apache-2.0 */
/* `types`: what the chunks in use are, of a frozen copy or a core file. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/graph.h"
#include "cli/json.h"
#include "cli/show.h"
#include "cli/table.h"
#include "common/demangle.h"
#include "link/request.h"
#include "schema/snapshot_json.h"

#define ROWS 40

static json_t *types_json(const struct ht_snapshot *s)
{
	const struct ht_graph *g = &s->graphs.v[0];
	json_t *top = ht_graph_json("heaptide.types/1", s);
	json_t *rows = ht_graph_rows(s, HT_RECORD_chunk_type, NULL);
	int bad = json_object_set(top, "types", rows);

	bad = bad ?: json_object_set_new(top, "chunks", ht_u64_json(g->chunks));
	bad = bad ?: json_object_set_new(top, "bytes", ht_u64_json(g->bytes));
	bad = bad
		      ?: json_object_set_new(top, "unknown_chunks",
					     ht_u64_json(g->unknown_chunks));
	bad = bad
		      ?: json_object_set_new(top, "unknown_bytes",
					     ht_u64_json(g->unknown_bytes));
	json_decref(rows);
	if (!bad)
		return top;
	json_decref(top);
	return NULL;
}

static enum ht_code print_types(const struct ht_cli *cli,
				const struct ht_snapshot *s, struct ht_err *err)
{
	static const struct ht_column columns[] = {{"type", false, 0, true},
						   {"kind", false, 2},
						   {"module", false, 3, true},
						   {"chunks", true, 1},
						   {"bytes", true},
						   {"share", true}};
	HT_AUTO_TABLE struct ht_table t = {0};
	const struct ht_graph *g = &s->graphs.v[0];
	char known[HT_NUMBER_TEXT], all[HT_NUMBER_TEXT], name[HT_GRAPH_NAME];
	enum ht_code code;

	ht_paragraph(&cli->term, "",
		     "%s%s, pid %" PRIu64
		     ": of %s in use what %s are is known.%s",
		     ht_style(&cli->term, HT_BOLD), s->head.comm, s->head.pid,
		     ht_show_bytes(cli, g->bytes, all),
		     ht_show_bytes(cli, g->bytes - g->unknown_bytes, known),
		     ht_style_off(&cli->term));
	putchar('\n');
	code = ht_table_init(&cli->term, cli->opt.bytes, columns, 6, &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < s->chunk_types.n && i < ROWS; i++) {
		const struct ht_chunk_type *row = &s->chunk_types.v[i];

		ht_table_row(&t);
		ht_table_text(&t, "%s",
			      ht_demangle(row->name, name, sizeof(name)));
		ht_table_text(&t, "%s",
			      row->kind < HT_TYPE_KIND_COUNT
				      ? ht_type_kind_names[row->kind]
				      : "?");
		ht_table_text(&t, "%s", row->module);
		ht_table_count(&t, row->chunks);
		ht_table_size(&t, row->bytes);
		ht_table_share(&t, row->bytes, g->bytes);
	}
	ht_table_row(&t);
	ht_table_text(&t, "not known");
	ht_table_text(&t, "%s", "");
	ht_table_text(&t, "%s", "");
	ht_table_count(&t, g->unknown_chunks);
	ht_table_size(&t, g->unknown_bytes);
	ht_table_share(&t, g->unknown_bytes, g->bytes);
	code = ht_table_print(&t, err);
	if (s->chunk_types.n > ROWS)
		printf("and %zu types more: --json has them all\n",
		       s->chunk_types.n - ROWS);
	ht_graph_warnings(cli, s);
	return code;
}

enum ht_code ht_cmd_types(struct ht_cli *cli, struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	enum ht_code code;

	ht_snapshot_init(&s);
	code = ht_graph_look(cli, HT_WANT_TYPES, &s, err);
	if (code != HT_OK)
		return code;
	return cli->opt.json ? ht_json_print(types_json(&s), err)
			     : print_types(cli, &s, err);
}
