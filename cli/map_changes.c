/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/map_changes.h"

#include <stdlib.h>
#include <string.h>

void ht_map_changes_fini(struct ht_map_changes *c)
{
	free(c->v);
	*c = (struct ht_map_changes){0};
}

bool ht_map_grown(const struct ht_map_change *c, int64_t *ret)
{
	if (c->resident[0] == HT_UNKNOWN || c->resident[1] == HT_UNKNOWN)
		return false;
	*ret = (int64_t)(c->resident[1] - c->resident[0]);
	return true;
}

const struct ht_arena *ht_map_arena_at(const struct ht_snapshot *s,
				       uint64_t address)
{
	for (size_t i = 0; i < s->arenas.n; i++)
		if (s->arenas.v[i].address == address)
			return &s->arenas.v[i];
	return NULL;
}

/* Which position an arena of s[side] has in s[1]. */
static uint64_t index_now(const struct ht_snapshot s[2], int side,
			  uint64_t index)
{
	const struct ht_arena *now;

	if (side == 1)
		return index;
	for (size_t i = 0; i < s[0].arenas.n; i++) {
		if (s[0].arenas.v[i].index != index)
			continue;
		now = ht_map_arena_at(&s[1], s[0].arenas.v[i].address);
		return now ? now->index : HT_UNKNOWN;
	}
	return HT_UNKNOWN;
}

/* --- rows of both moments ------------------------------------------------- */

static struct ht_map_change of_heap(const struct ht_snapshot s[2], int side,
				    const struct ht_heap *h)
{
	struct ht_map_change c = {.address = h->address,
				  .arena = index_now(s, side, h->arena),
				  .kind = HT_UNKNOWN};

	c.there[side] = true;
	c.count[side] = 1;
	c.size[side] = h->size;
	c.resident[side] = h->resident;
	return c;
}

static struct ht_map_change of_mapping(int side, const struct ht_mapping *m)
{
	struct ht_map_change c = {
		.address = HT_UNKNOWN, .arena = HT_UNKNOWN, .kind = m->kind};

	memcpy(c.name, m->name, sizeof(c.name));
	c.there[side] = true;
	c.count[side] = m->count;
	c.size[side] = m->size;
	c.resident[side] = m->resident;
	return c;
}

static size_t rows_of(const struct ht_snapshot *s, enum ht_map_part part)
{
	return part == HT_MAP_HEAPS ? s->heaps.n : s->mappings.n;
}

static size_t take(const struct ht_snapshot s[2], int side,
		   enum ht_map_part part, uint64_t arena,
		   struct ht_map_change *to)
{
	size_t n = rows_of(&s[side], part), taken = 0;

	for (size_t i = 0; i < n; i++) {
		to[taken] = part == HT_MAP_HEAPS
				    ? of_heap(s, side, &s[side].heaps.v[i])
				    : of_mapping(side, &s[side].mappings.v[i]);
		taken += part != HT_MAP_HEAPS || arena == HT_UNKNOWN ||
			 to[taken].arena == arena;
	}
	return taken;
}

/* --- what is one thing, and what changed ---------------------------------- */

static int compare_keys(const struct ht_map_change *x,
			const struct ht_map_change *y)
{
	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strncmp(x->name, y->name, sizeof(x->name));
}

static int by_key(const void *a, const void *b)
{
	return compare_keys(a, b);
}

static uint64_t add(uint64_t a, uint64_t b)
{
	return a == HT_UNKNOWN || b == HT_UNKNOWN ? HT_UNKNOWN : a + b;
}

/* Also of one moment: names that nobody knows are all the same. */
static void join(struct ht_map_change *to, const struct ht_map_change *c)
{
	for (int i = 0; i < 2; i++) {
		to->there[i] |= c->there[i];
		to->count[i] = add(to->count[i], c->count[i]);
		to->size[i] = add(to->size[i], c->size[i]);
		to->resident[i] = add(to->resident[i], c->resident[i]);
	}
	if (c->there[1])
		to->arena = c->arena;
}

static bool is_same(const struct ht_map_change *c)
{
	return c->there[0] == c->there[1] && c->count[0] == c->count[1] &&
	       c->size[0] == c->size[1] && c->resident[0] == c->resident[1];
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	if (a == HT_UNKNOWN || b == HT_UNKNOWN)
		return 0;
	return a > b ? a - b : b - a;
}

static int most_first(const void *a, const void *b)
{
	const struct ht_map_change *x = a, *y = b;
	uint64_t d[2] = {distance(x->resident[0], x->resident[1]),
			 distance(y->resident[0], y->resident[1])};

	if (d[0] == d[1]) {
		d[0] = distance(x->size[0], x->size[1]);
		d[1] = distance(y->size[0], y->size[1]);
	}
	return d[0] == d[1] ? compare_keys(x, y) : d[0] > d[1] ? -1 : 1;
}

static void settle(struct ht_map_changes *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++) {
		join(&c->sum, &c->v[i]);
		if (kept && compare_keys(&c->v[kept - 1], &c->v[i]) == 0)
			join(&c->v[kept - 1], &c->v[i]);
		else
			c->v[kept++] = c->v[i];
	}
	c->n = 0;
	for (size_t i = 0; i < kept; i++) {
		if (is_same(&c->v[i]))
			c->same++;
		else
			c->v[c->n++] = c->v[i];
	}
	if (c->n)
		qsort(c->v, c->n, sizeof(*c->v), most_first);
}

enum ht_code ht_map_compare(const struct ht_snapshot s[2],
			    enum ht_map_part part, uint64_t arena,
			    struct ht_map_changes *ret, struct ht_err *err)
{
	size_t most = rows_of(&s[0], part) + rows_of(&s[1], part);

	ret->sum = (struct ht_map_change){
		.address = HT_UNKNOWN, .arena = HT_UNKNOWN, .kind = HT_UNKNOWN};
	for (int i = 0; i < 2; i++)
		ret->measured[i] = rows_of(&s[i], part) > 0;
	if (!ret->measured[0] || !ret->measured[1])
		return HT_OK;
	ret->v = calloc(most, sizeof(*ret->v));
	if (!ret->v)
		return ht_fail(err, HT_NOMEM, "out of memory for a map");
	for (int i = 0; i < 2; i++)
		ret->n += take(s, i, part, arena, ret->v + ret->n);
	qsort(ret->v, ret->n, sizeof(*ret->v), by_key);
	settle(ret);
	return HT_OK;
}
