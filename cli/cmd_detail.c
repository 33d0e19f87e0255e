/* SPDX-License-Identifier: Apache-2.0 */
/* `bins`, `arenas`, `map`, `classes`, `threads`: one part of one snapshot, live
 * or from the history, as a table, JSON or CSV. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/csv.h"
#include "cli/json.h"
#include "cli/map_diff.h"
#include "cli/show.h"
#include "cli/target.h"
#include "cli/tracks.h"
#include "common/clock.h"
#include "schema/snapshot_json.h"

typedef enum ht_code show_part(const struct ht_cli *cli,
			       const struct ht_snapshot *s, size_t max_rows,
			       struct ht_err *err);

struct detail {
	const char *name, *list; /* of its JSON */
	enum ht_record_id id;
	enum ht_track_list course; /* its history; HT_TRACK_LISTS: none */
	uint64_t flags;		   /* what the agent must gather for it */
	show_part *show;
};

/* Where rows of this kind say which arena they are of; NULL: of none. */
static const struct ht_field *arena_field(enum ht_record_id id)
{
	const struct ht_record_type *type = &ht_record_types[id];
	const char *name = id == HT_RECORD_arena ? "index" : "arena";

	for (size_t i = 0; i < type->fields_count; i++) {
		if (!strcmp(type->fields[i].name, name))
			return &type->fields[i];
	}
	return NULL;
}

/* Leaves only the rows of one arena. */
static void keep_arena(struct ht_snapshot *s, enum ht_record_id id,
		       uint64_t wanted)
{
	const struct ht_field *f = arena_field(id);
	size_t n = ht_snapshot_count(s, id), kept = 0;

	for (size_t i = 0; f && i < n; i++) {
		void *row = ht_snapshot_row(s, id, i);
		uint64_t arena;

		memcpy(&arena, (char *)row + f->offset, sizeof(arena));
		if (arena == wanted)
			memmove(ht_snapshot_row(s, id, kept++), row,
				ht_record_types[id].size);
	}
	if (f)
		ht_snapshot_cut(s, id, kept);
}

static enum ht_code pick_arena(struct ht_snapshot *s, uint64_t wanted,
			       struct ht_err *err)
{
	if (wanted >= s->arenas.n)
		return ht_no_arena(wanted, s->arenas.n, err);
	keep_arena(s, HT_RECORD_bin, wanted);
	keep_arena(s, HT_RECORD_heap, wanted);
	keep_arena(s, HT_RECORD_thread, wanted);
	keep_arena(s, HT_RECORD_arena, wanted);
	return HT_OK;
}

/* RFC 4180: text in quotes, a quote doubled. */
static void print_csv_value(const json_t *v)
{
	HT_AUTO_FREE char *text = json_dumps(v, JSON_ENCODE_ANY);

	if (json_is_string(v) || !text)
		ht_csv_text(json_string_value(v) ?: "");
	else if (!json_is_null(v))
		fputs(text, stdout);
}

static enum ht_code print_csv_row(enum ht_record_id id, const void *row,
				  struct ht_err *err)
{
	const struct ht_record_type *type = &ht_record_types[id];

	for (size_t i = 0; i < type->fields_count; i++) {
		json_auto_t *v = ht_field_json(&type->fields[i], row);

		if (!v)
			return ht_fail(err, HT_NOMEM, "out of memory for CSV");
		if (i)
			putchar(',');
		print_csv_value(v);
	}
	putchar('\n');
	return HT_OK;
}

static enum ht_code print_csv(enum ht_record_id id, struct ht_snapshot *s,
			      struct ht_err *err)
{
	const struct ht_record_type *type = &ht_record_types[id];
	enum ht_code code = HT_OK;

	for (size_t i = 0; i < type->fields_count; i++)
		printf("%s%s", i ? "," : "", type->fields[i].name);
	putchar('\n');
	for (size_t i = 0; code == HT_OK && i < ht_snapshot_count(s, id); i++) {
		code = print_csv_row(id, ht_snapshot_row(s, id, i), err);
	}
	return code;
}

/* NULL: out of memory. */
static json_t *rows_json(enum ht_record_id id, struct ht_snapshot *s)
{
	json_t *rows = json_array();

	for (size_t i = 0; rows && i < ht_snapshot_count(s, id); i++) {
		const void *row = ht_snapshot_row(s, id, i);

		if (!json_array_append_new(rows, ht_record_json(id, row, NULL)))
			continue;
		json_decref(rows);
		rows = NULL;
	}
	return rows;
}

