/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Malloc without a symbol: found by what its functions call and say, in the
 * forms that glibc's has had; where more than one function fits, or none,
 * nothing is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "agent/arch/arch.h"
#include "agent/who/unnamed.h"

#define BASE	 0x400000u
#define FUNCTION 128u /* bytes of each */
#define MOST	 40u
#define TOP	 0x900010u
#define POINTER	 0x900050u
#define NEXT	 0x900090u

static uint8_t bytes[MOST * FUNCTION];
static size_t used[MOST]; /* bytes of each that are written */
static unsigned n;

static unsigned function(void)
{
	assert_true(n < MOST);
	memset(bytes + n * FUNCTION, 0xcc, FUNCTION);
	used[n] = 0;
	return n++;
}

static uint8_t *put(unsigned f, size_t len)
{
	uint8_t *at = bytes + f * FUNCTION + used[f];

	used[f] += len;
	assert_true(used[f] <= FUNCTION);
	return at;
}

static void branch(uint8_t code, unsigned from, unsigned to)
{
	uint8_t *at = put(from, 5);
	int32_t d = (int32_t)(bytes + to * FUNCTION - (at + 5));

	*at = code;
	memcpy(at + 1, &d, sizeof(d));
}

static void calls(unsigned from, unsigned to)
{
	branch(0xe8, from, to);
}

static void jumps(unsigned from, unsigned to)
{
	branch(0xe9, from, to);
}

/* lea to(%rip), %rdi */
static void says(unsigned f, uint64_t text)
{
	uint8_t *at = put(f, 7);
	int32_t d = (int32_t)(text - (BASE + (uint64_t)(at + 7 - bytes)));

	memcpy(at, "\x48\x8d\x3d", 3);
	memcpy(at + 3, &d, sizeof(d));
}

/* mul %rsi */
static void multiplies(unsigned f)
{
	memcpy(put(f, 3), "\x48\xf7\xe6", 3);
}

static bool choose(struct ht_unnamed *ret)
{
	struct ht_functions c = {.address = BASE, .size = n * FUNCTION};
	bool found;

	c.bytes = malloc(c.size);
	c.table = (struct ht_frame_table){
		.row = calloc(n, sizeof(*c.table.row)), .n = n, .base = BASE};
	assert_true(c.bytes && c.table.row);
	memcpy(c.bytes, bytes, c.size);
	for (unsigned i = 0; i < n; i++)
		c.table.row[i].start = (int32_t)(i * FUNCTION);
	assert_true(ht_functions_scan(&c));
	found = ht_unnamed_choose(&c, TOP, POINTER, NEXT, ret);
	ht_functions_fini(&c);
	return found;
}

static uint64_t at(unsigned f)
{
	return BASE + f * FUNCTION;
}

/* A program's functions, and malloc's as they are in most glibcs. */
static struct {
	unsigned takes, malloc, calloc, realloc, moves, memalign, aligns, init;
	unsigned user[6];
} p;

static void begin(void)
{
	n = 0;
	for (unsigned i = 0; i < 6; i++)
		p.user[i] = function();
	p.takes = function();
	p.malloc = function();
	p.calloc = function();
	p.realloc = function();
	p.moves = function();
	p.memalign = function();
	p.aligns = function();
	p.init = function();
	says(p.takes, TOP);
	says(p.realloc, POINTER);
	says(p.moves, NEXT);
	calls(p.moves, p.takes);
	calls(p.realloc, p.moves);
	calls(p.realloc, p.init);
	jumps(p.realloc, p.malloc);
	calls(p.init, p.takes);
	calls(p.aligns, p.takes);
	calls(p.memalign, p.aligns);
	jumps(p.memalign, p.malloc);
	multiplies(p.calloc);
	for (unsigned i = 0; i < 6; i++)
		calls(p.user[i], p.malloc);
	calls(p.user[0], p.calloc);
	calls(p.user[1], p.realloc);
	calls(p.user[2], p.memalign);
	calls(p.user[3], p.calloc);
}

static void are_found(void)
{
	struct ht_unnamed u;

	assert_true(choose(&u));
	assert_int_equal(u.malloc, at(p.malloc));
	assert_int_equal(u.calloc, at(p.calloc));
	assert_int_equal(u.realloc, at(p.realloc));
	assert_int_equal(u.memalign, at(p.memalign));
}

