/* SPDX-License-Identifier: Apache-2.0 */
/* A day of real services, recorded in twenty minutes (tests/experiments/day.sh)
 * with the load of a day, judged each half hour of it as heaptided does: as
 * they are, and with a leak that was planted. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analysis/verdict.h"
#include "common/clock.h"
#include "tests/lib/day.h"
#include "tests/lib/levels.h"

#define STRETCH	  72 /* 1,200 s are a day */
#define HALF_HOUR (INT64_C(1800) * HT_NS_PER_S)

struct seen {
	struct ht_verdict worst; /* growth that was said most surely */
	struct ht_verdict last;
	double found_h; /* growth that stood from then on; NaN: none does */
	size_t moments;
};

static bool grows(const struct ht_verdict *v)
{
	return v->label == HT_LABEL_LEAK ||
	       v->label == HT_LABEL_NON_MALLOC_GROWTH;
}

static void look(const struct ht_levels *levels, int64_t at_ns,
		 struct seen *ret)
{
	int64_t begun = levels->raw->time_ns[0];
	HT_AUTO_SERIES struct ht_series s;

	ht_series_init(&s);
	ht_levels_mixed(levels, begun, at_ns, &s);
	ht_verdict(&s, at_ns, NULL, &ret->last);
	ret->moments++;
	if (!grows(&ret->last)) {
		ret->found_h = NAN;
		return;
	}
	if (isnan(ret->found_h))
		ret->found_h =
			(double)(at_ns - begun) / (double)(2 * HALF_HOUR);
	if (ret->last.confidence >= ret->worst.confidence)
		ret->worst = ret->last;
}

static struct seen judged(const char *name)
{
	HT_AUTO_SERIES struct ht_series day;
	struct seen seen = {.found_h = NAN};
	struct ht_levels levels;
	int64_t end, begun;
	char path[128];

	snprintf(path, sizeof(path), "tests/days/%s.csv", name);
	ht_day_read(path, STRETCH, &day);
	ht_levels_make(&day, &levels);
	begun = day.time_ns[0];
	end = day.time_ns[day.rows - 1];
	for (int64_t at = begun + HALF_HOUR; at < end; at += HALF_HOUR)
		look(&levels, at, &seen);
	look(&levels, end, &seen);
	ht_levels_fini(&levels);
	print_message(
		"# %s: %s %.2f at the end: %s; growth from %.1f h on, %.2f at most\n",
		name, ht_label_names[seen.last.label], seen.last.confidence,
		seen.last.evidence[0], seen.found_h, seen.worst.confidence);
	return seen;
}

static void nobody_is_called_for_a_day_of(const char *name)
{
	struct seen seen = judged(name);

	assert_true(seen.moments >= 40);
	if (seen.worst.confidence >= .8)
		fail_msg("%s: %s %.2f: %s", name,
			 ht_label_names[seen.worst.label],
			 seen.worst.confidence, seen.worst.evidence[0]);
}

static void a_leak_is_told_of(const char *name)
{
	struct seen seen = judged(name);

	if (seen.last.label != HT_LABEL_LEAK)
		fail_msg("%s: %s %.2f: %s", name,
			 ht_label_names[seen.last.label], seen.last.confidence,
			 seen.last.evidence[0]);
	assert_true(seen.found_h <= 16);
}

static void a_day_of_memcached(void **state)
{
	(void)state;
	nobody_is_called_for_a_day_of("memcached");
}

static void a_day_of_a_postgres_session(void **state)
{
	(void)state;
	nobody_is_called_for_a_day_of("postgres");
}

static void a_day_of_nginx(void **state)
{
	(void)state;
	nobody_is_called_for_a_day_of("nginx");
}

static void a_day_of_a_web_service_in_python(void **state)
{
	(void)state;
	nobody_is_called_for_a_day_of("web");
}

static void a_leak_for_each_request_of_memcached(void **state)
{
	(void)state;
	a_leak_is_told_of("memcached_leak");
}

static void a_leak_for_each_query_of_a_postgres_session(void **state)
{
	(void)state;
	a_leak_is_told_of("postgres_leak");
}

static void a_leak_for_each_request_of_a_web_service(void **state)
{
	(void)state;
	a_leak_is_told_of("web_leak");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_day_of_memcached),
		cmocka_unit_test(a_day_of_a_postgres_session),
		cmocka_unit_test(a_day_of_nginx),
		cmocka_unit_test(a_day_of_a_web_service_in_python),
		cmocka_unit_test(a_leak_for_each_request_of_memcached),
		cmocka_unit_test(a_leak_for_each_query_of_a_postgres_session),
		cmocka_unit_test(a_leak_for_each_request_of_a_web_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
