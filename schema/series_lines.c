/* SPDX-License-Identifier: Apache-2.0 */
/* The lines of a series: what its rows say of each bin, arena, class, thread.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "schema/series.h"
#include "schema/series_int.h"

/* --- columns ------------------------------------------------------------- */

/* Slot of a key in the table of lines: of its line, or an empty one. Slots hold
 * the line's number, from 1. */
static size_t slot_of(const struct ht_series *s, enum ht_lines list,
		      const uint64_t *key)
{
	uint64_t hash = (uint64_t)list;
	size_t at;

	for (size_t i = 0; i < HT_LINE_KEYS; i++)
		hash = (hash ^ key[i]) * UINT64_C(0x9e3779b97f4a7c15);
	at = (hash ^ hash >> 32) & (s->line_slots_n - 1);
	for (;; at = (at + 1) & (s->line_slots_n - 1)) {
		const struct ht_list_line *l;

		if (!s->line_slots[at])
			return at;
		l = &s->lines[s->line_slots[at] - 1];
		if (l->list == list && !memcmp(l->key, key, sizeof(l->key)))
			return at;
	}
}

/* Room for twice as many lines, half of the slots empty. */
static int grow_table(struct ht_series *s)
{
	size_t more = s->lines_capacity ? 2 * s->lines_capacity : 64;
	struct ht_list_line *l = reallocarray(s->lines, more, sizeof(*l));
	uint32_t *slots = calloc(2 * more, sizeof(*slots));

	if (l)
		s->lines = l;
	if (!l || !slots) {
		free(slots);
		return -1;
	}
	free(s->line_slots);
	s->line_slots = slots;
	s->line_slots_n = 2 * more;
	s->lines_capacity = more;
	for (size_t i = 0; i < s->lines_n; i++)
		slots[slot_of(s, s->lines[i].list, s->lines[i].key)] =
			(uint32_t)i + 1;
	return 0;
}

/* All figures of a line, -1 when out of memory. */
static int grow_line(const struct ht_series *s, struct ht_list_line *l,
		     size_t rows, size_t capacity)
{
	int bad = 0;

	for (size_t f = 0; f < ht_line_kinds[l->list].figures_n; f++)
		bad |= ht_series_grow_all(s, l->value[f], HT_BANDS, rows,
					  capacity);
	return bad;
}

int ht_series_grow_lines(struct ht_series *s, size_t capacity)
{
	int bad = 0;

	for (size_t i = 0; i < s->lines_n; i++)
		bad |= grow_line(s, &s->lines[i], s->rows, capacity);
	for (int list = 0; list < HT_LINES_COUNT; list++) {
		bool *listed = realloc(s->listed[list], capacity);

		if (!listed)
			return -1;
		s->listed[list] = listed;
		memset(listed + s->rows, 0, capacity - s->rows);
	}
	return bad;
}

static void free_line(struct ht_list_line *l)
{
	for (size_t f = 0; f < HT_LINE_FIGURES; f++)
		for (int b = 0; b < HT_BANDS; b++)
			if (b == 0 || l->value[f][b] != l->value[f][0])
				free(l->value[f][b]);
}

void ht_series_free_lines(struct ht_series *s)
{
	for (size_t i = 0; i < s->lines_n; i++)
		free_line(&s->lines[i]);
	for (int list = 0; list < HT_LINES_COUNT; list++)
		free(s->listed[list]);
	free(s->lines);
	free(s->line_slots);
}

void ht_series_keep_lines(struct ht_series *s, const bool *keep)
{
	for (size_t i = 0; i < s->lines_n; i++)
		for (size_t f = 0;
		     f < ht_line_kinds[s->lines[i].list].figures_n; f++)
			ht_series_keep_columns(s->lines[i].value[f], HT_BANDS,
					       s->rows, keep);
	for (int list = 0; s->rows && list < HT_LINES_COUNT; list++) {
		size_t to = 0;

		for (size_t row = 0; row < s->rows; row++)
			if (keep[row])
				s->listed[list][to++] = s->listed[list][row];
		memset(s->listed[list] + to, 0, s->rows - to);
	}
}

