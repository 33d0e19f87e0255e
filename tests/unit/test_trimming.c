/* SPDX-License-Identifier: Apache-2.0 */
/* When a process gives memory back by itself, how often, and when it stops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "daemon/process/trimming.h"
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
