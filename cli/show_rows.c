/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of a snapshot as tables. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"
#include "cli/table.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define BAR_WIDTH 16

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

/* Rows in descending order of the u64 field at `offset`; unknown counts as 0.
 * NULL when out of memory. The caller frees. */
static struct rank *ranked(const struct ht_snapshot *s, enum ht_record_id id,
			   size_t offset, struct ht_err *err)
{
	size_t n = ht_snapshot_count(s, id);
	struct rank *r = calloc(n + 1, sizeof(*r));

	if (!r) {
		ht_err_put(err, HT_NOMEM, 0, 0, "out of memory for a table");
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		/* The accessor is not const; the row is only read. */
		const char *row = ht_snapshot_row(
			(struct ht_snapshot *)(uintptr_t)s, id, i);

		memcpy(&r[i].key, row + offset, sizeof(r[i].key));
		if (r[i].key == HT_UNKNOWN)
			r[i].key = 0;
		r[i].row = i;
	}
	qsort(r, n, sizeof(*r), larger_first);
	return r;
}

static size_t shown(size_t n, size_t max_rows)
{
	return max_rows && n > max_rows ? max_rows : n;
}

static enum ht_code print_cut(struct ht_table *t, size_t n, size_t max_rows,
			      const char *what, struct ht_err *err)
{
	enum ht_code code = ht_table_print(t, err);

	if (code == HT_OK && shown(n, max_rows) < n)
		printf("and %zu more (%s)\n", n - max_rows, what);
	return code;
}

