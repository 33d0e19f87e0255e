/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New pages: of how many faults a stack is taken, and which of them
 * are malloc's memory becoming larger.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <string.h>

#include "agent/libc/chunk.h"
#include "agent/memory/reader_image.h"
#include "agent/who/growth.h"
#include "probe/faults.h"

/* --- how many ------------------------------------------------------------ */

static uint64_t period(uint64_t busiest, uint64_t now)
{
	uint64_t peak[HT_FAULTS_PEAKS] = {1, 0, busiest, 3};

	return ht_faults_period(peak, now);
}

static bool is_prime_number(uint64_t n)
{
	for (uint64_t d = 2; d * d <= n; d++)
		if (n % d == 0)
			return false;
	return n > 1;
}

static void of_few_each_has_its_stack_taken(void **state)
{
	(void)state;
	assert_int_equal(period(0, 1), 1);
	assert_int_equal(period(12, 1), 1);
	assert_int_equal(period(23, 1), 1);
	assert_int_equal(period(23, 7), 1); /* nor is an old period kept */
}

static void of_many_no_more_than_there_is_room_for(void **state)
{
	(void)state;
	for (uint64_t n = 24; n < 10000000; n = n * 3 / 2) {
		uint64_t p = period(n, 1);

		assert_true(is_prime_number(p));
		assert_true(n / p <= 12); /* of a busiest window */
		assert_true(n / p >= 6);
	}
}

/* Counting that begins anew begins where the program woke up. */
static void a_period_stays_while_it_will_do(void **state)
{
	uint64_t p = period(12000, 1);

	(void)state;
	assert_int_equal(period(12000, p), p);
	assert_int_equal(period(11000, p), p);
	assert_int_equal(period(14000, p), p);
	assert_true(period(40000, p) > p);
	assert_true(period(3000, p) < p);
}

static void a_period_has_a_bound(void **state)
{
	(void)state;
	assert_true(period(UINT64_MAX, 1) < 2000000);
	assert_true(is_prime_number(period(UINT64_MAX, 1)));
}

static void the_busiest_of_the_latest_windows_counts(void **state)
{
	uint64_t peak[HT_FAULTS_PEAKS] = {0};

	(void)state;
	for (unsigned i = 0; i < HT_FAULTS_PEAKS; i++) {
		memset(peak, 0, sizeof(peak));
		peak[i] = 12000;
		assert_int_equal(ht_faults_period(peak, 1), period(12000, 1));
	}
}

/* --- whose memory -------------------------------------------------------- */

#define LIBC	 0x7f0000100000u
#define ARENA	 0x7f0004000000u /* aligned to 64 MiB */
#define MAPPED	 0x7f0010000000u
#define STACK	 0x7ffc00000000u
#define HEAP	 0x555500000000u
#define PROGRAM	 0x555400000000u
#define HEAP_MAX (64u << 20)

static uint64_t arena[512], mapped[512], other[512];

static struct ht_located located;
static struct ht_maps maps;

static int begin(void **state)
{
	static const char text[] =
		"555400000000-555400001000 r-xp 00000000 08:01 7 /bin/program\n"
		"555400002000-555400003000 rw-p 00002000 08:01 7 /bin/program\n"
		"555500000000-555500021000 rw-p 00000000 00:00 0 [heap]\n"
		"7f0000100000-7f0000200000 r-xp 00000000 08:01 9 /lib/libc.so.6\n"
		"7f0004000000-7f0004021000 rw-p 00000000 00:00 0 \n"
		"7f0010000000-7f0010004000 rw-p 00000000 00:00 0 \n"
		"7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0 [stack]\n";
	struct ht_malloc *m = &located.malloc[0];

	(void)state;
	memset(&located, 0, sizeof(located));
	located.n = 1;
	m->image_start = LIBC;
	m->image_end = LIBC + 0x100000;
	m->layout.heap_max = HEAP_MAX;
	m->layout.sizeof_heap_info = 32;
	m->layout.align = 16;
	m->layout.at[HT_P_HEAP_AR_PTR].offset = 0;
	m->layout.at[HT_P_HEAP_SIZE].offset = 16;
	memset(arena, 0, sizeof(arena));
	arena[0] = ARENA + 32;
	arena[2] = 0x21000;
	memset(mapped, 0, sizeof(mapped));
	mapped[1] = 0x3000 | HT_IS_MMAPPED;
	return ht_maps_parse(text, sizeof(text) - 1, &maps, NULL) != HT_OK;
}

