/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/day.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/needs.h"
#include "analysis/stats.h"
#include "common/clock.h"
#include "tests/lib/made.h"

#define CLASS_LEAST 16384
#define COLUMNS_MAX 512
#define LINE_MAX_B  16384
/* A full hour: where a history begins that has times of its own. */
#define T0 (INT64_C(1750032000) * HT_NS_PER_S)

/* --- writing ------------------------------------------------------------- */

static bool is_known(const struct ht_series *s, const double *x, double least)
{
	for (size_t i = 0; x && i < s->rows; i++)
		if (x[i] >= least)
			return true;
	return false;
}

static void put(FILE *f, const double *x, size_t from, size_t end)
{
	double known[HT_POINTS_MAX];
	size_t n = 0;

	for (size_t i = from; i < end && n < HT_POINTS_MAX; i++)
		if (!isnan(x[i]))
			known[n++] = x[i];
	fputc(',', f);
	if (n)
		fprintf(f, "%.0f", ht_median(known, n));
}

void ht_day_write(FILE *f, const struct ht_series *s, int64_t every_s)
{
	const double *column[COLUMNS_MAX];
	bool needs[HT_METRIC_COUNT];
	size_t n = 0, end;

	ht_verdict_needs(needs);
	fprintf(f, "s");
	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		if (needs[m] &&
		    is_known(s, s->metric[m][HT_STAT_MEDIAN], -INFINITY)) {
			column[n++] = s->metric[m][HT_STAT_MEDIAN];
			fprintf(f, ",%s", ht_metric_infos[m].name);
		}
	for (size_t c = 0; c < s->classes_n && n < COLUMNS_MAX; c++)
		if (is_known(s, s->classes[c].bytes[HT_STAT_MEDIAN],
			     CLASS_LEAST)) {
			column[n++] = s->classes[c].bytes[HT_STAT_MEDIAN];
			fprintf(f, ",class %" PRIu64, s->classes[c].max_size);
		}
	fputc('\n', f);
	for (size_t i = 0; i < s->rows; i = end) {
		int64_t at = (s->time_ns[i] - s->time_ns[0]) / HT_NS_PER_S;

		at -= at % every_s;
		for (end = i;
		     end < s->rows && s->time_ns[end] - s->time_ns[0] <
					      (at + every_s) * HT_NS_PER_S;)
			end++;
		fprintf(f, "%" PRId64, at);
		for (size_t c = 0; c < n; c++)
			put(f, column[c], i, end);
		fputc('\n', f);
	}
}

/* --- reading ------------------------------------------------------------- */

struct reader {
	const char *path;
	FILE *f;
	struct ht_series *s;
	int metric[COLUMNS_MAX]; /* -1: a class */
	uint64_t class[COLUMNS_MAX];
	size_t columns;
};

_Noreturn static void die(const struct reader *r, const char *what)
{
	fprintf(stderr, "%s: %s\n", r->path, what);
	exit(1);
}

static void names(struct reader *r, char *line)
{
	char *rest = NULL, *name = strtok_r(line, ",\n", &rest);

	if (!name || strcmp(name, "s") != 0)
		die(r, "no recorded day");
	while ((name = strtok_r(NULL, ",\n", &rest))) {
		int *metric = &r->metric[r->columns];

		if (r->columns == COLUMNS_MAX)
			die(r, "too many columns");
		*metric = -1;
		if (sscanf(name, "class %" SCNu64, &r->class[r->columns++]) ==
		    1)
			continue;
		*metric = (int)ht_metric_find(name);
		if (*metric == HT_METRIC_COUNT)
			die(r, name);
	}
}

static void values(struct reader *r, char *line, double stretch)
{
	char *at = line, *cell;
	struct ht_err err;
	size_t row;

	line[strcspn(line, "\n")] = '\0';
	cell = strsep(&at, ",");
	if (ht_series_add_row(
		    r->s,
		    T0 + (int64_t)(strtod(cell, NULL) * stretch * HT_NS_PER_S),
		    &err) != HT_OK)
		die(r, err.msg);
	row = r->s->rows - 1;
	for (size_t c = 0; c < r->columns; c++) {
		double x;

		cell = strsep(&at, ",");
		if (!cell)
			die(r, "a row is too short");
		x = *cell ? strtod(cell, NULL) : NAN;
		if (r->metric[c] >= 0) {
			ht_made_put(r->s, (enum ht_metric)r->metric[c], x);
			continue;
		}
		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			ht_series_class(r->s, r->class[c])->bytes[k][row] = x;
	}
}

void ht_day_read(const char *path, double stretch, struct ht_series *ret)
{
	struct reader r = {.path = path, .f = fopen(path, "re"), .s = ret};
	char line[LINE_MAX_B];

	ht_series_init(ret);
	if (!r.f || !fgets(line, sizeof(line), r.f))
		die(&r, "cannot be read");
	names(&r, line);
	while (fgets(line, sizeof(line), r.f))
		values(&r, line, stretch);
	fclose(r.f);
	if (ret->rows == 0)
		die(&r, "holds no row");
	ret->started_ns = ret->time_ns[0];
}
