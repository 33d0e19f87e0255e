/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of a snapshot as tables. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"
#include "cli/table.h"
#include "common/chunk_text.h"

#define BAR_WIDTH 16

#define COLUMNS(...)                                                           \
	.columns = (const struct ht_column[]){__VA_ARGS__},                    \
	.columns_n = sizeof((const struct ht_column[]){__VA_ARGS__}) /         \
		     sizeof(struct ht_column)

/* What one list looks like. */
struct view {
	enum ht_record_id id;
	bool ranked;	      /* the largest first, by the u64 field at `key` */
	bool ranked_when_cut; /* only when not all rows are shown */
	size_t key;
	const struct ht_column *columns;
	size_t columns_n;
	const char *whole; /* the command that shows all rows */
	void (*row)(const struct ht_cli *cli, struct ht_table *t,
		    const struct ht_snapshot *s, const void *record);
	bool (*empty)(const void *record); /* not shown; ranked last */
	void (*sum)(struct ht_table *t, const struct ht_snapshot *s);
};

/* A row's place and the figure it is sorted by. */
struct rank {
	uint64_t key;
	size_t row;
};

static int larger_first(const void *a, const void *b)
{
	const struct rank *x = a, *y = b;

	if (x->key != y->key)
		return x->key > y->key ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

static const char *record_at(const struct ht_snapshot *s, enum ht_record_id id,
			     size_t row)
{
	/* The accessor is not const; the row is only read. */
	return ht_snapshot_row((struct ht_snapshot *)(uintptr_t)s, id, row);
}

/* Rows in the order of the view; unknown figures count as 0. NULL when out of
 * memory. The caller frees. */
static struct rank *ranks(const struct ht_snapshot *s, const struct view *v,
			  bool by_key)
{
	size_t n = ht_snapshot_count(s, v->id);
	struct rank *r = calloc(n + 1, sizeof(*r));

	for (size_t i = 0; r && i < n; i++) {
		r[i].row = i;
		if (!by_key)
			continue;
		memcpy(&r[i].key, record_at(s, v->id, i) + v->key,
		       sizeof(r[i].key));
		if (r[i].key == HT_UNKNOWN)
			r[i].key = 0;
	}
	if (r)
		qsort(r, n, sizeof(*r), larger_first);
	return r;
}

static enum ht_code show(const struct ht_cli *cli, const struct ht_snapshot *s,
			 const struct view *v, size_t max_rows,
			 struct ht_err *err)
{
	HT_AUTO_FREE struct rank *order = NULL;
	HT_AUTO_TABLE struct ht_table t = {0};
	size_t n = ht_snapshot_count(s, v->id), shown;
	enum ht_code code;

	if (!n)
		return HT_OK;
	order = ranks(s, v, v->ranked || (v->ranked_when_cut && max_rows));
	if (!order)
		return ht_fail(err, HT_NOMEM, "out of memory for a table");
	code = ht_table_init(&cli->term, cli->opt.bytes, v->columns,
			     v->columns_n, &t, err);
	if (code != HT_OK)
		return code;
	while (v->empty && n && v->empty(record_at(s, v->id, order[n - 1].row)))
		n--;
	shown = max_rows && n > max_rows ? max_rows : n;
	for (size_t i = 0; i < shown; i++) {
		ht_table_row(&t);
		v->row(cli, &t, s, record_at(s, v->id, order[i].row));
	}
	if (v->sum)
		v->sum(&t, s);
	code = ht_table_print(&t, err);
	if (code == HT_OK && shown < n)
		printf("and %zu more (%s)\n", n - shown, v->whole);
	return code;
}

/* --- the lists ----------------------------------------------------------- */

static void arena_row(const struct ht_cli *cli, struct ht_table *t,
		      const struct ht_snapshot *s, const void *record)
{
	const struct ht_arena *a = record;

	(void)cli;
	(void)s;
	ht_table_count(t, a->index);
	ht_table_text(t, "%s",
		      a->kind < HT_ARENA_KIND_COUNT
			      ? ht_arena_kind_names[a->kind]
			      : "?");
	ht_table_size(t, a->system);
	ht_table_size(t, a->in_use);
	ht_table_size(t, a->free);
	ht_table_size(t, a->top);
	ht_table_size(t, a->retained);
	ht_table_size(t, a->trimmable);
	ht_table_size(t, a->pin_holds == HT_UNKNOWN ? 0 : a->pin_holds);
	ht_table_count(t, a->attached_threads);
	ht_table_text(t, "0x%" PRIx64, a->address);
}

/* Of all arenas; where some were not read, it is no sum of these rows. */
static void arena_sum(struct ht_table *t, const struct ht_snapshot *s)
{
	const struct ht_totals *sum = &s->totals;

	if (s->arenas.n != sum->arenas)
		return;
	ht_table_row(t);
	ht_table_text(t, "sum");
	ht_table_text(t, "%s", "");
	ht_table_size(t, sum->system);
	ht_table_size(t, sum->in_use);
	ht_table_size(t, sum->free);
	ht_table_size(t, sum->top);
	ht_table_size(t, sum->retained);
	ht_table_size(t, sum->trimmable);
}

enum ht_code ht_show_arenas(const struct ht_cli *cli,
			    const struct ht_snapshot *s, size_t max_rows,
			    struct ht_err *err)
{
	const struct view view = {
		.id = HT_RECORD_arena,
		.ranked_when_cut = true,
		.key = offsetof(struct ht_arena, system),
		COLUMNS({"arena", true}, {"kind", false, 3}, {"system", true},
			{"in use", true}, {"free", true}, {"top", true, 2},
			{"retained", true}, {"trimmable", true},
			{"pin holds", true, 1}, {"threads", true, 4},
			{"address", false, 5}),
		.whole = "heaptide arenas",
		.row = arena_row,
		.sum = arena_sum,
	};

	return show(cli, s, &view, max_rows, err);
}

static void size_label(struct ht_table *t, uint64_t max_size)
{
	if (max_size == 0)
		ht_table_text(t, "mmapped");
	else if (max_size == HT_UNKNOWN)
		ht_table_text(t, "larger");
	else
		ht_table_text(t, "%s%" PRIu64, max_size > 1040 ? "<= " : "",
			      max_size);
}

/* A class may be there for its free chunks alone, or for nothing. */
static bool class_empty(const void *record)
{
	const struct ht_size_class *c = record;

	return c->in_use_chunks == 0 && c->free_chunks == 0;
}

/* What the program asked malloc for, to get such a chunk. */
static void request_label(struct ht_table *t, const struct ht_snapshot *s,
			  uint64_t max_size)
{
	uint64_t least, most;

	if (ht_chunk_requests(max_size, s->head.arch, &least, &most))
		ht_table_text(t, "%" PRIu64 "..%" PRIu64, least, most);
	else
		ht_table_text(t, "%s", "");
}

static void class_row(const struct ht_cli *cli, struct ht_table *t,
		      const struct ht_snapshot *s, const void *record)
{
	const struct ht_size_class *c = record;
	uint64_t whole = s->totals.in_use == HT_UNKNOWN ||
					 s->totals.mmapped == HT_UNKNOWN
				 ? HT_UNKNOWN
				 : s->totals.in_use + s->totals.mmapped;

	(void)cli;
	size_label(t, c->max_size);
	request_label(t, s, c->max_size);
	ht_table_count(t, c->in_use_chunks);
	ht_table_size(t, c->in_use_bytes);
	ht_table_share(t, c->in_use_bytes, whole);
	ht_table_count(t, c->free_chunks);
	ht_table_size(t, c->free_bytes);
}

enum ht_code ht_show_classes(const struct ht_cli *cli,
			     const struct ht_snapshot *s, size_t max_rows,
			     struct ht_err *err)
{
	const struct view view = {
		.id = HT_RECORD_size_class,
		.ranked = true,
		.key = offsetof(struct ht_size_class, in_use_bytes),
		COLUMNS({"chunk size", true}, {"malloc of", true},
			{"in use", true}, {"bytes", true},
			{"of in use", true, 3}, {"free", true, 1},
			{"bytes", true, 2}),
		.whole = "heaptide classes",
		.row = class_row,
		.empty = class_empty,
	};

	return show(cli, s, &view, max_rows, err);
}

static void thread_row(const struct ht_cli *cli, struct ht_table *t,
		       const struct ht_snapshot *s, const void *record)
{
	const struct ht_thread *h = record;

	(void)cli;
	(void)s;
	ht_table_text(t, "%" PRIu64, h->tid);
	if (h->arena == HT_UNKNOWN)
		ht_table_text(t, "none");
	else
		ht_table_count(t, h->arena);
	ht_table_count(t, h->tcache_chunks);
	ht_table_size(t, h->tcache_bytes);
}

enum ht_code ht_show_threads(const struct ht_cli *cli,
			     const struct ht_snapshot *s, size_t max_rows,
			     struct ht_err *err)
{
	const struct view view = {
		.id = HT_RECORD_thread,
		.ranked = true,
		.key = offsetof(struct ht_thread, tcache_bytes),
		COLUMNS({"thread", true}, {"arena", true},
			{"tcache chunks", true}, {"tcache bytes", true}),
		.whole = "heaptide threads",
		.row = thread_row,
	};

	return show(cli, s, &view, max_rows, err);
}

static unsigned digit(char c)
{
	return c >= 'a' ? (unsigned)(c - 'a' + 10) : (unsigned)(c - '0');
}

/* The heap by address, two of its stretches a sign: what most of it is. */
#define MAP_WIDTH (sizeof(((struct ht_heap *)NULL)->pages) / 4)
static const char *pages_text(const struct ht_cli *cli, const char *pages,
			      char out[MAP_WIDTH * 4])
{
	static const char *const signs[2][3] = {{".", "#", "-"},
						{"·", "█", "▒"}};
	size_t n = 0;

	for (const char *c = pages; c[0] && c[1] && c[2] && c[3]; c += 4) {
		unsigned held = digit(c[0]) + digit(c[2]);
		unsigned unused = digit(c[1]) + digit(c[3]);
		int sign = held + unused == 0 ? 0 : held >= unused ? 1 : 2;

		if (n + 4 >= MAP_WIDTH * 4)
			break;
		n += (size_t)sprintf(out + n, "%s",
				     signs[cli->term.utf8][sign]);
	}
	out[n] = '\0';
	return out;
}

static void heap_row(const struct ht_cli *cli, struct ht_table *t,
		     const struct ht_snapshot *s, const void *record)
{
	const struct ht_heap *h = record;
	char bar[BAR_WIDTH * 4], map[MAP_WIDTH * 4];

	(void)s;
	ht_table_text(t, "0x%" PRIx64, h->address);
	ht_table_count(t, h->arena);
	ht_table_size(t, h->size);
	ht_table_size(t, h->resident);
	ht_table_share(t, h->resident, h->size);
	ht_table_text(t, "%s",
		      ht_show_bar(cli, h->resident, h->size, BAR_WIDTH, bar,
				  sizeof(bar)));
	ht_table_text(t, "%s", pages_text(cli, h->pages, map));
}

enum ht_code ht_show_heaps(const struct ht_cli *cli,
			   const struct ht_snapshot *s, size_t max_rows,
			   struct ht_err *err)
{
	const struct view view = {
		.id = HT_RECORD_heap,
		COLUMNS({"heap", false}, {"arena", true}, {"size", true},
			{"resident", true}, {"resident share", true, 1},
			{"", false, 3}, {"held, free, gone", false, 2}),
		.whole = "heaptide map",
		.row = heap_row,
	};

	return show(cli, s, &view, max_rows, err);
}

static void mapping_row(const struct ht_cli *cli, struct ht_table *t,
			const struct ht_snapshot *s, const void *record)
{
	const struct ht_mapping *m = record;

	(void)cli;
	(void)s;
	ht_table_text(t, "%s",
		      m->kind < HT_MAPPING_KIND_COUNT
			      ? ht_mapping_kind_names[m->kind]
			      : "?");
	ht_table_text(t, "%s", m->name);
	ht_table_count(t, m->count);
	ht_table_size(t, m->size);
	ht_table_size(t, m->resident);
	ht_table_size(t, m->anonymous);
}

enum ht_code ht_show_mappings(const struct ht_cli *cli,
			      const struct ht_snapshot *s, size_t max_rows,
			      struct ht_err *err)
{
	const struct view view = {
		.id = HT_RECORD_mapping,
		.ranked = true,
		.key = offsetof(struct ht_mapping, resident),
		COLUMNS({"outside malloc", false}, {"name", false, 0, true},
			{"mappings", true, 2}, {"size", true},
			{"resident", true}, {"anonymous", true, 1}),
		.whole = "heaptide map",
		.row = mapping_row,
	};

	return show(cli, s, &view, max_rows, err);
}
