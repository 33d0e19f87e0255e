/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/condition_int.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stats.h"
#include "common/clock.h"
#include "common/near.h"

static const char *const value_names[] = {
#define NAME(name, help) #name,
	HT_CONDITION_VALUES(NAME)};
static const char *const function_names[] = {HT_CONDITION_FUNCTIONS(NAME)};

static const struct {
	const char *unit;
	double factor;
	enum ht_condition_suffix suffix;
} units[] = {
	{"%", 0.01, HT_SUFFIX_RATIO},	  {"K", 0x1p10, HT_SUFFIX_NONE},
	{"M", 0x1p20, HT_SUFFIX_NONE},	  {"G", 0x1p30, HT_SUFFIX_NONE},
	{"T", 0x1p40, HT_SUFFIX_NONE},	  {"KiB", 0x1p10, HT_SUFFIX_BYTES},
	{"MiB", 0x1p20, HT_SUFFIX_BYTES}, {"GiB", 0x1p30, HT_SUFFIX_BYTES},
	{"TiB", 0x1p40, HT_SUFFIX_BYTES}, {"s", 1, HT_SUFFIX_TIME},
	{"m", 60, HT_SUFFIX_TIME},	  {"h", 3600, HT_SUFFIX_TIME},
	{"d", 86400, HT_SUFFIX_TIME},	  {"", 1, HT_SUFFIX_NONE},
};

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define DEPTH_MAX 16

struct parser {
	const char *at;
	struct ht_condition *out;
	struct ht_err *err;
	int depth;
	enum ht_code code;
};

static void wrong(struct parser *p, const char *expected)
{
	if (p->code != HT_OK)
		return;
	if (*p->at)
		p->code = ht_fail(p->err, HT_CONFIG, "at '%.40s': expected %s",
				  p->at, expected);
	else
		p->code = ht_fail(p->err, HT_CONFIG,
				  "the condition ends where %s is expected",
				  expected);
}

static void emit(struct parser *p, struct ht_condition_op op)
{
	if (p->code != HT_OK)
		return;
	if (p->out->ops_n == HT_CONDITION_OPS)
		p->code =
			ht_fail(p->err, HT_CONFIG, "the condition is too long");
	else
		p->out->ops[p->out->ops_n++] = op;
}

static void emit_op(struct parser *p, enum ht_condition_op_code op)
{
	emit(p, (struct ht_condition_op){.op = (uint8_t)op});
}

static void skip_blanks(struct parser *p)
{
	while (isspace((unsigned char)*p->at))
		p->at++;
}

/* Takes a symbol, or a word that is not the beginning of a longer one. */
static bool accept(struct parser *p, const char *word)
{
	size_t n = strlen(word);

	skip_blanks(p);
	if (strncmp(p->at, word, n) != 0)
		return false;
	if (isalpha((unsigned char)*word) &&
	    (isalnum((unsigned char)p->at[n]) || p->at[n] == '_'))
		return false;
	p->at += n;
	return true;
}

static void expect(struct parser *p, const char *word)
{
	char quoted[8];

	if (accept(p, word))
		return;
	snprintf(quoted, sizeof(quoted), "'%s'", word);
	wrong(p, quoted);
}

static bool find_name(const char *word, size_t n, const char *const *names,
		      size_t count, size_t *ret)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(names[i]) == n && strncmp(names[i], word, n) == 0) {
			*ret = i;
			return true;
		}
	}
	return false;
}

static size_t word_length(const char *at)
{
	size_t n = 0;

	while (isalnum((unsigned char)at[n]) || at[n] == '_')
		n++;
	return n;
}

/* *ret_suffix: enum ht_condition_suffix. */
static double parse_number(struct parser *p, uint16_t *ret_suffix)
{
	char *end;
	double number;
	size_t n;

	skip_blanks(p);
	number = strtod(p->at, &end);
	if (end == p->at || !isfinite(number) ||
	    !isdigit((unsigned char)*p->at)) {
		wrong(p, "a number");
		return 0;
	}
	p->at = end;
	n = *end == '%' ? 1 : word_length(end);
	for (size_t i = 0; i < COUNT(units); i++) {
		if (strlen(units[i].unit) == n &&
		    strncmp(units[i].unit, end, n) == 0) {
			p->at += n;
			number *= units[i].factor;
			*ret_suffix = (uint16_t)units[i].suffix;
			if (!isfinite(number))
				wrong(p, "a smaller number before this,");
			return number;
		}
	}
	wrong(p, "a unit: %, K, M, G, T, s, m, h or d");
	return 0;
}

/* Metrics and values, one after the other. */
static const char *value_at(const void *ctx, size_t i)
{
	(void)ctx;
	if (i < HT_METRIC_COUNT)
		return ht_metric_infos[i].name;
	i -= HT_METRIC_COUNT;
	return i < HT_V_COUNT ? value_names[i] : NULL;
}

