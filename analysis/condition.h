/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Condition: a question about a process that an alert rule asks, as text:
 *
 *   trough(trimmable, 10m) >= max(256M, 30% of anon) and anon >= 64M
 *
 * or         := and { "or" and }
 * and        := comparison { "and" comparison }
 * comparison := sum ( ">=" | ">" | "<=" | "<" ) sum
 * sum        := product { ("+" | "-") product }
 * product    := atom { ("*" | "/" | "of") atom }
 * atom       := NUMBER [unit] | VALUE | FUNCTION "(" sum "," NUMBER ")"
 *             | ("min" | "max") "(" sum "," sum ")" | "(" sum ")"
 *
 * Units: % (hundredths), K M G T (powers of 1024, KiB etc. as well), s m h d
 * (seconds). Units are checked: bytes are not compared with threads; a bare
 * number (K, M, G, T too) goes with anything. A FUNCTION's sum is an expression
 * (see there). VALUE is a metric of
 * schema/metrics.def, or one of HT_CONDITION_VALUES. A value that is not known
 * makes its comparison unsure, never false.
 */
#ifndef HT_ANALYSIS_CONDITION_H
#define HT_ANALYSIS_CONDITION_H

#include "analysis/verdict.h"

/* V(name, help) */
#define HT_CONDITION_VALUES(V)                                                 \
	V(anon, "anonymous and swapped bytes")                                 \
	V(eta, "seconds until the nearest limit at the present growth")        \
	V(slope, "bytes per hour, of what the verdict says is growing")        \
	V(rising, "seconds for which what the verdict says grows has grown")   \
	V(confidence, "of the verdict, 0 to 1")                                \
	V(idle_floor, "lowest retained bytes in the verdict's window")         \
	V(failures, "samples that failed in a row")                            \
	V(inconsistent, "of the last 3 samples, those with a corrupt heap")    \
	V(gap_intervals, "intervals in which no sample succeeded, but could")  \
	V(stop_ratio, "share of wall time that the process was stopped")

/* V(name, help): over the window that ends now. */
#define HT_CONDITION_FUNCTIONS(V)                                              \
	V(lowest, "lowest value in the window")                                \
	V(highest, "highest value in the window")                              \
	V(mean, "mean of the window")                                          \
	V(trough, "its value when in_use was lowest in the window")            \
	V(rate, "its change per hour, first half's mean to second half's")

enum ht_condition_value {
#define HT_CONDITION_ITEM(name, help) HT_V_##name,
	HT_CONDITION_VALUES(HT_CONDITION_ITEM) HT_V_COUNT
};
enum ht_condition_function {
#define HT_CONDITION_FUNCTION_ITEM(name, help) HT_FN_##name,
	HT_CONDITION_FUNCTIONS(HT_CONDITION_FUNCTION_ITEM) HT_FN_COUNT
};

enum ht_truth { HT_FALSE, HT_TRUE, HT_UNSURE };

/* What is asked about. Borrowed for the call. */
struct ht_situation {
	int64_t now_ns;
	const struct ht_series *series;	  /* newest row last */
	const struct ht_verdict *verdict; /* NULL: not judged */
	const char *held_by; /* what holds what leaks; NULL: not known */
	const char *made_by; /* whose call stacks make it; NULL: not known */
	const char *grown;   /* which type grew; NULL: not known */
	double failures, inconsistent, gap_intervals, stop_ratio; /* NaN: ? */
};

#define HT_UNIT_TEXT	 64 /* "bytes", "bytes/chunks", "ratio" */
#define HT_CONDITION_MAX 256
#define HT_CONDITION_OPS 48
struct ht_condition {
	char text[HT_CONDITION_MAX];
	struct ht_condition_op {
		uint8_t op;	  /* private to condition.c */
		uint8_t function; /* enum ht_condition_function */
		uint16_t value;	  /* enum ht_metric, or + HT_METRIC_COUNT;
				   * private where it is no HT_OP_VALUE */
		double number;	  /* or the window in seconds */
	} ops[HT_CONDITION_OPS];  /* postfix */
	size_t ops_n;
	char unit[HT_UNIT_TEXT]; /* of both sides of the first comparison:
				    "bytes" */
};

/* HT_CONFIG names the word that is wrong and what is possible there. */
enum ht_code ht_condition_parse(const char *text, struct ht_condition *ret,
				struct ht_err *err) HT_MUST_CHECK;
/* An expression: a sum as above, of recorded metrics and `anon` alone:
 * "retained / heap_resident". unit: what its value is a number of ("bytes",
 * "ratio", "bytes/chunks"). HT_CONFIG names what is wrong. */
struct ht_expression {
	struct ht_condition c; /* without a comparison */
	char unit[HT_UNIT_TEXT];
};
enum ht_code ht_expression_parse(const char *text, struct ht_expression *ret,
				 struct ht_err *err) HT_MUST_CHECK;
/* The metric, when the expression is no more than one; HT_METRIC_COUNT. */
enum ht_metric ht_expression_metric(const struct ht_expression *e);
/* Its value in a row of a series, from the medians there: NaN when anything in
 * it is unknown, or divided by 0. */
double ht_expression_at(const struct ht_expression *e,
			const struct ht_series *s, size_t row);

/* Longest window that its functions look back, 0: the last row is enough. */
int64_t ht_condition_window_ns(const struct ht_condition *c);
/* It asks about something that only a verdict knows. */
bool ht_condition_needs_verdict(const struct ht_condition *c);
/* Flags the metrics that it reads. */
void ht_condition_metrics(const struct ht_condition *c,
			  bool metrics[HT_METRIC_COUNT]);
/* ease: 1 asks as written; 0.8 asks with every level eased to 80 % (levels of
 * ">" are multiplied, levels of "<" divided). left, right: the two sides of the
 * first comparison that decides; may be NULL. */
enum ht_truth ht_condition_ask(const struct ht_condition *c,
			       const struct ht_situation *s, double ease,
			       double *left, double *right);

#endif
