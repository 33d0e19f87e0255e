/* SPDX-License-Identifier: Apache-2.0 */
/* Chart: series as inline SVG for the report, stacked areas or lines. No
 * script, no file beside the page. */
#ifndef HT_PAGE_CHART_H
#define HT_PAGE_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct ht_band {
	const char *name, *color;
	const double *value; /* NaN: unknown, drawn as a gap or 0 */
};

struct ht_chart {
	const char *title;
	const int64_t *time_ns;
	size_t rows;		     /* at least 1 */
	const struct ht_band *bands; /* stacked: from the bottom */
	size_t bands_n;
	bool stacked;
	const char *unit; /* of all values: how the axis is labelled */
};

/* Writes a <figure> with title, legend and drawing. */
void ht_chart_print(FILE *to, const struct ht_chart *c);

/* Text with the signs of HTML escaped. */
void ht_html_text(FILE *to, const char *text);

#endif
