/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/candidates.h"

#include <stdlib.h>
#include <string.h>

#include "agent/self/pace.h"

#define PERCENT 60 /* of the members: what is regular */
/* A tree's nodes have a child in half of the cases, those of a hash table's
 * lists a next one in fewer. */
#define SELF_PERCENT 10
#define KIN_PERCENT  30
#define RUN_GAP	     64 /* bytes between roots of one array */
#define AHEAD	     32 /* references whose groups are asked for before */
#define NEARLY	     98 /* percent: as much as the other holds */

/* --- what can be known of fields ----------------------------------------- */

/* Groups that lead to the cluster at this place with most of their members stay
 * in it. Returns whether the group that was asked for does. */
static bool prune(struct ht_asking *a, uint16_t at, bool *in)
{
	size_t n = a->g->groups.n;
	uint64_t *count = calloc(n, sizeof(*count));
	bool changed = count;

	while (changed) {
		const struct ht_field_count *f;
		size_t i = 0;

		changed = false;
		memset(count, 0, n * sizeof(*count));
		while ((f = ht_fields_next(&a->g->fields, &i)))
			if (f->at == at && in[f->from] && in[f->to])
				count[f->from] += f->count;
		for (size_t k = 0; k < n; k++)
			if (in[k] &&
			    count[k] * 100 < ht_chunks_of(a, (uint16_t)k) *
						     (k == a->group
							      ? SELF_PERCENT
							      : KIN_PERCENT)) {
				in[k] = false;
				changed = true;
			}
	}
	free(count);
	return in[a->group];
}

/* The cluster by one field: those that have it into the group, and are led to
 * by it. */
static void try_field(struct ht_asking *a, uint16_t at)
{
	size_t n = a->g->groups.n, i = 0;
	const struct ht_field_count *f;
	bool *in = calloc(n, sizeof(*in));

	if (!in)
		return;
	in[a->group] = true;
	while ((f = ht_fields_next(&a->g->fields, &i)))
		if (f->at == at && f->to == a->group)
			in[f->from] = true;
	if (prune(a, at, in)) {
		a->field[a->fields++] = at;
		for (size_t k = 0; k < n; k++)
			a->in[k] = a->in[k] || in[k];
	}
	free(in);
}

/* The places at which members lead to members most often. */
void ht_cluster_find(struct ht_asking *a)
{
	const struct ht_group *group = &a->g->groups.v[a->group];
	const struct ht_field_count *f;
	uint16_t tried[HT_CLUSTER_FIELDS];
	unsigned n = 0;

	memset(a->in, 0, a->g->groups.n * sizeof(*a->in));
	a->in[a->group] = true;
	a->fields = 0;
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
			return;
		tried[n++] = best->at;
		try_field(a, best->at);
	}
}

/* --- who may hold it ----------------------------------------------------- */

/* Room for one more: in place of the least where there is none. */
static struct ht_candidate *add(struct ht_candidates *c,
				const struct ht_candidate *new)
{
	size_t least = 0;

	if (c->n < HT_CANDIDATES_MAX) {
		c->v[c->n] = *new;
		return &c->v[c->n++];
	}
	for (size_t i = 1; i < c->n; i++)
		if (c->v[i].references < c->v[least].references)
			least = i;
	if (c->v[least].references >= new->references)
		return NULL;
	c->v[least] = *new;
	return &c->v[least];
}

static enum ht_holder_kind kind_of(const struct ht_graph_all *g,
				   const struct ht_root_ref *r)
{
	static const enum ht_holder_kind kinds[] = {
		[HT_ANCHOR_STATIC] = HT_HOLDER_STATIC,
		[HT_ANCHOR_STACK] = HT_HOLDER_STACK,
		[HT_ANCHOR_TLS] = HT_HOLDER_TLS,
		[HT_ANCHOR_OTHER] = HT_HOLDER_NOBODY,
	};
	const struct ht_anchor *a;

	if (r->anchor >= g->anchors.n)
		return HT_HOLDER_STACK; /* a register */
	a = &g->anchors.v[r->anchor];
	return kinds[a->kind];
}

static uint64_t address_of(const struct ht_graph_all *g,
			   const struct ht_root_ref *r)
{
	return r->anchor < g->anchors.n
		       ? g->anchors.v[r->anchor].start + r->place
		       : r->place;
}