struct ht_list_line *ht_series_line(struct ht_series *s, enum ht_lines list,
				    const uint64_t key[HT_LINE_KEYS])
{
	struct ht_list_line *l;
	size_t slot;

	if (s->lines_n == s->lines_capacity && grow_table(s))
		return NULL;
	slot = slot_of(s, list, key);
	if (s->line_slots[slot])
		return &s->lines[s->line_slots[slot] - 1];
	l = &s->lines[s->lines_n++];
	s->line_slots[slot] = (uint32_t)s->lines_n;
	*l = (struct ht_list_line){
		.list = list, .min_size = HT_UNKNOWN, .max_size = HT_UNKNOWN};
	memcpy(l->key, key, sizeof(l->key));
	return grow_line(s, l, 0, s->capacity) ? NULL : l;
}

/* Rows before the first that knows any figure of the line. */
static size_t born(const struct ht_list_line *l, size_t rows)
{
	for (size_t row = 0; row < rows; row++)
		for (size_t f = 0; f < ht_line_kinds[l->list].figures_n; f++)
			if (!isnan(l->value[f][HT_MIDDLE][row]))
				return row;
	return rows;
}

static void set_row(struct ht_list_line *l, size_t row, double v)
{
	for (size_t f = 0; f < ht_line_kinds[l->list].figures_n; f++)
		for (int b = 0; b < HT_BANDS; b++)
			l->value[f][b][row] = v;
}

size_t ht_series_fill_some_lines(struct ht_series *s, size_t from, size_t n)
{
	size_t until = n < s->lines_n - from ? from + n : s->lines_n;

	for (size_t i = from; i < until; i++) {
		struct ht_list_line *l = &s->lines[i];
		size_t end = ht_line_kinds[l->list].zero ? born(l, s->rows) : 0;

		for (size_t row = 0; row < end; row++)
			if (s->listed[l->list][row])
				set_row(l, row, 0);
	}
	return until;
}

void ht_series_fill_lines(struct ht_series *s)
{
	ht_series_fill_some_lines(s, 0, SIZE_MAX);
}

/* --- from a snapshot ----------------------------------------------------- */

void ht_series_begin_lines(struct ht_series *s, enum ht_lines list, size_t row)
{
	s->listed[list][row] = true;
	for (size_t i = 0; i < s->lines_n; i++)
		if (s->lines[i].list == list)
			set_row(&s->lines[i], row,
				ht_line_kinds[list].zero ? 0 : NAN);
}

/* Figure f of the line becomes, or grows by, v. What is unknown stays so. */
static void put(struct ht_list_line *l, size_t row, size_t f, uint64_t v,
		bool add)
{
	double value = v == HT_UNKNOWN ? NAN : (double)v;

	if (add)
		value += l->value[f][HT_MIDDLE][row];
	for (int b = 0; b < HT_BANDS; b++)
		l->value[f][b][row] = value;
}

/* Address of the arena with this index; HT_UNKNOWN when it is not listed. The
 * index is a position in the ring: each new arena shifts the others. */
static uint64_t arena_address(const struct ht_snapshot *s, uint64_t index)
{
	for (size_t i = 0; i < s->arenas.n; i++)
		if (s->arenas.v[i].index == index)
			return s->arenas.v[i].address;
	return HT_UNKNOWN;
}

static bool put_bins(struct ht_series *s, enum ht_lines list,
		     const struct ht_snapshot *from, size_t row)
{
	for (size_t i = 0; i < from->bins.n; i++) {
		const struct ht_bin *b = &from->bins.v[i];
		const uint64_t key[HT_LINE_KEYS] = {
			list == HT_LINES_BINS ? 0
					      : arena_address(from, b->arena),
			b->kind, b->index};
		size_t before = s->lines_n;
		struct ht_list_line *l = ht_series_line(s, list, key);

		if (!l)
			return false;
		if (s->lines_n > before)
			set_row(l, row, 0); /* to be added to */
		l->min_size = b->min_size;
		l->max_size = b->max_size;
		put(l, row, 0, b->bytes, true);
		put(l, row, 1, b->chunks, true);
	}
	return true;
}

static uint64_t heaps_of(const struct ht_snapshot *s, uint64_t index)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->heaps.n; i++)
		n += s->heaps.v[i].arena == index;
	return n;
}

static struct ht_list_line *line_of(struct ht_series *s, enum ht_lines list,
				    uint64_t key)
{
	return ht_series_line(s, list, (uint64_t[HT_LINE_KEYS]){key});
}

