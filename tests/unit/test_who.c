/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who allocates what stays: what becomes of a chunk is told by what it holds,
 * a site is blamed where its chunks stay and their sizes grow, and nowhere
 * else.
 */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/memory/reader_image.h"
#include "agent/who/follow.h"
#include "agent/who/trial.h"
#include "analysis/who.h"
#include "common/demangle.h"
#include "probe/program.h"

/* --- fates --------------------------------------------------------------- */

#define HELD 1u /* PREV_INUSE, in the next chunk's header */

static const struct ht_located nowhere;

static struct ht_followed chunk(uint64_t first, uint64_t second, uint64_t third)
{
	return (struct ht_followed){.address = 0x1000,
				    .header = 0x31,
				    .words = 5,
				    .word = {first, second, third}};
}

static enum ht_fate now(const struct ht_followed *c, uint64_t first,
			uint64_t second, uint64_t third)
{
	const uint64_t word[HT_PRINT_WORDS] = {first, second, third};

	return ht_follow_judge(c, 0x31, word, HELD, &nowhere);
}

static void a_chunk_that_is_as_it_was_is_alive(void **state)
{
	struct ht_followed c = chunk(7, 8, 9);

	(void)state;
	assert_int_equal(now(&c, 7, 8, 9), HT_FATE_ALIVE);
}

static void
a_word_of_its_own_in_place_proves_that_it_was_not_freed(void **state)
{
	struct ht_followed c = chunk(7, 8, 9);

	(void)state;
	c.own[0] = true;
	assert_int_equal(now(&c, 7, 1, 2), HT_FATE_ALIVE);
	assert_int_equal(now(&c, 1, 8, 9), HT_FATE_UNKNOWN);
	c.own[1] = true;
	assert_int_equal(now(&c, 1, 8, 2), HT_FATE_ALIVE);
}

/* As free() does, and malloc after it. */
static void a_word_that_all_have_proves_nothing(void **state)
{
	struct ht_followed c = chunk(0x7700, 8, 9); /* a vtable */

	(void)state;
	assert_int_equal(now(&c, 0x7700, 5, 9), HT_FATE_UNKNOWN);
	assert_int_equal(now(&c, 1, 0, 2), HT_FATE_FREED);
	assert_int_equal(now(&c, 1, 0, 9), HT_FATE_UNKNOWN);
}

static void a_link_that_a_bin_left_proves_nothing(void **state)
{
	struct ht_located l = {.n = 1};
	struct ht_followed c = chunk(0x5000, 0x5000, 0);
	const uint64_t word[HT_PRINT_WORDS] = {0x5000, 0x5000, 0};

	(void)state;
	l.malloc[0].image_start = 0x5000;
	l.malloc[0].image_end = 0x6000;
	c.own[0] = c.own[1] = true;
	assert_int_equal(ht_follow_judge(&c, 0x31, word, HELD, &l),
			 HT_FATE_FREED);
}

static void a_chunk_that_is_free_or_smaller_was_freed(void **state)
{
	struct ht_followed c = chunk(7, 8, 9);
	const uint64_t word[HT_PRINT_WORDS] = {7, 8, 9};

	(void)state;
	assert_int_equal(ht_follow_judge(&c, 0x31, word, 0, &nowhere),
			 HT_FATE_FREED);
	assert_int_equal(ht_follow_judge(&c, 0x21, word, HELD, &nowhere),
			 HT_FATE_FREED);
	/* realloc let it grow where it was: what follows it is another's. */
	assert_int_equal(ht_follow_judge(&c, 0x51, word, 0, &nowhere),
			 HT_FATE_ALIVE);
	/* and one that was mapped by itself is none of those in an arena */
	assert_int_equal(ht_follow_judge(&c, 0x1002, word, 0, &nowhere),
			 HT_FATE_FREED);
}

/* Two chunks of 32 bytes one behind the other, as words from 0x1000 on. */
static uint64_t heap[12];

static void look(struct ht_following *f)
{
	const struct ht_image_part part = {0x1000, heap, sizeof(heap)};
	struct ht_image image = {&part, 1};
	struct ht_reader r;

	ht_reader_open_image(&image, 8, UINT64_MAX, &r);
	ht_follow_look(f, &r, &nowhere);
	ht_reader_close(&r);
}

