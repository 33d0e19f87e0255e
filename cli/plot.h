/* SPDX-License-Identifier: Apache-2.0 */
/* Plot: one line over time in the terminal, in braille dots (2 x 4 a cell) or
 * ASCII; and sparklines. */
#ifndef HT_CLI_PLOT_H
#define HT_CLI_PLOT_H

#include <stddef.h>
#include <stdint.h>

#include "cli/term.h"
#include "common/err.h"

struct ht_plot {
	const int64_t *time_ns;	  /* ascending */
	const double *value;	  /* NaN: unknown */
	const double *low, *high; /* of rolled-up rows; may be NULL */
	const bool *cut;	  /* no line from the row before; may be NULL */
	size_t n;
	int64_t from_ns, to_ns; /* x axis */
	int width, height;	/* of the drawing, in cells, axis apart */
	const char *unit;	/* of the values: how they are labelled */
	bool bytes;		/* sizes as plain digits */
	enum ht_style style;
};

/* Prints height lines with the value axis on the left and one line with the
 * time axis. Nothing to draw: says so. */
enum ht_code ht_plot_print(const struct ht_term *t, const struct ht_plot *p,
			   struct ht_err *err) HT_MUST_CHECK;

/* A line of times under a drawing of `width` cells that begins after `indent`
 * columns: its ends and, where there is room, its middle. */
void ht_time_axis(int indent, int width, int64_t from_ns, int64_t to_ns);

#define HT_SPARK_MAX 64
/* `width` characters, the values spread over them by position, scaled from
 * their smallest to their largest; a space where unknown. Returns out. */
const char *ht_spark(const struct ht_term *t, const double *value, size_t n,
		     int width, char out[HT_SPARK_MAX * 4]);

#endif
