/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tracks.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"

#define ROWS_MAX 2000 /* more than any terminal can show */

const struct ht_track_kind ht_track_kinds[HT_TRACK_LISTS] = {
	[HT_TRACK_BINS] =
		{"bins", "bin", {"bytes", "chunks"}, {"bytes", "chunks"}, 2},
	[HT_TRACK_ARENAS] = {"arenas",
			     "arena",
			     {"free", "system", "in_use", "top", "trimmable",
			      "retained", "heaps"},
			     {"bytes", "bytes", "bytes", "bytes", "bytes",
			      "bytes", "heaps"},
			     7},
	[HT_TRACK_CLASSES] = {"classes",
			      "class",
			      {"in_use_bytes", "in_use_chunks", "free_bytes",
			       "free_chunks"},
			      {"bytes", "chunks", "bytes", "chunks"},
			      4},
	[HT_TRACK_THREADS] = {"threads",
			      "thread",
			      {"tcache_bytes", "tcache_chunks"},
			      {"bytes", "chunks"},
			      2},
};

enum ht_code ht_no_arena(uint64_t index, size_t n, struct ht_err *err)
{
	if (n == 0)
		return ht_fail(err, HT_NODATA,
			       "there is no arena %" PRIu64
			       ": none was measured",
			       index);
	if (n == 1)
		return ht_fail(err, HT_USAGE,
			       "there is no arena %" PRIu64
			       ": 0 is the only one",
			       index);
	return ht_fail(err, HT_USAGE,
		       "there is no arena %" PRIu64 ": 0 to %zu are", index,
		       n - 1);
}

void ht_tracks_fini(struct ht_tracks *t)
{
	ht_series_fini(&t->series);
	free(t->v);
	*t = (struct ht_tracks){0};
}

const char *ht_track_name(const struct ht_tracks *t, const struct ht_track *k,
			  char out[HT_TRACK_NAME])
{
	char size[HT_NUMBER_TEXT] = "";

	if (t->list == HT_TRACK_BINS) {
		if (k->min_size != HT_UNKNOWN)
			snprintf(size, sizeof(size), ", %" PRIu64 "%s B",
				 k->min_size,
				 k->max_size == k->min_size ? "" : "+");
		snprintf(out, HT_TRACK_NAME, "%s %" PRIu64 "%s",
			 k->key[1] < HT_BIN_KIND_COUNT
				 ? ht_bin_kind_names[k->key[1]]
				 : "?",
			 k->key[2], size);
	} else if (t->list == HT_TRACK_ARENAS && k->index != HT_UNKNOWN) {
		snprintf(out, HT_TRACK_NAME, "%" PRIu64 " 0x%" PRIx64, k->index,
			 k->key[0]);
	} else if (t->list == HT_TRACK_ARENAS) {
		snprintf(out, HT_TRACK_NAME, "0x%" PRIx64, k->key[0]);
	} else if (t->list == HT_TRACK_CLASSES && k->key[0] == 0) {
		snprintf(out, HT_TRACK_NAME, "mmapped");
	} else if (t->list == HT_TRACK_CLASSES) {
		snprintf(out, HT_TRACK_NAME, "%s%" PRIu64 " B",
			 k->key[0] > 1040 ? "<= " : "", k->key[0]);
	} else {
		snprintf(out, HT_TRACK_NAME, "thread %" PRIu64, k->key[0]);
	}
	return out;
}

/* --- which lines --------------------------------------------------------- */

struct choice {
	uint64_t arena;	      /* address; HT_UNKNOWN: all together */
	uint64_t kind, index; /* of bins; HT_UNKNOWN: any */
};

/* KIND or KIND:INDEX. */
static enum ht_code parse_bin(const char *text, struct choice *ret,
			      struct ht_err *err)
{
	size_t n = strcspn(text, ":");
	static char none[] = "";
	char *end = none;

