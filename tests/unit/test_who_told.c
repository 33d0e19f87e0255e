/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is told: the call stacks that make a leak in one line, and at what pace
 * windows are opened for them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/who_text.h"
#include "link/who_pace.h"

static struct ht_snapshot seen;

static void name_frame(uint64_t site, const char *function, uint64_t line)
{
	struct ht_stack_frame *f = ht_snapshot_add_stack_frame(&seen);

	f->site = site;
	snprintf(f->function, sizeof(f->function), "%s", function);
	f->line = line;
	if (line != HT_UNKNOWN)
		snprintf(f->file, sizeof(f->file), "/src/session.cc");
}

static void add_site(uint64_t old, uint64_t alive)
{
	struct ht_site *s = ht_snapshot_add_site(&seen);

	s->samples = s->old_samples = old;
	s->alive = s->old_alive = alive;
}

static void who_leaks_is_told_in_a_line(void **state)
{
	struct ht_who_site judged[] = {
		{.site = 1,
		 .share_of_growth = 1,
		 .leaking = HT_LEAKING_UNKNOWN},
		{.site = 0, .leaking = HT_LEAKING_NO},
	};
	const struct ht_who_judged j = {.v = judged, .n = 2};
	char text[HT_HELD_BY_TEXT];
	struct ht_windows *w;

	(void)state;
	ht_snapshot_init(&seen);
	add_site(1000, 3);
	add_site(23, 23);
	name_frame(0, "busy", HT_UNKNOWN);
	name_frame(1, "_Znwm", HT_UNKNOWN);
	name_frame(1, "_ZN7Session4openEi", 21);
	name_frame(1, "accept_loop", 40);
	name_frame(1, "main", 50);
	name_frame(1, "_start", HT_UNKNOWN);
	w = ht_snapshot_add_windows(&seen);
	w->followed_us = 300000000;
	w->samples = 1023;
	ht_who_text(&seen, &j, text);
	assert_string_equal(text,
			    "not sure: of 2 call stacks, 1023 chunks in 5m00s, "
			    "none was seen whose chunks stay while their sizes "
			    "grow");
	judged[0].leaking = HT_LEAKING_YES;
	ht_who_text(&seen, &j, text);
	assert_string_equal(text, "`Session::open` < `accept_loop` < `main` "
				  "(session.cc:21), 23 of 23 chunks alive "
				  "after 5m00s, 100 % of the growth");
	ht_snapshot_fini(&seen);
}

/* Whatever a window saw, no other opens before what it cost is within the
 * share of all the time, in the first part of which windows open. */
static void no_window_opens_before_the_last_is_paid(void **state)
{
	struct ht_who_pace p = {.share = .001};
	uint64_t hits = 0, samples = 0;
	int64_t now = 0;

	(void)state;
	for (int i = 0; i < 300; i++) {
		uint64_t more = ht_who_pace_hits(&p);
		int64_t all;

		assert_true(more >= 100 && more <= 900);
		samples += i % 3 ? more : more / 16;   /* of one size */
		hits += more + (uint64_t)(i % 7) * 20; /* while it closes */
		now += 10000000;
		ht_who_pace_took(&p, now, hits, samples);
		all = (int64_t)((double)p.next_ns / HT_WHO_WINDOWS_SHARE);
		assert_true(ht_who_pace_lost(&p, all) <= .001);
		now = p.next_ns;
	}
	now = (int64_t)((double)now / HT_WHO_WINDOWS_SHARE);
	assert_true(ht_who_pace_lost(&p, now) > .0009); /* and it is used */
}

/* By growth windows are short where each second costs much, and no other is
 * begun before they are paid; where it costs little it never ends. */
static void growth_goes_on_as_far_as_it_is_paid(void **state)
{
	struct ht_who_pace light = {.share = .001}, heavy = {.share = .001};
	int64_t window;

	(void)state;
	assert_in_range(ht_who_pace_growth_ns(&light), 1, 100000000);
	ht_who_pace_grew(&light, 0, 50, 20, 1000000);
	assert_in_range(light.next_ns, 0, 1000000000);
	assert_int_equal(ht_who_pace_growth_ns(&light), 400000000);
	assert_true(ht_who_pace_lost(&light, 1000000000) < .001);

	ht_who_pace_grew(&heavy, 0, 50000, 15, 50000);
	window = ht_who_pace_growth_ns(&heavy);
	assert_in_range(window, 1, 50000000);
	assert_true(heavy.next_ns > 20000000000);
	assert_true(ht_who_pace_lost(&heavy, heavy.next_ns) <= .001 + 1e-9);
}

static void
by_growth_it_is_told_who_takes_pages_and_nothing_of_what_stays(void **state)
{
	struct ht_who_site sites[] = {{.site = 0,
				       .leaking = HT_LEAKING_UNKNOWN,
				       .share_of_growth = .62}};
	struct ht_who_judged j = {.v = sites, .n = 1};
	char text[HT_HELD_BY_TEXT];
	struct ht_windows *w;

	(void)state;
	ht_snapshot_init(&seen);
	ht_snapshot_add_site(&seen);
	w = ht_snapshot_add_windows(&seen);
	*w = (struct ht_windows){.way = HT_WAY_GROWTH, .followed_us = 12000000};
	name_frame(0, "fill", HT_UNKNOWN);
	name_frame(0, "main", HT_UNKNOWN);
	ht_who_text(&seen, &j, text);
	assert_string_equal(
		text,
		"not known; first to write to new pages of the heap, in 12s: `fill` < `main`, 62 % of them");
	j.n = 0;
	ht_who_text(&seen, &j, text);
	assert_string_equal(text,
			    "not known: no page of the heap was new in 12s");
	ht_snapshot_fini(&seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_leaks_is_told_in_a_line),
		cmocka_unit_test(no_window_opens_before_the_last_is_paid),
		cmocka_unit_test(growth_goes_on_as_far_as_it_is_paid),
		cmocka_unit_test(
			by_growth_it_is_told_who_takes_pages_and_nothing_of_what_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
