/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/asking.h"

#include <stdlib.h>
#include <string.h>

#include "agent/self/pace.h"

/* A tree's nodes have a child in half of the cases, those of a hash table's
 * lists a next one in fewer. */
#define SELF_PERCENT   10
#define KIN_PERCENT    30
#define ANYHOW_PERCENT 80 /* of the members */
#define ROUNDS_MAX     32
#define AROUND_MAX     8 /* groups that are met one through the other */
#define BUDGET	       UINT64_C(100000000) /* some seconds */

enum { LEADS = 1, IS_LED = 2 };

bool ht_asking_begin(struct ht_graph_all *g, struct ht_asking *ret)
{
	size_t words = g->nodes.count / 64 + 1;
	struct ht_err err;

	*ret = (struct ht_asking){.g = g,
				  .in = calloc(g->groups.n, sizeof(bool)),
				  .was = calloc(g->groups.n, sizeof(bool)),
				  .only = calloc(words, sizeof(uint64_t)),
				  .next = calloc(words, sizeof(uint64_t)),
				  .budget = BUDGET};
	return ht_reach_begin(g->nodes.count, &ret->reach, &err) == HT_OK &&
	       ret->in && ret->was && ret->only && ret->next;
}

void ht_asking_end(struct ht_asking *a)
{
	ht_reach_fini(&a->reach);
	ht_members_fini(&a->members);
	free(a->in);
	free(a->was);
	free(a->only);
	free(a->next);
	*a = (struct ht_asking){0};
}

/* --- the cluster --------------------------------------------------------- */

/* Of each group, how often it leads to the cluster at this place, and how often
 * the cluster leads to it. */
static void count_in(const struct ht_asking *a, uint16_t at, const bool *in,
		     uint64_t *leads, uint64_t *led)
{
	const struct ht_field_count *f;
	size_t i = 0;

	memset(leads, 0, a->g->groups.n * sizeof(*leads));
	memset(led, 0, a->g->groups.n * sizeof(*led));
	while ((f = ht_fields_next(&a->g->fields, &i)))
		if (f->at == at && in[f->from] && in[f->to]) {
			leads[f->from] += f->count;
			led[f->to] += f->count;
		}
}

/* Groups that lead to the cluster at this place with most of their members and
 * are led to by it stay in it: what only leads to it is what holds it, as an
 * array of heads whose first word is one. Returns whether the group that was
 * asked for does. */
static bool prune(struct ht_asking *a, uint16_t at, bool *in)
{
	size_t n = a->g->groups.n;
	uint64_t *leads = calloc(2 * n, sizeof(*leads)), *led = leads + n;
	bool changed = leads;

	while (changed) {
		changed = false;
		count_in(a, at, in, leads, led);
		for (size_t k = 0; k < n; k++) {
			bool asked = k == a->group;
			uint64_t all = ht_chunks_of(a, (uint16_t)k);

			if (!in[k] ||
			    (leads[k] * 100 >= all * (asked ? SELF_PERCENT
							    : KIN_PERCENT) &&
			     (asked || led[k] * 100 >= all * SELF_PERCENT)))
				continue;
			in[k] = false;
			changed = true;
		}
	}
	free(leads);
	return in[a->group];
}

/* Those that lead at this place to the ones that are in, and so on: a list
 * whose nodes are of many sizes goes on beyond those that lead to the group
 * itself. */
static void spread_in(const struct ht_asking *a, uint16_t at, bool *in)
{
	bool changed = true;

	for (unsigned round = 0; changed && round < ROUNDS_MAX; round++) {
		const struct ht_field_count *f;
		size_t i = 0;

		changed = false;
		while ((f = ht_fields_next(&a->g->fields, &i)))
			if (f->at == at && in[f->to] && !in[f->from])
				in[f->from] = changed = true;
	}
}

/* The cluster by one field: those that have it into the group or into each
 * other. */