	for (uint64_t k = 0; k < HT_BIN_KIND_COUNT; k++)
		if (strlen(ht_bin_kind_names[k]) == n &&
		    !strncmp(ht_bin_kind_names[k], text, n))
			ret->kind = k;
	if (ret->kind != HT_UNKNOWN && text[n])
		ret->index = strtoull(text + n + 1, &end, 10);
	if (ret->kind == HT_UNKNOWN || *end || (text[n] && !text[n + 1]))
		return ht_fail(
			err, HT_USAGE,
			"'%s' is no bin: fast, unsorted, small or large, and an index as in small:5",
			text);
	return HT_OK;
}

static enum ht_code parse_figure(const char *word, struct ht_tracks *t,
				 struct ht_err *err)
{
	char known[128] = "";

	for (size_t f = 0; f < t->kind->figures_n; f++) {
		size_t used = strlen(known);

		if (!word || !strcmp(word, t->kind->figures[f])) {
			t->figure = f;
			return HT_OK;
		}
		snprintf(known + used, sizeof(known) - used, "%s%s",
			 used ? ", " : "", t->kind->figures[f]);
	}
	return ht_fail(err, HT_USAGE, "%s have no '%s' over time: %s",
		       t->kind->list, word, known);
}

/* The indexes of arenas as they are now, and the address of the wanted one:
 * an index is a position in a ring that each new arena shifts. */
static enum ht_code name_arenas(struct ht_cli *cli, struct ht_tracks *t,
				struct choice *c, struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot now;
	HT_AUTO_STORE struct ht_store *store = NULL;
	enum ht_code code = ht_history_open(&cli->opt, &store, err);

	ht_snapshot_init(&now);
	if (code == HT_OK)
		code = ht_store_snapshot_at(store, t->process.id, INT64_MAX,
					    &now, err);
	if (code == HT_NODATA && cli->opt.arena == HT_UNKNOWN)
		return HT_OK;
	for (size_t i = 0; i < now.arenas.n; i++) {
		const struct ht_arena *a = &now.arenas.v[i];

		if (a->index == cli->opt.arena)
			c->arena = a->address;
		for (size_t k = 0; k < t->n; k++)
			if (t->list == HT_TRACK_ARENAS &&
			    t->v[k].key[0] == a->address)
				t->v[k].index = a->index;
	}
	if (code == HT_OK && cli->opt.arena != HT_UNKNOWN &&
	    c->arena == HT_UNKNOWN)
		return ht_no_arena(cli->opt.arena, now.arenas.n, err);
	return code;
}

static bool is_chosen(const struct ht_tracks *t, const struct choice *c,
		      const struct ht_list_line *l)
{
	if (t->list == HT_TRACK_BINS)
		return (c->kind == HT_UNKNOWN || l->key[1] == c->kind) &&
		       (c->index == HT_UNKNOWN || l->key[2] == c->index) &&
		       (c->arena == HT_UNKNOWN || l->key[0] == c->arena);
	return t->list != HT_TRACK_ARENAS || c->arena == HT_UNKNOWN ||
	       l->key[0] == c->arena;
}

/* --- gathering ----------------------------------------------------------- */

static struct ht_track *add(struct ht_tracks *t, const uint64_t *key)
{
	struct ht_track *grown = reallocarray(t->v, t->n + 1, sizeof(*grown)),
			*k;

	if (!grown)
		return NULL;
	t->v = grown;
	k = &grown[t->n++];
	*k = (struct ht_track){.min_size = HT_UNKNOWN,
			       .max_size = HT_UNKNOWN,
			       .index = HT_UNKNOWN};
	memcpy(k->key, key, sizeof(k->key));
	return k;
}

/* Figure `name` of the list's own table. */
static size_t figure_of(const struct ht_line_kind *k, const char *name)
{
	size_t f = 0;

	while (f < k->figures_n && strcmp(k->figures[f], name) != 0)
		f++;
	return f;
}

