/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An expression of metrics, over a row where all is known, one where half is
 * and one of zeros: a finite number or unknown, and a unit that has an end.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/condition.h"

enum { ROWS = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(struct ht_series *s, double known[ROWS], double half[ROWS])
{
	for (int i = 0; i < ROWS; i++) {
		known[i] = i == 2 ? 0 : 1e9 * i + 4096;
		half[i] = i == 0 ? 3 : i == 1 ? NAN : 0;
	}
	s->rows = ROWS;
	for (int m = 0; m < HT_METRIC_COUNT; m++)
		for (int k = 0; k < HT_STAT_COUNT; k++)
			s->metric[m][k] = m % 2 ? known : half;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static double known[ROWS], half[ROWS];
	bool metrics[HT_METRIC_COUNT] = {false};
	struct ht_series s = {0};
	struct ht_expression e;
	struct ht_err err = {0};
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	fill(&s, known, half);
	if (ht_expression_parse(text, &e, &err) == HT_OK) {
		if (!memchr(e.unit, '\0', sizeof(e.unit)) || !e.unit[0])
			abort();
		for (size_t row = 0; row < ROWS; row++)
			if (isinf(ht_expression_at(&e, &s, row)))
				abort();
		ht_condition_metrics(&e.c, metrics);
		if (ht_expression_metric(&e) > HT_METRIC_COUNT)
			abort();
	} else if (!err.msg[0]) {
		abort();
	}
	free(text);
	return 0;
}
