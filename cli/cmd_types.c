/* SPDX-License-Identifier: Apache-2.0 */
/* `types`: what the chunks in use are, of a frozen copy or a core file; with
 * --since what they were (type_course.h). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/graph.h"
#include "cli/json.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/type_course.h"
#include "common/demangle.h"
#include "link/request.h"
#include "schema/snapshot_json.h"

#define ROWS 40

/* Whether rows are of arenas: one at least is. */
static bool is_by_arena(const struct ht_snapshot *s)
{
	for (size_t i = 0; i < s->chunk_types.n; i++)
		if (s->chunk_types.v[i].arena != HT_UNKNOWN)
			return true;
	return false;
}

/* Of an arena, bytes in use of which it is known what they are. */
static uint64_t known_bytes(const struct ht_snapshot *s, uint64_t arena)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < s->chunk_types.n; i++)
		if (s->chunk_types.v[i].arena == arena)
			bytes += s->chunk_types.v[i].bytes;
	return bytes;
}

static json_t *arenas_json(const struct ht_snapshot *s)
{
	json_t *list = json_array();
	int bad = list ? 0 : -1;

	for (size_t i = 0; !bad && is_by_arena(s) && i < s->arenas.n; i++) {
		const struct ht_arena *a = &s->arenas.v[i];
		uint64_t known = known_bytes(s, a->index);
		uint64_t unknown = a->in_use == HT_UNKNOWN ? HT_UNKNOWN
							   : a->in_use - known;

		bad = json_array_append_new(
			list, json_pack("{s:o, s:o, s:o}", "index",
					ht_u64_json(a->index), "bytes",
					ht_u64_json(a->in_use), "unknown_bytes",
					ht_u64_json(unknown)));
	}
	if (!bad)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *types_json(const struct ht_snapshot *s)
{
	const struct ht_graph *g = &s->graphs.v[0];
	json_t *top = ht_graph_json("heaptide.types/1", s);
	json_t *rows = ht_graph_rows(s, HT_RECORD_chunk_type, NULL);
	int bad = json_object_set(top, "types", rows);

	bad = bad ?: json_object_set_new(top, "arenas", arenas_json(s));
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

static void print_row(const struct ht_chunk_type *row, bool by_arena,
		      uint64_t all, struct ht_table *t)
{
	char name[HT_GRAPH_NAME];

	ht_table_row(t);
	ht_table_text(t, "%s", ht_demangle(row->name, name, sizeof(name)));
	ht_table_text(t, "%s",
		      row->kind < HT_TYPE_KIND_COUNT
			      ? ht_type_kind_names[row->kind]
			      : "?");
	ht_table_text(t, "%s", row->module);
	ht_table_count(t, row->chunks);
	ht_table_size(t, row->bytes);
	ht_table_share(t, row->bytes, all);
	if (by_arena && row->arena == HT_UNKNOWN)
		ht_table_text(t, "mmapped");
	else if (by_arena)
		ht_table_text(t, "%" PRIu64, row->arena);
}

static void print_unknown(const struct ht_graph *g, struct ht_table *t)
{
	ht_table_row(t);
	ht_table_text(t, "not known");
	ht_table_text(t, "%s", "");
	ht_table_text(t, "%s", "");
	ht_table_count(t, g->unknown_chunks);
	ht_table_size(t, g->unknown_bytes);
	ht_table_share(t, g->unknown_bytes, g->bytes);
}

static enum ht_code print_types(const struct ht_cli *cli,
				const struct ht_snapshot *s, struct ht_err *err)
{
	static const struct ht_column columns[] = {{"type", false, 0, true},
						   {"kind", false, 2},
						   {"module", false, 3, true},
						   {"chunks", true, 1},
						   {"bytes", true},
						   {"share", true},
						   {"arena", true}};
	HT_AUTO_TABLE struct ht_table t = {0};
	const struct ht_graph *g = &s->graphs.v[0];
	bool by_arena = is_by_arena(s);
	char known[HT_NUMBER_TEXT], all[HT_NUMBER_TEXT];
	enum ht_code code;

	ht_paragraph(&cli->term, "",
		     "%s%s, pid %" PRIu64
		     ": of %s in use what %s are is known.%s",
		     ht_style(&cli->term, HT_BOLD), s->head.comm, s->head.pid,
		     ht_show_bytes(cli, g->bytes, all),
		     ht_show_bytes(cli, g->bytes - g->unknown_bytes, known),
		     ht_style_off(&cli->term));
	putchar('\n');
	code = ht_table_init(&cli->term, cli->opt.bytes, columns,
			     by_arena ? 7 : 6, &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < s->chunk_types.n && i < ROWS; i++)
		print_row(&s->chunk_types.v[i], by_arena, g->bytes, &t);
	print_unknown(g, &t);
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
	uint64_t flags = HT_WANT_TYPES | (cli->opt.by ? HT_BY_ARENA : 0);
	enum ht_code code;

	if (cli->opt.since_ns || cli->opt.until_ns || cli->opt.db)
		return ht_type_course(cli, err);
	if (cli->opt.by && strcmp(cli->opt.by, "arena") != 0)
		return ht_fail(err, HT_USAGE, "--by takes 'arena', not '%s'",
			       cli->opt.by);
	ht_snapshot_init(&s);
	code = ht_graph_look(cli, flags, &s, err);
	if (code != HT_OK)
		return code;
	code = cli->opt.json ? ht_json_print(types_json(&s), err)
			     : print_types(cli, &s, err);
	return code == HT_OK ? ht_show_damage(&s, err) : code;
}
