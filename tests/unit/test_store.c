/* SPDX-License-Identifier: Apache-2.0 */
/* Store: what goes in comes out the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "store/store.h"
#include "store/store_int.h"
#include "tests/lib/fake.h"
#include "tests/lib/store.h"

static struct ht_store *open_store(enum ht_store_mode mode)
{
	struct ht_store *st = NULL;

	assert_ok(ht_store_open(path, mode, &st, &err));
	return st;
}

static int64_t add_fakes(struct ht_store *st, const struct fake *f,
			 uint64_t from, uint64_t to)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	int64_t id = 0, process = 0;

	ht_snapshot_init(&s);
	assert_ok(ht_store_begin(st, &err));
	for (uint64_t n = from; n < to; n++) {
		fake_snapshot(f, n, &s);
		assert_ok(ht_store_add(st, "fake", &s, &id, &err));
	}
	assert_ok(ht_store_commit(st, &err));
	assert_ok(ht_store_sample_process(st, id, &process, &err));
	return process;
}

/* --- the tables are the records' ----------------------------------------- */

static bool has_column(sqlite3 *db, const char *table, const char *column)
{
	return sqlite3_table_column_metadata(db, NULL, table, column, NULL,
					     NULL, NULL, NULL,
					     NULL) == SQLITE_OK;
}

static void every_field_and_metric_has_a_column(void **state)
{
	HT_AUTO_STORE struct ht_store *st = open_store(HT_STORE_WRITE);

	(void)state;
	for (enum ht_record_id id = 0; id < HT_RECORD_COUNT; id++) {
		const struct ht_record_type *type = &ht_record_types[id];
		const char *table = ht_record_table(id);

		for (size_t i = 0; table && i < type->fields_count; i++) {
			const char *column =
				ht_record_column(id, &type->fields[i]);

			if (!has_column(st->db, table, column))
				fail_msg("store/sql: table %s lacks column %s",
					 table, column);
		}
	}
	for (int m = 0; m < HT_METRIC_COUNT; m++) {
		const char *name = ht_metric_infos[m].name;

		if (!has_column(st->db, "sample", name) ||
		    !has_column(st->db, "rollup", name))
			fail_msg("store/sql: tables sample and rollup need "
				 "column %s",
				 name);
	}
}

static int count_row(void *ctx, int n, char **values, char **names)
{
	(void)n;
	(void)values;
	(void)names;
	++*(int *)ctx;
	return 0;
}

static void every_view_can_be_read_and_the_plain_ones_hold_rows(void **state)
{
	static const char *const full[] = {
		"current",	"growth",   "newest",	   "arenas_now",
		"heaps_now",	"bins_now", "classes_now", "threads_now",
		"mappings_now", "rss_now"};
	static const char *const any[] = {
		"findings",   "events",	     "verdicts_now", "trend",
		"trend_1min", "trend_10min", "trend_1h"};
	HT_AUTO_STORE struct ht_store *st = open_store(HT_STORE_WRITE);
	struct fake f = FAKE_DEFAULT;
	char sql[96];
	int rows;

	(void)state;
	add_fakes(st, &f, 0, 90);
	for (size_t i = 0; i < sizeof(full) / sizeof(full[0]); i++) {
		rows = 0;
		snprintf(sql, sizeof(sql), "SELECT * FROM %s", full[i]);
		assert_int_equal(
			sqlite3_exec(st->db, sql, count_row, &rows, NULL),
			SQLITE_OK);
		assert_true(rows > 0);
	}
	for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++) {
		snprintf(sql, sizeof(sql), "SELECT * FROM %s", any[i]);
		assert_int_equal(sqlite3_exec(st->db, sql, NULL, NULL, NULL),
				 SQLITE_OK);
	}
}

/* --- what goes in comes out ---------------------------------------------- */

/* But for what all processes together have left, which is nearly the same. */
static void a_snapshot_comes_back_the_same_at_every_time(void **state)
{
	HT_AUTO_STORE struct ht_store *st = open_store(HT_STORE_WRITE);
	struct fake f = FAKE_DEFAULT;
	HT_AUTO_SNAPSHOT struct ht_snapshot want, got;
	int64_t process = add_fakes(st, &f, 0, 150);

	(void)state;
	ht_snapshot_init(&want);
	ht_snapshot_init(&got);
	for (uint64_t n = 0; n < 150; n += 7) {
		fake_snapshot(&f, n, &want);
		assert_ok(ht_store_snapshot_at(
			st, process, want.head.taken_at + 5, &got, &err));
		allow_64th(&want.limits.mem_available,
			   got.limits.mem_available);
		assert_null(snapshot_difference(&want, &got, NULL));
		assert_ok(ht_snapshot_check(&got, &err));
	}
}