static void try_field(struct ht_asking *a, uint16_t at)
{
	size_t n = a->g->groups.n;
	bool *in = calloc(n, sizeof(*in));

	if (!in)
		return;
	in[a->group] = true;
	spread_in(a, at, in);
	if (prune(a, at, in)) {
		a->field[a->fields++] = at;
		for (size_t k = 0; k < n; k++)
			a->in[k] = a->in[k] || in[k];
	}
	free(in);
}

/* Whether most members are led to by members, from whatever places: the nodes
 * of a trie or a B-tree have their children in an array. */
static bool links_anyhow(const struct ht_asking *a)
{
	const struct ht_field_count *f;
	uint64_t count = 0;
	size_t i = 0;

	while ((f = ht_fields_next(&a->g->fields, &i)))
		if (f->from == a->group && f->to == a->group &&
		    (f->at & HT_REF_PLACE) != HT_REF_FAR)
			count += f->count;
	return count * 100 >= ht_chunks_of(a, a->group) * ANYHOW_PERCENT;
}

/* The places at which members lead to members most often. */
void ht_cluster_find(struct ht_asking *a)
{
	const struct ht_group *group = &a->g->groups.v[a->group];
	const struct ht_field_count *f;
	uint16_t tried[HT_CLUSTER_FIELDS] = {0};
	unsigned n = 0;

	memset(a->in, 0, a->g->groups.n * sizeof(*a->in));
	a->in[a->group] = true;
	a->fields = 0;
	a->any = false;
	while (n < HT_CLUSTER_FIELDS) {
		const struct ht_field_count *best = NULL;
		size_t i = 0;

		while ((f = ht_fields_next(&a->g->fields, &i))) {
			bool again = f->from != a->group || f->to != a->group ||
				     (f->at & HT_REF_PLACE) == HT_REF_FAR;

			for (unsigned k = 0; k < n; k++)
				again = again || tried[k] == f->at;
			if (!again && (!best || f->count > best->count))
				best = f;
		}
		if (!best || best->count * 20 < group->chunks)
			break;
		tried[n++] = best->at;
		try_field(a, best->at);
	}
	a->any = a->fields == 0 && links_anyhow(a);
}

/* Of groups that lead to each other: chunks of one size may be of two kinds, so
 * that fewer than what is regular elsewhere must do. */
static bool is_kin(const struct ht_asking *a, uint64_t count, uint16_t from,
		   uint16_t to)
{
	return count * 100 >= ht_chunks_of(a, from) * KIN_PERCENT ||
	       count * 100 >= ht_chunks_of(a, to) * KIN_PERCENT;
}

bool ht_cluster_links(const struct ht_asking *a, uint16_t from, uint16_t at,
		      uint16_t to)
{
	const struct ht_graph_all *g = a->g;

	at = ht_field_place(&g->groups.v[from], at);
	if (a->around)
		return is_kin(a, ht_fields_count(&g->fields, from, at, to),
			      from, to);
	for (unsigned i = 0; i < a->fields; i++)
		if (a->field[i] == at)
			return true;
	return a->any;
}

/* --- who is asked for ---------------------------------------------------- */

void ht_asking_all(struct ht_asking *a, uint16_t group)
{
	a->group = group;
	a->some = false;
	a->around = false;
	a->asked = ht_chunks_of(a, group);
	ht_cluster_find(a);
}

void ht_asking_reached(struct ht_asking *a)
{
	uint64_t asked = 0;

	memset(a->only, 0, (a->g->nodes.count / 64 + 1) * sizeof(*a->only));
	for (uint32_t m = a->members.first[a->group];
	     m < a->members.first[a->group + 1]; m++) {
		uint32_t node = a->members.node[m];

		if (!ht_reach_has(&a->g->reach, node))
			continue;
		a->only[node / 64] |= UINT64_C(1) << node % 64;
		asked++;
	}
	a->asked = asked;
	a->some = asked < ht_chunks_of(a, a->group);
}

