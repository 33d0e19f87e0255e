/* SPDX-License-Identifier: Apache-2.0 */
/* Past: what a writer remembers of a history that it read is what a whole
 * reading gives, and spares reading it again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "analysis/needs.h"
#include "analysis/verdict.h"
#include "common/clock.h"
#include "schema/packed.h"
#include "store/store_int.h"
#include "tests/lib/open_store.h"

#define S     HT_NS_PER_S
#define HOUR  (3600 * S)
#define WEEK  (168 * HOUR)
#define PARTS (HT_SERIES_CLASSES | HT_SERIES_MAPPINGS)

static const struct fake small = {
	7, 2, 2, 8, 4096, FAKE_T0 - FAKE_T0 % HOUR, 60 * S};

/* What its heap does: which of the fake's samples stands at a minute. */
static uint64_t grows(uint64_t minute)
{
	return minute;
}
static uint64_t rests(uint64_t minute)
{
	(void)minute;
	return 5;
}
static uint64_t breathes(uint64_t minute)
{
	return 3000 + (uint64_t)(2500 * sin((double)minute / 229.2));
}
static uint64_t steps(uint64_t minute)
{
	return minute / 900 * 4000;
}

static int64_t at(uint64_t minute)
{
	return small.start_ns + (int64_t)minute * small.step_ns;
}

static void add_mapping(struct ht_snapshot *s, const char *name, uint64_t size)
{
	struct ht_mapping *m = ht_snapshot_add_mapping(s);

	assert_non_null(m);
	m->kind = HT_MAPPING_ANON;
	snprintf(m->name, sizeof(m->name), "%s", name);
	m->anonymous = m->resident = m->size = size;
	m->count = 1;
}

/* shift_ns: what the wall clock was set by. */
static void add_to(struct ht_store *by, uint64_t (*heap)(uint64_t minute),
		   uint64_t from, uint64_t to, int64_t shift_ns)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	ht_snapshot_init(&s);
	assert_ok(ht_store_begin(by, &err));
	for (uint64_t n = from; n < to; n++) {
		if (n % 1500 > 1440)
			continue; /* a gap of an hour a day */
		fake_snapshot(&small, heap(n), &s);
		s.head.taken_at = at(n) + shift_ns;
		if (n / 2000 % 2) /* it comes and goes */
			add_mapping(&s, "[anon: pool]", n * 4096);
		if (n > 3000 && n < 9000)
			s.size_classes.n--; /* the largest is empty */
		assert_ok(ht_store_add(by, "t", &s, NULL, &err));
		if (n % 2777 == 0)
			assert_ok(ht_store_event(by, 1, at(n) + shift_ns,
						 "trim", "", &err));
	}
	assert_ok(ht_store_commit(by, &err));
}

static void add(uint64_t (*heap)(uint64_t minute), uint64_t from, uint64_t to)
{
	add_to(st, heap, from, to, 0);
}

/* --- two readings -------------------------------------------------------- */

/* Lines of the database that were gone through. */
static uint64_t lines_read;

static int on_line(unsigned type, void *ctx, void *stmt, void *x)
{
	(void)type;
	(void)ctx;
	(void)stmt;
	(void)x;
	lines_read++;
	return 0;
}

static void read_as_judge(struct ht_store *by, int64_t to_ns,
			  struct ht_series *ret)
{
	bool metrics[HT_METRIC_COUNT];

	ht_verdict_needs(metrics);
	lines_read = 0;
	sqlite3_trace_v2(by->db, SQLITE_TRACE_ROW, on_line, NULL);
	assert_ok(ht_store_series_mixed(by, 1, to_ns - WEEK, to_ns, PARTS,
					metrics, ret, &err));
}

/* What is not listed counts as nothing. */
static double counted(double x)
{
	return isnan(x) ? 0 : x;
}

static void assert_same_column(const double *a, const double *b, size_t rows)
{
	for (size_t i = 0; i < rows; i++)
		assert_true(a[i] == b[i] || (isnan(a[i]) && isnan(b[i])));
}

static void assert_same_rows(const struct ht_series *a,
			     const struct ht_series *b)
{
	assert_int_equal(a->rows, b->rows);
	assert_memory_equal(a->time_ns, b->time_ns,
			    a->rows * sizeof(*a->time_ns));
	assert_memory_equal(a->cut, b->cut, a->rows * sizeof(*a->cut));
	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			assert_same_column(a->metric[m][k], b->metric[m][k],
					   a->rows);
}

