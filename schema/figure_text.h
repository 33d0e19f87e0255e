/* SPDX-License-Identifier: Apache-2.0 */
/* Figures as text: one way to write sizes, counts and ratios, in terminal and
 * page. */
#ifndef HT_SCHEMA_FIGURE_TEXT_H
#define HT_SCHEMA_FIGURE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#define HT_NUMBER_TEXT 32
/* A size as the person asked for it: "1.5 MiB", or digits. Returns out. */
const char *ht_bytes_text(uint64_t bytes, bool exact, char out[HT_NUMBER_TEXT]);
/* "1,234,567"; "?" when unknown. Returns out. */
const char *ht_count_text(uint64_t n, char out[HT_NUMBER_TEXT]);
/* A figure in a unit of schema/metrics.def, for people: a size for bytes,
 * percent for ratios, else digits; "?" when not finite. Returns out. */
const char *ht_value_text(const char *unit, double v, bool exact,
			  char out[HT_NUMBER_TEXT]);
/* The same for programs: the fewest digits that read back as v. NULL when not
 * finite. Returns out. */
const char *ht_digits_text(double v, char out[HT_NUMBER_TEXT]);

#endif
