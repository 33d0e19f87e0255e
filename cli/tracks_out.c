/* SPDX-License-Identifier: Apache-2.0 */
/* Tracks as JSON and CSV, in long form. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/json.h"
#include "cli/table.h"
#include "cli/tracks.h"
#include "common/clock.h"
#include "schema/snapshot_json.h"

/* What tells the tracks of a list apart: name, and how it is read. */
enum key_type { KEY_NUMBER, KEY_ADDRESS, KEY_KIND };
static const struct key {
	enum ht_track_list list;
	const char *name;
	enum key_type type;
	size_t offset;
} keys[] = {
	{HT_TRACK_BINS, "kind", KEY_KIND, offsetof(struct ht_track, key[1])},
	{HT_TRACK_BINS, "index", KEY_NUMBER, offsetof(struct ht_track, key[2])},
	{HT_TRACK_BINS, "min_size", KEY_NUMBER,
	 offsetof(struct ht_track, min_size)},
	{HT_TRACK_BINS, "max_size", KEY_NUMBER,
	 offsetof(struct ht_track, max_size)},
	{HT_TRACK_ARENAS, "index", KEY_NUMBER,
	 offsetof(struct ht_track, index)},
	{HT_TRACK_ARENAS, "address", KEY_ADDRESS,
	 offsetof(struct ht_track, key[0])},
	{HT_TRACK_CLASSES, "max_size", KEY_NUMBER,
	 offsetof(struct ht_track, key[0])},
	{HT_TRACK_THREADS, "tid", KEY_NUMBER,
	 offsetof(struct ht_track, key[0])},
};
#define EACH_KEY(t, k)                                                         \
	for (const struct key *k = keys;                                       \
	     k < keys + sizeof(keys) / sizeof(keys[0]); k++)                   \
		if (k->list == (t)->list)

/* The key's value as JSON has it; "" when it is not known. Returns out. */
static const char *key_text(const struct key *k, const struct ht_track *track,
			    char out[HT_NUMBER_TEXT])
{
	uint64_t v;

	memcpy(&v, (const char *)track + k->offset, sizeof(v));
	if (v == HT_UNKNOWN)
		strcpy(out, "");
	else if (k->type == KEY_KIND)
		snprintf(out, HT_NUMBER_TEXT, "\"%s\"",
			 v < HT_BIN_KIND_COUNT ? ht_bin_kind_names[v] : "?");
	else
		snprintf(out, HT_NUMBER_TEXT,
			 k->type == KEY_ADDRESS ? "\"0x%" PRIx64 "\""
						: "%" PRIu64,
			 v);
	return out;
}

static const char *figure_text(const struct ht_track *k, size_t f, size_t row,
			       char out[HT_NUMBER_TEXT])
{
	const double *v = k->value[f][HT_MIDDLE];

	return v ? ht_digits_text(v[row], out) : NULL;
}

/* Without its closing bracket, so that times and tracks can follow. */
static char *head_json(const struct ht_tracks *t)
{
	const struct ht_series *s = &t->series;
	char schema[64], *text;
	json_t *o;

	snprintf(schema, sizeof(schema), "heaptide.%s_series/1", t->kind->list);
	o = ht_json_span(schema, &t->process, s->time_ns[0],
			 s->time_ns[s->rows - 1]);
	ht_json_add(&o, "step_s",
		    s->step_ns ? json_real((double)s->step_ns / HT_NS_PER_S)
			       : json_null());
	text = o ? json_dumps(o, JSON_REAL_PRECISION(15)) : NULL;
	json_decref(o);
	if (text)
		text[strlen(text) - 1] = '\0';
	return text;
}

static void print_track(const struct ht_tracks *t, const struct ht_track *k)
{
	char text[HT_NUMBER_TEXT];
	const char *between = "";

	EACH_KEY(t, key)
	{
		printf("%s\"%s\": %s", between, key->name,
		       *key_text(key, k, text) ? text : "null");
		between = ", ";
	}
	for (size_t f = 0; f < t->kind->figures_n; f++) {
		printf(", \"%s\": [", t->kind->figures[f]);
		for (size_t row = 0; row < t->series.rows; row++)
			printf("%s%s", row ? ", " : "",
			       figure_text(k, f, row, text) ?: "null");
		putchar(']');
	}
}

enum ht_code ht_tracks_print_json(const struct ht_tracks *t, struct ht_err *err)
{
	HT_AUTO_FREE char *head = head_json(t);
	char time[HT_TIME_TEXT];

	if (!head)
		return ht_fail(err, HT_NOMEM, "out of memory for JSON");
	printf("%s, \"times\": [", head);
	for (size_t row = 0; row < t->series.rows; row++) {
		ht_time_text(t->series.time_ns[row], time);
		printf("%s\"%s\"", row ? ", " : "", time);
	}
	printf("], \"%s\": [", t->kind->list);
	for (size_t i = 0; i < t->n; i++) {
		fputs(i ? ",\n  {" : "\n  {", stdout);
		print_track(t, &t->v[i]);
		putchar('}');
	}
	puts("\n]}");
	return HT_OK;
}

static void print_csv_row(const struct ht_tracks *t, const struct ht_track *k,
			  size_t row)
{
	char time[HT_TIME_TEXT], text[HT_NUMBER_TEXT];

	ht_time_text(t->series.time_ns[row], time);
	fputs(time, stdout);
	EACH_KEY(t, key)
	printf(",%s", key_text(key, k, text));
	for (size_t f = 0; f < t->kind->figures_n; f++)
		printf(",%s", figure_text(k, f, row, text) ?: "");
	putchar('\n');
}

void ht_tracks_print_csv(const struct ht_tracks *t)
{
	fputs("time", stdout);
	EACH_KEY(t, key)
	printf(",%s", key->name);
	for (size_t f = 0; f < t->kind->figures_n; f++)
		printf(",%s", t->kind->figures[f]);
	putchar('\n');
	for (size_t row = 0; row < t->series.rows; row++)
		for (size_t i = 0; i < t->n; i++)
			print_csv_row(t, &t->v[i], row);
}