static void unknown_value(struct parser *p, const char *name)
{
	char near[HT_NEAR_TEXT];

	if (p->code == HT_OK)
		p->code = ht_fail(
			p->err, HT_CONFIG,
			"'%.40s' is no metric%s: 'heaptide trend --metric help' lists them, heaptided.conf(5) the others",
			name,
			ht_near_text(ht_near(name, value_at, NULL), near));
}

static uint16_t parse_value(struct parser *p)
{
	size_t n, i = 0;
	char name[64];
	enum ht_metric m;

	skip_blanks(p);
	n = word_length(p->at);
	if (n == 0 || n >= sizeof(name)) {
		wrong(p, "a metric");
		return 0;
	}
	memcpy(name, p->at, n);
	name[n] = '\0';
	m = ht_metric_find(name);
	if (m == HT_METRIC_COUNT &&
	    !find_name(name, n, value_names, HT_V_COUNT, &i)) {
		unknown_value(p, name);
		return 0;
	}
	p->at += n;
	return (uint16_t)(m < HT_METRIC_COUNT ? (size_t)m
					      : HT_METRIC_COUNT + i);
}

static void parse_sum(struct parser *p);

static void parse_pair(struct parser *p, enum ht_condition_op_code op)
{
	expect(p, "(");
	parse_sum(p);
	expect(p, ",");
	parse_sum(p);
	expect(p, ")");
	emit_op(p, op);
}

/* Longer than anything is kept, and far from the end of int64_t in ns. */
#define WINDOW_MAX_S (10 * 366 * HT_DAY_S)

/* A window has what is recorded: no verdict, no other window. */
static bool is_recorded(const struct ht_condition_op *op)
{
	return op->op != HT_OP_FUNCTION &&
	       (op->op != HT_OP_VALUE ||
		op->value <= HT_METRIC_COUNT + HT_V_anon);
}

static void parse_function(struct parser *p, size_t function)
{
	struct ht_condition_op op = {.op = HT_OP_FUNCTION,
				     .function = (uint8_t)function};
	size_t first = p->out->ops_n;
	uint16_t suffix = 0;

	expect(p, "(");
	parse_sum(p);
	for (size_t i = first; i < p->out->ops_n; i++)
		if (p->code == HT_OK && !is_recorded(&p->out->ops[i]))
			wrong(p, "metrics that are recorded, before this,");
	op.value = (uint16_t)(p->out->ops_n - first);
	expect(p, ",");
	op.number = parse_number(p, &suffix);
	if (p->code == HT_OK && op.number > WINDOW_MAX_S)
		wrong(p, "ten years at most, before this,");
	expect(p, ")");
	emit(p, op);
}

static void parse_literal(struct parser *p)
{
	struct ht_condition_op op = {.op = HT_OP_NUMBER};

	op.number = parse_number(p, &op.value);
	emit(p, op);
}

static void parse_atom(struct parser *p)
{
	size_t n, function;

	skip_blanks(p);
	n = word_length(p->at);
	if (accept(p, "min")) {
		parse_pair(p, HT_OP_MIN);
	} else if (accept(p, "max")) {
		parse_pair(p, HT_OP_MAX);
	} else if (accept(p, "(")) {
		parse_sum(p);
		expect(p, ")");
	} else if (find_name(p->at, n, function_names, HT_FN_COUNT,
			     &function)) {
		p->at += n;
		parse_function(p, function);
	} else if (isdigit((unsigned char)*p->at)) {
		parse_literal(p);
	} else {
		emit(p, (struct ht_condition_op){.op = HT_OP_VALUE,
						 .value = parse_value(p)});
	}
}

static void parse_product(struct parser *p)
{
	parse_atom(p);
	while (p->code == HT_OK) {
		if (accept(p, "*") || accept(p, "of")) {
			parse_atom(p);
			emit_op(p, HT_OP_MUL);
		} else if (accept(p, "/")) {
			parse_atom(p);
			emit_op(p, HT_OP_DIV);
		} else {
			return;
		}
	}
}

static void parse_sum(struct parser *p)
{
	if (++p->depth > DEPTH_MAX)
		wrong(p, "fewer brackets");
	else
		parse_product(p);
	while (p->code == HT_OK) {
		if (accept(p, "+")) {
			parse_product(p);
			emit_op(p, HT_OP_ADD);
		} else if (accept(p, "-")) {
			parse_product(p);
			emit_op(p, HT_OP_SUB);
		} else {
			break;
		}
	}
	p->depth--;
}

static void parse_comparison(struct parser *p)
{
	static const struct {
		const char *word;
		enum ht_condition_op_code op;
	} comparisons[] = {{">=", HT_OP_GE},
			   {">", HT_OP_GT},
			   {"<=", HT_OP_LE},
			   {"<", HT_OP_LT}};

	parse_sum(p);
	for (size_t i = 0; i < COUNT(comparisons); i++) {
		if (!accept(p, comparisons[i].word))
			continue;
		parse_sum(p);
		emit_op(p, comparisons[i].op);
		return;
	}
	wrong(p, "one of >= > <= <");
}

