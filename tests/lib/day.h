/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Day: the recorded history of a process, as text: a line of names, then one
 * row a line, with commas between. The first column is seconds, others are
 * metrics that a verdict reads, in bytes or as they are, and `class N`, the
 * bytes in use of that size class (0: mmapped chunks). Empty: not known.
 */
#ifndef HT_TESTS_DAY_H
#define HT_TESTS_DAY_H

#include <stdio.h>

#include "schema/series.h"

/* One row for each `every_s`: medians. Metrics that are never known and classes
 * that never hold 16 KiB are left out. */
void ht_day_write(FILE *f, const struct ht_series *s, int64_t every_s);

/* ret is initialised here; times are `stretch` times as far apart as recorded,
 * and speeds as much slower. Ends the program where the file is no such text.
 */
void ht_day_read(const char *path, double stretch, struct ht_series *ret);

#endif
