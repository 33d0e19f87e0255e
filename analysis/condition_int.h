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
	HT_OP_FUNCTION,
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

#endif
