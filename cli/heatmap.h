/* SPDX-License-Identifier: Apache-2.0 */
/* Heat map: lines over time in the terminal, one row a line, one cell a span of
 * time, its shade the value; with a legend and a time axis. */
#ifndef HT_CLI_HEATMAP_H
#define HT_CLI_HEATMAP_H

#include <stddef.h>
#include <stdint.h>

#include "cli/term.h"
#include "common/err.h"

struct ht_heat_row {
	const char *label;
	const double *value; /* `times` of them; NaN: unknown */
};

struct ht_heatmap {
	const struct ht_heat_row *rows;
	size_t n;
	const int64_t *time_ns; /* ascending */
	size_t times;
	const char *unit; /* of the values, as schema/metrics.def has it */
	bool bytes;	  /* sizes as plain digits */
};

/* A cell has the highest value of its span: a peak is never lost. The last
 * column is the newest known value. */
enum ht_code ht_heatmap_print(const struct ht_term *t,
			      const struct ht_heatmap *h,
			      struct ht_err *err) HT_MUST_CHECK;

#endif
