/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/reach.h"

#include "agent/self/pace.h"
#include "agent/self/table.h"

/* What a node leads to lies anywhere: each table is asked for a while before
 * the one that it leads to. */
#define FAR  96
#define NEAR 48
#define EDGE 48 /* references of one node: an array has millions */

enum ht_code ht_reach_begin(uint32_t nodes, struct ht_reach *ret,
			    struct ht_err *err)
{
	*ret = (struct ht_reach){
		.seen_bytes = ((size_t)nodes / 64 + 1) * sizeof(uint64_t),
		.queue_bytes = ((size_t)nodes + 1) * sizeof(uint32_t)};
	ret->seen = ht_table_new(ret->seen_bytes, HT_TABLE_ALL_OVER);
	ret->queue = ht_table_new(ret->queue_bytes, HT_TABLE_IN_TURN);
	if (ret->seen && ret->queue)
		return HT_OK;
	ht_reach_fini(ret);
	return ht_fail(err, HT_NOMEM, "no memory to mark %u chunks", nodes);
}

void ht_reach_fini(struct ht_reach *r)
{
	ht_table_free(r->seen, r->seen_bytes);
	ht_table_free(r->queue, r->queue_bytes);
	*r = (struct ht_reach){0};
}

/* An address in the last word of a chunk is as likely one of what follows. */
static bool may_follow(const struct ht_reach_in *in, uint32_t from, uint16_t at,
		       uint32_t to)
{
	uint16_t a, b;
	uint64_t count;

	if (!in->fields)
		return true;
	if (at & HT_REF_EDGE)
		return false;
	a = in->groups->of[from];
	b = in->groups->of[to];
	count = ht_fields_count(in->fields, a,
				ht_field_place(&in->groups->v[a], at), b);
	return ht_field_is_regular(in->groups, count, a, b);
}

static void take_found(void *ctx, uint32_t from, uint64_t place, uint32_t to,
		       enum ht_node_where where)
{
	(void)from;
	(void)place;
	(void)where;
	ht_reach_add(ctx, to);
}

/* From the highest bit on, in place: there are millions, and memory is short
 * where there are any. */
static void sort(uint32_t *v, size_t n, unsigned bit, unsigned *steps)
{
	size_t low = 0, high = n;

	if (n < 2)
		return;
	while (low < high) {
		uint32_t id = v[low];

		ht_pace_short_step(steps);
		if (!(id >> bit & 1)) {
			low++;
			continue;
		}
		v[low] = v[--high];
		v[high] = id;
	}
	if (bit == 0)
		return;
	sort(v, low, bit - 1, steps);
	sort(v + low, n - low, bit - 1, steps);
}

/* Those that were left: in order of address, so that what lies together is read
 * at once. */
static void read_again(const struct ht_reach_in *in, struct ht_reach *r,
		       unsigned *steps)
{
	size_t n = r->left;

	r->left = 0;
	sort(r->queue, n, 31, steps);
	ht_refs_scan_nodes(in->scan, r->queue, n, take_found, r, &r->unread);
}

/* Inlined by force: a function that only asks for memory has no effect that
 * the compiler would keep it for. */
static inline __attribute__((always_inline)) void
fetch(const struct ht_reach_in *in, const struct ht_reach *r)
{
	const struct ht_refs *refs = in->refs;

	if (r->head + FAR < r->tail)
		__builtin_prefetch(&refs->first[r->queue[r->head + FAR]]);
	if (r->head + NEAR < r->tail)
		__builtin_prefetch(
			&refs->to[refs->first[r->queue[r->head + NEAR]]]);
}

static inline __attribute__((always_inline)) void
fetch_target(const struct ht_reach_in *in, const struct ht_reach *r,
	     uint32_t to)
{
	__builtin_prefetch(&r->seen[to / 64]);
	if (in->groups)
		__builtin_prefetch(&in->groups->of[to]);
}

static void follow(const struct ht_reach_in *in, struct ht_reach *r,
		   uint32_t id, unsigned *steps)
{
	const struct ht_refs *refs = in->refs;

	for (uint32_t k = refs->first[id]; k < refs->first[id + 1]; k++) {
		ht_pace_short_step(steps);
		if (k + EDGE < refs->first[id + 1])
			fetch_target(in, r, refs->to[k + EDGE]);
		if (!ht_reach_has(r, refs->to[k]) &&
		    may_follow(in, id, refs->at[k], refs->to[k]))
			ht_reach_add(r, refs->to[k]);
	}
}

void ht_reach_run(const struct ht_reach_in *in, struct ht_reach *r)
{
	unsigned steps = 0;

	while (r->head < r->tail) {
		uint32_t id = r->queue[r->head];

		fetch(in, r);
		r->head++;
		if (id < in->refs->kept)
			follow(in, r, id, &steps);
		else if (!in->fields) /* nothing is known of its fields */
			r->queue[r->left++] = id;
		if (r->head == r->tail && r->left)
			read_again(in, r, &steps);
	}
}
