/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text of a hostile /proc/PID/maps: parsed or refused. Once parsed, mappings
 * are in order, and each address belongs to the last line that told of it,
 * however the pieces overlap.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/memory/maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_order(const struct ht_maps *m, size_t size)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].start >= m->v[i].end ||
		    (i > 0 && m->v[i].start < m->v[i - 1].end) ||
		    ht_maps_at(m, m->v[i].start) != &m->v[i] ||
		    strlen(ht_vma_path(m, &m->v[i])) > size)
			abort();
}

/* What one line alone says; false: it holds nothing. */
static bool line_says(const char *line, size_t len, struct ht_vma *ret)
{
	struct ht_maps m;
	bool is_one;

	if (ht_maps_parse(line, len, &m, NULL) != HT_OK)
		abort(); /* it was taken before */
	is_one = m.n == 1;
	if (is_one)
		*ret = m.v[0];
	ht_maps_fini(&m);
	return is_one;
}

static bool same_mapping(const struct ht_vma *a, const struct ht_vma *b)
{
	return a->flags == b->flags && a->inode == b->inode &&
	       a->dev == b->dev && a->offset == b->offset;
}

/* Lines from the last to the first: each stands for the addresses below those
 * of the lines behind it. */
static void check_pieces(const struct ht_maps *m, const char *text, size_t size)
{
	uint64_t taken_from = UINT64_MAX;
	size_t end = size, left = m->n;

	while (end > 0) {
		size_t at = end - (text[end - 1] == '\n');
		const struct ht_vma *v;
		struct ht_vma told;

		while (at > 0 && text[at - 1] != '\n')
			at--;
		if (!line_says(text + at, end - at, &told))
			abort();
		end = at;
		if (told.start >= taken_from)
			continue; /* others said it later */
		v = left > 0 ? &m->v[--left] : NULL;
		if (!v || v->start != told.start || !same_mapping(v, &told) ||
		    v->end != (told.end < taken_from ? told.end : taken_from))
			abort();
		taken_from = told.start;
	}
	if (left != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ht_maps m;
	struct ht_err err;

	if (ht_maps_parse((const char *)data, size, &m, &err) != HT_OK)
		return 0;
	check_order(&m, size);
	check_pieces(&m, (const char *)data, size);
	ht_maps_fini(&m);
	return 0;
}
