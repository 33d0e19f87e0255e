/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/who/unnamed.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

/* What a function is known to be. */
enum {
	TAKES = 1,	   /* _int_malloc */
	ASKS = 2,	   /* calls it */
	MOVES = 4,	   /* realloc, and what is behind it */
	OF_MALLOC = 8,	   /* malloc calls it, or _int_malloc does */
	ASKS_BY_JUMP = 16, /* ends with what asks */
	ALIGNS = 32,	   /* asks for nobody else */
	ALIGNS_BY_CALL = 64,
};

#define CALLERS_MIN  3 /* of malloc, in any program: stdio, exit handlers */
#define CALLERS_MORE 2 /* times as many as whatever else would fit has */

struct choice {
	const struct ht_functions *code;
	uint8_t *is; /* of each function */
};

/* Functions that refer to a text; the last of them. */
static uint32_t mark_text(struct choice *x, uint64_t text, uint8_t what)
{
	uint32_t ret = HT_FUNCTION_NONE, f = 0;

	while (text && (f = ht_functions_refers_to(x->code, text, f)) !=
			       HT_FUNCTION_NONE) {
		x->is[f] |= what;
		ret = f++;
	}
	return ret;
}

static void mark_callers(struct choice *x, uint8_t of, uint8_t what)
{
	for (size_t i = 0; i < x->code->edges; i++)
		if (x->code->edge[i].call && x->is[x->code->edge[i].to] & of)
			x->is[x->code->edge[i].from] |= what;
}

/* Those that end with a jump to one. */
static void mark_jumps(struct choice *x, uint8_t of, uint32_t but, uint8_t what)
{
	for (size_t i = 0; i < x->code->edges; i++) {
		const struct ht_functions_edge *e = &x->code->edge[i];

		if (!e->call && e->to != but && x->is[e->to] & of)
			x->is[e->from] |= what;
	}
}

static void mark_called(struct choice *x, uint32_t by, uint8_t what)
{
	for (size_t i = 0; i < x->code->edges; i++)
		if (x->code->edge[i].from == by)
			x->is[x->code->edge[i].to] |= what;
}

static bool goes_to(const struct choice *x, uint32_t from, uint32_t to)
{
	for (size_t i = 0; i < x->code->edges; i++)
		if (x->code->edge[i].from == from && x->code->edge[i].to == to)
			return true;
	return false;
}

/* Functions that go to it and are none of malloc's own. Edges lie by their
 * place in the code: those of one function in a row. */
static unsigned callers(const struct choice *x, uint32_t function)
{
	uint32_t last = HT_FUNCTION_NONE;
	unsigned n = 0;

	for (size_t i = 0; i < x->code->edges; i++) {
		const struct ht_functions_edge *e = &x->code->edge[i];

		if (e->to != function || e->from == last ||
		    x->is[e->from] & (TAKES | ASKS | MOVES))
			continue;
		last = e->from;
		n++;
	}
	return n;
}

/* The one of those that fit which others call most, and by far. */
static uint32_t most_called(const struct choice *x,
			    bool (*fits)(const struct choice *x, uint32_t f,
					 uint32_t given),
			    uint32_t given, unsigned at_least)
{
	uint32_t ret = HT_FUNCTION_NONE;
	unsigned most = 0, second = 0;

	for (uint32_t f = 0; f < x->code->table.n; f++) {
		unsigned n = fits(x, f, given) ? callers(x, f) : 0;

		if (n > most) {
			second = most;
			most = n;
			ret = f;
		} else if (n > second) {
			second = n;
		}
	}
	return most >= at_least && most >= CALLERS_MORE * second
		       ? ret
		       : HT_FUNCTION_NONE;
}

static bool is_realloc(const struct choice *x, uint32_t f, uint32_t given)
{
	(void)given;
	return x->is[f] & MOVES;
}