static void arena_row(struct ht_table *t, const struct ht_arena *a)
{
	ht_table_row(t);
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

static void arena_sum(struct ht_table *t, const struct ht_totals *sum)
{
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
	static const struct ht_column columns[] = {
		{"arena", true},    {"kind", false},	 {"system", true},
		{"in use", true},   {"free", true},	 {"top", true},
		{"retained", true}, {"trimmable", true}, {"pin holds", true},
		{"threads", true},  {"address", false}};
	HT_AUTO_FREE struct rank *order = NULL;
	HT_AUTO_TABLE struct ht_table t = {0};
	size_t n = s->arenas.n;
	enum ht_code code;

	if (!n)
		return HT_OK;
	order = ranked(s, HT_RECORD_arena, offsetof(struct ht_arena, system),
		       err);
	if (!order)
		return HT_NOMEM;
	code = ht_table_init(&cli->term, cli->opt.bytes, columns,
			     COUNT(columns), &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < shown(n, max_rows); i++)
		arena_row(&t, &s->arenas.v[max_rows ? order[i].row : i]);
	if (n == s->totals.arenas)
		arena_sum(&t, &s->totals);
	return print_cut(&t, n, max_rows, "heaptide arenas", err);
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

static bool is_empty(const struct ht_size_class *c)
{
	return c->in_use_chunks == 0 && c->free_chunks == 0;
}

enum ht_code ht_show_classes(const struct ht_cli *cli,
			     const struct ht_snapshot *s, size_t max_rows,
			     struct ht_err *err)
{
	static const struct ht_column columns[] = {
		{"chunk size", true},	   {"in use", true}, {"bytes", true},
		{"share of in use", true}, {"free", true},   {"bytes", true}};
	uint64_t whole = s->totals.in_use == HT_UNKNOWN ||
					 s->totals.mmapped == HT_UNKNOWN
				 ? HT_UNKNOWN
				 : s->totals.in_use + s->totals.mmapped;
	HT_AUTO_FREE struct rank *order = NULL;
	HT_AUTO_TABLE struct ht_table t = {0};
	size_t n = s->size_classs.n;
	enum ht_code code;

	if (!n)
		return HT_OK;
	order = ranked(s, HT_RECORD_size_class,
		       offsetof(struct ht_size_class, in_use_bytes), err);
	if (!order)
		return HT_NOMEM;
	code = ht_table_init(&cli->term, cli->opt.bytes, columns,
			     COUNT(columns), &t, err);
	if (code != HT_OK)
		return code;
	/* A class may be there for its free chunks alone, or for nothing. */
	while (n && is_empty(&s->size_classs.v[order[n - 1].row]))
		n--;
	for (size_t i = 0; i < shown(n, max_rows); i++) {
		const struct ht_size_class *c = &s->size_classs.v[order[i].row];

		ht_table_row(&t);
		size_label(&t, c->max_size);
		ht_table_count(&t, c->in_use_chunks);
		ht_table_size(&t, c->in_use_bytes);
		ht_table_share(&t, c->in_use_bytes, whole);
		ht_table_count(&t, c->free_chunks);
		ht_table_size(&t, c->free_bytes);
	}
	return print_cut(&t, n, max_rows, "heaptide classes", err);
}

enum ht_code ht_show_threads(const struct ht_cli *cli,
			     const struct ht_snapshot *s, size_t max_rows,
			     struct ht_err *err)
{
	static const struct ht_column columns[] = {{"thread", true},
						   {"arena", true},
						   {"tcache chunks", true},
						   {"tcache bytes", true}};
	HT_AUTO_FREE struct rank *order = NULL;
	HT_AUTO_TABLE struct ht_table t = {0};
	size_t n = s->threads.n;
	enum ht_code code;

	if (!n)
		return HT_OK;
	order = ranked(s, HT_RECORD_thread,
		       offsetof(struct ht_thread, tcache_bytes), err);
	if (!order)
		return HT_NOMEM;
	code = ht_table_init(&cli->term, cli->opt.bytes, columns,
			     COUNT(columns), &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < shown(n, max_rows); i++) {
		const struct ht_thread *h = &s->threads.v[order[i].row];

		ht_table_row(&t);
		ht_table_text(&t, "%" PRIu64, h->tid);
		if (h->arena == HT_UNKNOWN)
			ht_table_text(&t, "none");
		else
			ht_table_count(&t, h->arena);
		ht_table_count(&t, h->tcache_chunks);
		ht_table_size(&t, h->tcache_bytes);
	}
	return print_cut(&t, n, max_rows, "heaptide threads", err);
}

enum ht_code ht_show_heaps(const struct ht_cli *cli,
			   const struct ht_snapshot *s, size_t max_rows,
			   struct ht_err *err)
{
	static const struct ht_column columns[] = {
		{"heap", false},    {"arena", true},	      {"size", true},
		{"resident", true}, {"resident share", true}, {"", false}};
	HT_AUTO_TABLE struct ht_table t = {0};
	size_t n = s->heaps.n;
	enum ht_code code;

	if (!n)
		return HT_OK;
	code = ht_table_init(&cli->term, cli->opt.bytes, columns,
			     COUNT(columns), &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < shown(n, max_rows); i++) {
		const struct ht_heap *h = &s->heaps.v[i];
		char bar[BAR_WIDTH * 4];

		ht_table_row(&t);
		ht_table_text(&t, "0x%" PRIx64, h->address);
		ht_table_count(&t, h->arena);
		ht_table_size(&t, h->size);
		ht_table_size(&t, h->resident);
		ht_table_share(&t, h->resident, h->size);
		ht_table_text(&t, "%s",
			      ht_show_bar(cli, h->resident, h->size, BAR_WIDTH,
					  bar, sizeof(bar)));
	}
	return print_cut(&t, n, max_rows, "heaptide map", err);
}

enum ht_code ht_show_mappings(const struct ht_cli *cli,
			      const struct ht_snapshot *s, size_t max_rows,
			      struct ht_err *err)
{
	static const struct ht_column columns[] = {
		{"outside malloc", false}, {"name", false},
		{"mappings", true},	   {"size", true},
		{"resident", true},	   {"anonymous", true}};
	HT_AUTO_FREE struct rank *order = NULL;
	HT_AUTO_TABLE struct ht_table t = {0};
	size_t n = s->mappings.n;
	enum ht_code code;

	if (!n)
		return HT_OK;
	order = ranked(s, HT_RECORD_mapping,
		       offsetof(struct ht_mapping, resident), err);
	if (!order)
		return HT_NOMEM;
	code = ht_table_init(&cli->term, cli->opt.bytes, columns,
			     COUNT(columns), &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < shown(n, max_rows); i++) {
		const struct ht_mapping *m = &s->mappings.v[order[i].row];

		ht_table_row(&t);
		ht_table_text(&t, "%s",
			      m->kind < HT_MAPPING_KIND_COUNT
				      ? ht_mapping_kind_names[m->kind]
				      : "?");
		ht_table_text(&t, "%s", m->name);
		ht_table_count(&t, m->count);
		ht_table_size(&t, m->size);
		ht_table_size(&t, m->resident);
		ht_table_size(&t, m->anonymous);
	}
	return print_cut(&t, n, max_rows, "heaptide map", err);
}
