/* SPDX-License-Identifier: Apache-2.0 */
/* Time of one verdict: 7 days at one row a minute and as the store rolls them
 * up, with size classes. Prints a markdown table.
 */
#include <math.h>
#include <stdio.h>

#include "analysis/stats.h"
#include "analysis/verdict.h"
#include "common/clock.h"
#include "tests/lib/made.h"

#define CLASSES 100
#define ROUNDS	20

static void fill(struct ht_series *s, size_t rows, size_t classes)
{
	double x[10080];

	for (size_t i = 0; i < rows; i++)
		x[i] = 1e8 *
		       (1 + 0.3 * (double)i / (double)rows +
			0.2 * sin((double)i / 230) + 0.01 * ht_made_normal());
	ht_made_in_use(s, x, rows, 0.2);
	for (size_t i = 0; i < rows; i++)
		s->time_ns[i] *= (int64_t)(10080 / rows);
	for (size_t c = 0; c < classes; c++) {
		struct ht_class_series *cs = ht_series_class(s, 16 * (c + 2));

		for (size_t i = 0; cs && i < rows; i++) {
			for (size_t k = 0; k < HT_STAT_COUNT; k++)
				cs->bytes[k][i] = x[i] / CLASSES;
			cs->chunks[i] = x[i] / CLASSES / 16;
		}
	}
}

static void measure(const char *what, size_t rows, size_t classes)
{
	HT_AUTO_SERIES struct ht_series s;
	double one[ROUNDS], all[ROUNDS];
	struct ht_verdict v;

	ht_series_init(&s);
	fill(&s, rows, classes);
	for (size_t i = 0; i < ROUNDS; i++) {
		int64_t begin = ht_clock_ns(CLOCK_PROCESS_CPUTIME_ID), mid;

		ht_verdict_window(&s, s.time_ns[0], s.time_ns[rows - 1], NULL,
				  &v);
		mid = ht_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		ht_verdict(&s, s.time_ns[rows - 1], NULL, &v);
		one[i] = (double)(mid - begin) / 1e6;
		all[i] = (double)(ht_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - mid) /
			 1e6;
	}
	printf("| %s | %zu | %zu | %.2f ms | %.2f ms |\n", what, rows, classes,
	       ht_median(one, ROUNDS), ht_median(all, ROUNDS));
}

int main(void)
{
	ht_made_seed(1);
	printf("## Deciding one target's 7 days (processor time, median of %d)\n\n| data | rows | size classes | one window | all windows |\n| --- | --- | --- | --- | --- |\n",
	       ROUNDS);
	measure("96 buckets", 96, CLASSES);
	measure("96 buckets, metrics only", 96, 0);
	measure("rolled up", 900, CLASSES);
	measure("one row a minute", 10080, CLASSES);
	return 0;
}
