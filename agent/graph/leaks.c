/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leaks: chunks that no anchor leads to, in pieces: those that references
 * between leaked chunks connect are one piece (union-find, Tarjan 1975), and
 * what no other of it points to is its head: the first node of a lost list, the
 * root of a lost tree. In a ring there is none; the lowest address stands for
 * it then.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/graph/graph_int.h"
#include "agent/self/pace.h"

#define ROWS_MAX 100
/* Callee-saved registers: what may hold a pointer while a thread sleeps. */
#define SAVED 6

struct leaked {
	uint32_t node;
	uint32_t parent; /* of the same piece, or itself: then it is its root,
			    and has these: */
	uint32_t head, chunks;
	uint64_t bytes;
	bool pointed_at;
	bool doubted;
};

/* Pieces whose heads are of one group. */
struct pile {
	uint64_t heads, chunks, bytes;
	uint32_t group; /* UINT32_MAX: of all that found no row */
};

struct leaks {
	struct ht_graph_all *g;
	struct leaked *v; /* sorted by node */
	size_t n;
	struct pile *pile; /* of each group */
};

static size_t index_of(const struct leaks *l, uint32_t node)
{
	size_t low = 0, high = l->n;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (l->v[mid].node <= node)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static uint32_t root_of(struct leaks *l, uint32_t i)
{
	while (l->v[i].parent != i) {
		l->v[i].parent = l->v[l->v[i].parent].parent;
		i = l->v[i].parent;
	}
	return i;
}

static void connect(struct leaks *l, uint32_t from, uint32_t to)
{
	uint32_t a = root_of(l, from), b = root_of(l, to);

	l->v[to].pointed_at = true;
	if (a < b)
		l->v[b].parent = a;
	else
		l->v[a].parent = b;
}

static void connect_found(void *ctx, uint32_t from, uint64_t place, uint32_t to,
			  enum ht_node_where where)
{
	struct leaks *l = ctx;

	(void)place;
	(void)where;
	if (to != from && !ht_reach_has(&l->g->reach, to))
		connect(l, (uint32_t)index_of(l, from),
			(uint32_t)index_of(l, to));
}

/* From the i-th on, which are in order of their numbers; the queue of the
 * second way through the graph is room for these. */
static void connect_unkept(struct leaks *l, uint32_t i)
{
	uint32_t *node = l->g->sure.queue;
	uint64_t unread = 0;
	size_t n = 0;

	for (; i < l->n; i++)
		node[n++] = l->v[i].node;
	ht_refs_scan_nodes(&l->g->scan, node, n, connect_found, l, &unread);
}

/* What a leaked chunk leads to is leaked, too, or would have been reached;
 * except that it is reached: then it is no part of the piece. */
static void connect_all(struct leaks *l)
{
	const struct ht_refs *r = &l->g->refs;

	uint32_t i = 0;

	for (; i < l->n && l->v[i].node < r->kept; i++) {
		uint32_t id = l->v[i].node;

		for (uint32_t k = r->first[id]; k < r->first[id + 1]; k++)
			if (!ht_reach_has(&l->g->reach, r->to[k]))
				connect(l, i, (uint32_t)index_of(l, r->to[k]));
	}
	connect_unkept(l, i);
}

/* The head of each piece: the lowest that nothing points to, else the lowest,
 * which is its root and comes first. */
static void gather(struct leaks *l)
{
	for (uint32_t i = 0; i < l->n; i++) {
		struct leaked *root = &l->v[root_of(l, i)];

		if (root == &l->v[i] ||
		    (l->v[root->head].pointed_at && !l->v[i].pointed_at))
			root->head = i;
		root->chunks++;
		root->bytes += ht_nodes_get(&l->g->nodes, l->v[i].node).size;
	}
}

/* The largest first; of the same size the first. */
static int by_bytes(const void *x, const void *y, void *ctx)
{
	const uint32_t i = *(const uint32_t *)x, k = *(const uint32_t *)y;
	const struct leaked *a = &((const struct leaked *)ctx)[i];
	const struct leaked *b = &((const struct leaked *)ctx)[k];
	int order = (a->bytes < b->bytes) - (a->bytes > b->bytes);

	return order ?: (i > k) - (i < k);
}

/* Each register that was not to be had may be the only one to hold a piece; as
 * a bound, the largest. */
static void doubt(struct leaks *l, struct ht_graph *row)
{
	const uint64_t may_hold = SAVED * (uint64_t)l->g->anchors.unknown;
	uint32_t *piece = l->g->sure.queue; /* room, as above */
	size_t n = 0;

	for (uint32_t i = 0; may_hold && i < l->n; i++)
		if (l->v[i].parent == i)
			piece[n++] = i;
	qsort_r(piece, n, sizeof(*piece), by_bytes, l->v);
	for (size_t i = 0; i < n && i < may_hold; i++) {
		l->v[piece[i]].doubted = true;
		row->uncertain_chunks += l->v[piece[i]].chunks;
		row->uncertain_bytes += l->v[piece[i]].bytes;
	}
}

static void pile_up(struct leaks *l, struct ht_graph *row)
{
	const uint16_t *group = l->g->groups.of;

	for (uint32_t i = 0; i < l->n; i++) {
		const struct leaked *piece = &l->v[i];
		struct pile *p;

		if (piece->parent != i || piece->doubted)
			continue;
		p = &l->pile[group[l->v[piece->head].node]];
		p->heads++;
		p->chunks += piece->chunks;
		p->bytes += piece->bytes;
		row->leaked_chunks += piece->chunks;
		row->leaked_bytes += piece->bytes;
	}
}

/* --- rows ---------------------------------------------------------------- */

static bool add_row(struct leaks *l, const struct pile *p)
{
	struct ht_leak *row = ht_snapshot_add_leak(l->g->out);

	if (!row)
		return false;
	if (p->group != UINT32_MAX) {
		const struct ht_group *heads = &l->g->groups.v[p->group];

		row->max_size = heads->max_size;
		ht_types_name(l->g, heads->type, row->head_type,
			      sizeof(row->head_type));
	}
	row->heads = p->heads;
	row->chunks = p->chunks;
	row->bytes = p->bytes;
	return true;
}

/* The largest first; of the same size the first. */
static int by_size(const void *x, const void *y)
{
	const struct pile *a = x, *b = y;
	int order = (a->bytes < b->bytes) - (a->bytes > b->bytes);

	return order ?: (a->group > b->group) - (a->group < b->group);
}

/* The largest first; the rest in one row without a size. */
static bool add_rows(struct leaks *l)
{
	struct pile rest = {.group = UINT32_MAX};

	for (uint32_t i = 0; i < l->g->groups.n; i++)
		l->pile[i].group = i;
	qsort(l->pile, l->g->groups.n, sizeof(*l->pile), by_size);
	for (size_t n = 0; n < l->g->groups.n && l->pile[n].chunks; n++) {
		const struct pile *p = &l->pile[n];

		if (n < ROWS_MAX) {
			if (!add_row(l, p))
				return false;
			continue;
		}
		rest.heads += p->heads;
		rest.chunks += p->chunks;
		rest.bytes += p->bytes;
	}
	return rest.chunks == 0 || add_row(l, &rest);
}

static bool find_leaked(struct leaks *l, struct ht_graph *row)
{
	struct ht_node_walk walk = {.nodes = &l->g->nodes};
	struct ht_node node;
	size_t capacity = 0;
	unsigned steps = 0;

	row->uncertain_chunks = row->uncertain_bytes = 0;
	row->leaked_chunks = row->leaked_bytes = 0;
	while (ht_nodes_next(&walk, &node)) {
		bool reached = ht_reach_has(&l->g->reach, node.id);
		void *grown = l->v;

		ht_pace_short_step(&steps);
		if (reached && !ht_reach_has(&l->g->sure, node.id)) {
			row->uncertain_chunks++;
			row->uncertain_bytes += node.size;
		}
		if (reached)
			continue;
		if (l->n == capacity) {
			capacity = capacity * 2 + 1024;
			grown = reallocarray(l->v, capacity, sizeof(*l->v));
		}
		if (!grown)
			return false;
		l->v = grown;
		l->v[l->n] = (struct leaked){.node = node.id,
					     .parent = (uint32_t)l->n};
		l->n++;
	}
	return true;
}

enum ht_code ht_leaks_report(struct ht_graph_all *g, struct ht_err *err)
{
	struct leaks l = {.g = g, .pile = calloc(g->groups.n, sizeof(*l.pile))};
	bool ok = l.pile && find_leaked(&l, &g->out->graphs.v[0]);

	if (ok) {
		connect_all(&l);
		gather(&l);
		doubt(&l, &g->out->graphs.v[0]);
		pile_up(&l, &g->out->graphs.v[0]);
		ok = add_rows(&l);
	}
	free(l.v);
	free(l.pile);
	return ok ? HT_OK : ht_fail(err, HT_NOMEM, "no memory for leaks");
}