static bool leads_to_asked(struct ht_asking *a, uint32_t node)
{
	const struct ht_graph_all *g = a->g;

	for (uint32_t k = g->refs.first[node]; k < g->refs.first[node + 1];
	     k++) {
		uint32_t to = g->refs.to[k];
		uint16_t group = g->groups.of[to];

		if (a->in[group] &&
		    (group != a->group || ht_asking_counts(a, to)))
			return true;
	}
	return false;
}

void ht_asking_narrow(struct ht_asking *a, uint16_t group, uint32_t single)
{
	uint64_t *found = a->next, asked = 0;
	unsigned steps = 0;

	memset(found, 0, (a->g->nodes.count / 64 + 1) * sizeof(*found));
	for (uint32_t m = a->members.first[group];
	     m < a->members.first[group + 1]; m++) {
		uint32_t node = a->members.node[m];

		ht_pace_short_step(&steps);
		if (single ? node != single - 1 : !leads_to_asked(a, node))
			continue;
		found[node / 64] |= UINT64_C(1) << node % 64;
		asked++;
	}
	for (size_t k = 0; k < a->g->groups.n; k++)
		a->was[k] = a->was[k] || a->in[k];
	ht_asking_all(a, group);
	a->next = a->only;
	a->only = found;
	a->asked = asked;
	a->some = asked < ht_chunks_of(a, group);
}

/* Groups that lead to the cluster and to which it leads. Returns whether there
 * were any. */
static bool add_kin(struct ht_asking *a, uint8_t *how)
{
	const struct ht_field_count *f;
	bool added = false;
	size_t i = 0;

	memset(how, 0, a->g->groups.n);
	while ((f = ht_fields_next(&a->g->fields, &i))) {
		if (a->in[f->from] == a->in[f->to] ||
		    !is_kin(a, f->count, f->from, f->to))
			continue;
		if (a->in[f->to])
			how[f->from] |= LEADS;
		else
			how[f->to] |= IS_LED;
	}
	for (size_t k = 0; k < a->g->groups.n; k++)
		if (how[k] == (LEADS | IS_LED))
			a->in[k] = added = true;
	return added;
}

void ht_asking_around(struct ht_asking *a)
{
	uint8_t *how = calloc(a->g->groups.n, sizeof(*how));
	unsigned rounds = 0;

	for (size_t k = 0; k < a->g->groups.n; k++)
		a->in[k] = a->in[k] || a->was[k];
	while (how && rounds++ < AROUND_MAX && add_kin(a, how))
		;
	free(how);
	a->around = true;
}

void ht_asking_forget(struct ht_asking *a, size_t from)
{
	struct ht_reach *r = &a->reach;

	for (size_t i = from; i < r->tail; i++)
		r->seen[r->queue[i] / 64] &= ~(UINT64_C(1) << r->queue[i] % 64);
	r->head = r->tail = from;
}

/* --- what can be reached ------------------------------------------------- */

void ht_asking_seed(struct ht_asking *a, uint32_t node)
{
	const struct ht_graph_all *g = a->g;

	for (uint32_t k = g->refs.first[node]; k < g->refs.first[node + 1]; k++)
		if (a->in[g->groups.of[g->refs.to[k]]])
			ht_reach_add(&a->reach, g->refs.to[k]);
}

uint64_t ht_asking_spread(struct ht_asking *a)
{
	const struct ht_graph_all *g = a->g;
	struct ht_reach *r = &a->reach;
	unsigned steps = 0;
	uint64_t held = 0;

	while (r->head < r->tail && a->budget > 0) {
		ht_pace_short_step(&steps);
		uint32_t id = r->queue[r->head++];
		uint16_t from = g->groups.of[id];

		a->budget--;
		held += from == a->group && ht_asking_counts(a, id);
		if (!a->fields && !a->any && !a->around)
			continue;
		for (uint32_t k = g->refs.first[id]; k < g->refs.first[id + 1];
		     k++)
			if (a->in[g->groups.of[g->refs.to[k]]] &&
			    ht_cluster_links(a, from, g->refs.at[k],
					     g->groups.of[g->refs.to[k]]))
				ht_reach_add(r, g->refs.to[k]);
	}
	return held;
}