static void assert_same_classes(struct ht_series *a, struct ht_series *b)
{
	for (size_t c = 0; c < a->classes_n; c++) {
		const struct ht_class_series *x = &a->classes[c];
		const struct ht_class_series *y =
			ht_series_class(b, x->max_size);

		for (size_t i = 0; i < a->rows; i++) {
			for (size_t k = 0; k < HT_STAT_COUNT; k++)
				assert_true(counted(x->bytes[k][i]) ==
					    counted(y->bytes[k][i]));
			assert_true(counted(x->chunks[i]) ==
				    counted(y->chunks[i]));
		}
	}
}

static void assert_same_mappings(struct ht_series *a, struct ht_series *b)
{
	for (size_t i = 0; i < a->mappings_n; i++) {
		const struct ht_mapping_series *x = &a->mappings[i];
		const struct ht_mapping_series *y =
			ht_series_mapping(b, x->kind, x->name);

		assert_same_column(x->anonymous, y->anonymous, a->rows);
		assert_same_column(x->count, y->count, a->rows);
		assert_same_column(x->size, y->size, a->rows);
		assert_same_column(x->resident, y->resident, a->rows);
	}
}

static void assert_same_verdict(const struct ht_series *a,
				const struct ht_series *b, int64_t now_ns)
{
	struct ht_verdict x, y;

	ht_verdict(a, now_ns, NULL, &x);
	ht_verdict(b, now_ns, NULL, &y);
	assert_int_equal(x.label, y.label);
	assert_true(x.confidence == y.confidence);
	assert_int_equal(x.evidence_n, y.evidence_n);
	for (size_t i = 0; i < x.evidence_n; i++)
		assert_string_equal(x.evidence[i], y.evidence[i]);
}

/* Of the writer, and of somebody who remembers nothing. */
static void assert_same_readings(int64_t to_ns, uint64_t *ret_ours,
				 uint64_t *ret_whole)
{
	HT_AUTO_STORE struct ht_store *other = NULL;
	HT_AUTO_SERIES struct ht_series ours, whole;

	ht_series_init(&ours);
	ht_series_init(&whole);
	read_as_judge(st, to_ns, &ours);
	*ret_ours = lines_read;
	assert_ok(ht_store_open(path, HT_STORE_READ, &other, &err));
	read_as_judge(other, to_ns, &whole);
	*ret_whole = lines_read;
	assert_same_verdict(&ours, &whole, to_ns);
	assert_same_rows(&ours, &whole);
	assert_same_classes(&ours, &whole);
	assert_same_classes(&whole, &ours);
	assert_same_mappings(&ours, &whole);
	assert_same_mappings(&whole, &ours);
}

static void assert_same_now(uint64_t minute)
{
	uint64_t ours, whole;

	assert_same_readings(at(minute), &ours, &whole);
}

/* Asked about every 20 minutes to 5 hours; returns how many times as many lines
 * are read where nothing is remembered. */
static uint64_t live(uint64_t (*heap)(uint64_t minute), uint64_t minutes,
		     const struct ht_store_policy *policy)
{
	uint64_t ours, whole, all_ours = 0, all_whole = 0;
	uint64_t minute = 0;

	while (minute < minutes) {
		uint64_t next = minute + (minute % 7 ? 171 : 307);

		if (minute % 3 == 0)
			next = minute + 20;
		add(heap, minute, next);
		minute = next;
		maintain(policy, at(minute));
		assert_same_readings(at(minute) - S, &ours, &whole);
		if (minute > 24 * 60) {
			all_ours += ours;
			all_whole += whole;
		}
	}
	return all_whole / all_ours;
}

static const struct ht_store_policy usual = HT_STORE_POLICY_DEFAULT;

static void what_is_remembered_is_what_a_whole_reading_gives(void **state)
{
	(void)state;
	/* more than the week that is read */
	assert_true(live(grows, 200 * 60, &usual) >= 2);
}

static void it_is_so_of_a_heap_that_rests(void **state)
{
	(void)state;
	live(rests, 40 * 60, &usual);
}

static void it_is_so_of_one_that_breathes_by_the_day(void **state)
{
	(void)state;
	live(breathes, 90 * 60, &usual);
}

static void it_is_so_of_one_that_grows_in_steps(void **state)
{
	(void)state;
	live(steps, 60 * 60, &usual);
}

static void it_is_so_where_little_is_kept(void **state)
{
	struct ht_store_policy policy = HT_STORE_POLICY_DEFAULT;

	(void)state;
	policy.detail_s = policy.raw_s = 1;
	policy.minute_s = 4 * 3600;
	policy.ten_minutes_s = 9 * 3600;
	policy.hour_s = 30 * 3600;
	live(breathes, 60 * 60, &policy);
}

