/* SPDX-License-Identifier: Apache-2.0 */
/* Store: what chunks were at some times, how long that is kept, and which type
 * is said to have grown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "analysis/type_growth.h"
#include "cli/type_changes.h"
#include "store/store_int.h"
#include "store/types.h"
#include "tests/lib/store.h"

#define S    HT_NS_PER_S
#define HOUR (3600 * S)
#define MB   UINT64_C(1000000)

static const struct fake made = {7, 1, 1, 4, 0, FAKE_T0, 3600 * S};
static struct ht_store *st;
static struct ht_snapshot seen;
static struct ht_type_looks got;

static int begin(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	if (fresh(state))
		return -1;
	ht_snapshot_init(&s);
	fake_snapshot(&made, 0, &s);
	assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	assert_ok(ht_store_add(st, "web", &s, NULL, &err));
	ht_snapshot_init(&seen);
	return 0;
}

static int end(void **state)
{
	ht_type_looks_fini(&got);
	ht_store_close(st);
	ht_snapshot_fini(&seen);
	return clean(state);
}

static void put(const char *name, enum ht_type_kind kind, uint64_t bytes)
{
	struct ht_chunk_type *t = ht_snapshot_add_chunk_type(&seen);

	snprintf(t->name, sizeof(t->name), "%s", name);
	t->kind = kind;
	snprintf(t->module, sizeof(t->module), "web");
	t->bytes = bytes;
	t->chunks = bytes / 16;
	t->arena = HT_UNKNOWN;
}

/* What was put, and so many bytes of no known type, as one look. */
static void look(int64_t at_ns, uint64_t unknown)
{
	struct ht_graph *g = ht_snapshot_add_graph(&seen);

	g->bytes = g->unknown_bytes = unknown;
	g->chunks = g->unknown_chunks = unknown / 16;
	for (size_t i = 0; i < seen.chunk_types.n; i++) {
		g->bytes += seen.chunk_types.v[i].bytes;
		g->chunks += seen.chunk_types.v[i].chunks;
	}
	seen.head.taken_at = at_ns;
	assert_ok(ht_store_add_types(st, 1, &seen, &err));
	ht_snapshot_fini(&seen);
	ht_snapshot_init(&seen);
}

static void read_all(void)
{
	ht_type_looks_fini(&got);
	assert_ok(ht_store_types(st, 1, 0, INT64_MAX, &got, &err));
}

static const struct ht_type_line *line(const char *name)
{
	for (size_t i = 0; i < got.lines; i++)
		if (strcmp(got.v[i].name, name) == 0)
			return &got.v[i];
	fail_msg("no type %s", name);
	return NULL;
}

static const char *grown(void)
{
	static struct ht_held_by h;

	read_all();
	ht_type_growth_text(&got, &h);
	return h.at_ns ? h.text : "";
}

static int64_t count(const char *sql)
{
	int64_t n = -1;
	bool row;

	assert_ok(ht_store_number(st, sql, 0, 0, &n, &row, &err));
	return n;
}

/* --- what is kept --------------------------------------------------------- */

static void test_a_look_is_read_as_it_was(void **state)
{
	(void)state;
	put("text", HT_TYPE_TEXT, 320);
	put("N3app7SessionE", HT_TYPE_CLASS, 4800);
	look(FAKE_T0 + S, 160);
	read_all();
	assert_int_equal(got.n, 1);
	assert_int_equal(got.lines, 2);
	assert_string_equal(got.v[0].name, "app::Session"); /* most first */
	assert_string_equal(got.v[0].kind, "class");
	assert_string_equal(got.v[0].module, "web");
	assert_float_equal(got.v[0].bytes[0], 4800, 0);
	assert_float_equal(got.v[0].chunks[0], 300, 0);
	assert_float_equal(got.bytes[0], 5280, 0);
	assert_float_equal(got.unknown[0], 160, 0);
	assert_float_equal(got.others[0], 0, 0);
}

static void test_a_snapshot_without_types_writes_nothing(void **state)
{
	(void)state;
	seen.head.taken_at = FAKE_T0 + S;
	assert_ok(ht_store_add_types(st, 1, &seen, &err));
	read_all();
	assert_int_equal(got.n, 0);
	assert_int_equal(count("SELECT count(*) FROM type_look"), 0);
}

static void test_a_name_is_kept_once(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		put("7Session", HT_TYPE_CLASS, 160);
		look(FAKE_T0 + i * S, 0);
	}
	assert_int_equal(count("SELECT count(*) FROM type"), 1);
	assert_int_equal(count("SELECT count(*) FROM type_use"), 5);
}

