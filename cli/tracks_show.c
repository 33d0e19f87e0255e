/* SPDX-License-Identifier: Apache-2.0 */
/* Tracks for people: a heat map, the movers first; one track as plots; and what
 * began or ended meanwhile. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/heatmap.h"
#include "cli/plot.h"
#include "cli/table.h"
#include "cli/tracks.h"
#include "common/clock.h"

enum { ROWS_SHOWN = 24, EVENTS_SHOWN = 12, AXIS_AND_FRAME = 14 };

static void print_head(const struct ht_cli *cli, const struct ht_tracks *t)
{
	const struct ht_series *s = &t->series;
	char from[HT_TIME_TEXT], to[HT_TIME_TEXT];

	ht_time_here_text(s->time_ns[0], from);
	ht_time_here_text(s->time_ns[s->rows - 1], to);
	ht_paragraph(&cli->term, "",
		     "%s%s, pid %" PRIu64 ": %s from %s to %s%s",
		     ht_style(&cli->term, HT_BOLD),
		     *t->process.target ? t->process.target : t->process.comm,
		     t->process.pid, t->kind->list, from, to,
		     ht_style_off(&cli->term));
}

static const char *spaced(const char *name, char out[HT_NUMBER_TEXT])
{
	snprintf(out, HT_NUMBER_TEXT, "%s", name);
	for (char *at = out; *at; at++)
		if (*at == '_')
			*at = ' ';
	return out;
}

/* Of what comes and goes: nothing, where others of its list were looked at and
 * it was not there. NULL when out of memory. */
static double *where_it_was(const struct ht_tracks *t, const struct ht_track *k)
{
	double *v = calloc(t->series.rows + 1, sizeof(*v));

	for (size_t row = 0; v && row < t->series.rows; row++)
		for (size_t f = 0; f < t->kind->figures_n; f++)
			if (k->value[f][HT_MIDDLE] &&
			    !isnan(k->value[f][HT_MIDDLE][row]))
				v[row] = k->value[t->figure][HT_MIDDLE][row];
	return v;
}

static enum ht_code print_map(const struct ht_cli *cli,
			      const struct ht_tracks *t, struct ht_err *err)
{
	struct ht_heat_row rows[ROWS_SHOWN];
	char names[ROWS_SHOWN][HT_TRACK_NAME], figure[HT_NUMBER_TEXT];
	size_t n = t->n < ROWS_SHOWN ? t->n : ROWS_SHOWN;
	const struct ht_heatmap map = {.rows = rows,
				       .n = n,
				       .time_ns = t->series.time_ns,
				       .times = t->series.rows,
				       .unit = t->kind->units[t->figure],
				       .bytes = cli->opt.bytes};
	double *values[ROWS_SHOWN];
	enum ht_code code;
	bool bad = false;

	printf("%s of each %s, what moved most first\n\n",
	       spaced(t->kind->figures[t->figure], figure), t->kind->one);
	for (size_t i = 0; i < n; i++) {
		values[i] = where_it_was(t, &t->v[i]);
		rows[i] = (struct ht_heat_row){
			ht_track_name(t, &t->v[i], names[i]), values[i]};
		bad |= !values[i];
	}
	if (bad)
		code = ht_fail(err, HT_NOMEM, "out of memory for a heat map");
	else
		code = ht_heatmap_print(&cli->term, &map, err);
	for (size_t i = 0; i < n; i++)
		free(values[i]);
	if (code == HT_OK && t->n > n)
		ht_paragraph(
			&cli->term, "",
			"%zu %s more, which moved less: --csv and --json have all",
			t->n - n, t->kind->list);
	return code;
}

