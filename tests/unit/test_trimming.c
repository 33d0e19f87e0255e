/* SPDX-License-Identifier: Apache-2.0 */
/* When a process gives memory back by itself, how often, and when it stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "daemon/process/trim_events.h"
#include "schema/records.h"

#define MIB (UINT64_C(1) << 20)
#define S   HT_NS_PER_S

static struct ht_trim_rule rule_of(const char *text)
{
	struct ht_trim_rule r = {0};
	struct ht_err err = {0};

	if (ht_trim_rule_parse(text, &r, &err) != HT_OK)
		fail_msg("%s", err.msg);
	return r;
}

static void a_rule_is_read_as_it_is_written(void **state)
{
	struct ht_trim_rule r = rule_of("when trimmable > 512MiB for 5m, at "
					"most every 2h, hold 20ms");

	(void)state;
	assert_int_equal(r.above, 512 * MIB);
	assert_int_equal(r.for_ns, 300 * S);
	assert_int_equal(r.every_ns, 7200 * S);
	assert_int_equal(r.hold_ns, 20 * HT_NS_PER_MS);
	r = rule_of("when trimmable > 1G");
	assert_int_equal(r.above, 1024 * MIB);
	assert_int_equal(r.for_ns, 600 * S);
	assert_int_equal(r.every_ns, 3600 * S);
	assert_int_equal(r.hold_ns, 50 * HT_NS_PER_MS);
}

static void what_is_no_rule_is_told(void **state)
{
	static const char *const wrong[] = {
		"",
		"yes",
		"when trimmable",
		"when rss > 512M",
		"when trimmable < 512M",
		"when trimmable > much",
		"when trimmable > 512M for ever",
		"when trimmable > 512M for",
		"when trimmable > 512M at most 1h",
		"when trimmable > 512M hold 50ms often",
		"when trimmable > 1k",
		"when trimmable > 512M every 1s",
		"when trimmable > 512M hold 1m",
		"when trimmable > 512M for 1m for 1m for 1m for 1m for 1m for",
		"when trimmable > 000000000000000000000000000000000000000001G"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct ht_trim_rule r = {.above = 7};
		struct ht_err err = {0};

		if (ht_trim_rule_parse(wrong[i], &r, &err) != HT_CONFIG)
			fail_msg("taken for a rule: %s", wrong[i]);
		assert_int_equal(r.above, 7);
		assert_non_null(strstr(err.msg, "when trimmable > 512M"));
	}
}

static void it_is_due_when_there_was_enough_for_long_enough(void **state)
{
	const struct ht_trim_rule r = rule_of("when trimmable > 100M for 60s");
	struct ht_trimming t = {0};
	int64_t now = 1000 * S;

	(void)state;
	ht_trimming_sample(&r, &t, now, 200 * MIB, 300 * MIB);
	assert_false(ht_trimming_due(&r, &t, now));
	ht_trimming_sample(&r, &t, now + 50 * S, 90 * MIB, 300 * MIB);
	ht_trimming_sample(&r, &t, now + 60 * S, 200 * MIB, 300 * MIB);
	assert_false(ht_trimming_due(&r, &t, now + 100 * S));
	/* what is not known changes nothing */
	ht_trimming_sample(&r, &t, now + 110 * S, HT_UNKNOWN, HT_UNKNOWN);
	assert_true(ht_trimming_due(&r, &t, now + 120 * S));
}

static void without_a_rule_it_is_never_due(void **state)
{
	const struct ht_trim_rule none = {0};
	struct ht_trimming t = {0};

	(void)state;
	ht_trimming_sample(&none, &t, S, UINT64_C(1) << 40, 0);
	assert_false(ht_trimming_due(&none, &t, INT64_MAX / 2));
}

static void it_is_not_asked_for_more_often_than_allowed(void **state)
{
	const struct ht_trim_rule r = rule_of("when trimmable > 100M for 1s, "
					      "every 10m");
	struct ht_trimming t = {0};

	(void)state;
	ht_trimming_sample(&r, &t, 10 * S, 200 * MIB, 300 * MIB);
	assert_true(ht_trimming_due(&r, &t, 20 * S));
	ht_trimming_refused(&t, 20 * S);
	assert_false(ht_trimming_due(&r, &t, 619 * S));
	assert_true(ht_trimming_due(&r, &t, 620 * S));
	assert_int_equal(t.refusals, 1);
	ht_trimming_called(&t, 620 * S, 200 * MIB, 100 * MIB);
	ht_trimming_sample(&r, &t, 700 * S, 200 * MIB, 110 * MIB);
	assert_false(ht_trimming_due(&r, &t, 1219 * S));
	assert_true(ht_trimming_due(&r, &t, 1220 * S));
}

static void what_comes_back_is_left_alone_for_a_day(void **state)
{
	const struct ht_trim_rule r = rule_of("when trimmable > 100M for 1s, "
					      "every 1m");
	struct ht_trimming t = {0};

	(void)state;
	ht_trimming_called(&t, 1 * S, 200 * MIB, 100 * MIB);
	assert_false(ht_trimming_sample(&r, &t, 300 * S, 0, 250 * MIB));
	assert_false(ht_trimming_sample(&r, &t, 400 * S, 200 * MIB, 120 * MIB));
	assert_true(ht_trimming_sample(&r, &t, 601 * S, 200 * MIB, 120 * MIB));
	assert_int_equal(t.back, 150 * MIB); /* at its highest */
	assert_int_equal(t.came_back, 150 * MIB);
	assert_false(ht_trimming_due(&r, &t, 80000 * S));
	assert_true(ht_trimming_due(&r, &t, 601 * S + 86400 * S));
}