static void test_types_of_one_name_are_one(void **state)
{
	(void)state;
	put("7Session", HT_TYPE_CLASS, 160);
	put("Session", HT_TYPE_CLASS, 320);
	look(FAKE_T0 + S, 0);
	read_all();
	assert_int_equal(got.lines, 1);
	assert_float_equal(got.v[0].bytes[0], 480, 0);
}

static void test_the_smallest_types_are_a_sum(void **state)
{
	char name[32];

	(void)state;
	for (uint64_t i = 1; i <= HT_STORE_TYPES_MAX + 6; i++) {
		snprintf(name, sizeof(name), "type %03d", (int)i);
		put(name, HT_TYPE_STATIC, 16 * i);
	}
	look(FAKE_T0 + S, 0);
	put("type 001", HT_TYPE_STATIC, 16);
	look(FAKE_T0 + 2 * S, 0);
	read_all();
	assert_float_equal(got.others[0], 16 * (1 + 2 + 3 + 4 + 5 + 6), 0);
	assert_float_equal(got.least[0], 16 * 7, 0);
	assert_int_equal(count("SELECT other_types FROM type_look ORDER BY id"),
			 6);
	/* it may have been among the others; the other one is gone */
	assert_true(isnan(line("type 001")->bytes[0]));
	assert_float_equal(line("type 001")->bytes[1], 16, 0);
	assert_float_equal(line("type 070")->bytes[1], 0, 0);
}

static void test_of_many_looks_the_ends_are_read(void **state)
{
	enum { MANY = 5 * HT_TYPE_LOOKS_MAX + 3 };

	(void)state;
	for (int i = 0; i < MANY; i++) {
		put("7Session", HT_TYPE_CLASS, 16);
		look(FAKE_T0 + i * S, 0);
	}
	read_all();
	assert_int_equal(got.n, HT_TYPE_LOOKS_MAX);
	assert_int_equal(got.at_ns[0], FAKE_T0);
	assert_int_equal(got.at_ns[got.n - 1], FAKE_T0 + (MANY - 1) * S);
	for (size_t i = 1; i < got.n; i++)
		assert_true(got.at_ns[i] - got.at_ns[i - 1] <= 6 * S);
}

static void maintain(int64_t now_ns)
{
	struct ht_store_policy policy = HT_STORE_POLICY_DEFAULT;
	bool done = false;

	policy.detail_s = 12 * 3600;
	policy.hourly_s = 3 * 86400;
	policy.hour_s = 10 * 86400;
	for (int i = 0; i < 1000 && !done; i++)
		assert_ok(
			ht_store_maintain(st, &policy, now_ns, S, &done, &err));
	assert_true(done);
}

/* Ten minutes apart for 15 days: as the newest are for half a day, then one an
 * hour, from three days on one a day, none older than ten. */
static void test_old_looks_are_thinned(void **state)
{
	const int64_t day_ns = 24 * HOUR;
	int64_t first_ns = FAKE_T0 - FAKE_T0 % day_ns + day_ns;
	int64_t now_ns = first_ns + 15 * day_ns;

	(void)state;
	for (int64_t at_ns = first_ns; at_ns < now_ns; at_ns += 600 * S) {
		put("7Session", HT_TYPE_CLASS, 16);
		look(at_ns, 0);
	}
	maintain(now_ns);
	assert_int_equal(count("SELECT count(*) FROM type_look"),
			 12 * 6 + (72 - 12) + 7);
	assert_int_equal(count("SELECT count(*) FROM type_use"),
			 count("SELECT count(*) FROM type_look"));
	assert_int_equal(
		count("SELECT min(at_ns) / 86400000000000 FROM type_look"),
		first_ns / day_ns + 5);
}

/* The type of the first days is of no look that is kept. */
static void test_a_name_that_no_look_has_goes(void **state)
{
	const int64_t now_ns = FAKE_T0 + 30 * 24 * HOUR;

	(void)state;
	put("7Session", HT_TYPE_CLASS, 16);
	put("3Old", HT_TYPE_CLASS, 16);
	look(FAKE_T0, 0);
	put("7Session", HT_TYPE_CLASS, 16);
	look(now_ns - HOUR, 0);
	assert_int_equal(count("SELECT count(*) FROM type"), 2);
	maintain(now_ns);
	assert_int_equal(count("SELECT count(*) FROM type_look"), 1);
	assert_int_equal(count("SELECT count(*) FROM type"), 1);
	assert_int_equal(
		count("SELECT count(*) FROM type WHERE name = 'Session'"), 1);
}

