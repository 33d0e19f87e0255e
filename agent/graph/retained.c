/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/retained.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/graph/dominators.h"
#include "agent/self/pace.h"

#define TOPS_MAX (1 + HT_OWNED_MAX * HT_HOLDERS_MAX)

struct retained {
	struct ht_asking *a;
	struct ht_graph_all *g;
	const struct ht_retaining *r;
	/* Of each holder: its top. Two that are one variable have one. */
	uint32_t top[TOPS_MAX];
	struct ht_candidate is[TOPS_MAX]; /* of each top but the first */
	uint32_t tops;
	uint32_t *top_first, *top_to;
	struct ht_dominators d;
};

/* --- whether it can be told ----------------------------------------------- */

static const char *refusal(const struct ht_graph_all *g)
{
	uint64_t taken = g->in->marks->bytes + g->nodes.bytes +
			 g->refs.n * (sizeof(uint32_t) + sizeof(uint16_t)) +
			 (uint64_t)g->nodes.count * 4 * sizeof(uint32_t);

	if (g->nodes.count > HT_RETAINED_NODES_MAX)
		return "there are more than 2,097,152 chunks";
	if (g->refs.kept != UINT32_MAX)
		return "not all references found room: --max-memory gives more";
	if (g->all_roots > HT_ROOTS_MAX)
		return "more than 262,144 words outside lead to chunks";
	if (taken + ht_dominators_bytes(g->nodes.count,
					g->refs.n + g->all_roots) >
	    g->in->memory_max)
		return "it takes more memory than may be taken: --max-memory gives more";
	return NULL;
}

/* --- what hangs on what --------------------------------------------------- */

static bool is_one(const struct ht_graph_all *g, const struct ht_candidate *x,
		   const struct ht_candidate *y)
{
	if (x->kind != y->kind)
		return false;
	if (x->kind == HT_HOLDER_OUTSIDE)
		return true;
	if (x->kind == HT_HOLDER_STATIC || x->kind == HT_HOLDER_TLS)
		return x->start < y->end && y->start < x->end;
	return ht_root_thread(g, x->anchor) == ht_root_thread(g, y->anchor) &&
	       (x->kind != HT_HOLDER_NOBODY || x->anchor == y->anchor);
}

/* A variable is itself (a thread-local one that of all threads), a stack all of
 * it with its registers. */
static void find_tops(struct retained *t)
{
	t->tops = 1;
	for (size_t i = 0; i < t->r->holders; i++) {
		const struct ht_candidate *c = &t->r->holder[i].is;
		uint32_t k = 1;

		while (k < t->tops && !is_one(t->g, &t->is[k], c))
			k++;
		if (k == t->tops)
			t->is[t->tops++] = *c;
		/* Of an array each class may have another part. */
		if (c->start < t->is[k].start)
			t->is[k].start = c->start;
		if (c->end > t->is[k].end)
			t->is[k].end = c->end;
		t->top[i] = k;
	}
}

static uint32_t top_of(const struct retained *t, const struct ht_root_ref *root)
{
	struct ht_candidate word = {.kind = ht_root_kind(t->g, root),
				    .anchor = root->anchor,
				    .start = ht_root_address(t->g, root)};

	word.end = word.start + 8;
	for (uint32_t k = 1; k < t->tops; k++)
		if (is_one(t->g, &t->is[k], &word))
			return k;
	return 0;
}

/* The roots by their tops, by counting. */
static bool list_tops(struct retained *t)
{
	const struct ht_graph_all *g = t->g;

	t->top_first = calloc(t->tops + 1, sizeof(*t->top_first));
	t->top_to = calloc(g->roots + 1, sizeof(*t->top_to));
	if (!t->top_first || !t->top_to)
		return false;
	for (size_t i = 0; i < g->roots; i++)
		t->top_first[top_of(t, &g->root[i])]++;
	for (uint32_t k = 0, sum = 0; k <= t->tops; k++)
		t->top_first[k] = sum += t->top_first[k];
	for (size_t i = 0; i < g->roots; i++)
		t->top_to[--t->top_first[top_of(t, &g->root[i])]] =
			g->root[i].to;
	return true;
}