static void rows_that_did_not_change_are_not_written_again(void **state)
{
	HT_AUTO_STORE struct ht_store *st = open_store(HT_STORE_WRITE);
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct fake f = FAKE_DEFAULT;
	int rows = 0;

	(void)state;
	ht_snapshot_init(&s);
	for (int i = 0; i < 10; i++) {
		fake_snapshot(&f, 0, &s);
		s.head.taken_at += i * HT_NS_PER_S;
		assert_ok(ht_store_add(st, "", &s, NULL, &err));
	}
	assert_int_equal(sqlite3_exec(st->db,
				      "SELECT 1 FROM bin WHERE sample_id > 1 "
				      "UNION ALL SELECT 1 FROM arena WHERE "
				      "sample_id > 1 UNION ALL SELECT 1 FROM "
				      "totals WHERE sample_id > 1",
				      count_row, &rows, NULL),
			 SQLITE_OK);
	assert_int_equal(rows, 0);
}

static int count_limits(struct ht_store *st)
{
	int rows = 0;

	assert_int_equal(sqlite3_exec(st->db, "SELECT 1 FROM limits", count_row,
				      &rows, NULL),
			 SQLITE_OK);
	return rows;
}

static void
a_row_of_limits_is_written_when_one_changed_or_what_is_left_by_a_64th(
	void **state)
{
	HT_AUTO_STORE struct ht_store *st = open_store(HT_STORE_WRITE);
	HT_AUTO_SNAPSHOT struct ht_snapshot s, got;
	const uint64_t left = UINT64_C(6400) << 20;
	struct fake f = FAKE_DEFAULT;
	int64_t id, process;

	(void)state;
	ht_snapshot_init(&s);
	ht_snapshot_init(&got);
	for (unsigned i = 0; i < 12; i++) {
		fake_snapshot(&f, 0, &s);
		s.head.taken_at += i * HT_NS_PER_S;
		s.limits.mem_available = left - (UINT64_C(20) << 20) * i;
		s.limits.threads_max = 10000 + i;
		s.limits.rlimit_nofile = i < 10 ? 1024 : 4096;
		assert_ok(ht_store_add(st, "", &s, &id, &err));
		if (i == 5) /* 100 MiB of 6400 */
			assert_int_equal(count_limits(st), 1);
		if (i == 6)
			assert_int_equal(count_limits(st), 2);
		if (i == 9)
			assert_int_equal(count_limits(st), 2);
	}
	assert_int_equal(count_limits(st), 3);
	assert_ok(ht_store_sample_process(st, id, &process, &err));
	assert_ok(
		ht_store_snapshot_at(st, process, s.head.taken_at, &got, &err));
	assert_int_equal(got.limits.rlimit_nofile, 4096);
	allow_64th(&s.limits.mem_available, got.limits.mem_available);
	allow_64th(&s.limits.threads_max, got.limits.threads_max);
	assert_int_equal(s.limits.mem_available, got.limits.mem_available);
	assert_int_equal(s.limits.threads_max, got.limits.threads_max);
}

static void a_bin_that_emptied_and_a_thread_that_ended_are_gone(void **state)
{
	HT_AUTO_STORE struct ht_store *st = open_store(HT_STORE_WRITE);
	HT_AUTO_SNAPSHOT struct ht_snapshot s, got;
	struct fake f = FAKE_DEFAULT;
	size_t bins, threads;

	(void)state;
	ht_snapshot_init(&s);
	ht_snapshot_init(&got);
	fake_snapshot(&f, 0, &s);
	bins = s.bins.n;
	threads = s.threads.n;
	assert_ok(ht_store_add(st, "", &s, NULL, &err));
	s.head.taken_at += HT_NS_PER_S;
	s.bins.n--;
	s.threads.n -= 2;
	assert_ok(ht_store_add(st, "", &s, NULL, &err));
	assert_ok(ht_store_snapshot_at(st, 1, s.head.taken_at, &got, &err));
	assert_int_equal(got.bins.n, bins - 1);
	assert_int_equal(got.threads.n, threads - 2);
	assert_ok(ht_store_snapshot_at(st, 1, s.head.taken_at - 1, &got, &err));
	assert_int_equal(got.bins.n, bins);
	assert_int_equal(got.threads.n, threads);
}