static void parse_and(struct parser *p)
{
	parse_comparison(p);
	while (p->code == HT_OK && accept(p, "and")) {
		parse_comparison(p);
		emit_op(p, HT_OP_AND);
	}
}

enum ht_code ht_condition_parse(const char *text, struct ht_condition *ret,
				struct ht_err *err)
{
	struct ht_condition c = {0};
	struct parser p = {.at = text, .out = &c, .err = err, .code = HT_OK};

	if (strlen(text) >= sizeof(c.text))
		return ht_fail(err, HT_CONFIG, "the condition is too long");
	strcpy(c.text, text);
	parse_and(&p);
	while (p.code == HT_OK && accept(&p, "or")) {
		parse_and(&p);
		emit_op(&p, HT_OP_OR);
	}
	skip_blanks(&p);
	if (p.code == HT_OK && *p.at)
		wrong(&p, "'and', 'or' or the end");
	if (p.code == HT_OK)
		p.code = ht_units_check(&c, c.unit, err);
	if (p.code == HT_OK)
		*ret = c;
	return p.code;
}

/* Rules know more than what is recorded: a verdict, windows. */
static enum ht_code only_recorded(const struct ht_condition *c,
				  struct ht_err *err)
{
	for (size_t i = 0; i < c->ops_n; i++) {
		const struct ht_condition_op *op = &c->ops[i];

		if (op->op == HT_OP_FUNCTION)
			return ht_fail(
				err, HT_CONFIG,
				"%s() is for rules: here metrics are added, subtracted, multiplied and divided",
				function_names[op->function]);
		if (op->op == HT_OP_VALUE &&
		    op->value > HT_METRIC_COUNT + HT_V_anon)
			return ht_fail(
				err, HT_CONFIG,
				"'%s' is for rules: it is not recorded",
				value_names[op->value - HT_METRIC_COUNT]);
	}
	return HT_OK;
}

enum ht_code ht_expression_parse(const char *text, struct ht_expression *ret,
				 struct ht_err *err)
{
	struct ht_expression e = {0};
	struct parser p = {.at = text, .out = &e.c, .err = err, .code = HT_OK};

	if (strlen(text) >= sizeof(e.c.text))
		return ht_fail(err, HT_CONFIG, "the expression is too long");
	strcpy(e.c.text, text);
	parse_sum(&p);
	skip_blanks(&p);
	if (p.code == HT_OK && *p.at)
		wrong(&p, "one of + - * / or the end");
	if (p.code == HT_OK)
		p.code = only_recorded(&e.c, err);
	if (p.code == HT_OK)
		p.code = ht_units_check(&e.c, e.unit, err);
	if (p.code == HT_OK)
		*ret = e;
	return p.code;
}

enum ht_metric ht_expression_metric(const struct ht_expression *e)
{
	return e->c.ops_n == 1 && e->c.ops[0].op == HT_OP_VALUE &&
			       e->c.ops[0].value < HT_METRIC_COUNT
		       ? (enum ht_metric)e->c.ops[0].value
		       : HT_METRIC_COUNT;
}

int64_t ht_condition_window_ns(const struct ht_condition *c)
{
	double longest = 0;

	for (size_t i = 0; i < c->ops_n; i++) {
		if (c->ops[i].op == HT_OP_FUNCTION &&
		    c->ops[i].number > longest)
			longest = c->ops[i].number;
	}
	return (int64_t)(longest * (double)HT_NS_PER_S);
}

bool ht_condition_needs_verdict(const struct ht_condition *c)
{
	for (size_t i = 0; i < c->ops_n; i++) {
		int value = (int)c->ops[i].value - HT_METRIC_COUNT;

		if (c->ops[i].op == HT_OP_VALUE &&
		    (value == HT_V_eta || value == HT_V_slope ||
		     value == HT_V_confidence || value == HT_V_idle_floor))
			return true;
	}
	return false;
}

void ht_condition_metrics(const struct ht_condition *c,
			  bool metrics[HT_METRIC_COUNT])
{
	for (size_t i = 0; i < c->ops_n; i++) {
		const struct ht_condition_op *op = &c->ops[i];

		if (op->op == HT_OP_FUNCTION)
			metrics[HT_M_in_use] = true; /* for troughs */
		if (op->op != HT_OP_VALUE)
			continue;
		if (op->value < HT_METRIC_COUNT)
			metrics[op->value] = true;
		else if (op->value == HT_METRIC_COUNT + HT_V_anon)
			metrics[HT_M_rss_anon] = metrics[HT_M_swap] = true;
	}
}
