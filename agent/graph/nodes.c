/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/nodes.h"

#include <stdlib.h>

#include "schema/records.h"

#define RANK_UNITS   HT_RANK_UNITS
#define BEFORE_UNITS 4096u
#define NONE	     UINT32_MAX

/* --- making -------------------------------------------------------------- */

/* At least one; of no units that begins behind the last. */
static size_t ranks_of(const struct ht_marked *m)
{
	return m->units ? (size_t)((m->units - 1) / RANK_UNITS) + 1 : 1;
}

static void index_units(struct ht_node_span *s, uint32_t *count)
{
	const struct ht_marked *m = s->marked;
	uint32_t last = NONE, inside = 0;

	for (uint64_t w = 0; w * 64 < m->units; w++) {
		if (w * 64 % RANK_UNITS == 0)
			s->rank[w * 64 / RANK_UNITS] = inside;
		if (w * 64 % BEFORE_UNITS == 0)
			s->before[w * 64 / BEFORE_UNITS] = last;
		inside += ht_ones(m->used[w]);
		if (m->bound[w])
			last = (uint32_t)(w * 64) + 63 -
			       (uint32_t)__builtin_clzll(m->bound[w]);
	}
	*count += inside;
}

static bool add_segment(struct ht_nodes *n, const struct ht_marked *m)
{
	struct ht_node_span *s = &n->span[n->n];
	size_t ranks = ranks_of(m);
	size_t marks = (size_t)(m->units / BEFORE_UNITS) + 1;

	*s = (struct ht_node_span){.start = m->first,
				   .end = m->end,
				   .marked = m,
				   .first = n->count,
				   .rank = calloc(ranks, sizeof(uint32_t)),
				   .before = calloc(marks, sizeof(uint32_t))};
	n->n++;
	n->bytes += (ranks + marks) * sizeof(uint32_t);
	if (!s->rank || !s->before)
		return false;
	index_units(s, &n->count);
	return true;
}

static int by_start(const void *x, const void *y)
{
	const struct ht_node_span *a = x, *b = y;

	return (a->start > b->start) - (a->start < b->start);
}

/* Numbers follow addresses. */
static void number(struct ht_nodes *n)
{
	uint32_t id = 0;

	if (n->n)
		qsort(n->span, n->n, sizeof(*n->span), by_start);
	for (size_t i = 0; i < n->n; i++) {
		struct ht_node_span *s = &n->span[i];
		uint32_t inside = 1;

		if (s->marked) {
			uint64_t last = ranks_of(s->marked) - 1;

			inside = s->rank[last];
			for (uint64_t w = last * (RANK_UNITS / 64);
			     w * 64 < s->marked->units; w++)
				inside += ht_ones(s->marked->used[w]);
		}
		s->first = id;
		id += inside;
	}
	n->count = id;
	n->low = n->n ? n->span[0].start : 0;
	n->high = n->n ? n->span[n->n - 1].end : 0;
}

enum ht_code ht_nodes_make(const struct ht_marks *m, struct ht_nodes *ret,
			   struct ht_err *err)
{
	size_t all = m->n + m->mmapped.n;
	bool ok;

	*ret = (struct ht_nodes){.word = 8};
	ret->span = calloc(all + 1, sizeof(*ret->span));
	ok = ret->span;
	for (size_t i = 0; ok && i < m->n; i++)
		ok = add_segment(ret, &m->segment[i]);
	for (size_t i = 0; ok && i < m->mmapped.n; i++)
		ret->span[ret->n++] =
			(struct ht_node_span){.start = m->mmapped.v[i].start,
					      .end = m->mmapped.v[i].end};
	if (!ok) {
		ht_nodes_fini(ret);
		return ht_fail(err, HT_NOMEM, "no memory for %zu segments",
			       all);
	}
	number(ret);
	return HT_OK;
}

void ht_nodes_fini(struct ht_nodes *n)
{
	for (size_t i = 0; i < n->n; i++) {
		free(n->span[i].rank);
		free(n->span[i].before);
	}
	free(n->span);
	*n = (struct ht_nodes){0};
}

/* --- looking up ---------------------------------------------------------- */

const struct ht_node_span *ht_nodes_span(const struct ht_nodes *n,
					 uint64_t address)
{
	size_t low = 0, high = n->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (n->span[mid].start <= address)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 && address < n->span[low - 1].end ? &n->span[low - 1]
							 : NULL;
}

/* The last bound at or before a unit; NONE. */
static uint32_t bound_at(const struct ht_node_span *s, uint64_t unit)
{
	const uint64_t *bound = s->marked->bound;
	uint64_t w = unit / 64, first = unit / BEFORE_UNITS * BEFORE_UNITS / 64;
	uint64_t bits = bound[w] & (UINT64_MAX >> (63 - unit % 64));

	while (!bits && w > first)
		bits = bound[--w];
	if (!bits)
		return s->before[unit / BEFORE_UNITS];
	return (uint32_t)(w * 64) + 63 - (uint32_t)__builtin_clzll(bits);
}