static struct ht_followed given(uint64_t address)
{
	const struct ht_image_part part = {0x1000, heap, sizeof(heap)};
	struct ht_image image = {&part, 1};
	struct ht_followed c = {.address = address, .header = 0x21};
	struct ht_reader r;

	ht_reader_open_image(&image, 8, UINT64_MAX, &r);
	ht_follow_print(&c, &r);
	ht_reader_close(&r);
	return c;
}

/* One that was given out there is followed. */
static void follow(struct ht_following *f, uint64_t address)
{
	const struct ht_followed c = given(address);

	assert_true(ht_follow_add(f, &c));
}

static void heap_of_two(void)
{
	static const uint64_t words[] = {0,  0x21, 70, 71,   72, 0x21,
					 80, 81,   82, 0x21, 0,	 0};

	memcpy(heap, words, sizeof(heap));
}

static void chunks_are_followed_until_they_are_freed(void **state)
{
	struct ht_following f;
	struct ht_followed c;

	(void)state;
	heap_of_two();
	assert_int_equal(ht_follow_begin(&f, NULL), HT_OK);
	c = given(0x1010);
	assert_int_equal(c.words, 3);
	assert_true(ht_follow_add(&f, &c));
	follow(&f, 0x1030);
	look(&f);
	look(&f);
	assert_int_equal(f.v[0].fate, HT_FATE_ALIVE);
	assert_int_equal(f.v[1].fate, HT_FATE_ALIVE);
	heap[2] = 1; /* as free() does */
	heap[3] = 0;
	heap[4] = 2;
	look(&f);
	assert_int_equal(f.v[0].fate, HT_FATE_FREED);
	assert_int_equal(f.v[1].fate, HT_FATE_ALIVE);
	heap_of_two(); /* what was freed is not alive again */
	look(&f);
	assert_int_equal(f.v[0].fate, HT_FATE_FREED);
	assert_null(ht_follow_at(&f, 0x1010));
	ht_follow_fini(&f);
}

/* One that is written to all the time looks freed by what it holds, and by
 * nothing else: until it is seen free, or with free()'s mark. */
static void what_only_changed_is_told_from_what_was_freed(void **state)
{
	const uint64_t key = UINT64_C(0xfedcba9876543210);
	struct ht_following f;

	(void)state;
	heap_of_two();
	assert_int_equal(ht_follow_begin(&f, NULL), HT_OK);
	follow(&f, 0x1010);
	follow(&f, 0x1030);
	look(&f);
	heap[2] = heap[3] = heap[4] = 1;
	heap[6] = heap[7] = heap[8] = 2;
	look(&f);
	assert_int_equal(f.v[0].fate, HT_FATE_FREED);
	assert_true(f.v[0].rewritten);
	assert_true(f.v[1].rewritten);
	look(&f);
	assert_true(f.v[0].rewritten);
	f.key = key;
	heap[3] = key;
	look(&f);
	assert_false(f.v[0].rewritten);
	assert_true(f.v[1].rewritten);
	follow(&f, 0x1030); /* somebody else gets it */
	assert_false(f.v[1].rewritten);
	ht_follow_fini(&f);
}

static uint64_t many[4 * 8 + 2];

static void look_at_many(struct ht_following *f, uint64_t second)
{
	const struct ht_image_part part = {0x1000, many, sizeof(many)};
	struct ht_image image = {&part, 1};
	struct ht_reader r;

	for (uint64_t i = 0; i < 8; i++) {
		many[4 * i + 1] = 0x21;
		many[4 * i + 2] = i + second;
		many[4 * i + 3] = second ? second : 50 + i;
		many[4 * i + 4] = second;
	}
	many[33] = 0x21;
	ht_reader_open_image(&image, 8, UINT64_MAX, &r);
	ht_follow_look(f, &r, &nowhere);
	ht_reader_close(&r);
}

/* What a process writes into all that it has at some moment is another word at
 * the next one; what free() writes is the same for ever. */
