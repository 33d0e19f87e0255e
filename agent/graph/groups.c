/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/groups.h"

#include <stdlib.h>

#include "agent/self/pace.h"
#include "agent/self/table.h"

#define SLOTS	    (1u << 17)
#define FIELDS	    (1u << 20)
#define FIELDS_FULL (FIELDS / 4 * 3)
#define ARRAY_FROM  16384u /* larger chunks are arrays, not structs */
/* Of a hundred members as many must have a field that counts. */
#define REGULAR_PERCENT 60
#define FEW		8 /* members: too few to say so of the held ones */

static uint32_t mix(uint64_t key)
{
	key *= UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(key >> 32);
}

/* --- groups -------------------------------------------------------------- */

static bool make_tables(struct ht_groups *g)
{
	g->v = calloc(HT_GROUPS_MAX, sizeof(*g->v));
	g->slot = calloc(SLOTS, sizeof(*g->slot));
	g->n = 1;
	return g->v && g->slot;
}

enum ht_code ht_groups_begin(uint32_t nodes, struct ht_groups *ret,
			     struct ht_err *err)
{
	*ret = (struct ht_groups){.of_bytes = ((size_t)nodes + 1) *
					      sizeof(uint16_t)};
	ret->of = ht_table_new(ret->of_bytes, HT_TABLE_ALL_OVER);
	if (make_tables(ret) && ret->of)
		return HT_OK;
	ht_groups_fini(ret);
	return ht_fail(err, HT_NOMEM, "no memory for groups");
}

enum ht_code ht_groups_beside(const struct ht_groups *g, struct ht_groups *ret,
			      struct ht_err *err)
{
	*ret = (struct ht_groups){.of = g->of, .beside = true};
	if (make_tables(ret))
		return HT_OK;
	ht_groups_fini(ret);
	return ht_fail(err, HT_NOMEM, "no memory for groups");
}

void ht_groups_fini(struct ht_groups *g)
{
	if (!g->beside)
		ht_table_free(g->of, g->of_bytes);
	free(g->v);
	free(g->slot);
	*g = (struct ht_groups){0};
}

static uint16_t find(struct ht_groups *g, uint32_t class, uint32_t type)
{
	uint32_t i = mix((uint64_t) class << 32 | type) % SLOTS;
	struct ht_group *v;

	for (; g->slot[i]; i = (i + 1) % SLOTS) {
		v = &g->v[g->slot[i]];
		if (v->class == class && v->type == type)
			return (uint16_t)g->slot[i];
	}
	if (g->n == HT_GROUPS_MAX)
		return HT_GROUP_REST;
	v = &g->v[g->n];
	v->class = class;
	v->type = type;
	v->max_size = class == HT_CLASSES ? 0 : ht_class_max(class);
	g->slot[i] = (uint32_t)g->n;
	return (uint16_t)g->n++;
}

void ht_groups_add(struct ht_groups *g, const struct ht_node *node,
		   uint32_t type)
{
	unsigned class = node->mmapped ? HT_CLASSES : ht_class_of(node->size);
	uint16_t group = type == HT_TYPE_NONE ? g->plain[class] : 0;

	if (!group)
		group = find(g, class, type);
	if (type == HT_TYPE_NONE)
		g->plain[class] = group;
	g->of[node->id] = group;
	g->v[group].chunks++;
	g->v[group].bytes += node->size;
}

bool ht_groups_join(struct ht_groups *g, const struct ht_groups *second,
		    const uint16_t *type, uint32_t from, uint32_t to)
{
	uint16_t *name = calloc(second->n, sizeof(*name));
	unsigned steps = 0;

	if (!name)
		return false;
	for (size_t i = 0; i < second->n; i++) {
		const struct ht_group *v = &second->v[i];

		if (i != HT_GROUP_REST)
			name[i] = find(g, v->class, type[v->type]);
		g->v[name[i]].chunks += v->chunks;
		g->v[name[i]].bytes += v->bytes;
	}
	for (uint32_t i = from; i < to; i++) {
		ht_pace_short_step(&steps);
		g->of[i] = name[g->of[i]];
	}
	free(name);
	return true;
}

/* By counting: a pass over all nodes, which are in order already. */
bool ht_members_list(const struct ht_groups *g, uint32_t nodes, uint32_t *node,
		     struct ht_members *ret)
{
	uint32_t *at = calloc(g->n + 1, sizeof(*at));
	uint32_t sum = 0;
	unsigned steps = 0;

