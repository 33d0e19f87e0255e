/* SPDX-License-Identifier: Apache-2.0 */
/* Type rows: how many chunks and bytes of each type there are. Each chunk is in
 * one row, or counted as unknown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/graph/graph_int.h"
#include "agent/self/pace.h"
#include "link/request.h"

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

/* What there is of each type and of what nothing names, in one arena (mmapped
 * chunks are in none) or in all. */
struct part {
	uint64_t arena;
	struct sum *of_type;
	struct sum of_like[HT_LIKES];
};

struct parts {
	struct ht_graph_all *g;
	struct part *v; /* of each arena, then of mmapped chunks */
	size_t n;
};

static bool begin_parts(struct ht_graph_all *g, struct parts *p)
{
	bool by_arena = g->in->want & HT_BY_ARENA;
	bool ok;

	*p = (struct parts){.g = g, .n = by_arena ? g->out->arenas.n + 1 : 1};
	p->v = calloc(p->n, sizeof(*p->v));
	ok = p->v;
	for (size_t i = 0; ok && i < p->n; i++) {
		p->v[i].arena =
			i + 1 < p->n ? g->out->arenas.v[i].index : HT_UNKNOWN;
		p->v[i].of_type = calloc(g->types.n, sizeof(*p->v[i].of_type));
		ok = p->v[i].of_type;
	}
	return ok;
}

static void end_parts(struct parts *p)
{
	for (size_t i = 0; p->v && i < p->n; i++)
		free(p->v[i].of_type);
	free(p->v);
}