static bool add_lines(struct ht_tracks *t, const struct choice *c)
{
	for (size_t i = 0; i < t->series.lines_n; i++) {
		const struct ht_list_line *l = &t->series.lines[i];
		const struct ht_line_kind *kind = &ht_line_kinds[l->list];
		struct ht_track *k;

		if (!is_chosen(t, c, l))
			continue;
		k = add(t, l->key);
		if (!k)
			return false;
		k->min_size = l->min_size;
		k->max_size = l->max_size;
		for (size_t f = 0; f < t->kind->figures_n; f++)
			for (int b = 0; b < HT_BANDS; b++)
				k->value[f][b] = l->value[figure_of(
					kind, t->kind->figures[f])][b];
	}
	return true;
}

/* A class that is not known beside others held nothing. */
static void fill_classes(struct ht_series *s)
{
	for (size_t row = 0; row < s->rows; row++) {
		bool known = false;

		for (size_t i = 0; i < s->classes_n; i++)
			known |= !isnan(
				s->classes[i].bytes[HT_STAT_MEDIAN][row]);
		for (size_t i = 0; known && i < s->classes_n; i++) {
			struct ht_class_series *c = &s->classes[i];

			for (int k = 0; k < HT_STAT_COUNT; k++)
				if (isnan(c->bytes[k][row]))
					c->bytes[k][row] = 0;
			if (isnan(c->chunks[row]))
				c->chunks[row] = 0;
		}
	}
}

static bool add_classes(struct ht_tracks *t)
{
	static const enum ht_stat stats[HT_BANDS] = {
		HT_STAT_MIN, HT_STAT_MEDIAN, HT_STAT_MAX};
	struct ht_series *s = &t->series;

	fill_classes(s);
	for (size_t i = 0; i < s->classes_n; i++) {
		const struct ht_class_series *c = &s->classes[i];
		struct ht_track *k =
			add(t, (uint64_t[HT_LINE_KEYS]){c->max_size});

		if (!k)
			return false;
		for (int b = 0; b < HT_BANDS; b++) {
			k->value[0][b] = c->bytes[stats[b]];
			k->value[1][b] = c->chunks;
		}
		for (size_t l = 0; l < s->lines_n; l++)
			for (int b = 0;
			     s->lines[l].key[0] == c->max_size && b < HT_BANDS;
			     b++) {
				k->value[2][b] = s->lines[l].value[0][b];
				k->value[3][b] = s->lines[l].value[1][b];
			}
	}
	return true;
}

static bool is_known(const struct ht_tracks *t, size_t row)
{
	for (size_t i = 0; i < t->n; i++)
		for (size_t f = 0; f < t->kind->figures_n; f++) {
			const double *v = t->v[i].value[f][HT_MIDDLE];

			if (v && !isnan(v[row]))
				return true;
		}
	return false;
}

/* Most samples of a daemon leave its lists out: what is not asked for in one
 * second of sixty is not unknown in the others. The time between two looks
 * tells a gap. */
static enum ht_code keep_looks(struct ht_tracks *t, struct ht_err *err)
{
	HT_AUTO_FREE bool *keep = calloc(t->series.rows + 1, sizeof(*keep));

	if (!keep)
		return ht_fail(err, HT_NOMEM, "out of memory for %s",
			       t->kind->list);
	for (size_t row = 0; row < t->series.rows; row++)
		keep[row] = is_known(t, row);
	ht_series_keep_rows(&t->series, keep);
	return HT_OK;
}

static void measure(struct ht_tracks *t, struct ht_track *k)
{
	const double *v = k->value[t->figure][HT_MIDDLE];
	double low = NAN, high = NAN;

	for (size_t row = 0; v && row < t->series.rows; row++) {
		low = fmin(low, v[row]);
		high = fmax(high, v[row]);
	}
	k->moved = isnan(low) ? -1 : high - low;
}