/* The variable that a root is a word of, if symbols tell, else the word. */
static void set_object(const struct ht_graph_all *g, struct ht_candidate *c)
{
	const struct ht_range *r =
		c->kind == HT_HOLDER_STATIC
			? ht_ranges_from(&g->objects, c->start)
			: NULL;

	c->end = c->start + 8;
	c->object = r && r->start <= c->start;
	if (!c->object)
		return;
	c->start = r->start;
	c->end = r->end;
}

/* Roots come in order of address: those of one variable lie side by side, and
 * so, where nothing is known of variables, those of one array. */
static void add_roots(const struct ht_asking *a, struct ht_candidates *c)
{
	const struct ht_graph_all *g = a->g;
	struct ht_candidate *last = NULL;

	for (size_t i = 0; i < g->roots; i++) {
		const struct ht_root_ref *r = &g->root[i];
		struct ht_candidate one = {.kind = kind_of(g, r),
					   .anchor = r->anchor,
					   .start = address_of(g, r),
					   .references = 1};

		if (!a->in[g->groups.of[r->to]])
			continue;
		set_object(g, &one);
		if (last && last->kind == one.kind &&
		    (one.object ? one.start == last->start
				: !last->object && last->anchor == r->anchor &&
					  r->anchor < g->anchors.n &&
					  one.start - last->end < RUN_GAP)) {
			last->end = one.end;
			last->references++;
		} else {
			last = add(c, &one);
		}
	}
}

/* Chunks outside the cluster that lead into it by a field that is regular. */
static void add_fields(const struct ht_asking *a, struct ht_candidates *c)
{
	size_t n = a->g->groups.n, i = 0;
	struct ht_candidate *of = calloc(n, sizeof(*of));
	uint64_t *best = calloc(n, sizeof(*best)), members = 0;
	const struct ht_field_count *f;

	for (size_t k = 0; k < n; k++)
		members += a->in[k] ? ht_chunks_of(a, (uint16_t)k) : 0;
	while (of && best && (f = ht_fields_next(&a->g->fields, &i))) {
		struct ht_candidate *one = &of[f->from];

		if (!a->in[f->to] || a->in[f->from] || a->was[f->from])
			continue;
		one->references += f->count;
		one->places++;
		if (f->count > best[f->from]) {
			best[f->from] = f->count;
			one->at = f->at;
		}
	}
	for (size_t k = 0; of && best && k < n; k++) {
		of[k].kind = HT_HOLDER_TABLE;
		of[k].from = (uint16_t)k;
		/* Counted for its own members, or for those that it holds. */
		if (of[k].references &&
		    (best[k] * 100 >= ht_chunks_of(a, (uint16_t)k) * PERCENT ||
		     of[k].references * 100 >= members * PERCENT))
			add(c, &of[k]);
	}
	free(of);
	free(best);
}

/* --- how much each holds ------------------------------------------------- */

static bool holds_root(const struct ht_graph_all *g,
		       const struct ht_candidate *c,
		       const struct ht_root_ref *r)
{
	uint64_t at = address_of(g, r);

	return (c->object || r->anchor == c->anchor) && at >= c->start &&
	       at < c->end;
}

static void seed(struct ht_asking *a, const struct ht_candidate *c)
{
	const struct ht_graph_all *g = a->g;
	unsigned steps = 0;

	if (c->kind != HT_HOLDER_TABLE) {
		for (size_t i = 0; i < g->roots; i++)
			if (holds_root(g, c, &g->root[i]) &&
			    a->in[g->groups.of[g->root[i].to]])
				ht_reach_add(&a->reach, g->root[i].to);
		return;
	}
	for (uint32_t m = a->members.first[c->from];
	     m < a->members.first[c->from + 1]; m++) {
		uint32_t i = a->members.node[m];

		for (uint32_t k = g->refs.first[i]; k < g->refs.first[i + 1];
		     k++) {
			ht_pace_short_step(&steps);
			if (k + AHEAD < g->refs.n)
				__builtin_prefetch(
					&g->groups.of[g->refs.to[k + AHEAD]]);
			if (a->in[g->groups.of[g->refs.to[k]]])
				ht_reach_add(&a->reach, g->refs.to[k]);
		}
	}
}