static void test_the_nearest_look_is_found(void **state)
{
	int64_t at_ns;

	(void)state;
	assert_ok(ht_store_types_near(st, 1, FAKE_T0, &at_ns, &err));
	assert_int_equal(at_ns, 0);
	look(FAKE_T0 + 10 * S, 16);
	look(FAKE_T0 + 20 * S, 16);
	assert_ok(ht_store_types_near(st, 1, FAKE_T0, &at_ns, &err));
	assert_int_equal(at_ns, FAKE_T0 + 10 * S);
	assert_ok(ht_store_types_near(st, 1, FAKE_T0 + 16 * S, &at_ns, &err));
	assert_int_equal(at_ns, FAKE_T0 + 20 * S);
}

/* --- what changed --------------------------------------------------------- */

static void test_changes_are_those_between_the_nearest_looks(void **state)
{
	const int64_t at[2] = {FAKE_T0, FAKE_T0 + 100 * S};
	json_auto_t *o = NULL;
	json_t *list;

	(void)state;
	for (uint64_t i = 0; i < 4; i++) {
		put("7Session", HT_TYPE_CLASS, 16 * (i + 1));
		put("5Route", HT_TYPE_CLASS, 64);
		look(FAKE_T0 + (int64_t)i * 10 * S, 16 * i);
	}
	ht_type_looks_fini(&got);
	assert_ok(ht_type_changes_read(st, 1, at, &got, &err));
	o = ht_type_changes_json(&got);
	list = json_object_get(o, "list");
	assert_int_equal(json_array_size(list), 2); /* not the Route */
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(list, 0), "name")),
			    "Session");
	assert_int_equal(json_number_value(json_object_get(
				 json_array_get(list, 0), "change")),
			 48);
}

/* Another window, or another process, has other types. */
static void test_of_windows_the_last_looks_are_compared(void **state)
{
	const int64_t id[2] = {1, 1}, from[2] = {FAKE_T0, FAKE_T0 + 15 * S};
	const int64_t to[2] = {FAKE_T0 + 15 * S, FAKE_T0 + 100 * S};

	(void)state;
	for (uint64_t i = 0; i < 4; i++) {
		put("7Session", HT_TYPE_CLASS, 16 * (i + 1));
		put(i < 2 ? "5Route" : "4Path", HT_TYPE_CLASS, 64);
		look(FAKE_T0 + (int64_t)i * 10 * S, 0);
	}
	ht_type_looks_fini(&got);
	assert_ok(ht_type_changes_windows(st, id, from, to, &got, &err));
	assert_int_equal(got.n, 2);
	assert_int_equal(got.at_ns[0], FAKE_T0 + 10 * S);
	assert_int_equal(got.at_ns[1], FAKE_T0 + 30 * S);
	assert_int_equal(got.lines, 3);
	assert_float_equal(line("Session")->bytes[0], 32, 0);
	assert_float_equal(line("Session")->bytes[1], 64, 0);
	assert_float_equal(line("Route")->bytes[0], 64, 0);
	assert_float_equal(line("Route")->bytes[1], 0, 0);
	assert_float_equal(line("Path")->bytes[0], 0, 0);
	assert_float_equal(line("Path")->chunks[1], 4, 0);
}

static void test_a_window_without_a_look_tells_nothing(void **state)
{
	const int64_t id[2] = {1, 1}, from[2] = {FAKE_T0, FAKE_T0 + 15 * S};
	const int64_t to[2] = {FAKE_T0 + 15 * S, FAKE_T0 + 100 * S};

	(void)state;
	look(FAKE_T0 + S, 16);
	ht_type_looks_fini(&got);
	assert_ok(ht_type_changes_windows(st, id, from, to, &got, &err));
	assert_int_equal(got.n, 0);
}

static void test_one_look_is_no_change(void **state)
{
	const int64_t at[2] = {FAKE_T0, FAKE_T0 + 100 * S};
	json_auto_t *o = NULL;

	(void)state;
	look(FAKE_T0 + 10 * S, 16);
	assert_ok(ht_type_changes_read(st, 1, at, &got, &err));
	o = ht_type_changes_json(&got);
	assert_true(json_is_null(o));
}

/* --- which type grew ------------------------------------------------------ */

