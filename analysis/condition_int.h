/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a parsed condition: for condition.c, which writes it, and
 * condition_ask.c, which runs it. */
#ifndef HT_ANALYSIS_CONDITION_INT_H
#define HT_ANALYSIS_CONDITION_INT_H

#include "analysis/condition.h"

/* Postfix. Order matters: numbers, arithmetic, comparisons, logic. */
enum ht_condition_op_code {
	HT_OP_NUMBER,
	HT_OP_VALUE,
	HT_OP_FUNCTION, /* of the `value` ops before it */
	HT_OP_ADD,
	HT_OP_SUB,
	HT_OP_MUL,
	HT_OP_DIV,
	HT_OP_MIN,
	HT_OP_MAX,
	HT_OP_GE,
	HT_OP_GT,
	HT_OP_LE,
	HT_OP_LT,
	HT_OP_AND,
	HT_OP_OR,
};

/* What a number's suffix says of its unit; in `value` of HT_OP_NUMBER. */
enum ht_condition_suffix {
	HT_SUFFIX_NONE, /* none, K, M, G, T: of anything */
	HT_SUFFIX_BYTES,
	HT_SUFFIX_TIME,
	HT_SUFFIX_RATIO,
};

/* units.c: HT_CONFIG where two sides do not fit. ret_unit: of an expression, or
 * of the first comparison; may be NULL. */
enum ht_code ht_units_check(const struct ht_condition *c,
			    char ret_unit[HT_UNIT_TEXT],
			    struct ht_err *err) HT_MUST_CHECK;
/* What an arithmetic op makes of two numbers; NaN when either is unknown, and
 * for a division by 0. */
double ht_condition_calculate(enum ht_condition_op_code op, double a, double b);

#endif