static void the_mark_of_what_is_freed_is_learnt_at_two_looks(void **state)
{
	const uint64_t key = UINT64_C(0xfedcba9876543210);
	struct ht_following f;

	(void)state;
	assert_int_equal(ht_follow_begin(&f, NULL), HT_OK);
	for (uint64_t i = 0; i < 8; i++) {
		struct ht_followed c = {.address = 0x1010 + 32 * i,
					.header = 0x21,
					.words = 3,
					.site = 0};

		assert_true(ht_follow_add(&f, &c));
	}
	look_at_many(&f, 0);
	look_at_many(&f, key + 1);
	look_at_many(&f, key + 2);
	assert_int_equal(f.key, 0);
	assert_true(f.v[3].rewritten);
	look_at_many(&f, key);
	look_at_many(&f, key);
	assert_true(f.key == key);
	look_at_many(&f, key);
	for (int i = 0; i < 8; i++)
		assert_false(f.v[i].rewritten);
	ht_follow_fini(&f);
}

static void whoever_gets_an_address_ends_the_one_before(void **state)
{
	struct ht_following f;
	struct ht_followed c;

	(void)state;
	heap_of_two();
	assert_int_equal(ht_follow_begin(&f, NULL), HT_OK);
	follow(&f, 0x1010);
	c = given(0x1010);
	c.site = 1;
	assert_true(ht_follow_add(&f, &c));
	look(&f);
	assert_int_equal(f.v[0].fate, HT_FATE_FREED);
	assert_int_equal(f.v[1].fate, HT_FATE_ALIVE);
	assert_ptr_equal(ht_follow_at(&f, 0x1010), &f.v[1]);
	ht_follow_fini(&f);
}

static void what_changed_right_after_the_call_is_never_sure(void **state)
{
	struct ht_following f;

	(void)state;
	heap_of_two();
	assert_int_equal(ht_follow_begin(&f, NULL), HT_OK);
	follow(&f, 0x1010);
	heap[2] = 5;
	heap[3] = 6;
	look(&f);
	look(&f);
	assert_int_equal(f.v[0].fate, HT_FATE_UNKNOWN);
	ht_follow_fini(&f);
}

static void what_realloc_may_have_moved_is_not_called_freed(void **state)
{
	struct ht_following f;
	struct ht_followed c;

	(void)state;
	heap_of_two();
	assert_int_equal(ht_follow_begin(&f, NULL), HT_OK);
	c = given(0x1010);
	c.grows = true;
	assert_true(ht_follow_add(&f, &c));
	look(&f);
	heap[2] = 1;
	heap[3] = 0;
	heap[4] = 2;
	look(&f);
	assert_int_equal(f.v[0].fate, HT_FATE_MOVED);
	assert_null(ht_follow_at(&f, 0x1010));
	ht_follow_fini(&f);
}

/* What realloc makes of none, itself or by malloc, it may move later, where the
 * site does that. */
static void
a_first_chunk_of_a_site_that_reallocs_is_not_called_freed(void **state)
{
	static const bool grows[] = {true, false};
	struct ht_following f;
	struct ht_followed c;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t site = i % 2;

		heap_of_two();
		assert_int_equal(ht_follow_begin(&f, NULL), HT_OK);
		c = given(0x1010);
		c.first = i < 2;
		c.site = site;
		assert_true(ht_follow_add(&f, &c));
		look(&f);
		heap[2] = 1;
		heap[3] = 0;
		heap[4] = 2;
		look(&f);
		ht_follow_doubt(&f, grows, 2);
		assert_int_equal(f.v[0].fate,
				 site == 0 ? HT_FATE_MOVED : HT_FATE_FREED);
		ht_follow_fini(&f);
	}
}

static void there_is_a_last_chunk_that_can_be_followed(void **state)
{
	struct ht_following f;
	struct ht_followed c = {.header = 0x21, .words = 3};

	(void)state;
	assert_int_equal(ht_follow_begin(&f, NULL), HT_OK);
	for (uint64_t i = 0; i < HT_FOLLOWED_MAX; i++) {
		c.address = 0x10000 + 32 * i;
		assert_true(ht_follow_add(&f, &c));
	}
	c.address = 0x20;
	assert_false(ht_follow_add(&f, &c));
	assert_non_null(ht_follow_at(&f, 0x10000));
	ht_follow_fini(&f);
}

/* --- names, the program in the kernel, the trial ------------------------- */

