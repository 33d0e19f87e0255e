/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a thread is inside malloc, told from its stack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/sample/unwind.h"
#include "agent/stop/stop.h"
#include "common/clock.h"
#include "tests/lib/target.h"

struct held {
	struct program p;
	struct ht_reader reader;
	struct ht_maps maps;
	struct ht_located located;
	struct ht_stopped *stop;
	const struct ht_thread_state *thread;
};

static void hold(struct held *h, const char *mode, bool watch)
{
	const struct ht_stop_limits limits = {
		.deadline_ns = ht_mono_ns() + 20 * HT_NS_PER_S,
		.watch = watch ? HT_WATCH_SLEEPERS : HT_WATCH_UNSAFE,
	};
	struct ht_err err = {0};
	char line[128];
	void *first, *last;
	size_t n;

	*h = (struct held){.p = program_start("in_malloc", mode, NULL)};
	assert_true(program_line(&h->p, line, sizeof(line), 20000));
	assert_int_equal(sscanf(line, "%p %p", &first, &last), 2);
	assert_true(program_says(&h->p, mode, 5000));
	assert_true(process_sleeps(h->p.pid, 5000));
	h->located.n = 1;
	h->located.malloc[0].text_start = (uintptr_t)first - 0x5000;
	h->located.malloc[0].text_end = (uintptr_t)last + 0x400;
	assert_int_equal(
		ht_reader_open_process(h->p.pid, 8, false, &h->reader, &err),
		HT_OK);
	if (ht_stop_all(h->p.pid, &limits, &h->reader, &h->stop, NULL, &err) !=
	    HT_OK)
		fail_msg("%s", err.msg);
	assert_int_equal(ht_maps_read(h->p.pid, &h->maps, &err), HT_OK);
	h->thread = ht_stop_threads(h->stop, &n);
	assert_int_equal(n, 1);
}

static void let_go(struct held *h)
{
	ht_stop_release(h->stop);
	ht_maps_fini(&h->maps);
	ht_reader_close(&h->reader);
	program_end(&h->p);
}

static bool in_malloc(const char *mode, bool watch)
{
	struct held h;
	bool inside;

	hold(&h, mode, watch);
	inside = ht_unwind_in_malloc(h.thread, &h.located, &h.reader, &h.maps);
	let_go(&h);
	return inside;
}

static void a_signal_handler_that_interrupted_malloc_is_inside(void **state)
{
	(void)state;
	assert_true(in_malloc("inside", false));
	assert_true(in_malloc("inside", true));
}

static void what_malloc_left_on_the_stack_is_not_inside(void **state)
{
	(void)state;
	assert_false(in_malloc("outside", false));
	assert_false(in_malloc("outside", true));
}

static void a_stack_ends_in_the_program(void **state)
{
	uint64_t pc[HT_FRAMES_MAX];
	bool in_program = false;
	struct held h;
	size_t n;

	(void)state;
	hold(&h, "inside", false);
	n = ht_unwind_stack(h.thread, &h.reader, &h.maps, pc);
	for (size_t i = 0; i < n; i++) {
		const struct ht_vma *v = ht_maps_at(&h.maps, pc[i]);

		in_program |= v && strstr(ht_vma_path(&h.maps, v), "in_malloc");
	}
	let_go(&h);
	assert_true(n >= 5);
	assert_true(in_program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_signal_handler_that_interrupted_malloc_is_inside),
		cmocka_unit_test(what_malloc_left_on_the_stack_is_not_inside),
		cmocka_unit_test(a_stack_ends_in_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