/* The next bound behind a unit; the last unit when there is none. */
static uint64_t bound_after(const struct ht_marked *m, uint64_t unit)
{
	uint64_t w = (unit + 1) / 64, words = (m->units + 63) / 64, bits;

	if (unit + 1 >= m->units)
		return m->units - 1;
	/* Most end in the same word: no loop for them. */
	bits = m->bound[w] & (UINT64_MAX << (unit + 1) % 64);
	while (!bits && ++w < words)
		bits = m->bound[w];
	return bits ? w * 64 + (uint64_t)__builtin_ctzll(bits) : m->units - 1;
}

static uint32_t rank_of(const struct ht_node_span *s, uint64_t unit)
{
	const uint64_t *used = s->marked->used;
	uint64_t w = unit / RANK_UNITS * (RANK_UNITS / 64);
	uint32_t n = s->rank[unit / RANK_UNITS];

	for (; w < unit / 64; w++)
		n += ht_ones(used[w]);
	return n + ht_ones(used[w] & ((UINT64_C(1) << unit % 64) - 1));
}

static bool is_used(const struct ht_marked *m, uint64_t unit)
{
	return m->used[unit / 64] >> unit % 64 & 1;
}

static uint32_t in_segment(const struct ht_node_span *s, uint64_t address,
			   enum ht_node_where *ret_where)
{
	const struct ht_marked *m = s->marked;
	uint64_t unit = (address - m->first) >> m->shift, inside;
	uint32_t at;

	if (unit >= m->units)
		return HT_NODE_NONE;
	at = bound_at(s, unit);
	if (at == NONE)
		return HT_NODE_NONE;
	inside = address - (m->first + ((uint64_t)at << m->shift));
	*ret_where = inside == 2 * m->word ? HT_NODE_START : HT_NODE_INSIDE;
	if (inside < m->word) {
		at = at ? bound_at(s, at - 1) : NONE;
		*ret_where = HT_NODE_EDGE;
	} else if (inside < 2 * m->word) {
		return HT_NODE_NONE; /* the size of the chunk there */
	}
	if (at == NONE || !is_used(m, at))
		return HT_NODE_NONE;
	return s->first + rank_of(s, at);
}

uint32_t ht_nodes_at(const struct ht_nodes *n, uint64_t address,
		     enum ht_node_where *ret_where)
{
	const struct ht_node_span *s;

	if (address - n->low >= n->high - n->low)
		return HT_NODE_NONE;
	s = ht_nodes_span(n, address);
	return s ? ht_nodes_in(n, s, address, ret_where) : HT_NODE_NONE;
}

uint32_t ht_nodes_in(const struct ht_nodes *n, const struct ht_node_span *s,
		     uint64_t address, enum ht_node_where *ret_where)
{
	if (s->marked)
		return in_segment(s, address, ret_where);
	if (address - s->start < 2 * n->word)
		return HT_NODE_NONE;
	*ret_where = address - s->start == 2 * n->word ? HT_NODE_START
						       : HT_NODE_INSIDE;
	return s->first;
}

const struct ht_node_span *ht_nodes_fetch(const struct ht_nodes *n,
					  const struct ht_node_span *last,
					  uint64_t address)
{
	uint64_t unit;

	if (!last || address < last->start || address >= last->end)
		last = ht_nodes_span(n, address);
	if (!last || !last->marked)
		return last;
	unit = (address - last->start) >> last->marked->shift;
	__builtin_prefetch(last->marked->bound + unit / 64);
	__builtin_prefetch(last->marked->used + unit / 64);
	__builtin_prefetch(last->rank + unit / HT_RANK_UNITS);
	return last;
}

uint64_t ht_nodes_count(const struct ht_nodes *n, const uint64_t *address,
			size_t of, uint32_t self)
{
	const struct ht_node_span *span[HT_NODES_AT_ONCE], *last = NULL;
	enum ht_node_where where;
	uint64_t count = 0;

	for (size_t i = 0; i < of; i++)
		last = span[i] = ht_nodes_fetch(n, last, address[i]);
	for (size_t i = 0; i < of; i++) {
		uint32_t to =
			span[i] ? ht_nodes_in(n, span[i], address[i], &where)
				: HT_NODE_NONE;

		count += to != HT_NODE_NONE && to != self;
	}
	return count;
}

/* --- by number ----------------------------------------------------------- */