static void a_list_that_was_not_measured_is_shown_with_a_warning(void **state)
{
	HT_AUTO_STORE struct ht_store *st = open_store(HT_STORE_WRITE);
	HT_AUTO_SNAPSHOT struct ht_snapshot s, got;
	struct fake f = FAKE_DEFAULT;
	size_t bins;

	(void)state;
	ht_snapshot_init(&s);
	ht_snapshot_init(&got);
	fake_snapshot(&f, 0, &s);
	bins = s.bins.n;
	assert_ok(ht_store_add(st, "", &s, NULL, &err));
	s.head.taken_at += HT_NS_PER_S;
	s.bins.n = 0; /* while the totals say that there are some */
	assert_ok(ht_store_add(st, "", &s, NULL, &err));
	assert_ok(ht_store_snapshot_at(st, 1, s.head.taken_at, &got, &err));
	assert_int_equal(got.bins.n, bins);
	assert_int_equal(got.warnings.n, 1);
	assert_non_null(strstr(got.warnings.v[0].text, "bin"));
}

static void unknown_figures_stay_unknown(void **state)
{
	HT_AUTO_STORE struct ht_store *st = open_store(HT_STORE_WRITE);
	HT_AUTO_SNAPSHOT struct ht_snapshot s, got;
	HT_AUTO_SERIES struct ht_series series;
	struct ht_arena *a;

	(void)state;
	ht_snapshot_init(&s);
	ht_snapshot_init(&got);
	ht_series_init(&series);
	s.head.taken_at = FAKE_T0;
	a = ht_snapshot_add_arena(&s);
	a->index = 0;
	assert_ok(ht_store_add(st, "", &s, NULL, &err));
	assert_ok(ht_store_snapshot_at(st, 1, FAKE_T0, &got, &err));
	assert_null(snapshot_difference(&s, &got, NULL));
	assert_ok(ht_store_series(st, 1, 0, INT64_MAX, 0, 0, &series, &err));
	assert_int_equal(series.rows, 1);
	for (int m = 0; m < HT_METRIC_COUNT; m++)
		assert_true(isnan(series.metric[m][HT_STAT_MEDIAN][0]));
}

/* --- processes ----------------------------------------------------------- */

static void lives_of_one_pid_are_kept_apart(void **state)
{
	static const char *const why[] = {"another start", "another boot",
					  "another program", "exec of the same",
					  NULL};
	HT_AUTO_STORE struct ht_store *st = open_store(HT_STORE_WRITE);
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct fake f = FAKE_DEFAULT;
	int64_t id, process, last = 0;

	(void)state;
	ht_snapshot_init(&s);
	fake_snapshot(&f, 0, &s);
	for (int i = 0; why[i]; i++) {
		for (int twice = 0; twice < 2; twice++) {
			s.head.taken_at += HT_NS_PER_S;
			assert_ok(ht_store_add(st, "t", &s, &id, &err));
			assert_ok(ht_store_sample_process(st, id, &process,
							  &err));
			assert_int_equal(process, i + 1);
		}
		assert_true(process > last);
		last = process;
		s.head.start_ticks += i == 0;
		s.head.boot_id[0] = i >= 1 ? 'f' : '0';
		s.head.exe_inode += i == 2;
		s.arenas.v[0].address += i == 3 ? 4096 : 0;
	}
}

/* In turn, as a daemon has them; the last hundred have pids that stand for the
 * same place as those of the first hundred. */
