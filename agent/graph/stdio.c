/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/stdio.h"

#include "agent/self/pace.h"

#define MAGIC	   0xfbadu /* upper half of the flags */
#define BEGIN	   7	   /* words: of the buffer, and its end */
#define END	   8
#define WORDS	   9
#define WINDOW	   512 /* words */
#define BYTES_MAX  (UINT64_C(4) << 20)
#define BUFFER_MAX (UINT64_C(16) << 20)

void ht_streams_meet(struct ht_streams *s, const uint64_t *words, size_t n)
{
	if (n < WORDS || (uint32_t)words[0] >> 16 != MAGIC ||
	    words[END] <= words[BEGIN] ||
	    words[END] - words[BEGIN] > BUFFER_MAX || s->n == HT_STREAMS_MAX)
		return;
	s->buffer[s->n++] = words[BEGIN];
}

static void find_in(struct ht_streams *s, struct ht_reader *r, uint64_t from,
		    uint64_t end)
{
	uint64_t w[WINDOW];
	unsigned steps = 0;

	while (from < end) {
		size_t n = ht_reader_some(r, from, w, sizeof(w)) / 8;

		ht_pace_short_step(&steps);
		for (size_t i = 0; i + WORDS <= n; i++)
			ht_streams_meet(s, w + i, n - i);
		from += (WINDOW - WORDS + 1) * 8;
	}
}

void ht_streams_find(struct ht_streams *s, const struct ht_modules *m,
		     const struct ht_located *located, struct ht_reader *r)
{
	for (size_t i = 0; i < located->n; i++) {
		uint32_t at =
			ht_modules_at(m, located->malloc[i].main_arena, NULL);

		if (at == HT_MODULE_NONE)
			continue;
		for (unsigned k = 0; k < m->v[at].loads; k++) {
			const struct ht_module_load *l = &m->v[at].load[k];
			uint64_t end = l->end - l->start > BYTES_MAX
					       ? l->start + BYTES_MAX
					       : l->end;

			if (l->write)
				find_in(s, r, (l->start + 7) & ~UINT64_C(7),
					end);
		}
	}
}

/* The one of the same size, or a new one; HT_GROUP_REST: no room. */
static uint16_t group_like(struct ht_groups *g, const struct ht_group *like)
{
	for (size_t i = g->n; i-- > 1 && g->v[i].holds_none;)
		if (g->v[i].class == like->class)
			return (uint16_t)i;
	if (g->n == HT_GROUPS_MAX)
		return HT_GROUP_REST;
	g->v[g->n] = (struct ht_group){.type = like->type,
				       .class = like->class,
				       .max_size = like->max_size,
				       .holds_none = true};
	return (uint16_t)g->n++;
}

void ht_streams_part(const struct ht_streams *s, const struct ht_nodes *nodes,
		     struct ht_groups *g)
{
	for (size_t i = 0; i < s->n; i++) {
		struct ht_node node;
		uint16_t old, new;

		if (!ht_nodes_starts(nodes, s->buffer[i], &node))
			continue;
		old = g->of[node.id];
		new = g->v[old].holds_none ? old : group_like(g, &g->v[old]);
		if (old == new || old == HT_GROUP_REST || new == HT_GROUP_REST)
			continue;
		g->v[old].chunks--;
		g->v[old].bytes -= node.size;
		g->v[new].chunks++;
		g->v[new].bytes += node.size;
		g->of[node.id] = new;
	}
}