/* Inlined by force where all nodes are gone through. */
static inline __attribute__((always_inline)) void
describe(const struct ht_nodes *n, const struct ht_node_span *s, uint64_t unit,
	 uint32_t id, struct ht_node *ret)
{
	const struct ht_marked *m = s->marked;

	ret->id = id;
	ret->mmapped = !m;
	ret->arena = m ? m->arena : HT_UNKNOWN;
	ret->chunk = m ? m->first + (unit << m->shift) : s->start;
	ret->size = m ? (bound_after(m, unit) - unit) << m->shift
		      : s->end - s->start;
	ret->user = ret->chunk + 2 * n->word;
	ret->end = ret->chunk + ret->size + (m ? n->word : 0);
}

void ht_nodes_describe(const struct ht_nodes *n, const struct ht_node_span *s,
		       uint64_t unit, uint32_t id, struct ht_node *ret)
{
	describe(n, s, unit, id, ret);
}

bool ht_nodes_starts(const struct ht_nodes *n, uint64_t address,
		     struct ht_node *ret)
{
	const struct ht_node_span *s = ht_nodes_span(n, address);
	enum ht_node_where where;
	uint32_t id = s ? ht_nodes_in(n, s, address, &where) : HT_NODE_NONE;

	if (id == HT_NODE_NONE || where != HT_NODE_START)
		return false;
	ht_nodes_describe(
		n, s,
		s->marked ? (address - 2 * n->word - s->marked->first) >>
				    s->marked->shift
			  : 0,
		id, ret);
	return true;
}

/* The unit of the k-th node of a segment. */
static uint64_t select_unit(const struct ht_node_span *s, uint32_t k)
{
	const struct ht_marked *m = s->marked;
	size_t low = 0, high = ranks_of(m);
	uint64_t w, bits;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (s->rank[mid] <= k)
			low = mid;
		else
			high = mid;
	}
	k -= s->rank[low];
	for (w = low * (RANK_UNITS / 64); k >= ht_ones(m->used[w]); w++)
		k -= ht_ones(m->used[w]);
	for (bits = m->used[w]; k > 0; k--)
		bits &= bits - 1;
	return w * 64 + (uint64_t)__builtin_ctzll(bits);
}

/* Segments without a node share their number with the next one. */
static size_t span_of(const struct ht_nodes *n, uint32_t id)
{
	size_t low = 0, high = n->n;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (n->span[mid].first <= id)
			low = mid;
		else
			high = mid;
	}
	return low;
}

static uint64_t unit_of(const struct ht_node_span *s, uint32_t id)
{
	return s->marked ? select_unit(s, id - s->first) : 0;
}

struct ht_node ht_nodes_get(const struct ht_nodes *n, uint32_t id)
{
	const struct ht_node_span *s = &n->span[span_of(n, id)];
	struct ht_node node = {0};

	ht_nodes_describe(n, s, unit_of(s, id), id, &node);
	return node;
}

static uint64_t word_of(const struct ht_node_span *s, size_t w)
{
	return s->marked ? s->marked->used[w] : w == 0;
}

static size_t words_of(const struct ht_node_span *s)
{
	return s->marked ? (size_t)((s->marked->units + 63) / 64) : 1;
}

bool ht_nodes_next(struct ht_node_walk *w, struct ht_node *ret)
{
	const struct ht_nodes *n = w->nodes;

	if (!w->begun && n->n)
		w->bits = word_of(&n->span[0], 0);
	w->begun = true;
	while (!w->bits) {
		if (w->span == n->n)
			return false;
		if (++w->word == words_of(&n->span[w->span])) {
			w->word = 0;
			if (++w->span == n->n)
				return false;
		}
		w->bits = word_of(&n->span[w->span], w->word);
	}
	describe(n, &n->span[w->span],
		 w->word * 64 + (uint64_t)__builtin_ctzll(w->bits), w->id++,
		 ret);
	w->bits &= w->bits - 1;
	return true;
}

struct ht_node_walk ht_nodes_from(const struct ht_nodes *n, uint32_t id)
{
	struct ht_node_walk w = {.nodes = n, .begun = true, .id = id};
	uint64_t unit;

	if (id >= n->count) {
		w.span = n->n;
		return w;
	}
	w.span = span_of(n, id);
	unit = unit_of(&n->span[w.span], id);
	w.word = (size_t)(unit / 64);
	w.bits = word_of(&n->span[w.span], w.word) & UINT64_MAX << unit % 64;
	return w;
}

uint32_t ht_nodes_half(const struct ht_nodes *n)
{
	uint64_t all = 0, before = 0;
	size_t i = 0;

	for (size_t k = 0; k < n->n; k++)
		all += n->span[k].end - n->span[k].start;
	while (i < n->n &&
	       before + (n->span[i].end - n->span[i].start) <= all / 2) {
		before += n->span[i].end - n->span[i].start;
		i++;
	}
	if (i == n->n)
		return n->count;
	if (!n->span[i].marked)
		return n->span[i].first;
	return n->span[i].first +
	       rank_of(&n->span[i],
		       (all / 2 - before) >> n->span[i].marked->shift);
}