static bool add_row(struct ht_graph_all *g, const struct part *part,
		    enum ht_type_kind kind, const char *name, uint32_t type,
		    const struct sum *sum)
{
	struct ht_chunk_type *row = ht_snapshot_add_chunk_type(g->out);
	uint32_t module = HT_MODULE_NONE;

	if (!row)
		return false;
	row->kind = kind;
	row->arena = part->arena;
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

/* Arenas come in order of their numbers, and a node knows its own's. */
static struct part *part_of(const struct parts *p, uint64_t arena)
{
	return arena < p->n - 1 ? &p->v[arena] : &p->v[p->n - 1];
}

/* Sums that were made as chunks went by. */
static void add_told(void *ctx, uint64_t arena, uint32_t type,
		     enum ht_look_like like, int64_t chunks, int64_t bytes)
{
	const struct parts *p = ctx;
	struct part *part = part_of(p, arena);
	struct sum *s = type ? &part->of_type[type] : &part->of_like[like];

	s->chunks += (uint64_t)chunks;
	s->bytes += (uint64_t)bytes;
	p->g->chunks += (uint64_t)chunks;
	p->g->bytes += (uint64_t)bytes;
}

static void count(const struct parts *p)
{
	const struct ht_graph_all *g = p->g;
	struct ht_node_walk walk = {.nodes = &g->nodes};
	struct ht_node node;
	unsigned steps = 0;

	while (ht_nodes_next(&walk, &node)) {
		struct part *part = part_of(p, node.arena);

		ht_pace_short_step(&steps);
		uint32_t type = g->groups.v[g->groups.of[node.id]].type;
		struct sum *s =
			type && ht_type_is_sure(&g->types.v[type])
				? &part->of_type[type]
				: &part->of_like[g->types.like[node.id]];

		s->chunks++;
		s->bytes += node.size;
	}
}

static void move(struct sum *to, struct sum *from)
{
	to->chunks += from->chunks;
	to->bytes += from->bytes;
	*from = (struct sum){0};
}

/* Of the same name the first comes first. */
static int by_name(const void *x, const void *y)
{
	const struct ht_type_info *a = *(const struct ht_type_info *const *)x;
	const struct ht_type_info *b = *(const struct ht_type_info *const *)y;
	int order = (a->kind > b->kind) - (a->kind < b->kind);

	order = order ?: strcmp(a->name, b->name);
	return order ?: (a > b) - (a < b);
}

/* Types that are called the same are one: a class has a vtable for each base,
 * and one in each module that has it. false: no memory. */
static bool join_same(const struct parts *p)
{
	const struct ht_types *t = &p->g->types;
	const struct ht_type_info **v = calloc(t->n, sizeof(*v));

	if (!v)
		return false;
	for (size_t i = 0; i < t->n; i++)
		v[i] = &t->v[i];
	qsort(v, t->n, sizeof(*v), by_name);
	for (size_t i = 0, k; i < t->n; i = k)
		for (k = i + 1; k < t->n && v[k]->kind == v[i]->kind &&
				strcmp(v[k]->name, v[i]->name) == 0;
		     k++)
			for (size_t j = 0; j < p->n; j++)
				move(&p->v[j].of_type[v[i] - t->v],
				     &p->v[j].of_type[v[k] - t->v]);
	free(v);
	return true;
}

/* A type in a part, of which there are chunks. */
struct entry {
	uint64_t bytes;
	uint32_t part, type;
};

/* The largest first; of the same size the first part's first type. */
static int by_bytes(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;
	int order = (a->bytes < b->bytes) - (a->bytes > b->bytes);

	order = order ?: (a->part > b->part) - (a->part < b->part);
	return order ?: (a->type > b->type) - (a->type < b->type);
}

/* Into v, if there is one. Returns how many there are. */
static size_t list_entries(const struct parts *p, struct entry *v)
{
	size_t n = 0;

	for (size_t j = 0; j < p->n; j++)
		for (size_t i = 1; i < p->g->types.n; i++) {
			uint64_t bytes = p->v[j].of_type[i].bytes;

			if (bytes && v)
				v[n] = (struct entry){bytes, (uint32_t)j,
						      (uint32_t)i};
			n += bytes > 0;
		}
	return n;
}

static bool add_types(const struct parts *p)
{
	struct ht_graph_all *g = p->g;
	size_t n = list_entries(p, NULL);
	struct entry *v = calloc(n + 1, sizeof(*v));
	bool ok = v;

	if (!ok)
		return false;
	list_entries(p, v);
	qsort(v, n, sizeof(*v), by_bytes);
	for (size_t i = 0; ok && i < n && i < ROWS_MAX; i++) {
		struct part *part = &p->v[v[i].part];
		const struct ht_type_info *t = &g->types.v[v[i].type];
		struct sum *sum = &part->of_type[v[i].type];

		ok = add_row(g, part, t->kind, t->name, v[i].type, sum);
		*sum = (struct sum){0};
	}
	free(v);
	return ok;
}

/* Whether it may be a program of C++: it has its library, or a class, or is
 * linked with all that it needs. */
static bool is_cxx(const struct ht_graph_all *g)
{
	const struct ht_modules *m = g->in->modules;

	if (m->n <= 1)
		return true;
	for (size_t i = 0; i < m->n; i++)
		if (strncmp(m->v[i].name, "libstdc++", 9) == 0 ||
		    strncmp(m->v[i].name, "libc++", 6) == 0)
			return true;
	for (size_t i = 1; i < g->types.n; i++)
		if (g->types.v[i].kind == HT_TYPE_CLASS)
			return true;
	return false;
}

/* Others have buffers with a length and a capacity as well. */
static const char *name_of_like(bool cxx, unsigned like)
{
	return cxx || strncmp(likes[like].name, "std::", 5) != 0
		       ? likes[like].name
		       : likes[like].name + 5;
}

/* What found no row counts as unknown. */
static bool add_likes(const struct parts *p)
{
	struct sum unknown = {0};
	bool ok = true, cxx = is_cxx(p->g);

	for (size_t j = 0; ok && j < p->n; j++) {
		struct part *part = &p->v[j];

		for (unsigned i = 1; ok && i < HT_LIKES; i++)
			if (part->of_like[i].chunks)
				ok = add_row(p->g, part, likes[i].kind,
					     name_of_like(cxx, i), 0,
					     &part->of_like[i]);
		for (size_t i = 1; i < p->g->types.n; i++)
			move(&unknown, &part->of_type[i]);
		move(&unknown, &part->of_like[HT_LIKE_NOTHING]);
	}
	p->g->out->graphs.v[0].unknown_chunks = unknown.chunks;
	p->g->out->graphs.v[0].unknown_bytes = unknown.bytes;
	return ok;
}

enum ht_code ht_types_report(struct ht_graph_all *g, struct ht_err *err)
{
	struct parts parts;
	bool ok = begin_parts(g, &parts);

	if (ok) {
		if (g->told.telling)
			ht_told_sum(&g->told, add_told, &parts);
		else
			count(&parts);
		ok = join_same(&parts) && add_types(&parts) &&
		     add_likes(&parts);
	}
	end_parts(&parts);
	return ok ? HT_OK : ht_fail(err, HT_NOMEM, "no memory for types");
}
