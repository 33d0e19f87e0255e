/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A condition, asked about a history of eight rows with holes in it, as written
 * and eased: the answer is one of three.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/condition.h"
#include "common/clock.h"

#define ROWS   8
#define NOW_NS (INT64_C(1769860800) * HT_NS_PER_S)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(struct ht_series *s, int64_t time_ns[ROWS],
		 double values[ROWS])
{
	for (int i = 0; i < ROWS; i++) {
		time_ns[i] = NOW_NS - (ROWS - 1 - i) * 60 * HT_NS_PER_S;
		values[i] = i == 3 ? NAN : 1e8 + 1e6 * i;
	}
	s->rows = ROWS;
	s->time_ns = time_ns;
	for (int m = 0; m < HT_METRIC_COUNT; m += 2) /* every other is known */
		for (int k = 0; k < HT_STAT_COUNT; k++)
			s->metric[m][k] = values;
}

static void ask(const struct ht_condition *c)
{
	static int64_t time_ns[ROWS];
	static double values[ROWS];
	struct ht_series series = {0};
	struct ht_verdict verdict = {.label = HT_LABEL_LEAK,
				     .confidence = 0.9,
				     .slope_bytes_per_hour = 1e6,
				     .from_ns = NOW_NS - 3600 * HT_NS_PER_S,
				     .to_ns = NOW_NS};
	const struct ht_situation s = {.now_ns = NOW_NS,
				       .series = &series,
				       .verdict = &verdict,
				       .failures = 1,
				       .inconsistent = NAN,
				       .gap_intervals = 2,
				       .stop_ratio = 0.001};
	double left, right;

	fill(&series, time_ns, values);
	if (ht_condition_ask(c, &s, 1, &left, &right) > HT_UNSURE ||
	    ht_condition_ask(c, &s, 0.8, NULL, NULL) > HT_UNSURE)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool metrics[HT_METRIC_COUNT] = {false};
	char *text = malloc(size + 1);
	struct ht_condition c;
	struct ht_err err = {0};

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (ht_condition_parse(text, &c, &err) == HT_OK) {
		if (ht_condition_window_ns(&c) < 0)
			abort();
		ht_condition_metrics(&c, metrics);
		ht_condition_needs_verdict(&c);
		ask(&c);
	} else if (!err.msg[0]) {
		abort();
	}
	free(text);
	return 0;
}