static void who_asks_for_chunks_is_malloc(void **state)
{
	(void)state;
	begin();
	calls(p.malloc, p.takes);
	calls(p.malloc, p.init);
	calls(p.calloc, p.takes);
	are_found();
}

/* As from 2.42 on: malloc looks into its cache, and jumps to what asks. */
static void so_is_who_ends_with_a_jump_to_what_asks(void **state)
{
	unsigned behind_malloc, behind_calloc;

	(void)state;
	begin();
	behind_malloc = function();
	behind_calloc = function();
	calls(behind_malloc, p.takes);
	calls(behind_calloc, p.takes);
	calls(p.init, behind_malloc);
	calls(p.takes, p.init);
	jumps(p.malloc, behind_malloc);
	jumps(p.calloc, behind_calloc);
	are_found();
}

static void a_callers_own_product_is_no_calloc(void **state)
{
	unsigned own;

	(void)state;
	begin();
	own = function();
	calls(p.malloc, p.takes);
	calls(p.calloc, p.takes);
	multiplies(own); /* an array of so many, by malloc */
	jumps(own, p.malloc);
	for (unsigned i = 0; i < 6; i++)
		calls(p.user[i], own);
	are_found();
}

static void what_is_not_linked_is_not_found(void **state)
{
	struct ht_unnamed u;

	(void)state;
	begin();
	calls(p.malloc, p.takes);
	says(p.calloc, 0x900100); /* it asks nobody */
	assert_true(choose(&u));
	assert_int_equal(u.malloc, at(p.malloc));
	assert_int_equal(u.calloc, 0);
}

static void where_two_fit_nothing_is_said(void **state)
{
	struct ht_unnamed u;
	unsigned other;

	(void)state;
	begin();
	other = function();
	calls(p.malloc, p.takes);
	calls(other, p.takes);
	calls(p.realloc, other);
	assert_true(choose(&u));
	for (unsigned i = 0; i < 4; i++)
		calls(p.user[i], other);
	assert_false(choose(&u));
}

static void without_what_malloc_says_nothing_is_said(void **state)
{
	struct ht_unnamed u;

	(void)state;
	begin();
	calls(p.malloc, p.takes);
	bytes[p.takes * FUNCTION] = 0x90;
	assert_false(choose(&u));
	begin();
	calls(p.malloc, p.takes);
	bytes[p.realloc * FUNCTION] = 0x90;
	assert_false(choose(&u));
	n = 0;
	for (unsigned i = 0; i < MOST; i++)
		function();
	assert_false(choose(&u));
}

/* Bytes may be anything: nothing is read beyond them, and it ends. */
static void any_bytes_are_taken(void **state)
{
	struct ht_unnamed u;
	unsigned seed = 7;

	(void)state;
	for (int turn = 0; turn < 200; turn++) {
		n = 0;
		for (unsigned i = 0; i < MOST; i++)
			function();
		for (size_t i = 0; i < sizeof(bytes); i++) {
			seed = seed * 1103515245u + 12345u;
			bytes[i] =
				seed >> 24 & 3 ? 0xe8 : (uint8_t)(seed >> 16);
		}
		choose(&u);
	}
}

static void the_last_bytes_of_code_are_not_read_beyond(void **state)
{
	uint64_t to;
	const uint8_t call[5] = {0xe8, 1, 0, 0, 0};
	const uint8_t jump[6] = {0x0f, 0x84, 0xfa, 0xff, 0xff, 0xff};

	(void)state;
	assert_int_equal(ht_code_branch(call, 4, BASE, &to), HT_BRANCH_NONE);
	assert_int_equal(ht_code_branch(call, 5, BASE, &to), HT_BRANCH_CALL);
	assert_int_equal(to, BASE + 6);
	assert_int_equal(ht_code_branch(jump, 5, BASE, &to), HT_BRANCH_NONE);
	assert_int_equal(ht_code_branch(jump, 6, BASE, &to), HT_BRANCH_JUMP);
	assert_int_equal(to, BASE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_asks_for_chunks_is_malloc),
		cmocka_unit_test(so_is_who_ends_with_a_jump_to_what_asks),
		cmocka_unit_test(a_callers_own_product_is_no_calloc),
		cmocka_unit_test(what_is_not_linked_is_not_found),
		cmocka_unit_test(where_two_fit_nothing_is_said),
		cmocka_unit_test(without_what_malloc_says_nothing_is_said),
		cmocka_unit_test(any_bytes_are_taken),
		cmocka_unit_test(the_last_bytes_of_code_are_not_read_beyond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
