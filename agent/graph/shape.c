/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/shape.h"

#include <stdlib.h>

#define SAMPLE	      1000 /* members that are asked */
#define MOST	      80   /* percent: of those that have a link */
#define ARRAY_OF_ROOT 8	   /* pointers; a header has as many at most */

/* What is known of the links of some members: of each field how many have it,
 * for how many another field has the same target, and from how many targets
 * another field leads back. */
struct links {
	unsigned n; /* fields */
	uint64_t have[HT_CLUSTER_FIELDS];
	uint64_t same[HT_CLUSTER_FIELDS][HT_CLUSTER_FIELDS];
	uint64_t back[HT_CLUSTER_FIELDS][HT_CLUSTER_FIELDS];
	bool kept[HT_CLUSTER_FIELDS]; /* no other has its targets */
};

static void targets_of(const struct ht_asking *a, uint32_t node,
		       uint32_t target[HT_CLUSTER_FIELDS])
{
	const struct ht_graph_all *g = a->g;
	const struct ht_group *group = &g->groups.v[g->groups.of[node]];

	for (unsigned f = 0; f < a->fields; f++)
		target[f] = HT_NODE_NONE;
	for (uint32_t k = g->refs.first[node]; k < g->refs.first[node + 1];
	     k++) {
		uint16_t at = ht_field_place(group, g->refs.at[k]);

		for (unsigned f = 0; f < a->fields; f++)
			if (a->field[f] == at &&
			    a->in[g->groups.of[g->refs.to[k]]])
				target[f] = g->refs.to[k];
	}
}

static void count_links(const struct ht_asking *a, uint32_t node,
			struct links *l)
{
	uint32_t to[HT_CLUSTER_FIELDS], on[HT_CLUSTER_FIELDS];

	targets_of(a, node, to);
	for (unsigned f = 0; f < l->n; f++) {
		if (to[f] == HT_NODE_NONE)
			continue;
		l->have[f]++;
		targets_of(a, to[f], on);
		for (unsigned k = 0; k < l->n; k++) {
			l->same[f][k] += to[k] == to[f];
			l->back[f][k] += on[k] == node;
		}
	}
}

/* A counted pointer is two words with one target: one link. */
static void drop_same(struct links *l)
{
	for (unsigned f = 0; f < l->n; f++) {
		l->kept[f] = l->have[f] > 0;
		for (unsigned k = 0; k < f; k++)
			if (l->kept[k] &&
			    l->same[f][k] * 100 >= l->have[f] * MOST)
				l->kept[f] = false;
	}
}

static bool leads_back(const struct links *l, unsigned f, unsigned by)
{
	return l->kept[f] && l->kept[by] && f != by &&
	       l->back[f][by] * 100 >= l->have[f] * MOST;
}

static unsigned kept(const struct links *l)
{
	unsigned n = 0;

	for (unsigned f = 0; f < l->n; f++)
		n += l->kept[f];
	return n;
}

/* A place to which two others lead down and from which one leads up. */
static bool has_parents(const struct links *l)
{
	for (unsigned up = 0; up < l->n; up++) {
		unsigned down = 0;

		for (unsigned f = 0; f < l->n; f++)
			down += leads_back(l, f, up) && !leads_back(l, up, f);
		if (down >= 2)
			return true;
	}
	return false;
}

static bool has_pair(const struct links *l)
{
	for (unsigned f = 0; f < l->n; f++)
		for (unsigned k = 0; k < f; k++)
			if (leads_back(l, f, k) && leads_back(l, k, f))
				return true;
	return false;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* In a list each has a next one of its own: what many lead to is their parent.
 */
static bool leads_up(const struct ht_asking *a)
{
	uint32_t to[SAMPLE], targets[HT_CLUSTER_FIELDS];
	size_t n = 0, different = 0, end = a->members.first[a->group + 1];

	for (size_t m = a->members.first[a->group]; m < end && n < SAMPLE;
	     m++) {
		targets_of(a, a->members.node[m], targets);
		if (targets[0] != HT_NODE_NONE)
			to[n++] = targets[0];
	}
	if (n == 0)
		return false;
	qsort(to, n, sizeof(*to), by_number);
	for (size_t i = 0; i < n; i++)
		different += i == 0 || to[i] != to[i - 1];
	return different * 100 < n * MOST;
}

/* Whether members are led to by members once, as those of a tree are. */
static bool leads_once(const struct ht_asking *a)
{
	const struct ht_field_count *f;
	uint64_t count = 0;
	size_t i = 0;

	while ((f = ht_fields_next(&a->g->fields, &i)))
		if (f->from == a->group && f->to == a->group)
			count += f->count;
	return count * MOST <= ht_chunks_of(a, a->group) * 100;
}

static void find_links(const struct ht_asking *a, struct links *ret)
{
	*ret = (struct links){.n = a->fields};
	for (uint32_t m = a->members.first[a->group], n = 0;
	     m < a->members.first[a->group + 1] && n < SAMPLE; m++, n++)
		count_links(a, a->members.node[m], ret);
	drop_same(ret);
}

/* Whether it is an array that leads to them. */
static bool is_array(const struct ht_asking *a, const struct ht_candidate *c)
{
	if (c->kind == HT_HOLDER_OUTSIDE)
		return false;
	if (c->kind != HT_HOLDER_TABLE)
		return c->references > ARRAY_OF_ROOT;
	if ((c->at & HT_REF_PLACE) == HT_REF_FAR)
		return c->references > 2 * ht_chunks_of(a, c->from);
	return c->places > 2 && c->references > 2 * ht_chunks_of(a, c->from);
}

const char *ht_shape_of(const struct ht_asking *a, const struct ht_candidate *c)
{
	bool many = is_array(a, c);
	bool inside = a->fields;
	struct links l;

	if (a->any)
		return leads_once(a) ? "tree" : "graph";
	if (a->fields == 0)
		return many			    ? "array of pointers"
		       : c->kind == HT_HOLDER_TABLE ? "field"
						    : "pointer";
	for (unsigned f = 0; f < a->fields; f++)
		inside = inside && a->field[f] & HT_REF_INSIDE;
	find_links(a, &l);
	if (has_parents(&l))
		return "tree with parent pointers";
	if (has_pair(&l))
		return many	? "hash table of doubly linked lists"
		       : inside ? "intrusive doubly linked list"
				: "doubly linked list";
	if (kept(&l) > 1 || leads_up(a))
		return "tree";
	return many	? "hash table of lists"
	       : inside ? "intrusive list"
			: "list";
}