bool ht_cluster_links(const struct ht_asking *a, uint16_t from, uint16_t at)
{
	at = ht_field_place(&a->g->groups.v[from], at);
	for (unsigned i = 0; i < a->fields; i++)
		if (a->field[i] == at)
			return true;
	return false;
}

/* From what was added on, by the cluster's own links. Counts members of the
 * group that were not reached before. */
static void spread(struct ht_asking *a, struct ht_candidate *c)
{
	const struct ht_graph_all *g = a->g;
	struct ht_reach *r = &a->reach;
	unsigned steps = 0;

	c->held = c->bytes = 0;
	while (r->head < r->tail && a->budget > 0) {
		ht_pace_short_step(&steps);
		uint32_t id = r->queue[r->head++];
		uint16_t from = g->groups.of[id];

		a->budget--;
		c->held += from == a->group;
		if (!a->fields)
			continue;
		for (uint32_t k = g->refs.first[id]; k < g->refs.first[id + 1];
		     k++)
			if (a->in[g->groups.of[g->refs.to[k]]] &&
			    ht_cluster_links(a, from, g->refs.at[k]))
				ht_reach_add(r, g->refs.to[k]);
	}
	c->bytes = ht_chunks_of(a, a->group)
			   ? (uint64_t)((double)g->groups.v[a->group].bytes *
					(double)c->held /
					(double)ht_chunks_of(a, a->group))
			   : 0;
}

void ht_asking_forget(struct ht_asking *a, size_t from)
{
	struct ht_reach *r = &a->reach;

	for (size_t i = from; i < r->tail; i++)
		r->seen[r->queue[i] / 64] &= ~(UINT64_C(1) << r->queue[i] % 64);
	r->head = r->tail = from;
}

/* Anchors that are the program's own word for it come first, then chunks, then
 * words that may be stale. */
static int rank(const struct ht_candidate *c)
{
	static const int ranks[] = {[HT_HOLDER_STATIC] = 0,
				    [HT_HOLDER_TLS] = 0,
				    [HT_HOLDER_TABLE] = 1,
				    [HT_HOLDER_STACK] = 2,
				    [HT_HOLDER_NOBODY] = 3};

	return ranks[c->kind];
}

/* A variable of which less than half leads anywhere into the group. */
static bool is_sparse(const struct ht_candidate *c)
{
	return c->object && c->references * 16 < c->end - c->start;
}

/* An array of words that were never cleared reaches a list at many places, and
 * now and then a chunk of somebody else's too: what holds nearly as much and is
 * not such an array is the program's own word for it. */
static struct ht_candidate *rather(struct ht_candidates *all,
				   struct ht_candidate *best, int of_rank)
{
	struct ht_candidate *other = NULL;

	if (!best || !is_sparse(best))
		return best;
	for (size_t i = 0; i < all->n; i++) {
		struct ht_candidate *c = &all->v[i];

		if (rank(c) == of_rank && c->references && !is_sparse(c) &&
		    c->held * 100 >= best->held * NEARLY &&
		    (!other || c->held > other->held))
			other = c;
	}
	return other ? other : best;
}

struct ht_candidate *ht_candidates_best(struct ht_asking *a,
					struct ht_candidates *all, int of_rank)
{
	size_t from = a->reach.tail;
	struct ht_candidate *best = NULL;

	for (size_t i = 0; i < all->n; i++) {
		struct ht_candidate *c = &all->v[i];

		if (rank(c) != of_rank || c->references == 0)
			continue;
		seed(a, c);
		spread(a, c);
		ht_asking_forget(a, from);
		if (!best || c->held > best->held)
			best = c;
	}
	best = rather(all, best, of_rank);
	if (!best ||
	    best->held * 100 < ht_chunks_of(a, a->group) * HT_HELD_ENOUGH ||
	    best->held == 0)
		return NULL;
	seed(a, best);
	spread(a, best);
	return best;
}

bool ht_candidates_find(struct ht_asking *a, uint16_t group,
			struct ht_candidates *all)
{
	a->group = group;
	ht_asking_forget(a, 0);
	ht_cluster_find(a);
	all->n = 0;
	add_roots(a, all);
	add_fields(a, all);
	return all->n > 0;
}
