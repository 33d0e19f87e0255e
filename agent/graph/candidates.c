/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/candidates.h"

#include <stdlib.h>
#include <string.h>

#include "agent/self/pace.h"

#define PERCENT 60 /* of the members: what is regular */
#define FEW	8  /* asked for: no share of them tells anything */
#define RUN_GAP 64 /* bytes between roots of one array */
#define ROUND	65536
#define AHEAD	32 /* references whose groups are asked for before */
#define NEARLY	98 /* percent: as much as the other holds */

/* --- who may hold it ----------------------------------------------------- */

/* Room for one more: in place of the least where there is none. */
struct ht_candidate *ht_candidates_add(struct ht_candidates *c,
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

enum ht_holder_kind ht_root_kind(const struct ht_graph_all *g,
				 const struct ht_root_ref *r)
{
	static const enum ht_holder_kind kinds[] = {
		[HT_ANCHOR_STATIC] = HT_HOLDER_STATIC,
		[HT_ANCHOR_STACK] = HT_HOLDER_STACK,
		[HT_ANCHOR_TLS] = HT_HOLDER_TLS,
		[HT_ANCHOR_OTHER] = HT_HOLDER_OUTSIDE,
	};
	const struct ht_anchor *a;

	if (r->anchor >= g->anchors.n)
		return HT_HOLDER_STACK; /* a register */
	a = &g->anchors.v[r->anchor];
	/* Mapped by somebody right behind a module's variables. */
	if (a->kind == HT_ANCHOR_STATIC &&
	    ht_modules_at(g->in->modules, ht_root_address(g, r), NULL) ==
		    HT_MODULE_NONE)
		return HT_HOLDER_OUTSIDE;
	return kinds[a->kind];
}

uint64_t ht_root_address(const struct ht_graph_all *g,
			 const struct ht_root_ref *r)
{
	return r->anchor < g->anchors.n
		       ? g->anchors.v[r->anchor].start + r->place +
				 g->anchors.v[r->anchor].shift
		       : r->place;
}

uint32_t ht_root_thread(const struct ht_graph_all *g, uint32_t anchor)
{
	return anchor < g->anchors.n ? g->anchors.v[anchor].thread
				     : anchor - (uint32_t)g->anchors.n;
}

static struct ht_local local_of(struct ht_graph_all *g,
				const struct ht_root_ref *r)
{
	uint32_t thread = ht_root_thread(g, r->anchor);

	return r->anchor < g->anchors.n
		       ? ht_locals_at(&g->locals, thread, ht_root_address(g, r))
		       : ht_locals_in(&g->locals, thread, r->place);
}

/* The variable that a root is a word of, if symbols tell, else the word. */
static void set_object(const struct ht_graph_all *g, struct ht_candidate *c)
{
	const struct ht_range *r =
		c->kind == HT_HOLDER_STATIC || c->kind == HT_HOLDER_TLS
			? ht_ranges_from(&g->objects, c->start)
			: NULL;

	c->end = c->start + 8;
	c->object = r && r->start <= c->start;
	if (!c->object)
		return;
	c->start = r->start;
	c->end = r->end;
}

/* Members that lead to each other's starts are led to there from outside, too:
 * what points amid them alone is a number that looks like an address, of which
 * a heap below 4 GiB meets many. */
static bool is_number(const struct ht_asking *a, const struct ht_candidate *c)
{
	if (a->fields == 0 || c->inside < c->references)
		return false;
	for (unsigned i = 0; i < a->fields; i++)
		if (a->field[i] & HT_REF_INSIDE)
			return false;
	return true;
}

/* Whether a root is of the same variable, or of the same array where nothing is
 * known of variables: there they lie side by side, on a stack in one frame. */
static bool goes_with(const struct ht_graph_all *g,
		      const struct ht_candidate *c,
		      const struct ht_candidate *one)
{
	if (c->kind != one->kind || c->object != one->object)
		return false;
	if (c->object)
		return c->start == one->start;
	if (c->local.pc != one->local.pc || c->local.depth != one->local.depth)
		return false;
	return c->anchor == one->anchor && one->anchor < g->anchors.n &&
	       one->start - c->end < RUN_GAP;
}

/* The same variable of another thread. */
static struct ht_candidate *of_other_thread(struct ht_candidates *all,
					    const struct ht_candidate *one)
{
	for (size_t i = 0; i < all->n; i++) {
		struct ht_candidate *c = &all->v[i];

		if (c->kind == HT_HOLDER_TLS && c->object == one->object &&
		    one->start + RUN_GAP > c->start &&
		    one->start < c->end + RUN_GAP &&
		    (!c->object || c->start == one->start))
			return c;
	}
	return NULL;
}

/* A heap below 4 GiB meets numbers; one that is as round as this, and leads
 * amid a chunk, is none of its addresses. */
static bool is_round(const struct ht_graph_all *g, const struct ht_root_ref *r)
{
	uint64_t value;

	return r->inside && g->nodes.low < UINT64_C(1) << 32 &&
	       r->anchor < g->anchors.n &&
	       ht_reader_word(g->in->reader,
			      g->anchors.v[r->anchor].start + r->place, &value,
			      NULL) == HT_OK &&
	       value % ROUND == 0;
}

static void join_root(struct ht_candidate *to, const struct ht_candidate *one)
{
	if (one->start < to->start)
		to->start = one->start;
	if (one->end > to->end)
		to->end = one->end;
	to->references++;
	to->inside += one->inside;
	if (to->thread != one->thread)
		to->threads++;
	to->thread = one->thread;
}

/* Roots come in order of address: those of one variable lie side by side. A
 * runtime's own heap has them all over, and counts as one. */
static void add_roots(struct ht_asking *a, struct ht_candidates *c)
{
	struct ht_graph_all *g = a->g;
	struct ht_candidate outside = {.kind = HT_HOLDER_OUTSIDE};
	struct ht_candidate *last = NULL;

	for (size_t i = 0; i < g->roots; i++) {
		const struct ht_root_ref *r = &g->root[i];
		struct ht_candidate one = {.anchor = r->anchor,
					   .start = ht_root_address(g, r),
					   .references = 1,
					   .thread =
						   ht_root_thread(g, r->anchor),
					   .inside = r->inside};

		if (!a->in[g->groups.of[r->to]] || is_round(g, r))
			continue;
		one.kind = ht_root_kind(g, r);
		if (one.kind == HT_HOLDER_OUTSIDE) {
			outside.references++;
			continue;
		}
		if (one.kind == HT_HOLDER_STACK)
			one.local = local_of(g, r);
		set_object(g, &one);
		one.threads = one.thread != UINT32_MAX;
		if (!last || !goes_with(g, last, &one))
			last = one.kind == HT_HOLDER_TLS
				       ? of_other_thread(c, &one)
				       : NULL;
		if (last)
			join_root(last, &one);
		else
			last = ht_candidates_add(c, &one);
	}
	if (outside.references)
		ht_candidates_add(c, &outside);
	for (size_t i = 0; i < c->n; i++)
		if (is_number(a, &c->v[i]))
			c->v[i].kind = HT_HOLDER_NOBODY;
}

/* Of each group outside the cluster: how it leads into it. */
struct leading {
	struct ht_candidate *of;
	uint64_t *best; /* references from the place that has most */
	size_t n;
};

static bool begin_leading(const struct ht_asking *a, struct leading *l)
{
	l->n = a->g->groups.n;
	l->of = calloc(l->n, sizeof(*l->of));
	l->best = calloc(l->n, sizeof(*l->best));
	return l->of && l->best;
}

static void end_leading(struct leading *l)
{
	free(l->of);
	free(l->best);
}

static void lead(struct leading *l, uint16_t from, uint16_t at, uint64_t count)
{
	struct ht_candidate *one = &l->of[from];

	one->references += count;
	one->places++;
	if (count > l->best[from]) {
		l->best[from] = count;
		one->at = at;
	}
}

/* Chunks of one type count together, whatever their sizes: a remainder that was
 * too small to be a chunk stays with some. */
static bool type_leads(const struct ht_asking *a, const struct leading *l,
		       size_t group, uint64_t members)
{
	const struct ht_group *v = a->g->groups.v;
	uint64_t best = 0, chunks = 0, references = 0;

	for (size_t k = 0; k < l->n; k++) {
		if (k != group && (v[group].type == HT_TYPE_NONE ||
				   v[k].type != v[group].type))
			continue;
		best += l->best[k];
		chunks += v[k].chunks;
		references += l->of[k].references;
	}
	/* Counted for its own members, or for those that it holds. */
	return best * 100 >= chunks * PERCENT ||
	       references * 100 >= members * PERCENT;
}

static void add_leading(const struct ht_asking *a, struct leading *l,
			uint64_t members, struct ht_candidates *c)
{
	for (size_t k = 0; k < l->n; k++) {
		struct ht_candidate *one = &l->of[k];

		one->kind = HT_HOLDER_TABLE;
		one->from = (uint16_t)k;
		if (one->references == 0 || !type_leads(a, l, k, members))
			continue;
		one->regular = (unsigned)(l->best[k] * 100 /
					  ht_chunks_of(a, (uint16_t)k));
		ht_candidates_add(c, one);
	}
}

/* Chunks outside the cluster that lead into it by a field that is regular. */
static void add_fields(const struct ht_asking *a, struct ht_candidates *c)
{
	const struct ht_field_count *f;
	struct leading l;
	uint64_t members = 0;
	size_t i = 0;

	for (size_t k = 0; k < a->g->groups.n; k++)
		members += a->in[k] ? ht_chunks_of(a, (uint16_t)k) : 0;
	if (begin_leading(a, &l)) {
		while ((f = ht_fields_next(&a->g->fields, &i)))
			if (a->in[f->to] && ht_asking_may_hold(a, f->from))
				lead(&l, f->from, f->at, f->count);
		add_leading(a, &l, members, c);
	}
	end_leading(&l);
}

/* How many percent of a group have a reference from this place to the group
 * that is asked for. */
static unsigned regularity(const struct ht_asking *a, uint16_t from,
			   uint16_t at)
{
	const struct ht_graph_all *g = a->g;
	uint64_t count = ht_fields_count(&g->fields, from, at, a->group) * 100;

	return (unsigned)(count / (ht_chunks_of(a, from) + 1));
}

static void refer(const struct ht_asking *a, struct leading *l, uint16_t from,
		  uint16_t at)
{
	struct ht_candidate *one = &l->of[from];
	unsigned regular;

	at = ht_field_place(&a->g->groups.v[from], at);
	if (one->references++ && one->at == at)
		return;
	one->places++;
	regular = regularity(a, from, at);
	if (one->references == 1 || regular > one->regular) {
		one->at = at;
		one->regular = regular;
	}
}

/* Of few of a group the group's fields tell nothing: who leads to those few is
 * looked up. */
static void add_referrers(struct ht_asking *a, struct ht_candidates *c)
{
	const struct ht_graph_all *g = a->g;
	struct leading l;
	unsigned steps = 0;
	bool ok = begin_leading(a, &l) && a->budget > g->refs.n / 8;

	a->budget -= ok ? g->refs.n / 8 : 0;
	for (uint32_t i = 0; ok && i < g->nodes.count; i++) {
		uint16_t from = g->groups.of[i];

		ht_pace_short_step(&steps);
		for (uint32_t k = g->refs.first[i]; k < g->refs.first[i + 1];
		     k++) {
			uint32_t to = g->refs.to[k];

			if (a->only[to / 64] >> to % 64 & 1 &&
			    ht_asking_may_hold(a, from))
				refer(a, &l, from, g->refs.at[k]);
		}
	}
	for (size_t k = 0; ok && k < l.n; k++) {
		struct ht_candidate *one = &l.of[k];

		one->kind = HT_HOLDER_TABLE;
		one->from = (uint16_t)k;
		if (one->references &&
		    (one->regular >= PERCENT ||
		     one->references * 100 >= a->asked * PERCENT))
			ht_candidates_add(c, one);
	}
	end_leading(&l);
}

/* --- how much each holds ------------------------------------------------- */

static bool holds_root(const struct ht_graph_all *g,
		       const struct ht_candidate *c,
		       const struct ht_root_ref *r)
{
	uint64_t at = ht_root_address(g, r);

	if (c->kind == HT_HOLDER_OUTSIDE)
		return ht_root_kind(g, r) == HT_HOLDER_OUTSIDE;
	return (c->object || r->anchor == c->anchor ||
		(c->kind == HT_HOLDER_TLS &&
		 ht_root_kind(g, r) == HT_HOLDER_TLS)) &&
	       at >= c->start && at < c->end;
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
	if (c->single) {
		ht_asking_seed(a, c->single - 1);
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

/* Anchors that are the program's own word for it come first, then chunks, then
 * words that may be stale. */
static int rank(const struct ht_candidate *c)
{
	static const int ranks[] = {
		[HT_HOLDER_STATIC] = 0,	 [HT_HOLDER_TLS] = 0,
		[HT_HOLDER_TABLE] = 1,	 [HT_HOLDER_STACK] = 2,
		[HT_HOLDER_OUTSIDE] = 3, [HT_HOLDER_NOBODY] = 4};

	return ranks[c->kind];
}

/* A variable of which less than half leads anywhere into the group. */
static bool is_sparse(const struct ht_candidate *c)
{
	return c->object && c->references * 16 < c->end - c->start;
}

/* Modules are in order of address, and a program lies below its libraries. */
static bool is_of_program(const struct ht_asking *a,
			  const struct ht_candidate *c)
{
	uint64_t at = c->kind == HT_HOLDER_STATIC  ? c->start
		      : c->kind == HT_HOLDER_STACK ? c->local.pc
						   : 0;

	return at && ht_modules_at(a->g->in->modules, at, NULL) == 0;
}

/* What a function hands on, those that it calls have too, and words of earlier
 * calls lie in the newest frames. */
static bool is_further_out(const struct ht_candidate *c,
			   const struct ht_candidate *than)
{
	return c->kind == HT_HOLDER_STACK && c->thread == than->thread &&
	       c->local.depth > than->local.depth;
}

/* Of two that hold nearly the same: an array of words that were never cleared
 * reaches a list at many places, and now and then a chunk of somebody else's
 * too; a library that hands out pieces of larger chunks has all of these in a
 * list of its own; and of chunks a few have a word that is left over. What is
 * none of these is the program's own word for it, on a stack the outermost. */
static bool is_surer(const struct ht_asking *a, const struct ht_candidate *c,
		     const struct ht_candidate *than)
{
	if (is_sparse(c) != is_sparse(than))
		return is_sparse(than);
	if (is_of_program(a, c) != is_of_program(a, than))
		return is_of_program(a, c);
	if (is_further_out(c, than))
		return true;
	return c->regular > than->regular;
}

static struct ht_candidate *rather(const struct ht_asking *a,
				   struct ht_candidates *all,
				   struct ht_candidate *best, int of_rank)
{
	struct ht_candidate *most = best;
	bool alone = true;

	for (size_t i = 0; best && i < all->n; i++) {
		struct ht_candidate *c = &all->v[i];

		if (c == most || rank(c) != of_rank || !c->references ||
		    c->held * 100 < most->held * NEARLY)
			continue;
		alone = false;
		if (is_surer(a, c, best))
			best = c;
	}
	/* Several lead to these few, and nothing says which one means them. */
	if (best && a->asked < FEW && of_rank == 1 && !alone &&
	    best->regular < PERCENT)
		return NULL;
	return best;
}

/* Bytes of what is held from the from-th on. Small classes are of one size. */
static uint64_t bytes_of(const struct ht_asking *a,
			 const struct ht_candidate *c, size_t from)
{
	const struct ht_graph_all *g = a->g;
	const struct ht_group *group = &g->groups.v[a->group];
	uint64_t bytes = 0;

	if (group->bytes == group->max_size * group->chunks)
		return c->held * group->max_size;
	for (size_t i = from; i < a->reach.tail; i++) {
		uint32_t id = a->reach.queue[i];

		if (g->groups.of[id] == a->group && ht_asking_counts(a, id))
			bytes += ht_nodes_get(&g->nodes, id).size;
	}
	return bytes;
}

/* What it holds, and nothing else from the from-th on, is reached. */
static void measure_held(struct ht_asking *a, struct ht_candidate *c,
			 size_t from)
{
	ht_asking_forget(a, from);
	seed(a, c);
	c->held = ht_asking_spread(a);
}

struct ht_candidate *ht_candidates_best(struct ht_asking *a,
					struct ht_candidates *all, int of_rank)
{
	size_t from = a->reach.tail;
	struct ht_candidate *best = NULL, *last = NULL;

	for (size_t i = 0; i < all->n; i++) {
		struct ht_candidate *c = &all->v[i];

		if (rank(c) != of_rank || c->references == 0)
			continue;
		last = c;
		measure_held(a, c, from);
		if (!best || c->held > best->held)
			best = c;
	}
	best = rather(a, all, best, of_rank);
	if (!best || best->held * 100 < a->asked * HT_HELD_ENOUGH ||
	    best->held == 0) {
		ht_asking_forget(a, from);
		return NULL;
	}
	if (best != last) /* whose are still reached, and may be millions */
		measure_held(a, best, from);
	best->bytes = bytes_of(a, best, from);
	return best;
}

bool ht_candidates_find(struct ht_asking *a, struct ht_candidates *all)
{
	ht_asking_forget(a, 0);
	all->n = 0;
	add_roots(a, all);
	if (a->asked * 2 <= ht_chunks_of(a, a->group))
		add_referrers(a, all);
	else
		add_fields(a, all);
	return all->n > 0;
}

bool ht_candidates_above(struct ht_asking *a, const struct ht_candidate *table,
			 struct ht_candidates *all)
{
	ht_asking_narrow(a, table->from, table->single);
	return ht_candidates_find(a, all);
}

bool ht_candidates_around(struct ht_asking *a, struct ht_candidates *all)
{
	ht_asking_around(a);
	ht_asking_forget(a, 0);
	all->n = 0;
	add_roots(a, all);
	return all->n > 0;
}