	*ret = (struct ht_members){
		.first = calloc(g->n + 1, sizeof(*ret->first)), .node = node};
	if (!at || !ret->first) {
		free(at);
		ht_members_fini(ret);
		return false;
	}
	for (size_t i = 0; i < g->n; i++) {
		at[i] = ret->first[i] = sum;
		sum += (uint32_t)g->v[i].chunks;
	}
	ret->first[g->n] = sum;
	for (uint32_t i = 0; i < nodes; i++) {
		ht_pace_short_step(&steps);
		node[at[g->of[i]]++] = i;
	}
	free(at);
	return true;
}

void ht_members_fini(struct ht_members *m)
{
	free(m->first);
	*m = (struct ht_members){0};
}

/* --- fields -------------------------------------------------------------- */

uint16_t ht_field_place(const struct ht_group *from, uint16_t at)
{
	if (from->max_size == 0 || from->max_size > ARRAY_FROM)
		at = (uint16_t)((at & ~HT_REF_PLACE) | HT_REF_FAR);
	return at & (uint16_t)~HT_REF_EDGE;
}

static struct ht_field_count *slot_of(const struct ht_fields *f, uint16_t from,
				      uint16_t at, uint16_t to)
{
	uint64_t key = (uint64_t)from << 32 | (uint64_t)to << 16 | at;
	uint32_t i = mix(key) % FIELDS;

	for (;; i = (i + 1) % FIELDS) {
		struct ht_field_count *c = &f->v[i];

		if (c->count == 0 ||
		    (c->from == from && c->at == at && c->to == to))
			return c;
	}
}

static void count(struct ht_fields *f, uint16_t from, uint16_t at, uint16_t to)
{
	struct ht_field_count *c = slot_of(f, from, at, to);

	if (c->count == 0) {
		if (f->n == FIELDS_FULL) {
			f->lost++;
			return;
		}
		f->n++;
		c->from = from;
		c->at = at;
		c->to = to;
	}
	c->count++;
}

/* They are gone through often: without what is empty between them. */
static bool list_all(struct ht_fields *f)
{
	size_t n = 0;

	f->all = calloc(f->n + 1, sizeof(*f->all));
	for (size_t i = 0; f->all && i < FIELDS && n < f->n; i++)
		if (f->v[i].count)
			f->all[n++] = f->v[i];
	return f->all;
}

#define AHEAD 32

enum ht_code ht_fields_make(const struct ht_nodes *n, const struct ht_refs *r,
			    const struct ht_groups *g, struct ht_fields *ret,
			    struct ht_err *err)
{
	unsigned steps = 0;
	void *table = ht_table_new(FIELDS * sizeof(*ret->v), HT_TABLE_IN_TURN);

	if (!table)
		return ht_fail(err, HT_NOMEM, "no memory for fields");
	*ret = (struct ht_fields){.v = table};
	for (uint32_t i = 0; i < n->count; i++) {
		for (uint32_t k = r->first[i]; k < r->first[i + 1]; k++) {
			ht_pace_short_step(&steps);
			if (k + AHEAD < r->n)
				__builtin_prefetch(&g->of[r->to[k + AHEAD]]);
			count(ret, g->of[i],
			      ht_field_place(&g->v[g->of[i]], r->at[k]),
			      g->of[r->to[k]]);
		}
	}
	return list_all(ret) ? HT_OK
			     : ht_fail(err, HT_NOMEM, "no memory for fields");
}

void ht_fields_fini(struct ht_fields *f)
{
	ht_table_free(f->v, FIELDS * sizeof(*f->v));
	free(f->all);
	*f = (struct ht_fields){0};
}

uint64_t ht_fields_count(const struct ht_fields *f, uint16_t from, uint16_t at,
			 uint16_t to)
{
	return slot_of(f, from, at, to)->count;
}

const struct ht_field_count *ht_fields_next(const struct ht_fields *f,
					    size_t *i)
{
	return *i < f->n ? &f->all[(*i)++] : NULL;
}

bool ht_field_is_regular(const struct ht_groups *g, uint64_t count,
			 uint16_t from, uint16_t to)
{
	if (g->v[from].holds_none)
		return false;
	uint64_t holders = g->v[from].chunks, held = g->v[to].chunks;

	return count * 100 >= holders * REGULAR_PERCENT ||
	       (held >= FEW && count * 100 >= held * REGULAR_PERCENT);
}
