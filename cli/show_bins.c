/* SPDX-License-Identifier: Apache-2.0 */
/* Bins: one line a bin that is not empty, all arenas together. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"
#include "cli/table.h"

static int by_place(const void *a, const void *b)
{
	const struct ht_bin *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return x->arena < y->arena ? -1 : x->arena > y->arena;
}

/* A copy of the rows that are not empty, in order of kind and index. The caller
 * frees. */
static struct ht_bin *filled_bins(const struct ht_snapshot *s, size_t *ret_n)
{
	struct ht_bin *bins = calloc(s->bins.n + 1, sizeof(*bins));
	size_t n = 0;

	for (size_t i = 0; bins && i < s->bins.n; i++) {
		const struct ht_bin *b = &s->bins.v[i];

		if (b->chunks)
			bins[n++] = *b;
	}
	if (bins)
		qsort(bins, n, sizeof(*bins), by_place);
	*ret_n = n;
	return bins;
}

static void size_range(struct ht_table *t, const struct ht_bin *b)
{
	if (b->min_size == HT_UNKNOWN)
		ht_table_text(t, "any");
	else if (b->max_size == HT_UNKNOWN)
		ht_table_text(t, "%" PRIu64 " ..", b->min_size);
	else if (b->max_size == b->min_size)
		ht_table_text(t, "%" PRIu64, b->min_size);
	else
		ht_table_text(t, "%" PRIu64 " .. %" PRIu64, b->min_size,
			      b->max_size);
}

/* Prints bins[0..n), all of one kind and index, as one row. */
static void bin_row(struct ht_table *t, const struct ht_bin *bins, size_t n)
{
	uint64_t chunks = 0, bytes = 0;

	for (size_t i = 0; i < n; i++) {
		chunks += bins[i].chunks;
		bytes += bins[i].bytes;
	}
	ht_table_row(t);
	ht_table_text(t, "%s",
		      bins->kind < HT_BIN_KIND_COUNT
			      ? ht_bin_kind_names[bins->kind]
			      : "?");
	ht_table_count(t, bins->index);
	size_range(t, bins);
	ht_table_count(t, chunks);
	ht_table_size(t, bytes);
	if (n == 1)
		ht_table_text(t, "%" PRIu64, bins->arena);
	else
		ht_table_text(t, "%zu arenas", n);
}

enum ht_code ht_show_bins(const struct ht_cli *cli, const struct ht_snapshot *s,
			  size_t max_rows, struct ht_err *err)
{
	static const struct ht_column columns[] = {
		{"bin", false},	  {"index", true}, {"chunk size", true},
		{"chunks", true}, {"bytes", true}, {"arena", true, 1}};
	HT_AUTO_FREE struct ht_bin *bins = NULL;
	HT_AUTO_TABLE struct ht_table t = {0};
	enum ht_code code;
	size_t n, same;

	(void)max_rows;
	bins = filled_bins(s, &n);
	if (!bins)
		return ht_fail(err, HT_NOMEM, "out of memory for a table");
	code = ht_table_init(&cli->term, cli->opt.bytes, columns, 6, &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < n; i += same) {
		same = 1;
		while (i + same < n && bins[i + same].kind == bins[i].kind &&
		       bins[i + same].index == bins[i].index)
			same++;
		bin_row(&t, bins + i, same);
	}
	if (n)
		return ht_table_print(&t, err);
	puts("all bins are empty");
	return HT_OK;
}
