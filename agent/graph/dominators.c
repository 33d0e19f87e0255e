/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/dominators.h"

#include <string.h>

#include "agent/self/pace.h"
#include "agent/self/table.h"

/* By numbers, but for `number`. Of a node that is being searched `semi` has the
 * next reference to be followed. */
struct making {
	const struct ht_dominators_in *in;
	struct ht_dominators *d;
	uint32_t *parent, *semi, *label, *stack;
	uint32_t *before, *from; /* referrers: [before[i], before[i + 1]) */
	unsigned steps;
};

#define ARRAYS 8 /* of 4 bytes a node: all but `from` and `retained` */

size_t ht_dominators_bytes(uint64_t nodes, uint64_t references)
{
	return (size_t)((nodes + 2) *
				(ARRAYS * sizeof(uint32_t) + sizeof(uint64_t)) +
			(references + 2) * sizeof(uint32_t));
}

static enum ht_code take(struct making *m, struct ht_err *err)
{
	const struct ht_dominators_in *in = m->in;
	size_t all = (size_t)in->nodes + in->tops, each = all + 2;
	struct ht_dominators *d = m->d;
	uint32_t *at;

	d->bytes = ht_dominators_bytes(all, (uint64_t)in->first[in->nodes] +
						    in->top_first[in->tops] +
						    in->tops);
	d->memory = ht_table_new(d->bytes, HT_TABLE_ALL_OVER);
	if (!d->memory)
		return ht_fail(err, HT_NOMEM, "no memory for dominators");
	d->retained = d->memory;
	at = (uint32_t *)(d->retained + each);
	d->number = at;
	d->vertex = at + each;
	d->idom = at + 2 * each;
	m->parent = at + 3 * each;
	m->semi = at + 4 * each;
	m->label = at + 5 * each;
	m->stack = at + 6 * each;
	m->before = at + 7 * each;
	m->from = at + 8 * each;
	memset(d->number, 0xff, all * sizeof(*d->number));
	return HT_OK;
}

/* --- where a node leads --------------------------------------------------- */

/* The k-th node that this one leads to; NONE: it leads to no more. */
static uint32_t target(const struct ht_dominators_in *in, uint32_t node,
		       uint32_t k)
{
	uint32_t top, first, end;

	if (node < in->nodes) {
		first = in->first[node];
		end = in->first[node + 1];
		return k < end - first ? in->to[first + k] : HT_DOMINATORS_NONE;
	}
	top = node - in->nodes;
	first = in->top_first[top];
	end = in->top_first[top + 1];
	if (k < end - first)
		return in->top_to[first + k];
	k -= end - first;
	/* The first leads to all other tops, too. */
	return top == 0 && k + 1 < in->tops ? in->nodes + 1 + k
					    : HT_DOMINATORS_NONE;
}

static uint32_t enter(struct making *m, uint32_t node, uint32_t parent)
{
	struct ht_dominators *d = m->d;
	uint32_t number = d->n++;

	d->number[node] = number;
	d->vertex[number] = node;
	m->parent[number] = parent;
	return number;
}

/* Depth first; the way back is the parents. */
static void search(struct making *m)
{
	struct ht_dominators *d = m->d;
	uint32_t at = enter(m, m->in->nodes, 0);

	for (;;) {
		uint32_t to = target(m->in, d->vertex[at], m->semi[at]);

		ht_pace_short_step(&m->steps);
		if (to == HT_DOMINATORS_NONE) {
			if (at == 0)
				return;
			at = m->parent[at];
			continue;
		}
		m->semi[at]++;
		if (d->number[to] == HT_DOMINATORS_NONE)
			at = enter(m, to, at);
	}
}

/* Who leads to each, by counting: first how many, from which the places follow,
 * then each into its own. */
static void turn(struct making *m)
{
	const struct ht_dominators *d = m->d;
	uint32_t sum = 0;

	for (int fill = 0; fill <= 1; fill++) {
		for (uint32_t i = 0; i < d->n; i++) {
			uint32_t to;

			for (uint32_t k = 0;
			     (to = target(m->in, d->vertex[i], k)) !=
			     HT_DOMINATORS_NONE;
			     k++) {
				uint32_t *place = &m->before[d->number[to]];

				ht_pace_short_step(&m->steps);
				if (fill)
					m->from[--*place] = i;
				else
					++*place;
			}
		}
		for (uint32_t i = 0; !fill && i <= d->n; i++)
			m->before[i] = sum += m->before[i];
	}
}

/* --- the dominators ------------------------------------------------------- */

/* Of those between v and the last one that was linked, the one whose
 * semidominator is least; the way there is made short. */
static uint32_t least(struct making *m, uint32_t v, uint32_t linked)
{
	uint32_t *parent = m->parent, *label = m->label, n = 0, above, best;

	if (parent[v] < linked)
		return label[v];
	do {
		m->stack[n++] = v;
		v = parent[v];
	} while (parent[v] >= linked);
	above = v;
	best = label[v];
	do {
		v = m->stack[--n];
		parent[v] = parent[above];
		if (m->semi[best] < m->semi[label[v]])
			label[v] = best;
		else
			best = label[v];
		above = v;
	} while (n);
	return label[v];
}

static void dominate(struct making *m)
{
	struct ht_dominators *d = m->d;

	for (uint32_t i = 0; i < d->n; i++) {
		d->idom[i] = m->parent[i];
		m->semi[i] = m->label[i] = i;
	}
	for (uint32_t i = d->n; i-- > 1;) {
		m->semi[i] = m->parent[i];
		for (uint32_t k = m->before[i]; k < m->before[i + 1]; k++) {
			uint32_t semi = m->semi[least(m, m->from[k], i + 1)];

			ht_pace_short_step(&m->steps);
			if (semi < m->semi[i])
				m->semi[i] = semi;
		}
	}
	for (uint32_t i = 1; i < d->n; i++) {
		uint32_t up = d->idom[i];

		while (up > m->semi[i])
			up = d->idom[up];
		d->idom[i] = up;
	}
}

enum ht_code ht_dominators_make(const struct ht_dominators_in *in,
				struct ht_dominators *ret, struct ht_err *err)
{
	struct ht_dominators d = {0};
	struct making m = {.in = in, .d = &d};
	enum ht_code code = take(&m, err);

	if (code != HT_OK)
		return code;
	search(&m);
	turn(&m);
	dominate(&m);
	*ret = d;
	return HT_OK;
}

void ht_dominators_sum(struct ht_dominators *d)
{
	for (uint32_t i = d->n; i-- > 1;)
		d->retained[d->idom[i]] += d->retained[i];
}

void ht_dominators_fini(struct ht_dominators *d)
{
	ht_table_free(d->memory, d->bytes);
	*d = (struct ht_dominators){0};
}
