/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/diff_windows.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/lives.h"
#include "cli/metrics.h"
#include "cli/service.h"
#include "cli/site_changes.h"
#include "cli/table.h"
#include "cli/target.h"
#include "cli/tracks.h"
#include "cli/type_changes.h"
#include "cli/windows.h"
#include "common/clock.h"
#include "schema/snapshot_json.h"

#define ROWS_MAX 2000
#define ROWS_FEW 5 /* below this a spread says little */
#define SHOWN	 12

struct sides {
	struct ht_store_process p[2];
	const char *word[2]; /* the windows as they were typed, or NULL */
	int64_t from[2], to[2];
	struct ht_series s[2];
	const char *label[2];
	struct ht_site_changes sites;
	struct ht_type_looks types;
};

static const struct {
	const char *key, *title;
	bool counted;
} parts[HT_WINDOWS_PARTS] = {
	[HT_WINDOWS_METRICS] = {"totals", "metric", false},
	[HT_WINDOWS_CLASSES] = {"size_classes", "chunk size, in use", true},
	[HT_WINDOWS_BINS] = {"bins", "bin", true},
	[HT_WINDOWS_ARENAS] = {"arenas", "arena, in use", false},
};

bool ht_diff_has_windows(const struct ht_options *o)
{
	for (int i = 1; i < o->args_n; i++)
		if (strstr(o->args[i], ".."))
			return true;
	return o->with || o->lives.n;
}

/* --- which processes ------------------------------------------------------ */

static enum ht_code find_sides(struct ht_store *store,
			       const struct ht_options *o, struct sides *w,
			       struct ht_err *err)
{
	const char *word[2] = {o->args[0], o->with ?: o->args[0]};
	enum ht_code code = HT_OK;

	for (int i = 0; i < 2 && code == HT_OK; i++) {
		/* a life is one of those that ran one after the other */
		code = o->lives.n
			       ? ht_store_find(store, word[i], &w->p[i], err)
			       : ht_service_one(store, word[i], &w->p[i], err);
		if (code == HT_OK && o->lives.n)
			code = ht_life_find(store, o->lives.v[i], &w->p[i],
					    err);
		w->from[i] = 0;
		w->to[i] = INT64_MAX;
	}
	return code;
}

/* --- which windows -------------------------------------------------------- */

/* FROM..TO; an end that is left out is the record's. */
static enum ht_code parse_window(const char *word, int64_t *from, int64_t *to,
				 struct ht_err *err)
{
	const char *dots = strstr(word, "..");
	int64_t now_ns = ht_wall_ns();
	char first[64];
	bool bad = !dots || dots - word >= (ptrdiff_t)sizeof(first);

	if (!bad) {
		snprintf(first, sizeof(first), "%.*s", (int)(dots - word),
			 word);
		bad = (*first && ht_moment_parse(first, now_ns, from)) ||
		      (dots[2] && ht_moment_parse(dots + 2, now_ns, to));
	}
	if (bad)
		return ht_fail_hint(err, HT_USAGE, HT_HINT_TIME,
				    "'%s' is no window FROM..TO", word);
	return *from <= *to ? HT_OK
			    : ht_fail_hint(err, HT_USAGE, HT_HINT_TIME,
					   "'%s' ends before it begins", word);
}

static enum ht_code find_windows(const struct ht_options *o, struct sides *w,
				 struct ht_err *err)
{
	int given = o->args_n - 1;
	enum ht_code code = HT_OK;

	if (given < 2 && w->p[0].id == w->p[1].id)
		return ht_fail(
			err, HT_USAGE,
			"both sides are %s, pid %" PRIu64
			", of one time: give two windows, as in 2d..1d 1d..now, or another process",
			w->p[0].comm, w->p[0].pid);
	for (int i = 0; given && i < 2 && code == HT_OK; i++) {
		w->word[i] = o->args[given == 1 ? 1 : 1 + i];
		code = parse_window(w->word[i], &w->from[i], &w->to[i], err);
	}
	return code;
}

static enum ht_code empty(const struct sides *w, int side, struct ht_err *err)
{
	const struct ht_store_process *p = &w->p[side];
	char first[HT_TIME_TEXT], last[HT_TIME_TEXT];