static void print_panel_head(const struct ht_cli *cli,
			     const struct ht_tracks *t, size_t f)
{
	const struct ht_series *s = &t->series;
	const double *const *v = t->v[0].value[f];
	const char *unit = t->kind->units[f];
	double low = NAN, high = NAN;
	char text[3][HT_NUMBER_TEXT], name[HT_NUMBER_TEXT];

	for (size_t row = 0; row < s->rows; row++) {
		low = fmin(low, v[HT_LOW][row]);
		high = fmax(high, v[HT_HIGH][row]);
	}
	putchar('\n');
	ht_paragraph(&cli->term, "", "%s%s%s  %s at the end, %s .. %s",
		     ht_style(&cli->term, HT_BOLD),
		     spaced(t->kind->figures[f], name),
		     ht_style_off(&cli->term),
		     ht_value_text(unit, v[HT_MIDDLE][s->rows - 1],
				   cli->opt.bytes, text[0]),
		     ht_value_text(unit, low, cli->opt.bytes, text[1]),
		     ht_value_text(unit, high, cli->opt.bytes, text[2]));
}

/* One track: a plot of each of its figures. */
static enum ht_code print_plots(const struct ht_cli *cli,
				const struct ht_tracks *t, struct ht_err *err)
{
	const struct ht_series *s = &t->series;
	char name[HT_TRACK_NAME];
	enum ht_code code = HT_OK;

	printf("%s\n", ht_track_name(t, &t->v[0], name));
	for (size_t f = 0; code == HT_OK && f < t->kind->figures_n; f++) {
		const double *const *v = t->v[0].value[f];
		const struct ht_plot plot = {.time_ns = s->time_ns,
					     .value = v[HT_MIDDLE],
					     .low = v[HT_LOW],
					     .high = v[HT_HIGH],
					     .cut = s->cut,
					     .n = s->rows,
					     .from_ns = s->time_ns[0],
					     .to_ns = s->time_ns[s->rows - 1],
					     .width = cli->term.width -
						      AXIS_AND_FRAME,
					     .height = 7,
					     .unit = t->kind->units[f],
					     .bytes = cli->opt.bytes,
					     .style = HT_BLUE};

		if (!v[HT_MIDDLE])
			continue;
		print_panel_head(cli, t, f);
		code = ht_plot_print(&cli->term, &plot, err);
	}
	return code;
}

struct told {
	const struct ht_cli *cli;
	size_t n;
};

static int tell_event(void *ctx, const struct ht_store_event_row *e)
{
	struct told *told = ctx;
	char time[HT_TIME_TEXT];

	if (strcmp(e->kind, "arena") != 0 && strcmp(e->kind, "heaps") != 0)
		return 0;
	if (told->n++ == 0)
		putchar('\n');
	ht_time_here_text(e->at_ns, time);
	ht_paragraph(&told->cli->term, "", "%s  %s", time, e->text);
	return told->n == EVENTS_SHOWN;
}

static enum ht_code print_events(const struct ht_cli *cli,
				 const struct ht_tracks *t, struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	struct told told = {cli, 0};
	enum ht_code code;

	if (t->list != HT_TRACK_ARENAS)
		return HT_OK;
	code = ht_history_open(&cli->opt, &store, err);
	if (code == HT_OK)
		code = ht_store_events(store, t->process.id,
				       t->series.time_ns[0],
				       t->series.time_ns[t->series.rows - 1],
				       tell_event, &told, err);
	return code;
}

enum ht_code ht_tracks_print(const struct ht_cli *cli,
			     const struct ht_tracks *t, struct ht_err *err)
{
	enum ht_code code;

	print_head(cli, t);
	code = t->n == 1 ? print_plots(cli, t, err) : print_map(cli, t, err);
	return code == HT_OK ? print_events(cli, t, err) : code;
}

enum ht_code ht_tracks_run(struct ht_cli *cli, enum ht_track_list list,
			   struct ht_err *err)
{
	HT_AUTO_TRACKS struct ht_tracks t = {0};
	bool data = cli->opt.json || cli->opt.csv;
	enum ht_code code =
		ht_tracks_read(cli, list, data || !cli->opt.bin, &t, err);

	if (code == HT_OK && !data && !cli->opt.bin && t.n == 1) {
		/* a plot, which shows lowest and highest, too */
		ht_tracks_fini(&t);
		code = ht_tracks_read(cli, list, false, &t, err);
	}
	if (code != HT_OK)
		return code;
	if (cli->opt.json)
		return ht_tracks_print_json(&t, err);
	if (!cli->opt.csv)
		return ht_tracks_print(cli, &t, err);
	ht_tracks_print_csv(&t);
	return HT_OK;
}