static enum ht_code print_json(const struct ht_cli *cli, const struct detail *d,
			       struct ht_snapshot *s, struct ht_err *err)
{
	char schema[64];
	json_t *o;

	snprintf(schema, sizeof(schema), "heaptide.%s/1", d->name);
	o = ht_json_look(schema, cli->target, s);
	ht_json_add(&o, d->list, rows_json(d->id, s));
	if (d->id == HT_RECORD_heap)
		ht_json_add(&o, "mappings", rows_json(HT_RECORD_mapping, s));
	return ht_json_print(o, err);
}

static void print_head(const struct ht_cli *cli, const struct ht_snapshot *s)
{
	char time[HT_TIME_TEXT];

	ht_time_here_text(s->head.taken_at, time);
	ht_paragraph(&cli->term, "", "%s%s, pid %" PRIu64 ", at %s%s",
		     ht_style(&cli->term, HT_BOLD), s->head.comm, s->head.pid,
		     time, ht_style_off(&cli->term));
}

static enum ht_code print(const struct ht_cli *cli, const struct detail *d,
			  struct ht_snapshot *s, struct ht_err *err)
{
	if (cli->opt.json)
		return print_json(cli, d, s, err);
	if (cli->opt.csv)
		return print_csv(d->id, s, err);
	print_head(cli, s);
	return d->show(cli, s, 0, err);
}

static enum ht_code run(struct ht_cli *cli, const struct detail *d,
			struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	enum ht_code code;

	if (d->course != HT_TRACK_LISTS &&
	    (cli->opt.since_ns || cli->opt.until_ns))
		return ht_tracks_run(cli, d->course, err);
	if (cli->opt.bin || cli->opt.metric)
		return ht_fail(err, HT_USAGE,
			       "%s is for a course over time: add --since",
			       cli->opt.bin ? "--bin" : "--metric");
	ht_snapshot_init(&s);
	code = ht_target_look(cli, cli->opt.args[0], d->flags, &s, err);
	if (code != HT_OK)
		return code;
	if (d->id != HT_RECORD_mapping && d->id != HT_RECORD_heap &&
	    !ht_show_has_heap(&s))
		return ht_show_no_heap(&s, err);
	if (cli->opt.arena != HT_UNKNOWN) {
		code = pick_arena(&s, cli->opt.arena, err);
		if (code != HT_OK)
			return code;
	}
	code = print(cli, d, &s, err);
	if (code != HT_OK || ht_target_looks_back(cli))
		return code;
	return ht_show_damage(&s, err);
}

enum ht_code ht_cmd_bins(struct ht_cli *cli, struct ht_err *err)
{
	const struct detail d = {"bins",	"bins",	      HT_RECORD_bin,
				 HT_TRACK_BINS, HT_WANT_BINS, ht_show_bins};

	return run(cli, &d, err);
}

enum ht_code ht_cmd_arenas(struct ht_cli *cli, struct ht_err *err)
{
	const struct detail d = {"arenas",	  "arenas",
				 HT_RECORD_arena, HT_TRACK_ARENAS,
				 HT_WANT_HEAPS,	  ht_show_arenas};

	return run(cli, &d, err);
}

enum ht_code ht_cmd_classes(struct ht_cli *cli, struct ht_err *err)
{
	const struct detail d = {
		"classes",	  "classes",	   HT_RECORD_size_class,
		HT_TRACK_CLASSES, HT_WANT_CLASSES, ht_show_classes};

	return run(cli, &d, err);
}

enum ht_code ht_cmd_threads(struct ht_cli *cli, struct ht_err *err)
{
	const struct detail d = {"threads",	   "threads",
				 HT_RECORD_thread, HT_TRACK_THREADS,
				 HT_WANT_THREADS,  ht_show_threads};

	return run(cli, &d, err);
}

/* Heaps by address, then what lies outside malloc. */
static enum ht_code show_map(const struct ht_cli *cli,
			     const struct ht_snapshot *s, size_t max_rows,
			     struct ht_err *err)
{
	enum ht_code code = ht_show_heaps(cli, s, max_rows, err);

	if (code != HT_OK)
		return code;
	putchar('\n');
	return ht_show_mappings(cli, s, max_rows, err);
}

enum ht_code ht_cmd_map(struct ht_cli *cli, struct ht_err *err)
{
	const struct detail d = {"map",
				 "heaps",
				 HT_RECORD_heap,
				 HT_TRACK_LISTS,
				 HT_WANT_HEAPS | HT_WANT_MAPPINGS,
				 show_map};

	if (cli->opt.against_ns)
		return ht_map_diff(cli, err);
	return run(cli, &d, err);
}
