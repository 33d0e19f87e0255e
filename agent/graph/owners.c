/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owners: what holds the chunks of a group. From a holder that is itself a
 * chunk the same is asked again, until an anchor is met.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/graph/candidates.h"
#include "agent/graph/retained.h"
#include "agent/graph/shape.h"
#include "agent/graph/single.h"
#include "agent/walk/sizes.h"
#include "link/request.h"

#define HOPS_MAX 8
/* Percent: an anchor that holds so much is asked no further. */
#define SURE	   50
#define NEARLY_ALL 80

/* --- what is said of it -------------------------------------------------- */

static struct ht_link *add_link(struct ht_graph_all *g, uint64_t holder)
{
	struct ht_link *l = ht_snapshot_add_link(g->out);

	if (l)
		l->holder = holder;
	return l;
}

static bool tell_group(struct ht_graph_all *g, uint64_t holder,
		       const struct ht_candidate *c, const char *shape,
		       uint64_t held, uint64_t members)
{
	const struct ht_group *from = &g->groups.v[c->from];
	struct ht_link *l = add_link(g, holder);

	if (!l)
		return false;
	l->max_size = from->max_size;
	l->chunks = c->single ? 1 : from->chunks;
	ht_types_name(g, from->type, l->type, sizeof(l->type));
	if (c->places <= 2 && (c->at & HT_REF_PLACE) != HT_REF_FAR)
		l->offset = (uint64_t)(c->at & HT_REF_PLACE) * 8;
	l->references = c->references;
	l->share = members ? (double)held / (double)members : 0;
	snprintf(l->shape, sizeof(l->shape), "%s", shape);
	return true;
}

static void want_retained(struct ht_asking *a, uint64_t holder,
			  const struct ht_candidate *c)
{
	struct ht_retaining *r = a->retaining;

	r->holder[r->holders].row = holder;
	r->holder[r->holders++].is = *c;
}

/* The address of a root that names its object, or whose local it is. */
static void tell_root(struct ht_asking *a, uint64_t holder,
		      const struct ht_candidate *c)
{
	struct ht_graph_all *g = a->g;
	struct ht_holder *h = &g->out->holders.v[holder];

	want_retained(a, holder, c);
	h->kind = c->kind;
	if (c->kind == HT_HOLDER_OUTSIDE)
		return;
	if (c->anchor >= g->anchors.n) {
		h->thread =
			(uint64_t)g->in->threads[c->anchor - g->anchors.n].tid;
		h->threads = 1;
	}
	if (c->kind == HT_HOLDER_STACK && c->local.pc)
		h->offset = c->local.pc; /* to be named */
	if (c->anchor >= g->anchors.n)
		return;
	const struct ht_anchor *from = &g->anchors.v[c->anchor];

	h->threads = c->threads;
	if (from->thread != UINT32_MAX && c->threads <= 1)
		h->thread = (uint64_t)g->in->threads[from->thread].tid;
	if (c->kind == HT_HOLDER_STATIC || c->kind == HT_HOLDER_TLS)
		h->offset = c->start; /* an address, to be named */
}

/* Where no field tells what holds most of them: one chunk may. */
static struct ht_candidate *hold_alone(struct ht_asking *a,
				       struct ht_candidates *all,
				       struct ht_candidate *best)
{
	ht_asking_forget(a, 0);
	if (ht_single_find(a, all))
		return ht_candidates_best(a, all, 1);
	return best;
}

/* The best of what holds those that are asked for: an anchor that holds most of
 * them, else chunks, else words that may be stale. */
static struct ht_candidate *hold(struct ht_asking *a, struct ht_candidates *all)
{
	struct ht_candidate *root = ht_candidates_best(a, all, 0);
	struct ht_candidate *best = NULL;

