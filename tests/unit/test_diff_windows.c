/* SPDX-License-Identifier: Apache-2.0 */
/* Limit: 120 s
 * `heaptide diff` of windows that the store has rolled up: a made history of
 * thirty hours goes in through the real store; what the command prints is held
 * against the snapshots themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "common/clock.h"
#include "schema/metrics.h"
#include "store/store.h"
#include "tests/lib/capture.h"
#include "tests/lib/fake.h"
#include "tests/lib/store.h"

#define S	HT_NS_PER_S
#define HOUR	(3600 * S)
#define EACH	3	  /* samples a minute */
#define MINUTES (12 * 60) /* of a window */
#define SAMPLES (30 * 60 * EACH)

static const struct fake made = {7,	3, 4, 8, 4096, FAKE_T0 - FAKE_T0 % HOUR,
				 20 * S};
static json_t *diff; /* of the first twelve hours with the next */

static void write_history(void)
{
	HT_AUTO_STORE struct ht_store *st = NULL;
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	bool done = false;

	assert_ok(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	ht_snapshot_init(&s);
	assert_ok(ht_store_begin(st, &err));
	for (uint64_t n = 0; n < SAMPLES; n++) {
		fake_snapshot(&made, n, &s);
		assert_ok(ht_store_add(st, "made", &s, NULL, &err));
	}
	assert_ok(ht_store_commit(st, &err));
	for (int i = 0; i < 100000 && !done; i++)
		assert_ok(ht_store_maintain(st, &HT_STORE_POLICY_DEFAULT,
					    made.start_ns + 30 * HOUR, S / 100,
					    &done, &err));
	assert_true(done);
}

/* The command as people type it. */
static json_t *run(char *first, char *second)
{
	char program[] = "heaptide", name[] = "diff", target[] = "made";
	char json[] = "--json", db[] = "--db";
	char *argv[] = {program, name, target, first, second,
			json,	 db,   path,   NULL};
	char *text;
	json_t *ret;
	int status;

	capture_begin();
	status = ht_cli_main(8, argv);
	text = capture_end();
	assert_int_equal(status, 0);
	ret = json_loads(text, 0, NULL);
	assert_non_null(ret);
	free(text);
	return ret;
}

static int begin(void **state)
{
	int64_t t0 = made.start_ns / S;
	char first[64], second[64];

	if (fresh(state) < 0)
		return -1;
	write_history();
	snprintf(first, sizeof(first), "..@%" PRId64, t0 + 12 * 3600 - 1);
	snprintf(second, sizeof(second), "@%" PRId64 "..@%" PRId64,
		 t0 + 12 * 3600, t0 + 24 * 3600 - 1);
	diff = run(first, second);
	return 0;
}

static int end(void **state)
{
	json_decref(diff);
	return clean(state);
}

/* --- what the snapshots say ---------------------------------------------- */

/* A figure of one sample; NaN: not known. */
typedef double figure(const struct ht_snapshot *s, uint64_t key);

static double metric(const struct ht_snapshot *s, uint64_t key)
{
	double v[HT_METRIC_COUNT];

	ht_metrics_of(s, v);
	return v[key];
}

static double class_bytes(const struct ht_snapshot *s, uint64_t max_size)
{
	for (size_t i = 0; i < s->size_classes.n; i++)
		if (s->size_classes.v[i].max_size == max_size)
			return (double)s->size_classes.v[i].in_use_bytes;
	return 0;
}

static double arena_in_use(const struct ht_snapshot *s, uint64_t address)
{
	for (size_t i = 0; i < s->arenas.n; i++)
		if (s->arenas.v[i].address == address)
			return (double)s->arenas.v[i].in_use;
	return NAN;
}

/* key: the kind in the upper half, the index in the lower. */
static double bin_bytes(const struct ht_snapshot *s, uint64_t key)
{
	double sum = 0;

	for (size_t i = 0; i < s->bins.n; i++)
		if (s->bins.v[i].kind == key >> 32 &&
		    s->bins.v[i].index == (key & UINT32_MAX))
			sum += (double)s->bins.v[i].bytes;
	return sum;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct stated {
	double median, p10, p90;
};

/* The medians of the minutes of a window, and of these the nearest ranks. */
static struct stated state_of(int window, figure *f, uint64_t key)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	double v[MINUTES];

	ht_snapshot_init(&s);
	for (uint64_t minute = 0; minute < MINUTES; minute++) {
		double x[EACH];

		for (uint64_t i = 0; i < EACH; i++) {
			fake_snapshot(&made,
				      ((uint64_t)window * MINUTES + minute) *
						      EACH +
					      i,
				      &s);
			x[i] = f(&s, key);
		}
		qsort(x, EACH, sizeof(*x), ascending);
		v[minute] = x[EACH / 2];
	}
	qsort(v, MINUTES, sizeof(*v), ascending);
	return (struct stated){v[MINUTES / 2 - 1], v[MINUTES / 10 - 1],
			       v[MINUTES / 10 * 9 - 1]};
}

static bool is_noise(const struct stated *a, const struct stated *b)
{
	return (a->median >= b->p10 && a->median <= b->p90) ||
	       (b->median >= a->p10 && b->median <= a->p90);
}

static double number(const json_t *o, const char *side, const char *key)
{
	const json_t *v = json_object_get(json_object_get(o, side), key);

	assert_true(json_is_number(v));
	return json_number_value(v);
}

static void hold(const json_t *o, figure *f, uint64_t key)
{
	static const char *const sides[] = {"from", "to"};

	for (int i = 0; i < 2; i++) {
		struct stated want = state_of(i, f, key);

		assert_true(number(o, sides[i], "median") == want.median);
		assert_true(number(o, sides[i], "p10") == want.p10);
		assert_true(number(o, sides[i], "p90") == want.p90);
	}
	assert_true(fabs(json_number_value(json_object_get(o, "change")) -
			 (number(o, "to", "median") -
			  number(o, "from", "median"))) < 1e-9);
}

static const json_t *named(const char *part, const char *name)
{
	const json_t *list = json_object_get(diff, part);

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *o = json_array_get(list, i);

		if (!strcmp(json_string_value(json_object_get(o, "name")),
			    name))
			return o;
	}
	return NULL;
}