static bool put_arenas(struct ht_series *s, const struct ht_snapshot *from,
		       uint64_t records, size_t row)
{
	for (size_t i = 0; i < from->arenas.n; i++) {
		const struct ht_arena *a = &from->arenas.v[i];
		const uint64_t v[HT_LINE_FIGURES] = {
			a->system,
			a->in_use,
			a->free,
			a->top,
			a->trimmable,
			a->retained,
			records & (UINT64_C(1) << HT_RECORD_heap)
				? heaps_of(from, a->index)
				: HT_UNKNOWN};
		struct ht_list_line *l =
			line_of(s, HT_LINES_ARENAS, a->address);

		for (size_t f = 0; l && f < HT_LINE_FIGURES; f++)
			put(l, row, f, v[f], false);
		if (!l)
			return false;
	}
	return true;
}

static bool put_two(struct ht_list_line *l, size_t row, uint64_t bytes,
		    uint64_t chunks)
{
	if (!l)
		return false;
	put(l, row, 0, bytes, false);
	put(l, row, 1, chunks, false);
	return true;
}

static bool put_classes(struct ht_series *s, const struct ht_snapshot *from,
			size_t row)
{
	bool fine = true;

	for (size_t i = 0; fine && i < from->size_classes.n; i++) {
		const struct ht_size_class *c = &from->size_classes.v[i];

		if (c->max_size) /* mmapped chunks are never free */
			fine = put_two(
				line_of(s, HT_LINES_FREE_CLASSES, c->max_size),
				row, c->free_bytes, c->free_chunks);
	}
	return fine;
}

static bool put_threads(struct ht_series *s, const struct ht_snapshot *from,
			size_t row)
{
	bool fine = true;

	for (size_t i = 0; fine && i < from->threads.n; i++) {
		const struct ht_thread *t = &from->threads.v[i];

		fine = put_two(line_of(s, HT_LINES_THREADS, t->tid), row,
			       t->tcache_bytes, t->tcache_chunks);
	}
	return fine;
}

enum ht_code ht_series_put_lines(struct ht_series *s, enum ht_lines list,
				 size_t row, const struct ht_snapshot *from,
				 uint64_t records, struct ht_err *err)
{
	bool fine = true;

	if (!(records >> ht_line_kinds[list].record & 1))
		return HT_OK;
	ht_series_begin_lines(s, list, row);
	switch (list) {
	case HT_LINES_BINS:
	case HT_LINES_ARENA_BINS:
		fine = put_bins(s, list, from, row);
		break;
	case HT_LINES_ARENAS:
		fine = put_arenas(s, from, records, row);
		break;
	case HT_LINES_FREE_CLASSES:
		fine = put_classes(s, from, row);
		break;
	case HT_LINES_THREADS:
		fine = put_threads(s, from, row);
		break;
	case HT_LINES_COUNT:
		break;
	}
	return fine ? HT_OK
		    : ht_fail(err, HT_NOMEM, "no memory for %s of row %zu",
			      ht_line_kinds[list].name, row);
}

/* --- in buckets ---------------------------------------------------------- */

static const enum ht_stat stats[HT_BANDS] = {HT_STAT_MIN, HT_STAT_MEDIAN,
					     HT_STAT_MAX};

int ht_series_reduce_line(const struct ht_list_line *l, const struct ht_rows *r,
			  struct ht_series *ret)
{
	struct ht_list_line *to = ht_series_line(ret, l->list, l->key);

	if (!to)
		return -1;
	to->min_size = l->min_size;
	to->max_size = l->max_size;
	for (size_t f = 0; f < ht_line_kinds[l->list].figures_n; f++)
		ht_series_reduce(l->value[f], stats, HT_BANDS, r, false,
				 to->value[f], ret->rows - 1);
	return 0;
}

void ht_series_list_lines(const struct ht_series *s, size_t from, size_t end,
			  struct ht_series *ret)
{
	for (int list = 0; list < HT_LINES_COUNT; list++) {
		bool listed = false;

		for (size_t i = from; i < end; i++)
			listed |= s->listed[list][i];
		if (listed)
			ht_series_begin_lines(ret, (enum ht_lines)list,
					      ret->rows - 1);
	}
}
