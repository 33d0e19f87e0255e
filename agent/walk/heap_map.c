/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/walk/heap_map.h"

#include <string.h>

void ht_heap_map_begin(struct ht_heap_map *m, const struct ht_segment *s)
{
	uint64_t each = (s->end - s->start) / HT_HEAP_CELLS;

	*m = (struct ht_heap_map){.start = s->start, .cell = each ? each : 1};
}

/* The last cell has what the division leaves. */
static uint64_t cell_end(const struct ht_heap_map *m, size_t i, uint64_t end)
{
	return i + 1 < HT_HEAP_CELLS ? m->start + (i + 1) * m->cell : end;
}

void ht_heap_map_free(struct ht_heap_map *m, const struct ht_pages *pages,
		      uint64_t from, uint64_t to)
{
	while (from < to) {
		size_t i = (size_t)((from - m->start) / m->cell);
		uint64_t end;

		i = i < HT_HEAP_CELLS ? i : HT_HEAP_CELLS - 1;
		end = cell_end(m, i, to);
		end = end < to ? end : to;
		m->free[i] += ht_pages_resident(pages, from, end);
		from = end;
	}
}

/* 0: nothing, f: all; whatever lies between is told from both. */
static char share(uint64_t part, uint64_t all)
{
	if (part == 0 || all == 0)
		return '0';
	return part >= all ? 'f' : "123456789abcde"[part * 14 / all];
}

void ht_heap_map_text(const struct ht_heap_map *m, const struct ht_segment *s,
		      const struct ht_pages *pages, char out[HT_HEAP_MAP_TEXT])
{
	uint64_t from = s->start;

	for (size_t i = 0; i < HT_HEAP_CELLS; i++) {
		uint64_t end = cell_end(m, i, s->end);
		uint64_t resident = ht_pages_resident(pages, from, end);
		uint64_t unused = m->free[i] < resident ? m->free[i] : resident;

		out[2 * i] = share(resident - unused, end - from);
		out[2 * i + 1] = share(unused, end - from);
		from = end;
	}
	out[HT_HEAP_MAP_TEXT - 1] = '\0';
}
