/* SPDX-License-Identifier: Apache-2.0 */
/* When a daemon asks what holds the chunks of a leak, and of what it then
 * speaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "daemon/agents/owners.h"
#include "daemon/agents/types.h"
#include "daemon/process/holding.h"
#include "daemon/process/process.h"

#define NOW  (INT64_C(5) * HOUR)
#define HOUR (3600 * HT_NS_PER_S)

static const struct ht_verdict leak = {
	.label = HT_LABEL_LEAK, .confidence = 0.6, .culprit_class = 224};

static void it_is_asked_of_a_leak_that_is_sure_and_of_nothing_else(void **state)
{
	const struct ht_holding never = {0};
	struct ht_verdict v = leak;

	(void)state;
	assert_true(ht_holding_due(&never, &v, NOW));
	v.confidence = 0.59;
	assert_false(ht_holding_due(&never, &v, NOW));
	v = leak;
	v.label = HT_LABEL_POOL_GROWTH;
	assert_false(ht_holding_due(&never, &v, NOW));
}

static void about_one_class_once_a_day_and_once_an_hour_in_all(void **state)
{
	const struct ht_holding asked = {.asked_ns = NOW, .max_size = 224};
	struct ht_verdict other = leak;

	(void)state;
	other.culprit_class = 48;
	assert_false(ht_holding_due(&asked, &leak, NOW + 24 * HOUR - 1));
	assert_true(ht_holding_due(&asked, &leak, NOW + 24 * HOUR));
	assert_false(ht_holding_due(&asked, &other, NOW + HOUR - 1));
	assert_true(ht_holding_due(&asked, &other, NOW + HOUR));
}

static void what_was_refused_is_asked_again_soon_and_then_seldom(void **state)
{
	struct ht_verdict other = leak;
	struct ht_holding h = {.asked_ns = NOW, .max_size = 224, .refused = 1};

	(void)state;
	other.culprit_class = 48;
	assert_false(ht_holding_due(&h, &leak, NOW + 10 * HT_NS_PER_S - 1));
	assert_true(ht_holding_due(&h, &leak, NOW + 10 * HT_NS_PER_S));
	assert_false(ht_holding_due(&h, &other, NOW + HOUR - 1));
	h.refused = 3;
	assert_false(ht_holding_due(&h, &leak, NOW + 40 * HT_NS_PER_S - 1));
	assert_true(ht_holding_due(&h, &leak, NOW + 40 * HT_NS_PER_S));
	h.refused = 1000;
	assert_false(ht_holding_due(&h, &leak, NOW + 24 * HOUR - 1));
	assert_true(ht_holding_due(&h, &leak, NOW + 24 * HOUR));
}

static void what_was_found_is_said_of_its_own_class_alone(void **state)
{
	const struct ht_holding unknown = {.asked_ns = NOW, .max_size = 224};
	const struct ht_holding known = {.asked_ns = NOW,
					 .max_size = 224,
					 .found = {NOW, "by registry"}};
	const struct ht_holding largest = {.asked_ns = NOW,
					   .found = {NOW, "by registry"}};
	struct ht_verdict v = leak;

	(void)state;
	assert_string_equal(ht_holding_of(&known, &v), "by registry");
	assert_null(ht_holding_of(&unknown, &v));
	assert_null(ht_holding_of(&largest, &v));
	v.culprit_class = HT_UNKNOWN; /* the largest ones were asked about */
	assert_string_equal(ht_holding_of(&largest, &v), "by registry");
	v.label = HT_LABEL_STABLE;
	assert_null(ht_holding_of(&largest, &v));
}

/* Of a program whose only thread sleeps nearly always twenty attempts, some 30
 * ms, were all refused. */
static void a_thread_that_sleeps_nearly_always_is_waited_for(void **state)
{
	struct ht_target_config config = {.owners = true};
	struct ht_watched p = {
		.config = &config, .judged = true, .verdict = leak};
	struct ht_request r = HT_REQUEST_DEFAULT;

	(void)state;
	r.attempts = 20;
	assert_true(ht_owners_ask(&p, &r, NOW));
	assert_int_equal(r.mode, HT_MODE_SNAPSHOT);
	assert_true(r.attempts >= HT_GRAPH_ATTEMPTS);
}

/* --- what the chunks are -------------------------------------------------- */

#define EVERY (600 * HT_NS_PER_S)

static void types_are_asked_as_often_as_it_says(void **state)
{
	struct ht_typing t = {0};

	(void)state;
	assert_true(ht_typing_due(&t, EVERY, NOW));
	t.asked_ns = NOW;
	assert_false(ht_typing_due(&t, EVERY, NOW + EVERY - 1));
	assert_true(ht_typing_due(&t, EVERY, NOW + EVERY));
}

static void refused_types_are_asked_again_soon_and_then_seldom(void **state)
{
	struct ht_typing t = {.asked_ns = NOW};

	(void)state;
	for (t.refused = 1; t.refused <= 13; t.refused++) {
		int64_t wait_ns = (10 * HT_NS_PER_S) << (t.refused - 1);

		assert_false(ht_typing_due(&t, EVERY, NOW + wait_ns - 1));
		assert_true(ht_typing_due(&t, EVERY, NOW + wait_ns));
	}
	t.refused = 1000000;
	assert_true(ht_typing_due(&t, EVERY, NOW + 24 * HOUR));
}

/* Not with the first sample, never where it is not configured. */
static void types_are_asked_where_that_is_wanted(void **state)
{
	struct ht_target_config config = {.types_every_ns = EVERY};
	struct ht_watched p = {.config = &config, .samples = 1};
	struct ht_request r = HT_REQUEST_DEFAULT;

	(void)state;
	assert_false(ht_types_ask(&p, &r, NOW));
	config.types = true;
	p.samples = 0;
	assert_false(ht_types_ask(&p, &r, NOW));
	assert_int_equal(r.flags & HT_WANT_GRAPH, 0);
	p.samples = 1;
	assert_true(ht_types_ask(&p, &r, NOW));
	assert_int_equal(r.flags & HT_WANT_GRAPH, HT_WANT_TYPES);
	assert_int_equal(r.mode, HT_MODE_SNAPSHOT);
}

static void a_type_is_told_of_growth_alone(void **state)
{
	const struct ht_typing known = {
		.grown = {.at_ns = NOW, .text = "`Session`"}};
	const struct ht_typing unknown = {0};
	struct ht_verdict v = {.label = HT_LABEL_POOL_GROWTH};

	(void)state;
	assert_string_equal(ht_typing_of(&known, &v), "`Session`");
	assert_null(ht_typing_of(&unknown, &v));
	v.label = HT_LABEL_STABLE;
	assert_null(ht_typing_of(&known, &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			it_is_asked_of_a_leak_that_is_sure_and_of_nothing_else),
		cmocka_unit_test(
			about_one_class_once_a_day_and_once_an_hour_in_all),
		cmocka_unit_test(
			what_was_refused_is_asked_again_soon_and_then_seldom),
		cmocka_unit_test(what_was_found_is_said_of_its_own_class_alone),
		cmocka_unit_test(
			a_thread_that_sleeps_nearly_always_is_waited_for),
		cmocka_unit_test(types_are_asked_as_often_as_it_says),
		cmocka_unit_test(
			refused_types_are_asked_again_soon_and_then_seldom),
		cmocka_unit_test(types_are_asked_where_that_is_wanted),
		cmocka_unit_test(a_type_is_told_of_growth_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
