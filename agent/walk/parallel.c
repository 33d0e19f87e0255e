/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parallel: arenas dealt out to two threads, ourselves and the helper.
 *
 * Each walks a row of neighbouring arenas of about half the bytes, with a state
 * and a snapshot of its own; what the helper found is then appended, so that
 * rows are in the order of the arenas as always. Where one arena is most of the
 * heap, or too large for half of our memory, it is split instead
 * (parallel_segment.c).
 */
#include <stdlib.h>

#include "agent/self/helper.h"
#include "agent/walk/heaps.h"

#define SHARE_FROM  ((uint64_t)16 << 20)  /* bytes of all arenas */
#define LARGEST	    ((uint64_t)512 << 20) /* of one arena */
#define SHARE_LEAST 4 /* the smaller part is at least 1/4 of all */

struct part {
	struct ht_walk walk;
	struct ht_walk_in in;
	struct ht_reader reader;
	struct ht_marks marks;
	struct ht_snapshot out;
	size_t from, to; /* arenas */
	enum ht_code code;
	struct ht_err err;
};

static enum ht_code walk_row(struct ht_walk *w, size_t from, size_t to,
			     struct ht_err *err)
{
	enum ht_code code = HT_OK;

	for (size_t i = from; code == HT_OK && i < to; i++)
		code = ht_arena_walk(w, &w->roots->arena[i], err);
	return code;
}

static void run(void *ctx)
{
	struct part *s = ctx;

	s->code = walk_row(&s->walk, s->from, s->to, &s->err);
}

/* Marks take two bits for each 16 bytes or less: half of their memory each must
 * do for all. */
static bool marks_fit(const struct ht_walk *w)
{
	const struct ht_marks *m = w->in->marks;

	return !m || w->total / 32 <= m->bytes_max - m->bytes;
}

/* The first arena of the second part; 0: not to be shared. */
static size_t find_cut(const struct ht_walk *w)
{
	const struct ht_roots *r = w->roots;
	uint64_t first = 0, rest = w->total;
	size_t cut = 0;

	if (w->in->moving || w->in->alone || w->in->light ||
	    w->total < SHARE_FROM || !marks_fit(w))
		return 0;
	while (cut < r->arenas && first < rest) {
		if (r->arena[cut].system > LARGEST)
			return 0;
		first += r->arena[cut].system;
		rest = w->total - first;
		cut++;
	}
	for (size_t i = cut; i < r->arenas; i++)
		if (r->arena[i].system > LARGEST)
			return 0;
	return rest >= w->total / SHARE_LEAST ? cut : 0;
}

static void share_free(struct part *s)
{
	if (!s)
		return;
	ht_view_fini(&s->walk.window);
	ht_ranges_fini(&s->walk.arenas);
	ht_ranges_fini(&s->walk.foreign);
	ht_marks_fini(&s->marks);
	ht_snapshot_fini(&s->out);
	free(s);
}

static struct part *prepare(const struct ht_walk *w, size_t from)
{
	struct part *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	ht_snapshot_init(&s->out);
	s->reader = ht_reader_twin(w->in->reader);
	s->in = *w->in;
	s->in.reader = &s->reader;
	s->in.progress = NULL;
	s->in.round = NULL; /* which learns in order */
	if (s->in.marks) {
		s->marks.bytes_max =
			(s->in.marks->bytes_max - s->in.marks->bytes) / 2;
		s->in.marks->told_max /= 2;
		s->marks.told_max = s->in.marks->told_max;
		s->in.marks = &s->marks;
	}
	if (s->in.teller)
		s->in.teller++; /* the helper's */
	s->walk.in = &s->in;
	s->walk.roots = w->roots;
	s->walk.census = w->census; /* borrowed, only read */
	s->walk.out = &s->out;
	s->from = from;
	s->to = w->roots->arenas;
	if (ht_view_init(&s->walk.window, &s->reader, UINT64_MAX, NULL) !=
	    HT_OK) {
		share_free(s);
		return NULL;
	}
	return s;
}

