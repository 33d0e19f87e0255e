/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units of a parsed condition: sums, choices and comparisons need the same unit
 * on both sides, products and quotients make a new one. A bare number goes with
 * anything.
 */
#include <stdio.h>
#include <string.h>

#include "analysis/condition_int.h"

static const char *const names[] = {
	"bytes",  "chunks",   "runs",	     "arenas",	     "heaps",
	"faults", "threads",  "nanoseconds", "microseconds", "seconds",
	"hours",  "mappings", "descriptors"};
enum {
	BYTES = 0,
	SECONDS = 9,
	HOURS = 10,
	UNITS = sizeof(names) / sizeof(names[0])
};

struct unit {
	bool any; /* a bare number */
	int8_t power[UNITS];
};

static struct unit unit_named(const char *name)
{
	struct unit u = {0}; /* a ratio */

	for (size_t i = 0; i < UNITS; i++)
		u.power[i] = strcmp(names[i], name) == 0;
	return u;
}

static struct unit of_value(uint16_t value)
{
	/* in the order of HT_CONDITION_VALUES; NULL: counts of anything */
	static const char *const units[] = {
		"bytes", "seconds", "bytes", "seconds", "ratio",
		"bytes", NULL,	    NULL,    NULL,	"ratio"};
	struct unit u;

	_Static_assert(sizeof(units) / sizeof(units[0]) == HT_V_COUNT,
		       "a unit for each value");
	if (value < HT_METRIC_COUNT)
		return unit_named(ht_metric_infos[value].unit);
	value -= HT_METRIC_COUNT;
	if (!units[value])
		return (struct unit){.any = true};
	u = unit_named(units[value]);
	u.power[HOURS] = value == HT_V_slope ? -1 : 0;
	return u;
}

static struct unit of_number(uint16_t suffix)
{
	struct unit u = {.any = suffix == HT_SUFFIX_NONE};

	u.power[SECONDS] = suffix == HT_SUFFIX_TIME;
	u.power[BYTES] = suffix == HT_SUFFIX_BYTES;
	return u;
}

static struct unit times(struct unit a, struct unit b, int sign)
{
	struct unit u = {.any = a.any && b.any};

	for (size_t i = 0; i < UNITS; i++)
		u.power[i] = (int8_t)(a.power[i] + sign * b.power[i]);
	return u;
}

static bool same(struct unit a, struct unit b)
{
	return a.any || b.any || memcmp(a.power, b.power, sizeof(a.power)) == 0;
}

static size_t put_names(const struct unit *u, int sign, const char *between,
			char *out, size_t used)
{
	for (size_t i = 0; i < UNITS; i++)
		for (int n = sign * u->power[i]; n > 0; n--)
			if (used < HT_UNIT_TEXT)
				used += (size_t)snprintf(
					out + used, HT_UNIT_TEXT - used, "%s%s",
					used ? between : "", names[i]);
	return used;
}

/* "bytes", "bytes/chunks", "1/seconds", "ratio". */
static void text_of(const struct unit *u, char out[HT_UNIT_TEXT])
{
	size_t used;

	out[0] = '\0';
	used = put_names(u, 1, "*", out, 0);
	for (size_t i = 0; i < UNITS && used == 0; i++)
		if (u->power[i] < 0)
			used = (size_t)snprintf(out, HT_UNIT_TEXT, "1");
	used = put_names(u, -1, "/", out, used);
	if (used == 0)
		snprintf(out, HT_UNIT_TEXT, u->any ? "number" : "ratio");
}

static enum ht_code misfit(const struct unit *a, const struct unit *b,
			   enum ht_condition_op_code op, struct ht_err *err)
{
	static const char *const words[] = {[HT_OP_ADD] = "added to",
					    [HT_OP_SUB] = "subtracted from",
					    [HT_OP_MIN] = "compared with",
					    [HT_OP_MAX] = "compared with"};
	char left[HT_UNIT_TEXT], right[HT_UNIT_TEXT];

	text_of(a, left);
	text_of(b, right);
	return ht_fail(err, HT_CONFIG,
		       "a number of unit '%s' cannot be %s one of unit '%s'",
		       op <= HT_OP_SUB ? right : left,
		       op <= HT_OP_MAX ? words[op] : "compared with",
		       op <= HT_OP_SUB ? left : right);
}

static struct unit of_atom(const struct ht_condition_op *op)
{
	return op->op == HT_OP_NUMBER ? of_number(op->value)
				      : of_value(op->value);
}

enum ht_code ht_units_check(const struct ht_condition *c,
			    char ret_unit[HT_UNIT_TEXT], struct ht_err *err)
{
	struct unit stack[HT_CONDITION_OPS + 1] = {{0}};
	bool compared = false;
	size_t n = 0;

	for (size_t i = 0; i < c->ops_n; i++) {
		enum ht_condition_op_code op = c->ops[i].op;

		if (op <= HT_OP_VALUE) {
			stack[n++] = of_atom(&c->ops[i]);
			continue;
		}
		if (op == HT_OP_FUNCTION) {
			if (c->ops[i].function == HT_FN_rate)
				stack[n - 1].power[HOURS]--;
			continue;
		}
		if (op >= HT_OP_AND)
			continue; /* comparisons leave nothing here */
		n--;
		if (op == HT_OP_MUL || op == HT_OP_DIV) {
			stack[n - 1] = times(stack[n - 1], stack[n],
					     op == HT_OP_MUL ? 1 : -1);
			continue;
		}
		if (!same(stack[n - 1], stack[n]))
			return misfit(&stack[n - 1], &stack[n], op, err);
		if (stack[n - 1].any)
			stack[n - 1] = stack[n];
		if (op < HT_OP_GE)
			continue;
		n--;
		if (ret_unit && !compared)
			text_of(&stack[n], ret_unit);
		compared = true;
	}
	if (ret_unit && !compared)
		text_of(&stack[0], ret_unit);
	return HT_OK;
}