/* ------------------------------------------------------------------------- */

static void rows_of_windows_that_were_thinned_out_are_minutes(void **state)
{
	static const char *const sides[] = {"from", "to"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal((int)number(diff, sides[i], "rows"), MINUTES);
		assert_int_equal((int)number(diff, sides[i], "step_s"), 60);
	}
}

static void totals_are_those_of_the_snapshots(void **state)
{
	const json_t *list = json_object_get(diff, "totals");

	(void)state;
	assert_true(json_array_size(list) > 0);
	assert_non_null(named("totals", "in_use"));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *o = json_array_get(list, i);

		hold(o, metric,
		     ht_metric_find(
			     json_string_value(json_object_get(o, "name"))));
	}
}

/* What grew is told; what is left out varies as much as it differs. */
static void each_total_that_is_left_out_is_noise(void **state)
{
	size_t noise = 0;

	(void)state;
	for (uint64_t m = 0; m < HT_METRIC_COUNT; m++) {
		struct stated a = state_of(0, metric, m),
			      b = state_of(1, metric, m);

		if (m == HT_M_minflt || m == HT_M_majflt || m == HT_M_cpu_ns ||
		    m == HT_M_limit || m == HT_M_pause_us ||
		    named("totals", ht_metric_infos[m].name) ||
		    isnan(a.median) || a.median == b.median)
			continue;
		noise++;
		assert_true(is_noise(&a, &b) ||
			    (ht_metric_is_ratio((enum ht_metric)m) &&
			     fabs(a.median - b.median) < 0.001));
	}
	assert_int_equal((int)number(diff, "noise", "totals"), noise);
}

static void chunk_sizes_and_arenas_are_those_of_the_snapshots(void **state)
{
	const json_t *classes = json_object_get(diff, "size_classes");
	const json_t *arenas = json_object_get(diff, "arenas");

	(void)state;
	assert_true(json_array_size(classes) > 0);
	assert_true(json_array_size(arenas) > 0);
	for (size_t i = 0; i < json_array_size(classes); i++) {
		const json_t *o = json_array_get(classes, i);
		const char *name =
			json_string_value(json_object_get(o, "name"));

		hold(o, class_bytes,
		     strtoull(name + strcspn(name, "0123456789"), NULL, 10));
	}
	for (size_t i = 0; i < json_array_size(arenas); i++) {
		const json_t *o = json_array_get(arenas, i);

		hold(o, arena_in_use,
		     strtoull(json_string_value(json_object_get(o, "name")),
			      NULL, 16));
	}
}

/* The made bins move and do not grow: none is told, all are counted. */
static void bins_are_those_of_the_snapshots_all_arenas_together(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	uint64_t seen[256];
	size_t n = 0, noise = 0;

	(void)state;
	ht_snapshot_init(&s);
	fake_snapshot(&made, 0, &s);
	for (size_t i = 0; i < s.bins.n; i++) {
		uint64_t key = s.bins.v[i].kind << 32 | s.bins.v[i].index;
		size_t k = 0;

		while (k < n && seen[k] != key)
			k++;
		assert_true(k < 256);
		if (k == n)
			seen[n++] = key;
	}
	assert_true(n > 10);
	for (size_t k = 0; k < n; k++) {
		struct stated x = state_of(0, bin_bytes, seen[k]),
			      y = state_of(1, bin_bytes, seen[k]);

		assert_true(is_noise(&x, &y));
		noise += x.median != y.median;
	}
	assert_true(noise > 0);
	assert_int_equal((int)number(diff, "noise", "bins"), noise);
	assert_int_equal(json_array_size(json_object_get(diff, "bins")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			rows_of_windows_that_were_thinned_out_are_minutes),
		cmocka_unit_test(totals_are_those_of_the_snapshots),
		cmocka_unit_test(each_total_that_is_left_out_is_noise),
		cmocka_unit_test(
			chunk_sizes_and_arenas_are_those_of_the_snapshots),
		cmocka_unit_test(
			bins_are_those_of_the_snapshots_all_arenas_together),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
