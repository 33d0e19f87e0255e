/* SPDX-License-Identifier: Apache-2.0 */
/* Type rows: how many chunks and bytes of each type there are. Each chunk is in
 * one row, or counted as unknown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/graph/graph_int.h"
#include "agent/self/pace.h"

#define ROWS_MAX 1000

static const struct {
	enum ht_type_kind kind;
	const char *name;
} likes[HT_LIKES] = {
	[HT_LIKE_STRING] = {HT_TYPE_STRING, "std::string buffer"},
	[HT_LIKE_VECTOR] = {HT_TYPE_CONTAINER, "std::vector buffer"},
	[HT_LIKE_TREE_NODE] = {HT_TYPE_NODE, "tree node (parent pointers)"},
	[HT_LIKE_LIST_NODE] = {HT_TYPE_NODE, "doubly linked list node"},
	[HT_LIKE_ARRAY] = {HT_TYPE_ARRAY, "array of pointers"},
	[HT_LIKE_TEXT] = {HT_TYPE_TEXT, "text"},
	[HT_LIKE_ZEROS] = {HT_TYPE_ZEROS, "zeros"},
	[HT_LIKE_HELD] = {HT_TYPE_HELD, "held by a class or static"},
};

struct sum {
	uint64_t chunks, bytes;
};

static bool add_row(struct ht_graph_all *g, enum ht_type_kind kind,
		    const char *name, uint32_t type, const struct sum *sum)
{
	struct ht_chunk_type *row = ht_snapshot_add_chunk_type(g->out);
	uint32_t module = HT_MODULE_NONE;

	if (!row)
		return false;
	row->kind = kind;
	snprintf(row->name, sizeof(row->name), "%s", name);
	if (type)
		module = ht_modules_at(g->in->modules, g->types.v[type].address,
				       NULL);
	if (module != HT_MODULE_NONE)
		snprintf(row->module, sizeof(row->module), "%s",
			 g->in->modules->v[module].name);
	row->chunks = sum->chunks;
	row->bytes = sum->bytes;
	return true;
}

static void count(const struct ht_graph_all *g, struct sum *of_type,
		  struct sum *of_like)
{
	struct ht_node_walk walk = {.nodes = &g->nodes};
	struct ht_node node;
	unsigned steps = 0;

	while (ht_nodes_next(&walk, &node)) {
		ht_pace_short_step(&steps);
		uint32_t type = g->groups.v[g->groups.of[node.id]].type;
		struct sum *s = type && ht_type_is_sure(&g->types.v[type])
					? &of_type[type]
					: &of_like[g->types.like[node.id]];

		s->chunks++;
		s->bytes += node.size;
	}
}

/* Types that are called the same are one: a class has a vtable for each base,
 * and one in each module that has it. */
static void join_same(const struct ht_graph_all *g, struct sum *of_type)
{
	for (size_t i = 1; i < g->types.n; i++)
		for (size_t k = i + 1; of_type[i].chunks && k < g->types.n;
		     k++) {
			const struct ht_type_info *a = &g->types.v[i];
			const struct ht_type_info *b = &g->types.v[k];

			if (!of_type[k].chunks || a->kind != b->kind ||
			    strcmp(a->name, b->name) != 0)
				continue;
			of_type[i].chunks += of_type[k].chunks;
			of_type[i].bytes += of_type[k].bytes;
			of_type[k] = (struct sum){0};
		}
}

enum ht_code ht_types_report(struct ht_graph_all *g, struct ht_err *err)
{
	struct sum *of_type = calloc(g->types.n, sizeof(*of_type));
	struct sum of_like[HT_LIKES] = {0};
	struct ht_graph *graph = &g->out->graphs.v[0];
	bool ok = of_type;

	if (ok) {
		count(g, of_type, of_like);
		join_same(g, of_type);
	}
	for (size_t n = 0; ok && n < ROWS_MAX; n++) {
		size_t best = 0;

		for (size_t i = 1; i < g->types.n; i++)
			if (of_type[i].chunks &&
			    (!best || of_type[i].bytes > of_type[best].bytes))
				best = i;
		if (!best)
			break;
		ok = add_row(g, g->types.v[best].kind, g->types.v[best].name,
			     (uint32_t)best, &of_type[best]);
		of_type[best] = (struct sum){0};
	}
	for (unsigned i = 1; ok && i < HT_LIKES; i++)
		if (of_like[i].chunks)
			ok = add_row(g, likes[i].kind, likes[i].name, 0,
				     &of_like[i]);
	/* What found no row counts as unknown. */
	for (size_t i = 1; ok && i < g->types.n; i++) {
		of_like[HT_LIKE_NOTHING].chunks += of_type[i].chunks;
		of_like[HT_LIKE_NOTHING].bytes += of_type[i].bytes;
	}
	graph->unknown_chunks = of_like[HT_LIKE_NOTHING].chunks;
	graph->unknown_bytes = of_like[HT_LIKE_NOTHING].bytes;
	free(of_type);
	return ok ? HT_OK : ht_fail(err, HT_NOMEM, "no memory for types");
}