static void functions_are_named_without_their_parameters(void **state)
{
	static const char *const names[][2] = {
		{"_ZN7Session4openEi", "Session::open"},
		{"_Z9leak_sitei", "leak_site"},
		{"_ZL9leak_sitei", "leak_site"},
		{"_ZSt11make_uniqueI7SessionJRiEENSt8__detail9_MakeUniqIT_E15__"
		 "single_objectEDpOT0_",
		 "std::make_unique<Session, int&>"},
		{"_ZN2ns7SessionD2Ev", "ns::Session::~Session"},
		{"_ZNSt6vectorIPiSaIS0_EEC2Ev",
		 "std::vector<int*, std::allocator<int*> >::vector"},
		{"_ZN3NumplERKS_", "Num::operator+"},
		{"_ZStplIcESsS_", "std::operator+<char>"},
		{"_ZN1AC9Ev", "_ZN1AC9Ev"},
		{"_ZN1AzzEv", "_ZN1AzzEv"},
		{"_Znwm", "operator new"},
		{"_ZN6Server11accept_loopEPKc", "Server::accept_loop"},
		{"leak_site", "leak_site"},
		{"Network", "Network"},
		{"_Z", "_Z"},
		{"_ZN7SessionC1Ev", "Session::Session"},
		{"", ""},
	};
	char out[200];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_string_equal(
			ht_demangle_function(names[i][0], out, sizeof(out)),
			names[i][1]);
}

/* Each jump leads to an instruction of the program, and forward: it ends. */
static void the_program_in_the_kernel_has_no_loop(void **state)
{
	const struct ht_program_maps maps = {3, 4, 5};
	struct bpf_insn insn[HT_PROGRAM_MAX];

	(void)state;
	for (int way = 0; way < HT_PROBE_WAYS; way++) {
		size_t n = ht_program_make((enum ht_probe_way)way, &maps, insn);

		assert_in_range(n, 50, HT_PROGRAM_MAX);
		for (size_t i = 0; i < n; i++) {
			unsigned class = BPF_CLASS(insn[i].code);
			unsigned op = BPF_OP(insn[i].code);

			if (class != BPF_JMP || op == BPF_CALL ||
			    op == BPF_EXIT)
				continue;
			assert_in_range(insn[i].off, 0, n - i - 2);
		}
		assert_int_equal(insn[n - 1].code, BPF_JMP | BPF_EXIT);
	}
}

static bool die(void)
{
	raise(SIGKILL);
	return true;
}

static void
where_our_own_child_dies_no_filtered_process_is_looked_at(void **state)
{
	struct ht_err err = {0};

	(void)state;
	assert_int_equal(ht_trial("/nonexistent/heaptide-probe", die, &err),
			 HT_REFUSED);
	assert_non_null(strstr(err.msg, "seccomp"));
}

static void a_process_without_a_filter_needs_no_trial(void **state)
{
	(void)state;
	assert_false(ht_trial_is_due(getpid()));
	assert_true(ht_trial_is_due(0)); /* not known */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chunk_that_is_as_it_was_is_alive),
		cmocka_unit_test(
			a_word_of_its_own_in_place_proves_that_it_was_not_freed),
		cmocka_unit_test(a_word_that_all_have_proves_nothing),
		cmocka_unit_test(a_link_that_a_bin_left_proves_nothing),
		cmocka_unit_test(a_chunk_that_is_free_or_smaller_was_freed),
		cmocka_unit_test(chunks_are_followed_until_they_are_freed),
		cmocka_unit_test(what_only_changed_is_told_from_what_was_freed),
		cmocka_unit_test(
			the_mark_of_what_is_freed_is_learnt_at_two_looks),
		cmocka_unit_test(whoever_gets_an_address_ends_the_one_before),
		cmocka_unit_test(
			what_changed_right_after_the_call_is_never_sure),
		cmocka_unit_test(
			what_realloc_may_have_moved_is_not_called_freed),
		cmocka_unit_test(
			a_first_chunk_of_a_site_that_reallocs_is_not_called_freed),
		cmocka_unit_test(there_is_a_last_chunk_that_can_be_followed),
		cmocka_unit_test(functions_are_named_without_their_parameters),
		cmocka_unit_test(the_program_in_the_kernel_has_no_loop),
		cmocka_unit_test(
			where_our_own_child_dies_no_filtered_process_is_looked_at),
		cmocka_unit_test(a_process_without_a_filter_needs_no_trial),
	};

	return cmocka_run_group_tests_name("who", tests, NULL, NULL);
}