static void weigh(struct retained *t)
{
	struct ht_node_walk walk = {.nodes = &t->g->nodes};
	struct ht_node node;
	unsigned steps = 0;

	while (ht_nodes_next(&walk, &node)) {
		uint32_t number = t->d.number[node.id];

		ht_pace_short_step(&steps);
		if (number != HT_DOMINATORS_NONE)
			t->d.retained[number] = node.size;
	}
	ht_dominators_sum(&t->d);
}

static enum ht_code dominate(struct retained *t, struct ht_err *err)
{
	struct ht_dominators_in in = {.nodes = t->g->nodes.count,
				      .first = t->g->refs.first,
				      .to = t->g->refs.to,
				      .tops = t->tops};
	enum ht_code code;

	if (!list_tops(t))
		return ht_fail(err, HT_NOMEM, "no memory for roots");
	in.top_first = t->top_first;
	in.top_to = t->top_to;
	code = ht_dominators_make(&in, &t->d, err);
	if (code == HT_OK)
		weigh(t);
	return code;
}

/* --- rows ----------------------------------------------------------------- */

static void tell_holders(const struct retained *t)
{
	for (size_t i = 0; i < t->r->holders; i++) {
		uint32_t top = t->g->nodes.count + t->top[i];
		struct ht_holder *h =
			&t->g->out->holders.v[t->r->holder[i].row];

		h->retained_bytes = t->d.retained[t->d.number[top]];
	}
}

/* What can be reached when no way leads through the group. */
static void reach_without(struct retained *t, uint16_t group)
{
	struct ht_graph_all *g = t->g;
	struct ht_reach *r = &t->a->reach;
	const struct ht_members *m = &t->a->members;
	const struct ht_reach_in in = {
		.nodes = &g->nodes, .refs = &g->refs, .scan = &g->scan};

	memset(r->seen, 0, r->seen_bytes);
	r->head = r->tail = 0;
	for (uint32_t i = m->first[group]; i < m->first[group + 1]; i++)
		r->seen[m->node[i] / 64] |= UINT64_C(1) << m->node[i] % 64;
	for (size_t i = 0; i < g->roots; i++)
		ht_reach_add(r, g->root[i].to);
	ht_reach_run(&in, r);
}

/* The group, and what only it leads to; and the most that one of it keeps. */
static void tell_group(struct retained *t, struct ht_owned *o, uint16_t group)
{
	const struct ht_graph_all *g = t->g;
	struct ht_node_walk walk = {.nodes = &g->nodes};
	struct ht_node node;
	unsigned steps = 0;

	reach_without(t, group);
	o->retained_bytes = o->bytes;
	o->most_retained_bytes = 0;
	while (ht_nodes_next(&walk, &node)) {
		uint32_t number = t->d.number[node.id];

		ht_pace_short_step(&steps);
		if (number == HT_DOMINATORS_NONE)
			continue;
		if (!ht_reach_has(&t->a->reach, node.id))
			o->retained_bytes += node.size;
		else if (g->groups.of[node.id] == group &&
			 t->d.retained[number] > o->most_retained_bytes)
			o->most_retained_bytes = t->d.retained[number];
	}
}

enum ht_code ht_retained_report(struct ht_asking *a,
				const struct ht_retaining *r,
				struct ht_err *err)
{
	struct retained t = {.a = a, .g = a->g, .r = r};
	const char *why = refusal(a->g);
	enum ht_code code;

	if (why) {
		ht_snapshot_warn(a->g->out,
				 "retained sizes are not told, for %s", why);
		return HT_OK;
	}
	find_tops(&t);
	code = dominate(&t, err);
	if (code == HT_OK) {
		tell_holders(&t);
		for (size_t i = 0; i < r->groups; i++)
			tell_group(&t, &a->g->out->owned.v[r->owned[i].row],
				   r->owned[i].group);
	}
	ht_dominators_fini(&t.d);
	free(t.top_first);
	free(t.top_to);
	return code;
}
