/* SPDX-License-Identifier: Apache-2.0 */
/* Limit: 120 s */
/* A target that runs while its heaps are read: figures close to those of a
 * stop, the uncertain part said, sums closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/look.h"
#include "tests/lib/target.h"

#define LOOKS	 10
#define LIMIT_MS 20000

static struct program target;

static int start(void **state)
{
	(void)state;
	target = program_start("churn", "2", "20000", (char *)NULL);
	assert_true(program_says(&target, "ready", LIMIT_MS));
	return 0;
}

static int end(void **state)
{
	(void)state;
	program_end(&target);
	return 0;
}

static void look(bool moving, struct ht_snapshot *s)
{
	struct ht_look how = {.moving = moving};
	struct ht_err err;

	if (ht_look(target.pid, &how, s, &err) != HT_OK)
		fail_msg("%s", err.msg);
	if (ht_snapshot_check(s, &err) != HT_OK)
		fail_msg("%s", err.msg);
}

/* Median of in use over some stopped looks: stops may land inside malloc. */
static uint64_t steady_in_use(void)
{
	uint64_t v[5];

	for (int i = 0; i < 5; i++) {
		struct ht_snapshot s;
		int k = i;

		look(false, &s);
		for (; k > 0 && v[k - 1] > s.totals.in_use; k--)
			v[k] = v[k - 1];
		v[k] = s.totals.in_use;
		ht_snapshot_fini(&s);
	}
	return v[2];
}

static void figures_of_a_running_target_are_within_two_percent(void **state)
{
	uint64_t steady = steady_in_use();
	int near = 0;

	(void)state;
	for (int i = 0; i < LOOKS; i++) {
		struct ht_snapshot s;
		uint64_t off;

		look(true, &s);
		off = s.totals.in_use > steady ? s.totals.in_use - steady
					       : steady - s.totals.in_use;
		print_message("in use %lu against %lu, uncertain %lu\n",
			      s.totals.in_use, steady, s.stop.uncertain_bytes);
		near += off <= steady / 50 + s.stop.uncertain_bytes;
		assert_int_equal(s.findings.n, 0);
		assert_true(s.totals.in_use < 2 * s.totals.system);
		ht_snapshot_fini(&s);
	}
	assert_int_equal(near, LOOKS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			figures_of_a_running_target_are_within_two_percent),
	};

	return cmocka_run_group_tests(tests, start, end);
}