/* --- together again ------------------------------------------------------ */

static void add_runs(struct ht_runs *to, const struct ht_runs *from)
{
	ht_classes_add(to->by_class, from->by_class, HT_CLASSES);
	if (from->largest > to->largest)
		to->largest = from->largest;
	for (unsigned i = 0; i < 4; i++) {
		to->bytes[i] += from->bytes[i];
		to->count[i] += from->count[i];
	}
}

static bool add_rows(struct ht_snapshot *to, struct ht_snapshot *from)
{
	bool ok = ht_snapshot_append_list(to, from, HT_RECORD_arena) &&
		  ht_snapshot_append_list(to, from, HT_RECORD_bin) &&
		  ht_snapshot_append_list(to, from, HT_RECORD_heap) &&
		  ht_snapshot_append_list(to, from, HT_RECORD_warning);

	for (size_t i = 0; i < from->findings.n; i++) {
		const struct ht_finding *f = &from->findings.v[i];

		ht_walk_find(to, f->code, f->address, f->arena, "%s", f->text);
	}
	return ok;
}

static bool add_ranges(struct ht_ranges *to, const struct ht_ranges *from)
{
	bool ok = true;

	for (size_t i = 0; ok && i < from->n; i++)
		ok = ht_ranges_add(to, from->v[i].start, from->v[i].end);
	return ok;
}

static enum ht_code take(struct ht_walk *w, struct part *s, struct ht_err *err)
{
	const struct ht_walk *from = &s->walk;

	if (s->code != HT_OK) {
		*err = s->err;
		return s->code;
	}
	ht_classes_add(w->in_use, from->in_use, HT_CLASSES);
	ht_classes_add(w->free, from->free, HT_CLASSES);
	add_runs(&w->runs, &from->runs);
	ht_kept_add(&w->kept, &from->kept);
	w->heaps_resident += from->heaps_resident;
	w->heaps_swapped += from->heaps_swapped;
	w->free_swapped += from->free_swapped;
	w->fastbin_chunks += from->fastbin_chunks;
	w->binned_chunks += from->binned_chunks;
	w->unread |= from->unread;
	w->trimmable_private += from->trimmable_private;
	w->private_unknown |= from->private_unknown;
	w->done += from->done;
	ht_reader_add(w->in->reader, &s->reader);
	if (w->in->marks && !ht_marks_append(w->in->marks, &s->marks))
		return ht_fail(err, HT_NOMEM, "no memory for marks");
	if (add_rows(w->out, &s->out) &&
	    add_ranges(&w->arenas, &from->arenas) &&
	    add_ranges(&w->foreign, &from->foreign))
		return HT_OK;
	return ht_fail(err, HT_NOMEM, "no memory for rows");
}

/* Both at once, each with half of the memory for tables. */
static enum ht_code walk_both(struct ht_walk *w, struct part *s,
			      struct ht_err *err)
{
	const struct ht_walk_in *whole = w->in;
	struct ht_walk_in in = *whole;
	enum ht_code code;

	in.tables_max = ht_walk_tables_max(whole) / 2;
	in.round = NULL;
	w->in = &in;
	code = walk_row(w, 0, s->from, err);
	w->in = whole;
	ht_helper_wait();
	return code == HT_OK ? take(w, s, err) : code;
}

enum ht_code ht_arenas_walk(struct ht_walk *w, struct ht_err *err)
{
	size_t cut = find_cut(w);
	struct part *s = cut ? prepare(w, cut) : NULL;
	enum ht_code code;

	if (s)
		s->in.tables_max = ht_walk_tables_max(w->in) / 2;
	if (s && ht_helper_run(run, s))
		code = walk_both(w, s, err);
	else
		code = walk_row(w, 0, w->roots->arenas, err);
	share_free(s);
	return code;
}