static void what_lasts_is_done_again(void **state)
{
	const struct ht_trim_rule r = rule_of("when trimmable > 100M for 1s, "
					      "every 1m");
	struct ht_trimming t = {0};

	(void)state;
	ht_trimming_called(&t, 1 * S, 200 * MIB, 100 * MIB);
	ht_trimming_sample(&r, &t, 400 * S, 200 * MIB, 150 * MIB);
	assert_true(ht_trimming_sample(&r, &t, 602 * S, 200 * MIB, 90 * MIB));
	assert_int_equal(t.back, 50 * MIB);
	assert_true(ht_trimming_due(&r, &t, 700 * S));
	assert_int_equal(t.times, 1);
	assert_int_equal(t.returned, 200 * MIB);
}

/* --- a daemon that starts anew ------------------------------------------- */

static struct ht_trim call_of(uint64_t bytes)
{
	struct ht_trim a;

	ht_trim_init(&a);
	a.bytes = bytes;
	a.took_us = 35100;
	a.stopped_us = 600;
	return a;
}

static void what_was_told_is_known_again(void **state)
{
	const struct ht_trim_rule r = rule_of("when trimmable > 100M for 1s");
	const struct ht_trim call = call_of(1200 * MIB);
	struct ht_trimming t = {0}, again = {0};
	char text[HT_TRIM_EVENT_TEXT];

	(void)state;
	ht_trimming_called(&t, 1000 * S, 1200 * MIB, 300 * MIB);
	ht_trim_event_called(&t, &call, text);
	assert_string_equal(
		text,
		"returned 1.2 GiB (forecast 1.2 GiB) in 35.1 ms, thread stopped for 0.6 ms; the heap keeps 300.0 MiB");
	ht_trim_event_recall(&again, "owners", text, 900 * S, 1100 * S);
	assert_int_equal(again.tried_ns, 0);
	ht_trim_event_recall(&again, "trim", text, 1000 * S, 1100 * S);
	ht_trimming_sample(&r, &again, 1100 * S, 200 * MIB, 250 * MIB);
	assert_false(ht_trimming_due(&r, &again, 4599 * S));
	assert_true(ht_trimming_due(&r, &again, 4600 * S));
	/* and what was being watched is judged */
	ht_trimming_sample(&r, &again, 1200 * S, 0, 1000 * MIB);
	assert_true(ht_trimming_sample(&r, &again, 1601 * S, 0, 1000 * MIB));
	assert_int_equal(again.back, 700 * MIB);
	ht_trim_event_judged(&again, 1601 * S, text);
	assert_string_equal(
		text,
		"returned 1.2 GiB, 700.0 MiB faulted back within 10 min: not worth it, paused for a day");
}

static void a_pause_goes_on(void **state)
{
	static const char judged[] =
		"returned 1.2 GiB, 700.0 MiB faulted back within 10 min: not worth it, paused for a day";
	const struct ht_trim_rule r = rule_of("when trimmable > 100M for 1s");
	const int64_t day = 86400 * S;
	struct ht_trimming t = {0};

	(void)state;
	/* half a day before the machine started */
	ht_trim_event_recall(&t, "trim_judged", judged, -day / 2, 10 * S);
	ht_trimming_sample(&r, &t, 10 * S, 200 * MIB, 300 * MIB);
	assert_false(ht_trimming_due(&r, &t, day / 2 - 1));
	assert_true(ht_trimming_due(&r, &t, day / 2));
}

static void what_was_not_watched_to_its_end_is_not_judged(void **state)
{
	const struct ht_trim_rule r = rule_of("when trimmable > 100M for 1s");
	const struct ht_trim call = call_of(1200 * MIB);
	struct ht_trimming t = {0}, again = {0};
	char text[HT_TRIM_EVENT_TEXT];

	(void)state;
	ht_trimming_called(&t, 1000 * S, 1200 * MIB, 300 * MIB);
	ht_trim_event_called(&t, &call, text);
	ht_trim_event_recall(&again, "trim", text, 1000 * S, 1700 * S);
	assert_false(ht_trimming_sample(&r, &again, 1701 * S, 0, 1000 * MIB));
	assert_int_equal(again.paused_until_ns, 0);
}

static void texts_of_others_are_no_harm(void **state)
{
	static const char *const texts[] = {
		"",
		"returned",
		"returned much; the heap keeps ",
		"returned 1.2 GiB; the heap keeps ?",
		"returned 9999999999999999999999 EiB; the heap keeps 1.0 MiB",
		"malloc_trim(0) was still at work when the sample ended"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct ht_trimming t = {0};

		ht_trim_event_recall(&t, "trim", texts[i], 5 * S, 6 * S);
		assert_int_equal(t.tried_ns, 5 * S);
		assert_int_equal(t.watched_until_ns, 0);
		ht_trim_event_recall(&t, "trim_judged", texts[i], 5 * S, 6 * S);
		assert_int_equal(t.paused_until_ns, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_is_read_as_it_is_written),
		cmocka_unit_test(what_is_no_rule_is_told),
		cmocka_unit_test(
			it_is_due_when_there_was_enough_for_long_enough),
		cmocka_unit_test(without_a_rule_it_is_never_due),
		cmocka_unit_test(it_is_not_asked_for_more_often_than_allowed),
		cmocka_unit_test(what_comes_back_is_left_alone_for_a_day),
		cmocka_unit_test(what_lasts_is_done_again),
		cmocka_unit_test(what_was_told_is_known_again),
		cmocka_unit_test(a_pause_goes_on),
		cmocka_unit_test(what_was_not_watched_to_its_end_is_not_judged),
		cmocka_unit_test(texts_of_others_are_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
