/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/walk/marks.h"

#include <stdlib.h>
#include <string.h>

#include "agent/self/table.h"
#include "agent/walk/links.h"

static size_t map_bytes(uint64_t units)
{
	return (size_t)(units / 64 + 2) * sizeof(uint64_t);
}

static bool grow(struct ht_marks *m, size_t more)
{
	size_t to = m->capacity * 2 + 16 + more;
	void *grown;

	if (m->n + more <= m->capacity)
		return true;
	grown = reallocarray(m->segment, to, sizeof(*m->segment));
	if (!grown)
		return false;
	m->segment = grown;
	m->capacity = to;
	return true;
}

struct ht_marked *ht_marks_add(struct ht_marks *m, const struct ht_layout *l,
			       const struct ht_segment *s, uint64_t arena)
{
	unsigned shift = (unsigned)__builtin_ctz(l->align);
	/* The end of the last chunk is marked, too. */
	uint64_t units = ((s->end - s->first) >> shift) + 1;
	size_t bytes = 2 * map_bytes(units);
	struct ht_marked *k;

	if (m->full || bytes > m->bytes_max - m->bytes || !grow(m, 1)) {
		m->full = true;
		return NULL;
	}
	k = &m->segment[m->n];
	*k = (struct ht_marked){
		.start = s->start,
		.first = s->first,
		.end = s->end,
		.units = units,
		.shift = shift,
		.word = l->word,
		.arena = arena,
		.bound = ht_table_new(map_bytes(units), HT_TABLE_ALL_OVER),
		.used = ht_table_new(map_bytes(units), HT_TABLE_ALL_OVER)};
	if (!k->bound || !k->used) {
		ht_table_free(k->bound, map_bytes(units));
		ht_table_free(k->used, map_bytes(units));
		m->full = true;
		return NULL;
	}
	if (m->told_max >= map_bytes(units)) {
		k->told = ht_table_new(map_bytes(units), HT_TABLE_ALL_OVER);
		m->told_max -= map_bytes(units);
	}
	m->n++;
	m->bytes += bytes;
	return k;
}

/* The segment that a chunk lies in, or NULL: the last ones are asked for most.
 */
static struct ht_marked *marked_of(struct ht_marks *m, uint64_t chunk)
{
	for (size_t i = m->n; i-- > 0;) {
		struct ht_marked *k = &m->segment[i];

		if (chunk >= k->first &&
		    (chunk - k->first) >> k->shift < k->units)
			return k;
	}
	return NULL;
}

static void drop(struct ht_marked *k, uint64_t unit)
{
	k->used[unit / 64] &= ~(UINT64_C(1) << unit % 64);
}

void ht_marks_drop(struct ht_marks *m, uint64_t chunk)
{
	struct ht_marked *k = marked_of(m, chunk);

	if (k)
		drop(k, (chunk - k->first) >> k->shift);
}

/* No granule has records of two segments. */
void ht_marks_drop_fast(struct ht_marks *m, const struct ht_links *l)
{
	const struct ht_record_index *x = &l->fast;

	for (size_t g = 0; g < x->granules; g++) {
		size_t i = x->first[g];
		size_t end = g + 1 < x->granules ? x->first[g + 1] : x->n;
		uint64_t first =
			ht_links_address(l, (uint32_t)(g << HT_GRANULE_SHIFT));
		struct ht_marked *k = i < end ? marked_of(m, first) : NULL;

		for (; k && i < end; i++)
			if (!(x->v[i].mark & HT_FAST_CANDIDATE))
				drop(k, ((first - k->first) >> k->shift) +
						x->v[i].slot);
	}
}

static int by_address(const void *x, const void *y)
{
	const struct ht_marked *a = x, *b = y;

	return (a->first > b->first) - (a->first < b->first);
}

bool ht_marks_end(struct ht_marks *m, const struct ht_ranges *mmapped)
{
	bool ok = true;

	if (m->n)
		qsort(m->segment, m->n, sizeof(*m->segment), by_address);
	for (size_t i = 0; ok && i < mmapped->n; i++)
		ok = ht_ranges_add(&m->mmapped, mmapped->v[i].start,
				   mmapped->v[i].end);
	ht_ranges_sort(&m->mmapped);
	return ok;
}

void ht_marks_fini(struct ht_marks *m)
{
	for (size_t i = 0; i < m->n; i++) {
		ht_table_free(m->segment[i].bound,
			      map_bytes(m->segment[i].units));
		ht_table_free(m->segment[i].used,
			      map_bytes(m->segment[i].units));
		ht_table_free(m->segment[i].told,
			      map_bytes(m->segment[i].units));
	}
	free(m->segment);
	ht_ranges_fini(&m->mmapped);
	*m = (struct ht_marks){0};
}

/* --- two writers --------------------------------------------------------- */

static uint64_t word_of(const struct ht_marked *m, uint64_t address)
{
	return ((address - m->first) >> m->shift) / 64;
}

struct ht_marked ht_marked_half(const struct ht_marked *m, uint64_t chunk)
{
	struct ht_marked half = *m;

	half.from = word_of(m, chunk) + 1;
	half.kept_bound = half.kept_used = 0;
	return half;
}

void ht_marked_take(struct ht_marked *m, const struct ht_marked *half)
{
	m->bound[half->from - 1] |= half->kept_bound;
	m->used[half->from - 1] |= half->kept_used;
}

void ht_marked_drop(struct ht_marked *m, const struct ht_marked *half,
		    uint64_t end)
{
	uint64_t last = word_of(m, end);
	size_t bytes;

	if (last < half->from)
		return;
	bytes = (size_t)(last + 1 - half->from) * sizeof(uint64_t);
	memset(m->bound + half->from, 0, bytes);
	memset(m->used + half->from, 0, bytes);
}

bool ht_marks_append(struct ht_marks *m, struct ht_marks *from)
{
	if (!grow(m, from->n))
		return false;
	if (from->n)
		memcpy(m->segment + m->n, from->segment,
		       from->n * sizeof(*from->segment));
	m->n += from->n;
	m->bytes += from->bytes;
	m->full = m->full || from->full;
	from->n = 0;
	return true;
}
