/* SPDX-License-Identifier: Apache-2.0 */
/* Gate: what a history must not show, as a build asks for it: verdicts, growth,
 * sizes; and how it turned out. */
#ifndef HT_CLI_GATE_H
#define HT_CLI_GATE_H

#include "cli/judge.h"

enum ht_outcome_state {
	HT_OUTCOME_KEPT,
	HT_OUTCOME_MISSED,
	HT_OUTCOME_UNKNOWN, /* too little was measured to tell */
};

struct ht_outcome {
	const char *name; /* "verdict", or the option of the limit */
	enum ht_outcome_state state;
	char text[320]; /* what is, and what was allowed */
};

#define HT_OUTCOMES_MAX 4
struct ht_gate {
	bool fails_on[HT_LABEL_COUNT]; /* none: no verdict is asked for */
	double confidence;	       /* that it must have to count, 0..1 */
	/* Bytes; HT_UNKNOWN: no limit. */
	uint64_t max_growth, max_in_use, max_retained;
	struct ht_outcome outcome[HT_OUTCOMES_MAX];
	size_t outcomes;
};

/* What the options say. HT_USAGE: no such label. */
enum ht_code ht_gate_init(const struct ht_options *o, struct ht_gate *ret,
			  struct ht_err *err) HT_MUST_CHECK;
/* LEAK and NON_MALLOC_GROWTH, where no condition at all was named. */
void ht_gate_default(struct ht_gate *g);

/* Holds the history against all conditions: fills outcome. Growth is that of
 * the medians of in use from the second quarter of the samples to the last. */
void ht_gate_judge(struct ht_gate *g, const struct ht_judged *j);
/* Nothing was measured: all is unknown, for this reason. */
void ht_gate_unknown(struct ht_gate *g, const char *why);
/* How many outcomes are of this state. */
size_t ht_gate_count(const struct ht_gate *g, enum ht_outcome_state state);
/* HT_EXCEEDED, with the first that was missed; else HT_OK. */
enum ht_code ht_gate_result(const struct ht_gate *g,
			    struct ht_err *err) HT_MUST_CHECK;

extern const char *const ht_outcome_names[]; /* by state: "kept", ... */

#endif