	ht_time_here_text(p->first_ns, first);
	ht_time_here_text(p->last_ns, last);
	return ht_fail_hint(err, HT_NODATA, HT_HINT_TIME,
			    "no sample of %s, pid %" PRIu64
			    ", in %.60s: its record goes from %s to %s",
			    p->comm, p->pid, w->word[side] ?: "the history",
			    first, last);
}

/* Addresses of another process mean nothing: its arenas go by position. */
static enum ht_code number_arenas(struct ht_store *store, struct sides *w,
				  int side, struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot then;
	struct ht_series *s = &w->s[side];
	enum ht_code code;

	ht_snapshot_init(&then);
	code = ht_store_snapshot_at(store, w->p[side].id, w->to[side], &then,
				    err);
	if (code == HT_NODATA)
		return HT_OK; /* no snapshot is kept: they stay apart */
	for (size_t i = 0; code == HT_OK && i < s->lines_n; i++)
		for (size_t a = 0; a < then.arenas.n; a++)
			if (s->lines[i].list == HT_LINES_ARENAS &&
			    s->lines[i].key[0] == then.arenas.v[a].address) {
				s->lines[i].key[0] = then.arenas.v[a].index;
				break;
			}
	return code;
}

static enum ht_code load(struct ht_cli *cli, struct sides *w,
			 struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	enum ht_code code = ht_history_open(&cli->opt, &store, err);

	if (code == HT_OK)
		code = find_sides(store, &cli->opt, w, err);
	if (code == HT_OK)
		code = find_windows(&cli->opt, w, err);
	for (int i = 0; i < 2 && code == HT_OK; i++) {
		code = ht_store_series(store, w->p[i].id, w->from[i], w->to[i],
				       ROWS_MAX,
				       HT_SERIES_CLASSES | HT_SERIES_MEDIANS |
					       HT_SERIES_LIST(HT_LINES_BINS) |
					       HT_SERIES_LIST(HT_LINES_ARENAS),
				       &w->s[i], err);
		if (code == HT_OK && w->s[i].rows == 0)
			code = empty(w, i, err);
		if (code == HT_OK && w->p[0].id != w->p[1].id)
			code = number_arenas(store, w, i, err);
		if (code == HT_OK)
			code = ht_site_changes_add(store, w->p[i].id,
						   w->from[i], w->to[i], i,
						   &w->sites, err);
	}
	ht_site_changes_end(&w->sites);
	return code == HT_OK
		       ? ht_type_changes_windows(
				 store,
				 (const int64_t[]){w->p[0].id, w->p[1].id},
				 w->from, w->to, &w->types, err)
		       : code;
}

/* --- output --------------------------------------------------------------- */

static void name_of(enum ht_windows_part part, const struct ht_window_change *c,
		    char out[HT_TRACK_NAME])
{
	static const enum ht_track_list list[HT_WINDOWS_PARTS] = {
		[HT_WINDOWS_CLASSES] = HT_TRACK_CLASSES,
		[HT_WINDOWS_BINS] = HT_TRACK_BINS};
	struct ht_tracks t = {.list = list[part]};
	struct ht_track k = {.min_size = c->min_size, .max_size = c->max_size};

	memcpy(k.key, c->key, sizeof(k.key));
	if (part == HT_WINDOWS_METRICS)
		snprintf(out, HT_TRACK_NAME, "%s",
			 ht_metric_infos[c->key[0]].name);
	else if (part == HT_WINDOWS_ARENAS) /* a position, or an address */
		snprintf(out, HT_TRACK_NAME,
			 c->key[0] < 65536 ? "%" PRIu64 : "0x%" PRIx64,
			 c->key[0]);
	else
		ht_track_name(&t, &k, out);
}

static json_t *figure_json(const char *unit, double v)
{
	if (isnan(v))
		return json_null();
	return strcmp(unit, "ratio") != 0 ? json_integer(llround(v))
					  : json_real(v);
}

static json_t *spread_json(const char *unit, const struct ht_spread *s)
{
	return json_pack("{s:o, s:o, s:o}", "median",
			 figure_json(unit, s->median), "p10",
			 figure_json(unit, s->low), "p90",
			 figure_json(unit, s->high));
}