/* Asked by realloc. */
static bool is_malloc(const struct choice *x, uint32_t f, uint32_t given)
{
	return !(x->is[f] & (MOVES | TAKES)) &&
	       x->is[f] & (ASKS | ASKS_BY_JUMP) && goes_to(x, given, f);
}

static bool is_calloc(const struct choice *x, uint32_t f, uint32_t given)
{
	return f != given && !(x->is[f] & (MOVES | TAKES | OF_MALLOC)) &&
	       x->is[f] & (ASKS | ASKS_BY_JUMP) &&
	       ht_functions_has_product(x->code, f);
}

/* Asks malloc itself where nothing is to be aligned, else by a function of its
 * own, or on its own. */
static bool is_memalign(const struct choice *x, uint32_t f, uint32_t given)
{
	return f != given && x->is[f] & (ALIGNS | ALIGNS_BY_CALL) &&
	       !(x->is[f] & (MOVES | TAKES | OF_MALLOC)) &&
	       goes_to(x, f, given);
}

/* What is left of those that ask. */
static void mark_aligning(struct choice *x, uint32_t malloc, uint32_t calloc)
{
	for (uint32_t f = 0; f < x->code->table.n; f++)
		if (f != malloc && f != calloc &&
		    (x->is[f] & (ASKS | MOVES | TAKES | OF_MALLOC)) == ASKS)
			x->is[f] |= ALIGNS;
	mark_callers(x, ALIGNS, ALIGNS_BY_CALL);
}

static uint64_t address(const struct ht_functions *c, uint32_t f)
{
	return f == HT_FUNCTION_NONE ? 0 : ht_functions_address(c, f);
}

bool ht_unnamed_choose(const struct ht_functions *c, uint64_t top_text,
		       uint64_t pointer_text, uint64_t next_text,
		       struct ht_unnamed *ret)
{
	HT_AUTO_FREE uint8_t *is = calloc(c->table.n + 1, 1);
	struct choice x = {c, is};
	uint32_t takes, malloc, calloc, realloc;

	*ret = (struct ht_unnamed){0};
	if (!is)
		return false;
	takes = mark_text(&x, top_text, TAKES);
	mark_text(&x, pointer_text, MOVES);
	realloc = most_called(&x, is_realloc, 0, 1);
	mark_text(&x, next_text, MOVES);
	if (takes == HT_FUNCTION_NONE || realloc == HT_FUNCTION_NONE)
		return false;
	mark_callers(&x, TAKES, ASKS);
	mark_jumps(&x, ASKS, HT_FUNCTION_NONE, ASKS_BY_JUMP);
	malloc = most_called(&x, is_malloc, realloc, CALLERS_MIN);
	if (malloc == HT_FUNCTION_NONE)
		return false;
	for (size_t i = 0; i < c->table.n; i++)
		is[i] &= (uint8_t)~ASKS_BY_JUMP;
	mark_jumps(&x, ASKS, malloc, ASKS_BY_JUMP);
	mark_called(&x, takes, OF_MALLOC);
	mark_called(&x, malloc, OF_MALLOC);
	calloc = most_called(&x, is_calloc, malloc, 1);
	if (calloc != HT_FUNCTION_NONE)
		mark_called(&x, calloc, OF_MALLOC);
	mark_aligning(&x, malloc, calloc);
	ret->malloc = address(c, malloc);
	ret->realloc = address(c, realloc);
	ret->calloc = address(c, calloc);
	ret->memalign = address(c, most_called(&x, is_memalign, malloc, 1));
	return true;
}

bool ht_unnamed_find(const struct ht_module *m, struct ht_unnamed *ret)
{
	struct ht_functions c;
	bool found =
		ht_functions_read(m, &c) &&
		ht_unnamed_choose(
			&c,
			ht_functions_text(m, "malloc(): corrupted top size"),
			ht_functions_text(m, "realloc(): invalid pointer"),
			ht_functions_text(m, "realloc(): invalid next size"),
			ret);

	ht_functions_fini(&c);
	return found;
}