	if (!root || root->held * 100 < a->asked * SURE) {
		ht_asking_forget(a, 0);
		best = ht_candidates_best(a, all, 1);
		if (!best || best->held * 100 < a->asked * SURE)
			best = hold_alone(a, all, best);
	}
	if (!best || (root && root->held >= best->held))
		best = root;
	for (int r = 2; !best && r <= HT_RANK_LAST; r++)
		best = ht_candidates_best(a, all, r);
	return best;
}

/* Where groups hold each other: the variable that nearly all can be reached
 * from. */
static struct ht_candidate *hold_around(struct ht_asking *a,
					struct ht_candidates *all)
{
	struct ht_candidate *best = ht_candidates_around(a, all)
					    ? ht_candidates_best(a, all, 0)
					    : NULL;

	return best && best->held * 100 >= a->asked * NEARLY_ALL ? best : NULL;
}

/* From a table of chunks up to what holds that: of its group, those that lead
 * to what is held. */
static bool climb(struct ht_asking *a, const struct ht_candidate *first,
		  uint64_t holder)
{
	struct ht_graph_all *g = a->g;
	struct ht_candidate at = *first;

	for (int hop = 0; hop < HOPS_MAX && at.kind == HT_HOLDER_TABLE; hop++) {
		struct ht_candidates all;
		struct ht_candidate *best;

		best = ht_candidates_above(a, &at, &all) ? hold(a, &all) : NULL;
		if (!best)
			best = hold_around(a, &all);
		if (!best)
			return true;
		at = *best;
		if (at.kind != HT_HOLDER_TABLE) {
			tell_root(a, holder, &at);
			return true;
		}
		if (!tell_group(g, holder, &at, ht_shape_of(a, &at), at.held,
				a->asked))
			return false;
	}
	return true;
}

static struct ht_holder *add_holder(struct ht_asking *a, uint64_t owned,
				    const struct ht_candidate *c)
{
	struct ht_holder *h = ht_snapshot_add_holder(a->g->out);
	uint64_t members = ht_chunks_of(a, a->group);

	if (!h)
		return NULL;
	h->owned = owned;
	h->kind = c->kind;
	h->chunks = c->held;
	h->bytes = c->bytes;
	h->share = members ? (double)c->held / (double)members : 0;
	snprintf(h->shape, sizeof(h->shape), "%s", ht_shape_of(a, c));
	if (a->fields)
		h->via_offset = (uint64_t)(a->field[0] & HT_REF_PLACE) * 8;
	else if (c->kind == HT_HOLDER_TABLE && c->places <= 2 &&
		 (c->at & HT_REF_PLACE) != HT_REF_FAR)
		h->via_offset = (uint64_t)(c->at & HT_REF_PLACE) * 8;
	if (c->kind != HT_HOLDER_TABLE)
		tell_root(a, a->g->out->holders.n - 1, c);
	return h;
}

/* Members that no anchor leads to, if there are any: the first row. */
static bool tell_lost(struct ht_asking *a, uint64_t owned, size_t *rows)
{
	const struct ht_graph_all *g = a->g;
	uint64_t members = ht_chunks_of(a, a->group), lost = 0, bytes = 0;
	struct ht_holder *h;

	for (uint32_t m = a->members.first[a->group];
	     m < a->members.first[a->group + 1]; m++) {
		uint32_t id = a->members.node[m];

		if (ht_reach_has(&g->reach, id))
			continue;
		lost++;
		bytes += ht_nodes_get(&g->nodes, id).size;
	}
	if (lost * 100 < members * HT_HELD_ENOUGH || lost == 0)
		return true;
	h = ht_snapshot_add_holder(a->g->out);
	if (!h)
		return false;
	h->owned = owned;
	h->kind = HT_HOLDER_NOBODY;
	h->chunks = lost;
	h->share = (double)lost / (double)members;
	h->bytes = bytes;
	snprintf(h->shape, sizeof(h->shape), "%s", HT_SHAPE_UNREACHED);
	++*rows;
	return true;
}

