/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/single.h"

#include "agent/self/pace.h"

#define MOST   50 /* percent of what is asked for: less is not told */
#define AS_ALL 98 /* percent: as much as the other holds */
#define KEPT   8  /* that are looked at from near */

struct leader {
	uint32_t node;
	uint64_t held;
};

struct leaders {
	struct leader v[KEPT];
	size_t n;
};

/* In order of what they hold, the most first. */
static void keep(struct leaders *l, struct leader one)
{
	size_t i = l->n < KEPT ? l->n++ : KEPT;

	for (; i > 0 && l->v[i - 1].held < one.held; i--)
		if (i < KEPT)
			l->v[i] = l->v[i - 1];
	if (i < KEPT)
		l->v[i] = one;
}

static bool is_outside(const struct ht_asking *a, uint32_t node)
{
	return ht_asking_may_hold(a, a->g->groups.of[node]);
}

/* Its first reference into the cluster, or UINT32_MAX. */
static uint32_t first_into(const struct ht_asking *a, uint32_t node)
{
	const struct ht_refs *r = &a->g->refs;

	for (uint32_t k = r->first[node]; k < r->first[node + 1]; k++)
		if (a->in[a->g->groups.of[r->to[k]]])
			return k;
	return UINT32_MAX;
}

static uint64_t held_by(struct ht_asking *a, uint32_t node, size_t from)
{
	uint64_t held;

	ht_asking_forget(a, from);
	ht_asking_seed(a, node);
	held = ht_asking_spread(a);
	ht_asking_forget(a, from);
	return held;
}

/* One after the other, each with what the ones before did not reach: the head
 * of a list adds to what led into its middle. */
static void find_leaders(struct ht_asking *a, struct leaders *ret)
{
	unsigned steps = 0;

	for (uint32_t i = 0; i < a->g->nodes.count && a->budget > 0; i++) {
		size_t before = a->reach.tail;

		ht_pace_short_step(&steps);
		if (!is_outside(a, i))
			continue;
		ht_asking_seed(a, i);
		if (a->reach.tail > before)
			keep(ret, (struct leader){i, ht_asking_spread(a)});
	}
}

/* Most members have a link at this place that the one has not: it is where a
 * list begins or ends, or the root of a tree. */
static bool is_end(const struct ht_asking *a, uint32_t node)
{
	const struct ht_graph_all *g = a->g;
	uint16_t group = g->groups.of[node];
	bool has[HT_CLUSTER_FIELDS] = {false};

	for (uint32_t k = g->refs.first[node]; k < g->refs.first[node + 1]; k++)
		for (unsigned f = 0; f < a->fields; f++)
			has[f] |= a->in[g->groups.of[g->refs.to[k]]] &&
				  ht_field_place(&g->groups.v[group],
						 g->refs.at[k]) == a->field[f];
	for (unsigned f = 0; f < a->fields; f++)
		if (!has[f] &&
		    ht_fields_count(&g->fields, group, a->field[f], group) *
				    100 >=
			    ht_chunks_of(a, group) * AS_ALL)
			return true;
	return false;
}

/* Another that holds as much: where links lead back, whatever leads in does. */
static void find_rivals(struct ht_asking *a, size_t from,
			const struct leader *best, struct leaders *ret)
{
	struct leaders near = {.n = 0};
	unsigned steps = 0;

	ht_asking_seed(a, best->node);
	ht_asking_spread(a);
	for (uint32_t i = 0; i < a->g->nodes.count && near.n < KEPT; i++) {
		uint32_t k;

		ht_pace_short_step(&steps);
		if (i == best->node || !is_outside(a, i))
			continue;
		k = first_into(a, i);
		if (k != UINT32_MAX &&
		    ht_reach_has(&a->reach, a->g->refs.to[k]))
			near.v[near.n++] = (struct leader){i, 0};
	}
	for (size_t i = 0; i < near.n; i++) {
		near.v[i].held = held_by(a, near.v[i].node, from);
		if (near.v[i].held * 100 >= best->held * AS_ALL)
			keep(ret, near.v[i]);
	}
}

static bool leads_to_end(const struct ht_asking *a, uint32_t node)
{
	return is_end(a, a->g->refs.to[first_into(a, node)]);
}

/* The best, or the only one of those like it that leads to an end; false: it
 * could be any. */
static bool choose(struct ht_asking *a, size_t from, struct leader *best)
{
	struct leaders rivals = {.n = 0};
	struct leader chosen = *best;
	unsigned ends = leads_to_end(a, best->node);

	find_rivals(a, from, best, &rivals);
	ht_asking_forget(a, from);
	if (rivals.n == 0)
		return true;
	for (size_t i = 0; i < rivals.n; i++)
		if (leads_to_end(a, rivals.v[i].node)) {
			chosen = rivals.v[i];
			ends++;
		}
	*best = chosen;
	return ends == 1;
}

bool ht_single_find(struct ht_asking *a, struct ht_candidates *all)
{
	const struct ht_graph_all *g = a->g;
	size_t from = a->reach.tail;
	struct leaders l = {.n = 0};
	struct leader best = {.held = 0};
	struct ht_candidate one = {.kind = HT_HOLDER_TABLE, .places = 1};
	uint32_t k;

	if (a->budget < g->refs.n / 4)
		return false;
	a->budget -= g->refs.n / 4; /* two ways through all */
	find_leaders(a, &l);
	ht_asking_forget(a, from);
	for (size_t i = 0; i < l.n; i++) {
		uint64_t held = held_by(a, l.v[i].node, from);

		if (held > best.held)
			best = (struct leader){l.v[i].node, held};
	}
	if (best.held * 100 < a->asked * MOST || best.held == 0 ||
	    !choose(a, from, &best))
		return false;
	k = first_into(a, best.node);
	one.from = g->groups.of[best.node];
	one.single = best.node + 1;
	one.at = ht_field_place(&g->groups.v[one.from], g->refs.at[k]);
	one.references = best.held;
	return ht_candidates_add(all, &one);
}