static json_t *part_json(enum ht_windows_part part,
			 const struct ht_window_changes *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n; i++) {
		const struct ht_window_change *k = &c->v[i];
		char name[HT_TRACK_NAME];
		json_t *o;

		name_of(part, k, name);
		o = json_pack("{s:s, s:s, s:o, s:o, s:o}", "name", name, "unit",
			      k->unit, "from", spread_json(k->unit, &k->v[0]),
			      "to", spread_json(k->unit, &k->v[1]), "change",
			      figure_json(k->unit, ht_window_change(k)));
		if (parts[part].counted)
			json_object_set_new(
				o, "chunks",
				figure_json("chunks",
					    k->chunks[1] - k->chunks[0]));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *side_json(const struct sides *w, int i)
{
	const struct ht_series *s = &w->s[i];

	return json_pack(
		"{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o}", "process",
		(json_int_t)w->p[i].id, "target",
		ht_text_json(ht_process_name(&w->p[i])), "pid",
		ht_u64_json(w->p[i].pid), "comm", ht_text_json(w->p[i].comm),
		"exe", ht_text_json(w->p[i].exe), "from",
		ht_time_json(s->time_ns[0]), "to",
		ht_time_json(s->time_ns[s->rows - 1]), "rows",
		(json_int_t)s->rows, "step_s",
		s->step_ns ? json_real((double)s->step_ns / HT_NS_PER_S)
			   : json_null());
}

static void change_text(struct ht_table *t, const char *unit, double v,
			bool exact)
{
	char text[HT_NUMBER_TEXT];

	ht_table_text(t, "%s%s",
		      v < 0   ? "-"
		      : v > 0 ? "+"
			      : "",
		      ht_value_text(unit, fabs(v), exact, text));
}

/* Cuts the unit off where it is `unit`, itself with its space in front. */
static void cut_unit(char *text, const char *unit)
{
	char *space = strrchr(text, ' ');

	if (space && unit && !strcmp(space, unit))
		*space = '\0';
}

/* "2.1 MiB" and "1.3..3.2": a unit that is the median's stands once. */
static void spread_cells(struct ht_table *t, const char *unit,
			 const struct ht_spread *s, bool exact)
{
	const double v[3] = {s->median, s->low, s->high};
	char text[3][HT_NUMBER_TEXT];
	const char *shared;

	for (int i = 0; i < 3; i++)
		ht_value_text(unit, v[i], exact, text[i]);
	shared = strrchr(text[0], ' ');
	if (shared && strstr(text[1], shared) && strstr(text[2], shared)) {
		cut_unit(text[1], shared);
		cut_unit(text[2], shared);
	}
	ht_table_text(t, "%s", text[0]);
	if (isnan(s->low))
		ht_table_text(t, "?");
	else
		ht_table_text(t, "%s..%s", text[1], text[2]);
}

static void print_row(struct ht_table *t, const char *name,
		      const struct ht_window_change *k, bool counted,
		      bool exact)
{
	ht_table_row(t);
	ht_table_text(t, "%s", name);
	for (int s = 0; s < 2; s++)
		spread_cells(t, k->unit, &k->v[s], exact);
	change_text(t, k->unit, ht_window_change(k), exact);
	if (counted)
		change_text(t, "chunks", k->chunks[1] - k->chunks[0], exact);
}

static enum ht_code print_part(const struct ht_cli *cli, const struct sides *w,
			       enum ht_windows_part part,
			       const struct ht_window_changes *c,
			       struct ht_err *err)
{
	const struct ht_column columns[] = {{parts[part].title, false, 0, true},
					    {w->label[0], true},
					    {"p10..p90", true, 2},
					    {w->label[1], true},
					    {"p10..p90", true, 2},
					    {"change", true},
					    {"chunks", true, 1}};
	HT_AUTO_TABLE struct ht_table t = {0};
	enum ht_code code = ht_table_init(&cli->term, cli->opt.bytes, columns,
					  parts[part].counted ? 7 : 6, &t, err);

	if (code != HT_OK || !c->n)
		return code;
	for (size_t i = 0; i < c->n && i < SHOWN; i++) {
		char name[HT_TRACK_NAME];

		name_of(part, &c->v[i], name);
		print_row(&t, name, &c->v[i], parts[part].counted,
			  cli->opt.bytes);
	}
	putchar('\n');
	code = ht_table_print(&t, err);
	if (code == HT_OK && c->n > SHOWN)
		printf("and %zu more (--json has all)\n", c->n - SHOWN);
	return code;
}

/* "20 samples", "24 rows of 1h". */
static const char *rows_text(const struct ht_series *s, char *out, size_t len)
{
	char step[32];

	ht_duration_text(s->step_ns, step, sizeof(step));
	if (s->step_ns)
		snprintf(out, len, "%zu row%s of %s", s->rows,
			 s->rows == 1 ? "" : "s", step);
	else
		snprintf(out, len, "%zu sample%s", s->rows,
			 s->rows == 1 ? "" : "s");
	return out;
}

static void print_head(const struct ht_cli *cli, const struct sides *w)
{
	for (int i = 0; i < 2; i++) {
		const struct ht_series *s = &w->s[i];
		char from[HT_TIME_TEXT], to[HT_TIME_TEXT], rows[64];

		ht_time_here_text(s->time_ns[0], from);
		ht_time_here_text(s->time_ns[s->rows - 1], to);
		ht_paragraph(&cli->term, "",
			     "%s%s: %s, pid %" PRIu64 ", %s .. %s, %s%s",
			     ht_style(&cli->term, HT_BOLD), w->label[i],
			     w->p[i].comm, w->p[i].pid, from, to,
			     rows_text(s, rows, sizeof(rows)),
			     ht_style_off(&cli->term));
	}
}

static void tell_few(struct ht_cli *cli, const struct sides *w)
{
	for (int i = 0; i < 2; i++)
		if (w->s[i].rows < ROWS_FEW)
			ht_tell(&cli->term,
				"the %s window has %zu row%s: too few to know what is noise",
				i ? "second" : "first", w->s[i].rows,
				w->s[i].rows == 1 ? "" : "s");
}

static void print_end(size_t told, size_t noise)
{
	if (!told)
		printf("\nnothing differs%s\n",
		       noise ? " by more than it varies" : "");
	else if (noise)
		printf("\nleft out, as no more than noise: %zu figure%s\n",
		       noise, noise == 1 ? "" : "s");
}

static enum ht_code print(struct ht_cli *cli, const struct sides *w,
			  struct ht_err *err)
{
	json_auto_t *o = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "schema",
				   "heaptide.window_diff/1", "target",
				   ht_text_json(ht_process_name(&w->p[1])),
				   "pid", ht_u64_json(w->p[1].pid), "comm",
				   ht_text_json(w->p[1].comm), "from",
				   side_json(w, 0), "to", side_json(w, 1));
	json_t *left_out = json_object();
	enum ht_code code = HT_OK;
	size_t told = 0, noise = 0;

	json_object_set_new(o, "noise", left_out);
	tell_few(cli, w);
	if (!cli->opt.json)
		print_head(cli, w);
	for (int i = 0; code == HT_OK && i < HT_WINDOWS_PARTS; i++) {
		HT_AUTO_WINDOW_CHANGES struct ht_window_changes c = {0};
		const enum ht_windows_part p = (enum ht_windows_part)i;

		code = ht_windows_compare(w->s, p, &c, err);
		if (code != HT_OK)
			return code;
		told += c.n;
		noise += c.noise;
		json_object_set_new(left_out, parts[p].key,
				    json_integer((json_int_t)c.noise));
		if (cli->opt.json)
			json_object_set_new(o, parts[p].key, part_json(p, &c));
		else
			code = print_part(cli, w, p, &c, err);
	}
	json_object_set_new(o, "sites", ht_site_changes_json(&w->sites));
	json_object_set_new(o, "types", ht_type_changes_json(&w->types));
	if (code == HT_OK && !cli->opt.json)
		code = ht_type_changes_print(cli, &w->types, err);
	if (code == HT_OK && !cli->opt.json)
		code = ht_site_changes_print(cli, &w->sites, w->label, err);
	if (code == HT_OK && !cli->opt.json)
		print_end(told, noise);
	return code == HT_OK && cli->opt.json
		       ? ht_json_print(json_incref(o), err)
		       : code;
}

enum ht_code ht_diff_windows(struct ht_cli *cli, struct ht_err *err)
{
	struct sides w = {.label = {cli->opt.with ? "first" : "then",
				    cli->opt.with ? "second" : "now"}};
	enum ht_code code;

	ht_series_init(&w.s[0]);
	ht_series_init(&w.s[1]);
	code = load(cli, &w, err);
	if (code == HT_OK)
		code = print(cli, &w, err);
	ht_site_changes_fini(&w.sites);
	ht_type_looks_fini(&w.types);
	ht_series_fini(&w.s[0]);
	ht_series_fini(&w.s[1]);
	return code;
}