static int end(void **state)
{
	(void)state;
	ht_maps_fini(&maps);
	return 0;
}

/* Bytes that a first write at an address, by code at pc, is held for. */
static uint64_t bytes(uint64_t address, uint64_t pc)
{
	const struct ht_image_part parts[] = {{ARENA, arena, sizeof(arena)},
					      {MAPPED, mapped, sizeof(mapped)},
					      {STACK, other, sizeof(other)}};
	struct ht_image image = {parts, 3};
	struct ht_reader r;
	const struct ht_growth_in in = {&maps, &located, &r};
	const struct ht_probe_sample s = {
		.address = address, .regs = {.pc = pc, .sp = STACK + 0x20000}};
	uint64_t ret;

	ht_reader_open_image(&image, 8, UINT64_MAX, &r);
	ret = ht_growth_bytes(&in, &s);
	ht_reader_close(&r);
	return ret;
}

static void pages_of_heaps_count_one_by_one_whoever_writes(void **state)
{
	(void)state;
	assert_int_equal(bytes(HEAP + 0x3008, PROGRAM), HT_PAGE_SIZE);
	assert_int_equal(bytes(HEAP + 0x3008, LIBC), HT_PAGE_SIZE);
	assert_int_equal(bytes(ARENA + 0x5010, PROGRAM), HT_PAGE_SIZE);
}

static void a_mapped_chunk_counts_whole_and_once(void **state)
{
	(void)state;
	assert_int_equal(bytes(MAPPED + 8, LIBC + 0x500), 0x3000);
	assert_int_equal(bytes(MAPPED + 0x1010, PROGRAM), 0);
	mapped[1] = 0x9000 | HT_IS_MMAPPED; /* larger than its mapping */
	assert_int_equal(bytes(MAPPED + 8, LIBC + 0x500), 0);
	mapped[1] = 0x3000; /* not said to be one */
	assert_int_equal(bytes(MAPPED + 8, LIBC + 0x500), 0);
}

static void what_is_not_mallocs_counts_for_nothing(void **state)
{
	(void)state;
	assert_int_equal(bytes(STACK + 0x10, PROGRAM), 0);
	assert_int_equal(bytes(PROGRAM + 0x2008, PROGRAM), 0); /* its data */
	assert_int_equal(bytes(0x1000, PROGRAM), 0); /* nothing is there */
}

/* Its header says of what it is a heap: one that says nonsense is none. */
static void a_heap_must_say_that_it_is_one(void **state)
{
	(void)state;
	arena[2] = 0x21008; /* no whole pages */
	assert_int_equal(bytes(ARENA + 0x5010, PROGRAM), 0);
	arena[2] = (uint64_t)HEAP_MAX * 2;
	assert_int_equal(bytes(ARENA + 0x5010, PROGRAM), 0);
	arena[2] = 0x5000; /* ends below it */
	assert_int_equal(bytes(ARENA + 0x5010, PROGRAM), 0);
	arena[2] = 0x21000;
	arena[0] = ARENA + 40; /* no heap has its arena there */
	assert_int_equal(bytes(ARENA + 0x5010, PROGRAM), 0);
	arena[0] = ARENA + HEAP_MAX + 32; /* of another heap's arena */
	assert_int_equal(bytes(ARENA + 0x5010, PROGRAM), HT_PAGE_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_few_each_has_its_stack_taken),
		cmocka_unit_test(of_many_no_more_than_there_is_room_for),
		cmocka_unit_test(a_period_stays_while_it_will_do),
		cmocka_unit_test(a_period_has_a_bound),
		cmocka_unit_test(the_busiest_of_the_latest_windows_counts),
		cmocka_unit_test_setup_teardown(
			pages_of_heaps_count_one_by_one_whoever_writes, begin,
			end),
		cmocka_unit_test_setup_teardown(
			a_mapped_chunk_counts_whole_and_once, begin, end),
		cmocka_unit_test_setup_teardown(
			what_is_not_mallocs_counts_for_nothing, begin, end),
		cmocka_unit_test_setup_teardown(a_heap_must_say_that_it_is_one,
						begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