static bool tell_owned(struct ht_asking *a, uint16_t group)
{
	const struct ht_group *what = &a->g->groups.v[group];
	struct ht_owned *o = ht_snapshot_add_owned(a->g->out);
	uint64_t owned = a->g->out->owned.n - 1;
	struct ht_candidate told[HT_HOLDERS_MAX];
	struct ht_candidates all;
	uint64_t held = 0;
	size_t n = 0, lost;

	if (!o)
		return false;
	o->max_size = what->max_size;
	o->chunks = what->chunks;
	o->bytes = what->bytes;
	ht_types_name(a->g, what->type, o->type, sizeof(o->type));
	a->retaining->owned[a->retaining->groups].row = owned;
	a->retaining->owned[a->retaining->groups++].group = group;
	memset(a->was, 0, a->g->groups.n * sizeof(*a->was));
	ht_asking_all(a, group);
	ht_asking_reached(a);
	ht_candidates_find(a, &all);
	if (!tell_lost(a, owned, &n))
		return false;
	lost = n;
	for (int r = 0; r <= HT_RANK_LAST; r++) {
		struct ht_candidate *c;

		while (n < HT_HOLDERS_MAX &&
		       (c = ht_candidates_best(a, &all, r))) {
			told[n] = *c;
			held += c->held;
			c->references = 0; /* asked no more */
			if (!add_holder(a, owned, &told[n++]))
				return false;
		}
		if (r == 1 && held * 100 < a->asked * SURE &&
		    ht_single_find(a, &all))
			r--; /* once more: there is one */
	}
	for (size_t i = lost; i < n; i++) {
		uint64_t holder = a->g->out->holders.n - n + i;

		if (told[i].kind != HT_HOLDER_TABLE)
			continue;
		memset(a->was, 0, a->g->groups.n * sizeof(*a->was));
		ht_asking_all(a, group);
		ht_asking_reached(a);
		if (!tell_group(a->g, holder, &told[i],
				a->g->out->holders.v[holder].shape,
				told[i].held, what->chunks) ||
		    !climb(a, &told[i], holder))
			return false;
	}
	return true;
}

/* --- which groups are asked for ------------------------------------------ */

static bool is_asked(const struct ht_graph_all *g, const struct ht_group *group)
{
	uint64_t size = g->in->size;

	if (group->chunks == 0)
		return false;
	if (size == 0)
		return true;
	return group->class == ht_class_of(size);
}

static uint16_t next_group(const struct ht_graph_all *g, const bool *told)
{
	uint16_t best = 0;

	for (size_t i = 1; i < g->groups.n; i++)
		if (!told[i] && is_asked(g, &g->groups.v[i]) &&
		    (best == 0 ||
		     g->groups.v[i].bytes > g->groups.v[best].bytes))
			best = (uint16_t)i;
	return best;
}

enum ht_code ht_owners_report(struct ht_graph_all *g, struct ht_err *err)
{
	struct ht_asking a;
	struct ht_retaining *retaining = calloc(1, sizeof(*retaining));
	bool *told = calloc(g->groups.n, sizeof(bool));
	bool ok =
		ht_asking_begin(g, &a) && told && retaining &&
		ht_tls_keys(&g->tls, &g->objects) &&
		ht_modules_objects(g->in->modules, g->tls.first, &g->objects) &&
		ht_members_list(&g->groups, g->nodes.count, g->sure.queue,
				&a.members);
	enum ht_code code = HT_OK;

	a.retaining = retaining;
	for (int i = 0; ok && i < HT_OWNED_MAX; i++) {
		uint16_t group = next_group(g, told);

		if (group == 0)
			break;
		told[group] = true;
		ok = tell_owned(&a, group);
	}
	if (ok && g->in->want & HT_RETAINED)
		code = ht_retained_report(&a, retaining, err);
	ht_asking_end(&a);
	free(told);
	free(retaining);
	if (!ok)
		code = ht_fail(err, HT_NOMEM, "no memory for owners");
	return code;
}