static void looks_of(const uint64_t *session, const uint64_t *route,
		     const uint64_t *unknown, int n)
{
	for (int i = 0; i < n; i++) {
		put("7Session", HT_TYPE_CLASS, session[i] * MB);
		put("5Route", HT_TYPE_CLASS, route[i] * MB);
		look(FAKE_T0 + i * 600 * S, unknown[i] * MB);
	}
}

static void test_the_type_that_grew_most_is_told(void **state)
{
	const uint64_t session[] = {10, 13, 16, 19, 22};
	const uint64_t route[] = {40, 41, 42, 43, 44}, unknown[5] = {0};

	(void)state;
	looks_of(session, route, unknown, 5);
	assert_string_equal(
		grown(),
		"`Session` (class, web) grew by 11.4 MiB in 40m00s, 75 % of the growth of in use, in 5 looks");
}

static void test_two_looks_tell_no_growth(void **state)
{
	const uint64_t session[] = {10, 90}, none[2] = {0};

	(void)state;
	looks_of(session, none, none, 2);
	assert_string_equal(grown(), "");
}

static void test_what_goes_up_and_down_did_not_grow(void **state)
{
	const uint64_t session[] = {10, 30, 12, 28, 11, 31}, none[6] = {0};

	(void)state;
	looks_of(session, none, none, 6);
	assert_string_equal(grown(), "");
}

static void test_a_type_beside_the_growth_is_not_told(void **state)
{
	const uint64_t session[] = {10, 11, 12, 13}, none[4] = {0};
	const uint64_t unknown[] = {10, 20, 30, 40};

	(void)state;
	looks_of(session, none, unknown, 4);
	assert_string_equal(grown(), "");
}

static void test_less_than_what_is_not_known_is_not_told(void **state)
{
	const uint64_t session[] = {10, 14, 18, 22}, none[4] = {0};
	const uint64_t unknown[] = {10, 15, 20, 25};

	(void)state;
	looks_of(session, none, unknown, 4);
	assert_string_equal(grown(), "");
}

static void test_a_heap_that_shrinks_has_no_type_that_grew(void **state)
{
	const uint64_t session[] = {10, 14, 18, 22}, none[4] = {0};
	const uint64_t route[] = {90, 80, 70, 60};

	(void)state;
	looks_of(session, route, none, 4);
	assert_string_equal(grown(), "");
}

/* Of the first looks it is only known that it was none of the largest. */
static void test_a_type_that_was_not_listed_had_the_least_at_most(void **state)
{
	char name[32];

	(void)state;
	for (uint64_t k = 0; k < 4; k++) {
		for (int i = 0; i < HT_STORE_TYPES_MAX + 1; i++) {
			snprintf(name, sizeof(name), "type %03d", i);
			put(name, HT_TYPE_STATIC, MB);
		}
		put("7Session", HT_TYPE_CLASS, k ? (2 * k + 1) * MB : 16);
		look(FAKE_T0 + (int64_t)k * 600 * S, 0);
	}
	assert_string_equal(
		grown(),
		"`Session` (class, web) grew by 5.7 MiB in 30m00s, 92 % of the growth of in use, in 4 looks");
}

static void test_growth_is_told_of_growth_alone(void **state)
{
	struct ht_verdict v = {.label = HT_LABEL_LEAK};

	(void)state;
	assert_true(ht_verdict_grows(&v));
	v.label = HT_LABEL_STABLE;
	assert_false(ht_verdict_grows(&v));
	v.label = HT_LABEL_NON_MALLOC_GROWTH;
	assert_false(ht_verdict_grows(&v));
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_look_is_read_as_it_was),
		T(test_a_snapshot_without_types_writes_nothing),
		T(test_a_name_is_kept_once),
		T(test_types_of_one_name_are_one),
		T(test_the_smallest_types_are_a_sum),
		T(test_of_many_looks_the_ends_are_read),
		T(test_old_looks_are_thinned),
		T(test_a_name_that_no_look_has_goes),
		T(test_the_nearest_look_is_found),
		T(test_changes_are_those_between_the_nearest_looks),
		T(test_of_windows_the_last_looks_are_compared),
		T(test_a_window_without_a_look_tells_nothing),
		T(test_one_look_is_no_change),
		T(test_the_type_that_grew_most_is_told),
		T(test_two_looks_tell_no_growth),
		T(test_what_goes_up_and_down_did_not_grow),
		T(test_a_type_beside_the_growth_is_not_told),
		T(test_less_than_what_is_not_known_is_not_told),
		T(test_a_heap_that_shrinks_has_no_type_that_grew),
		T(test_a_type_that_was_not_listed_had_the_least_at_most),
		T(test_growth_is_told_of_growth_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