static void of_a_thousand_processes_only_changes_are_written(void **state)
{
	HT_AUTO_STORE struct ht_store *st = open_store(HT_STORE_WRITE);
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	int64_t id, process, all = 0, full = 0;
	bool row;

	(void)state;
	ht_snapshot_init(&s);
	assert_ok(ht_store_begin(st, &err));
	for (uint64_t n = 0; n < 3; n++) {
		for (uint64_t k = 0; k < 1000; k++) {
			struct fake f = {
				k < 900 ? 1 + k : 1 + k - 900 + HT_STORE_STATES,
				1,
				1,
				2,
				4096,
				FAKE_T0,
				HT_NS_PER_S};

			fake_snapshot(&f, n, &s);
			assert_ok(ht_store_add(st, "many", &s, &id, &err));
			assert_ok(ht_store_sample_process(st, id, &process,
							  &err));
			assert_int_equal(process, 1 + k);
		}
	}
	assert_ok(ht_store_commit(st, &err));
	assert_ok(ht_store_number(st, "SELECT count(*) FROM sample", 0, 0, &all,
				  &row, &err));
	assert_int_equal(all, 3000);
	assert_ok(ht_store_number(
		st, "SELECT count(*) FROM sample WHERE base_id = id", 0, 0,
		&full, &row, &err));
	assert_int_equal(full, 1000);
}

static void a_word_finds_the_newest_process_it_may_mean(void **state)
{
	static const struct {
		const char *word;
		int64_t id;
	} cases[] = {{"web", 2},      {"4711", 1},
		     {"#1", 1},	      {"#2", 2},
		     {"2", 2},	      {"fake4711", 1},
		     {"fake4712", 2}, {"/usr/bin/fake4712", 2}};
	HT_AUTO_STORE struct ht_store *st = open_store(HT_STORE_WRITE);
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct ht_store_process p;
	struct fake f = FAKE_DEFAULT;

	(void)state;
	ht_snapshot_init(&s);
	for (int i = 0; i < 2; i++) {
		fake_snapshot(&f, 0, &s);
		assert_ok(ht_store_add(st, "web", &s, NULL, &err));
		f.pid++;
		f.start_ns += HT_NS_PER_S;
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ok(ht_store_find(st, cases[i].word, &p, &err));
		assert_int_equal(p.id, cases[i].id);
	}
	assert_int_equal(p.samples, 1);
	assert_string_equal(p.target, "web");
	assert_int_equal(ht_store_find(st, "nobody", &p, &err), HT_NODATA);
	assert_int_equal(ht_store_find(st, "#3", &p, &err), HT_NODATA);
}

static void an_ended_process_says_when(void **state)
{
	HT_AUTO_STORE struct ht_store *st = open_store(HT_STORE_WRITE);
	struct ht_store_process p;
	struct fake f = FAKE_DEFAULT;
	int64_t process = add_fakes(st, &f, 0, 3);

	(void)state;
	assert_ok(ht_store_event(st, process, FAKE_T0 + 99, "ended", "", &err));
	assert_ok(ht_store_find(st, "fake", &p, &err));
	assert_int_equal(p.ended_ns, FAKE_T0 + 99);
}

static void a_program_that_another_took_the_place_of_has_ended(void **state)
{
	HT_AUTO_STORE struct ht_store *st = open_store(HT_STORE_WRITE);
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	const struct fake f = FAKE_DEFAULT;
	struct ht_store_process p;

	(void)state;
	ht_snapshot_init(&s);
	fake_snapshot(&f, 0, &s);
	assert_ok(ht_store_add(st, "t", &s, NULL, &err));
	s.head.exe_inode++;
	s.head.taken_at += HT_NS_PER_S;
	assert_ok(ht_store_add(st, "t", &s, NULL, &err));
	assert_ok(ht_store_find(st, "#1", &p, &err));
	assert_int_equal(p.ended_ns, FAKE_T0 + HT_NS_PER_S);
	assert_ok(ht_store_find(st, "#2", &p, &err));
	assert_int_equal(p.ended_ns, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, clean)
	const struct CMUnitTest tests[] = {
		T(every_field_and_metric_has_a_column),
		T(every_view_can_be_read_and_the_plain_ones_hold_rows),
		T(a_snapshot_comes_back_the_same_at_every_time),
		T(rows_that_did_not_change_are_not_written_again),
		T(a_row_of_limits_is_written_when_one_changed_or_what_is_left_by_a_64th),
		T(a_bin_that_emptied_and_a_thread_that_ended_are_gone),
		T(a_list_that_was_not_measured_is_shown_with_a_warning),
		T(unknown_figures_stay_unknown),
		T(lives_of_one_pid_are_kept_apart),
		T(of_a_thousand_processes_only_changes_are_written),
		T(a_word_finds_the_newest_process_it_may_mean),
		T(an_ended_process_says_when),
		T(a_program_that_another_took_the_place_of_has_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