static int movers_first(const void *a, const void *b)
{
	const struct ht_track *x = a, *y = b;

	if (x->moved != y->moved)
		return x->moved > y->moved ? -1 : 1;
	for (int i = 0; i < HT_LINE_KEYS; i++)
		if (x->key[i] != y->key[i])
			return x->key[i] < y->key[i] ? -1 : 1;
	return 0;
}

static int parts_of(enum ht_track_list list, bool by_arena)
{
	switch (list) {
	case HT_TRACK_BINS:
		return HT_SERIES_LIST(by_arena ? HT_LINES_ARENA_BINS
					       : HT_LINES_BINS);
	case HT_TRACK_ARENAS:
		return HT_SERIES_LIST(HT_LINES_ARENAS);
	case HT_TRACK_CLASSES:
		return HT_SERIES_CLASSES |
		       HT_SERIES_LIST(HT_LINES_FREE_CLASSES);
	case HT_TRACK_THREADS:
	case HT_TRACK_LISTS:
		break;
	}
	return HT_SERIES_LIST(HT_LINES_THREADS);
}

static enum ht_code gather(struct ht_cli *cli, struct ht_tracks *t,
			   struct choice *c, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	if (t->list == HT_TRACK_BINS)
		code = name_arenas(cli, t, c, err); /* whose bins? */
	if (code != HT_OK)
		return code;
	if (t->list == HT_TRACK_CLASSES ? !add_classes(t) : !add_lines(t, c))
		return ht_fail(err, HT_NOMEM, "out of memory for %s",
			       t->kind->list);
	if (t->list != HT_TRACK_ARENAS)
		return HT_OK;
	code = name_arenas(cli, t, c, err);
	for (size_t k = 0; c->arena != HT_UNKNOWN && k < t->n; k++)
		if (t->v[k].key[0] == c->arena) {
			t->v[0] = t->v[k];
			t->n = 1;
		}
	return code;
}

enum ht_code ht_tracks_read(struct ht_cli *cli, enum ht_track_list list,
			    bool medians, struct ht_tracks *ret,
			    struct ht_err *err)
{
	const bool none[HT_METRIC_COUNT] = {false};
	const struct ht_options *o = &cli->opt;
	const struct ht_history_ask ask = {
		.max_rows = ROWS_MAX,
		.parts = parts_of(list, o->arena != HT_UNKNOWN) |
			 (medians ? HT_SERIES_MEDIANS : 0),
		.metrics = none};
	struct choice c = {HT_UNKNOWN, HT_UNKNOWN, HT_UNKNOWN};
	enum ht_code code = HT_OK;

	ret->list = list;
	ret->kind = &ht_track_kinds[list];
	ht_series_init(&ret->series);
	if (o->arena != HT_UNKNOWN && list == HT_TRACK_THREADS)
		return ht_fail(
			err, HT_USAGE,
			"the history of thread caches does not know arenas: --arena goes without --since");
	if (o->bin)
		code = parse_bin(o->bin, &c, err);
	if (code == HT_OK)
		code = parse_figure(o->metric, ret, err);
	if (code == HT_OK)
		code = ht_history_series(cli, o->args[0], &ask, &ret->process,
					 &ret->series, err);
	if (code == HT_OK)
		code = gather(cli, ret, &c, err);
	if (code == HT_OK)
		code = keep_looks(ret, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < ret->n; i++)
		measure(ret, &ret->v[i]);
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), movers_first);
	while (ret->n && ret->v[ret->n - 1].moved < 0)
		ret->n--; /* nothing of it is known here */
	return ret->n ? HT_OK
		      : ht_fail(err, HT_NODATA,
				"no %s of %s %s known in this time%s",
				ret->kind->list, o->args[0],
				o->bin ? "that were asked for are" : "are",
				list == HT_TRACK_BINS
					? ": it was not measured, or all are empty"
					: "");
}