static void it_is_so_where_the_clock_steps_back(void **state)
{
	(void)state;
	for (uint64_t minute = 0; minute < 30 * 60; minute += 30) {
		int64_t shift_ns = minute >= 600 ? -2 * HOUR : 0;

		add_to(st, grows, minute, minute + 30, shift_ns);
		maintain(&usual, at(minute + 30) + shift_ns);
		if (minute > 300)
			assert_same_now(minute + 30 -
					(minute >= 600 ? 120 : 0));
	}
}

static void what_is_undone_is_not_remembered(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	HT_AUTO_SERIES struct ht_series series;

	(void)state;
	ht_snapshot_init(&s);
	ht_series_init(&series);
	add(grows, 0, 100);
	assert_ok(ht_store_begin(st, &err));
	fake_snapshot(&small, 100, &s);
	assert_ok(ht_store_add(st, "t", &s, NULL, &err));
	read_as_judge(st, at(100), &series);
	assert_int_equal(series.rows, 101);
	ht_store_rollback(st);
	assert_same_now(100);
	add(grows, 101, 110);
	assert_same_now(110);
}

/* Its file was nobody else's since it was opened: of classes that rest nothing
 * is read, from the first reading on. */
static void the_first_reading_is_of_the_samples_alone(void **state)
{
	HT_AUTO_SERIES struct ht_series series;

	(void)state;
	ht_series_init(&series);
	add(rests, 0, 5);
	read_as_judge(st, at(5), &series);
	assert_int_equal(series.rows, 5);
	assert_true(series.classes_n > 0);
	assert_true(lines_read < 5 + 4); /* whose they are, and such */
}

static void what_another_program_writes_is_seen(void **state)
{
	HT_AUTO_STORE struct ht_store *other = NULL;

	(void)state;
	add(grows, 0, 100);
	assert_same_now(130);
	assert_ok(ht_store_open(path, HT_STORE_WRITE, &other, &err));
	add_to(other, grows, 100, 110, 0);
	assert_same_now(130);
	/* and what it takes away */
	assert_ok(ht_store_exec(
		other, "DELETE FROM event; DELETE FROM sample WHERE id = 50",
		&err));
	assert_same_now(130);
}

/* Of many processes those are remembered that there is room for. */
static void what_is_remembered_keeps_to_its_room(void **state)
{
	enum { PROCESSES = 20 };
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	uint64_t ours, whole;
	bool metrics[HT_METRIC_COUNT];

	(void)state;
	ht_snapshot_init(&s);
	add(grows, 0, 100);
	ht_verdict_needs(metrics);
	st->pasts.most = 40000;
	for (uint64_t i = 0; i < PROCESSES; i++) {
		HT_AUTO_SERIES struct ht_series series;
		struct fake f = small;

		f.pid = 100 + i;
		ht_series_init(&series);
		for (uint64_t n = 0; n < 30; n++) {
			fake_snapshot(&f, n, &s);
			assert_ok(ht_store_add(st, "t", &s, NULL, &err));
		}
		assert_ok(ht_store_series_mixed(st, 2 + (int64_t)i, 0, at(30),
						PARTS, metrics, &series, &err));
		assert_true(st->pasts.bytes <= st->pasts.most);
	}
	assert_true(st->pasts.bytes > st->pasts.most / 2);
	assert_same_readings(at(100), &ours, &whole);
	assert_true(ours > 100); /* no room: read as a whole */
	/* the others were not asked about for an hour */
	for (size_t i = 0; i < HT_PAST_CHAINS; i++)
		for (struct ht_past *p = st->pasts.chain[i]; p; p = p->next)
			p->used_ns -= 2 * HOUR;
	assert_same_readings(at(100), &ours, &whole);
	assert_same_readings(at(100), &ours, &whole);
	assert_true(ours < 20 && whole > 100);
	assert_true(st->pasts.bytes <= st->pasts.most);
}

#define OF_A_STORE(test)                                                       \
	cmocka_unit_test_setup_teardown(test, fresh_open, close_clean)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OF_A_STORE(what_is_remembered_is_what_a_whole_reading_gives),
		OF_A_STORE(it_is_so_of_a_heap_that_rests),
		OF_A_STORE(it_is_so_of_one_that_breathes_by_the_day),
		OF_A_STORE(it_is_so_of_one_that_grows_in_steps),
		OF_A_STORE(it_is_so_where_little_is_kept),
		OF_A_STORE(it_is_so_where_the_clock_steps_back),
		OF_A_STORE(what_is_undone_is_not_remembered),
		OF_A_STORE(the_first_reading_is_of_the_samples_alone),
		OF_A_STORE(what_another_program_writes_is_seen),
		OF_A_STORE(what_is_remembered_keeps_to_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
