/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/shape.h"

#include <stdlib.h>

#define SAMPLE	      1000 /* members that are asked */
#define MOST	      80   /* percent: of those that have a link */
#define ARRAY_OF_ROOT 8	   /* pointers; a header has as many at most */
#define ALONE	      102  /* percent of the references: what they hold */
#define DEEP	      2	   /* percent: of those that lead on */
#define STEPS	      256  /* of a list, from one node to another */
#define BETWEEN	      2	   /* words, of the links of two levels */
#define HEADS	      16   /* that are looked for on one list */

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

/* Whether the k-th reference, of this node, links members. */
static bool leads_in(const struct ht_asking *a, uint32_t node, uint32_t k)
{
	const struct ht_graph_all *g = a->g;
	uint16_t to = g->groups.of[g->refs.to[k]];

	return a->in[to] &&
	       ht_cluster_links(a, g->groups.of[node], g->refs.at[k], to);
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

/* Of the members that lead on some are led to, as in all that is deeper than
 * one step: arrays, and what is in them, may be of one size. */
static bool is_deep(const struct ht_asking *a)
{
	const struct ht_graph_all *g = a->g;
	uint8_t *led = calloc(g->nodes.count / 8 + 1, 1);
	uint64_t leading = 0, deep = 0;

	for (uint32_t i = 0; led && i < g->nodes.count; i++)
		for (uint32_t k = g->refs.first[i];
		     a->in[g->groups.of[i]] && k < g->refs.first[i + 1]; k++) {
			uint32_t to = g->refs.to[k];

			if (leads_in(a, i, k))
				led[to / 8] |= (uint8_t)(1u << to % 8);
		}
	for (uint32_t i = 0; led && i < g->nodes.count; i++) {
		uint32_t k = g->refs.first[i];

		if (!a->in[g->groups.of[i]])
			continue;
		while (k < g->refs.first[i + 1] && !leads_in(a, i, k))
			k++;
		if (k == g->refs.first[i + 1])
			continue;
		leading++;
		deep += led[i / 8] >> i % 8 & 1;
	}
	free(led);
	return leading < ARRAY_OF_ROOT || deep * 100 >= leading * DEEP;
}

/* Whether the list by this field that begins at `from` comes to `to`. */
static bool comes_to(const struct ht_asking *a, unsigned field, uint32_t from,
		     uint32_t to)
{
	uint32_t on[HT_CLUSTER_FIELDS];

	for (unsigned i = 0; i < STEPS && from != HT_NODE_NONE; i++) {
		if (from == to)
			return true;
		targets_of(a, from, on);
		from = on[field];
	}
	return false;
}

/* One link leads to where the other one comes to in some steps, not in one. */
static bool skips(const struct ht_asking *a, const struct links *l)
{
	uint32_t to[HT_CLUSTER_FIELDS];
	uint64_t have = 0, met = 0, same = 0;

	if (!l->kept[0] || !l->kept[1] ||
	    (a->field[0] ^ a->field[1]) & HT_REF_INSIDE ||
	    ht_apart(a->field[0], a->field[1]) > BETWEEN)
		return false;
	for (uint32_t m = a->members.first[a->group], n = 0;
	     m < a->members.first[a->group + 1] && n < SAMPLE; m++, n++) {
		uint32_t node = a->members.node[m];

		targets_of(a, node, to);
		if (to[0] == HT_NODE_NONE || to[1] == HT_NODE_NONE)
			continue;
		have++;
		same += to[0] == to[1] || to[0] == node || to[1] == node;
		met += comes_to(a, 0, to[0], to[1]) ||
		       comes_to(a, 1, to[1], to[0]);
	}
	return have >= ARRAY_OF_ROOT && met * 100 >= have * MOST &&
	       same * 2 < have;
}

/* The heads of a skip list are all on the list that the first one begins: half
 * of them are met soon. */
static bool is_one_list(const struct ht_asking *a, const struct ht_candidate *c)
{
	const struct ht_refs *r = &a->g->refs;
	uint32_t node = a->members.node[a->members.first[c->from]];
	uint32_t head[HEADS];
	unsigned n = 0, met = 0;

	for (uint32_t k = r->first[node]; k < r->first[node + 1] && n < HEADS;
	     k++)
		if (a->in[a->g->groups.of[r->to[k]]])
			head[n++] = r->to[k];
	for (unsigned i = 1; i < n; i++)
		met += comes_to(a, 0, head[0], head[i]);
	return n > 1 && met * 4 >= n;
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

	if (a->any && is_deep(a))
		return leads_once(a) ? "tree" : "graph";
	if (a->any)
		return "arrays and what they lead to";
	if (a->fields == 0)
		return many			    ? "array of pointers"
		       : c->kind == HT_HOLDER_TABLE ? "field"
						    : "pointer";
	/* Each leads to one that leads no further. */
	if (many && c->held * 100 <= c->references * ALONE)
		return "array of pointers";
	for (unsigned f = 0; f < a->fields; f++)
		inside = inside && a->field[f] & HT_REF_INSIDE;
	find_links(a, &l);
	if (has_parents(&l))
		return "tree with parent pointers";
	if (has_pair(&l))
		return many	? "hash table of doubly linked lists"
		       : inside ? "intrusive doubly linked list"
				: "doubly linked list";
	if (!is_deep(a))
		return kept(&l) > 1 ? "arrays and what they lead to" : "field";
	if (many && c->kind == HT_HOLDER_TABLE && is_one_list(a, c))
		many = false;
	if (kept(&l) > 1 && skips(a, &l))
		return "skip list";
	if (kept(&l) > 1 || leads_up(a))
		return "tree";
	return many	? "hash table of lists"
	       : inside ? "intrusive list"
			: "list";
}
