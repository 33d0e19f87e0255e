/* SPDX-License-Identifier: Apache-2.0 */
/* What a verdict says is to be done, and what it gives: where the kernel
 * refuses, where a fork shares, where nothing was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "agent/libc/runtime.h"
#include "analysis/runtimes.h"
#include "analysis/verdict.h"
#include "tests/lib/made.h"

static int64_t end_of(const struct ht_series *s)
{
	return s->time_ns[s->rows - 1];
}

/* Blocks of 1 MB are asked for, a page of each is written; every third look is
 * of a heap that moved. */
static void make_unwritten(struct ht_series *s)
{
	struct ht_class_series *mmapped;
	double x[60];

	for (size_t i = 0; i < 60; i++)
		x[i] = 1e6 * (double)(100 + 10 * i);
	ht_series_init(s);
	ht_made_in_use(s, x, 60, 0);
	mmapped = ht_series_class(s, 0);
	assert_non_null(mmapped);
	for (size_t i = 0; i < 60; i++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++) {
			mmapped->bytes[k][i] = x[i];
			s->metric[HT_M_in_use_arena][k][i] = 1e5;
			s->metric[HT_M_system][k][i] = 1.3e5;
			s->metric[HT_M_mmapped_resident][k][i] = x[i] / 256;
			s->metric[HT_M_rss_anon][k][i] = x[i] / 256 + 2e5;
			s->metric[HT_M_heap_resident][k][i] = 1.3e5;
			s->metric[HT_M_limit][k][i] = 100e9;
			s->metric[HT_M_uncertain][k][i] =
				i % 3 == 1 ? 0.2 * x[i] : 2e6;
		}
}

/* The date is of what is written, and looks that do not count are no zeros. */
static void what_is_not_written_takes_no_memory(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;

	(void)state;
	make_unwritten(&s);
	ht_verdict(&s, end_of(&s), NULL, &v);
	assert_int_equal(v.label, HT_LABEL_LEAK);
	assert_int_equal(v.culprit_class, 0);
	assert_in_range(v.samples, 39, 60);
	/* 100 GB at 10 MB a minute would be a week; at 40 kB it is years */
	assert_int_equal(v.eta_at_ns, 0);
}

/* 5 MB in use, 75 MB freed and kept in holes, and nothing that moves. */
static void make_holes(struct ht_series *s)
{
	double x[60];

	for (size_t i = 0; i < 60; i++)
		x[i] = 5e6;
	ht_series_init(s);
	ht_made_in_use(s, x, 60, 0);
	for (size_t i = 0; i < 60; i++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++) {
			s->metric[HT_M_rss_anon][k][i] = 80e6;
			s->metric[HT_M_heap_resident][k][i] = 80e6;
			s->metric[HT_M_retained][k][i] = 75e6;
			s->metric[HT_M_stuck][k][i] = 9e6;
			s->metric[HT_M_trimmable][k][i] = 30e3;
			s->metric[HT_M_tops_kept][k][i] = 0;
		}
}

/* madvise() of locked pages fails: what trim returns is not the remedy. */
static void what_is_locked_is_to_be_unlocked(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	HT_AUTO_SNAPSHOT struct ht_snapshot latest;
	struct ht_verdict v;

	(void)state;
	make_holes(&s);
	ht_snapshot_init(&latest);
	ht_snapshot_add_rss_cause(&latest)->cause = HT_CAUSE_LOCKED;
	latest.rss_causes.v[0].bytes = 66000000;
	ht_verdict(&s, end_of(&s), &latest, &v);
	assert_int_equal(v.label, HT_LABEL_POOL_GROWTH);
	assert_non_null(strstr(v.remedy, "munlock()"));
	assert_int_equal(v.remedy_bytes, 66000000);
	latest.process.huge_pool = 80000000;
	ht_verdict(&s, end_of(&s), &latest, &v);
	assert_non_null(strstr(v.remedy, "glibc.malloc.hugetlb=0"));
	latest.rss_causes.v[0].bytes = 1000000; /* the least part of it */
	ht_verdict(&s, end_of(&s), &latest, &v);
	assert_null(strstr(v.remedy, "hugetlb"));
	ht_verdict(&s, end_of(&s), NULL, &v);
	assert_non_null(strstr(v.remedy, "malloc_trim(0) would return"));
}

/* Pages that a fork() left shared stay with the others: RSS falls, and the
 * machine gets nothing. */
static void what_a_fork_shares_is_not_given_to_the_machine(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	HT_AUTO_SNAPSHOT struct ht_snapshot latest;
	struct ht_verdict v;

	(void)state;
	make_holes(&s);
	for (size_t k = 0; k < HT_STAT_COUNT; k++)
		for (size_t i = 0; i < s.rows; i++)
			s.metric[HT_M_trimmable][k][i] = 66e6;
	ht_snapshot_init(&latest);
	latest.totals.trimmable_private = 0;
	ht_verdict(&s, end_of(&s), &latest, &v);
	assert_int_equal(v.label, HT_LABEL_POOL_GROWTH);
	assert_non_null(strstr(v.evidence[1], "the machine would get 0 B"));
	assert_non_null(strstr(v.remedy, "before it forks"));
	latest.totals.trimmable_private = 65000000;
	ht_verdict(&s, end_of(&s), &latest, &v);
	assert_null(strstr(v.remedy, "forks"));
	latest.totals.trimmable_private = HT_UNKNOWN;
	ht_verdict(&s, end_of(&s), &latest, &v);
	assert_null(strstr(v.remedy, "forks"));
}

/* 64 MB of top, of which 32 MB are resident, and the rule that keeps them. */
static void make_top(struct ht_series *s, double threshold)
{
	make_holes(s);
	for (size_t i = 0; i < s->rows; i++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++) {
			s->metric[HT_M_top][k][i] = 64e6;
			s->metric[HT_M_pinned][k][i] = 43e6;
			s->metric[HT_M_trim_threshold][k][i] = threshold;
			s->metric[HT_M_trimmable][k][i] = 66e6;
		}
}

static void a_top_is_told_with_what_keeps_it(void **state)
{
	HT_AUTO_SERIES struct ht_series raised, low, never;
	HT_AUTO_SNAPSHOT struct ht_snapshot latest;
	struct ht_verdict v;

	(void)state;
	ht_snapshot_init(&latest);
	latest.params.top_pad = 131072;
	latest.params.no_dyn_threshold = 0;
	make_top(&raised, 90e6);
	for (size_t k = 0; k < HT_STAT_COUNT; k++)
		for (size_t i = 0; i < raised.rows; i++)
			raised.metric[HT_M_pinned][k][i] = 20e6;
	ht_verdict(&raised, end_of(&raised), &latest, &v);
	assert_string_equal(v.reason, "trim_threshold");
	assert_int_equal(v.remedy_bytes, 55000000); /* not the 64 of the top */
	assert_non_null(strstr(v.remedy, "GLIBC_TUNABLES=glibc.malloc.trim_"));
	latest.params.no_dyn_threshold = 1; /* no environment overrules code */
	ht_verdict(&raised, end_of(&raised), &latest, &v);
	assert_null(strstr(v.remedy, "GLIBC_TUNABLES="));
	assert_non_null(strstr(v.remedy, "M_TRIM_THRESHOLD was set"));
	make_top(&low, 131072);
	ht_verdict(&low, end_of(&low), &latest, &v);
	assert_string_equal(v.reason, "holes"); /* most lies below the top */
	for (size_t k = 0; k < HT_STAT_COUNT; k++)
		for (size_t i = 0; i < low.rows; i++)
			low.metric[HT_M_pinned][k][i] = 0;
	ht_verdict(&low, end_of(&low), &latest, &v);
	assert_non_null(strstr(v.remedy, "the next free() of 64 KiB"));
	latest.params.top_pad = 100000000;
	ht_verdict(&low, end_of(&low), &latest, &v);
	assert_non_null(strstr(v.remedy, "top_pad is"));
	assert_null(strstr(v.remedy, "TRIM_THRESHOLD"));
	make_top(&never, (double)HT_PARAM_OFF);
	for (size_t k = 0; k < HT_STAT_COUNT; k++)
		for (size_t i = 0; i < never.rows; i++)
			never.metric[HT_M_pinned][k][i] = 0;
	ht_verdict(&never, end_of(&never), &latest, &v);
	assert_non_null(strstr(v.evidence[1], "off: M_TRIM_THRESHOLD -1"));
}

/* 80 MB resident in 16 arenas, 75 MB of it free there, `cached` of that in
 * thread caches; all arenas together held `peak` once, at the beginning. */
static void make_arenas(struct ht_series *s, double cached, double peak)
{
	make_holes(s);
	for (size_t i = 0; i < s->rows; i++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++) {
			s->metric[HT_M_in_use_arena][k][i] =
				i == 5 ? peak : 5e6;
			s->metric[HT_M_arenas][k][i] = 16;
			s->metric[HT_M_arenas_holding][k][i] = 12;
			s->metric[HT_M_resident_free][k][i] = 72e6;
			s->metric[HT_M_non_main_free_resident][k][i] = 70e6;
			s->metric[HT_M_tcache][k][i] = cached;
			s->metric[HT_M_trimmable][k][i] = 66e6 - cached;
		}
}

/* Fewer arenas share what lies in none of their threads' caches, and no more
 * than the largest in use that was met leaves over. */
static void fewer_arenas_return_what_peaks_leave(void **state)
{
	HT_AUTO_SERIES struct ht_series s, cached;
	struct ht_verdict v;

	(void)state;
	make_arenas(&s, 1e6, 60e6);
	ht_verdict(&s, end_of(&s), NULL, &v);
	assert_int_equal(v.label, HT_LABEL_ARENA_PROLIFERATION);
	assert_int_equal(v.remedy_bytes, 80000000 - 60000000);
	assert_non_null(strstr(v.remedy, "nothing where they coincide"));
	make_arenas(&cached, 64e6, 5e6);
	ht_verdict(&cached, end_of(&cached), NULL, &v);
	assert_int_equal(v.label, HT_LABEL_POOL_GROWTH);
	assert_string_equal(v.reason, "thread_caches");
	assert_int_equal(v.also_n, 0);
}

/* Trimmed to 18 MB every 8 minutes, and back at 82 with `faults` a row. */
static void make_refilled(struct ht_series *s, double faults)
{
	make_holes(s);
	for (size_t i = 0; i < s->rows; i++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++) {
			double kept = 10e6 + 9e6 * (double)(i % 8);

			s->metric[HT_M_in_use_arena][k][i] = 5e6;
			s->metric[HT_M_minflt][k][i] = 500 + faults * (double)i;
			s->metric[HT_M_retained][k][i] = kept;
			s->metric[HT_M_trimmable][k][i] = kept - 9e6;
			s->metric[HT_M_heap_resident][k][i] = kept + 5e6;
			s->metric[HT_M_rss_anon][k][i] = kept + 6e6;
		}
}

/* khugepaged fills the holes: a trim on a timer does not last. */
static void what_huge_pages_fill_again_does_not_last(void **state)
{
	HT_AUTO_SERIES struct ht_series huge, touched;
	struct ht_verdict v;
	bool told = false;

	(void)state;
	make_refilled(&huge, 3);
	ht_verdict(&huge, end_of(&huge), NULL, &v);
	assert_non_null(strstr(v.remedy, "does not last"));
	assert_non_null(strstr(v.remedy, "glibc.malloc.hugetlb=0"));
	for (size_t i = 0; i < v.evidence_n; i++)
		told |= strstr(v.evidence[i], "khugepaged") != NULL;
	assert_true(told);
	make_refilled(&touched, 9e6 / 4096); /* the program itself */
	ht_verdict(&touched, end_of(&touched), NULL, &v);
	assert_null(strstr(v.remedy, "does not last"));
}

/* Blocks of 1000 bytes become blocks of 1500: nothing leaks. Where the total
 * moves so much that a leak could hide in it, it is said that sizes may have
 * shifted. */
static void make_shifting(struct ht_series *s, double noise)
{
	double x[60];
	struct ht_class_series *of[4];
	const uint64_t sizes[] = {640, 1024, 1280, 1536};

	ht_made_seed(3);
	for (size_t i = 0; i < 60; i++)
		x[i] = 50e6 + noise * ht_made_normal();
	ht_series_init(s);
	ht_made_in_use(s, x, 60, 0);
	for (size_t c = 0; c < 4; c++) /* a new one moves those before */
		assert_non_null(ht_series_class(s, sizes[c]));
	for (size_t c = 0; c < 4; c++) {
		of[c] = ht_series_class(s, sizes[c]);
		for (size_t i = 0; i < 60; i++)
			for (size_t k = 0; k < HT_STAT_COUNT; k++)
				of[c]->bytes[k][i] = 2e6;
	}
	for (size_t i = 0; i < 60; i++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++) {
			of[1]->bytes[k][i] = 40e6 - 250e3 * (double)i;
			of[3]->bytes[k][i] = 2e6 + 250e3 * (double)i;
		}
}

static void a_mix_of_sizes_that_shifts_is_no_leak(void **state)
{
	HT_AUTO_SERIES struct ht_series shifted, noisy;
	struct ht_verdict v;
	bool told = false;

	(void)state;
	make_shifting(&shifted, 0);
	ht_verdict(&shifted, end_of(&shifted), NULL, &v);
	assert_int_equal(v.label, HT_LABEL_STABLE);
	make_shifting(&noisy, 3e6);
	ht_verdict(&noisy, end_of(&noisy), NULL, &v);
	assert_string_equal(v.reason, "size_class");
	for (size_t i = 0; i < v.evidence_n; i++)
		told |= strstr(v.evidence[i], "may have shifted") != NULL;
	assert_true(told);
	assert_true(v.confidence <= 0.5);
}

/* Files that are opened and never closed, and the buffer of each. */
static void what_runs_out_first_is_in_the_remedy_of_a_leak(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;
	double x[60];

	(void)state;
	for (size_t i = 0; i < 60; i++)
		x[i] = 33e3 * (double)(100 + 10 * i);
	ht_series_init(&s);
	ht_made_in_use(&s, x, 60, 0);
	for (size_t i = 0; i < 60; i++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++) {
			s.metric[HT_M_descriptors][k][i] =
				(double)(100 + 10 * i);
			s.metric[HT_M_descriptors_limit][k][i] = 1024;
		}
	ht_verdict(&s, end_of(&s), NULL, &v);
	assert_int_equal(v.label, HT_LABEL_LEAK);
	assert_string_equal(v.limit_name, "RLIMIT_NOFILE");
	assert_non_null(strstr(v.remedy, "does not free"));
	assert_non_null(strstr(v.remedy, "; descriptors run out first"));
	assert_true(strstr(v.remedy, "only grows; descriptors") ||
		    strstr(v.remedy, "not help; descriptors"));
	assert_non_null(strstr(v.remedy, "never closed"));
}

/* A heap that is locked as it grows: what may be locked ends long before memory
 * does. */
static void a_leak_that_is_locked_ends_at_what_may_be_locked(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;
	double x[60];

	(void)state;
	for (size_t i = 0; i < 60; i++)
		x[i] = 3e5 * (double)(10 + i);
	ht_series_init(&s);
	ht_made_in_use(&s, x, 60, 0);
	for (size_t i = 0; i < 60; i++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++) {
			s.metric[HT_M_locked][k][i] = 2e6 + x[i];
			s.metric[HT_M_locked_limit][k][i] = 64e6;
		}
	ht_verdict(&s, end_of(&s), NULL, &v);
	assert_int_equal(v.label, HT_LABEL_LEAK);
	assert_string_equal(v.limit_name, "RLIMIT_MEMLOCK");
	assert_true(v.limit_bytes == 64000000);
	assert_true(v.limit_count == HT_UNKNOWN);
	assert_non_null(strstr(v.remedy, "locked memory runs out first"));
	for (size_t i = 0; i < 60; i++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			s.metric[HT_M_locked_limit][k][i] = NAN;
	ht_verdict(&s, end_of(&s), NULL, &v);
	assert_string_not_equal(v.limit_name, "RLIMIT_MEMLOCK");
}

/* How many samples there are is not what a gap lacks. */
static void a_gap_is_not_told_as_too_few_samples(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;

	(void)state;
	make_holes(&s);
	for (size_t i = 40; i < s.rows; i++)
		s.time_ns[i] += 40 * 60 * (int64_t)1000000000;
	ht_verdict(&s, end_of(&s), NULL, &v);
	assert_int_equal(v.label, HT_LABEL_INSUFFICIENT_DATA);
	assert_non_null(strstr(v.evidence[0], "a gap in the second half"));
	assert_null(strstr(v.evidence[0], " of 11"));
}

/* Only the language's own tools see into its heap. */
static void a_runtime_is_asked_with_its_own_tools(void **state)
{
	(void)state;
	for (int i = 0; i < HT_RUNTIME_COUNT; i++)
		assert_non_null(ht_runtime_advice(
			ht_runtime_label((enum ht_runtime)i)));
	assert_non_null(strstr(ht_runtime_advice("CPython arenas (pymalloc)"),
			       "tracemalloc"));
	assert_null(ht_runtime_advice(""));
	assert_null(ht_runtime_advice("[anon:Gopher]"));
	assert_null(ht_runtime_advice("Gopher"));
}

/* Of another allocator's program only what grows outside glibc's malloc is
 * known. */
static void another_allocators_growth_is_told(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_mapping_series *own;
	struct ht_verdict v;
	double x[60];

	(void)state;
	for (size_t i = 0; i < 60; i++)
		x[i] = 1e6 * (double)(20 + i);
	ht_series_init(&s);
	ht_made_in_use(&s, x, 60, 0);
	own = ht_series_mapping(&s, HT_MAPPING_ANON, "jemalloc");
	assert_non_null(own);
	for (size_t i = 0; i < 60; i++) {
		own->anonymous[i] = x[i];
		for (size_t k = 0; k < HT_STAT_COUNT; k++) {
			s.metric[HT_M_non_malloc_anon][k][i] = x[i];
			s.metric[HT_M_rss_shmem][k][i] = 0;
			s.metric[HT_M_in_use][k][i] = NAN;
			s.metric[HT_M_in_use_arena][k][i] = NAN;
			s.metric[HT_M_heap_resident][k][i] = NAN;
			s.metric[HT_M_retained][k][i] = NAN;
		}
	}
	ht_verdict(&s, end_of(&s), NULL, &v);
	assert_int_equal(v.label, HT_LABEL_NON_MALLOC_GROWTH);
	assert_int_equal(v.also_n, 0);
	assert_string_equal(v.culprit, "jemalloc");
	assert_non_null(strstr(v.remedy, "heap profile"));
	for (size_t i = 0; i < 60; i++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			s.metric[HT_M_non_malloc_anon][k][i] = 30e6;
	ht_verdict(&s, end_of(&s), NULL, &v);
	assert_int_equal(v.label, HT_LABEL_INSUFFICIENT_DATA);
}

/* Files that come whole, one by one, each with a name of its own; and what has
 * an inode and is no page cache. RSS rises by them, nothing else moves. */
static void read_files(struct ht_series *s, const char *name, size_t files)
{
	double x[60];

	for (size_t i = 0; i < 60; i++)
		x[i] = 20e6;
	ht_series_init(s);
	ht_made_in_use(s, x, 60, 0);
	for (size_t i = 0; i < 60; i++) {
		char path[64];
		size_t now = 1 + i * files / 60;

		for (size_t k = 0; k < now; k++) {
			struct ht_mapping_series *m;

			if (files > 1)
				snprintf(path, sizeof(path), "%s%zu", name, k);
			else
				snprintf(path, sizeof(path), "%s", name);
			m = ht_series_mapping(s, HT_MAPPING_FILE_CLEAN, path);
			assert_non_null(m);
			m->size[i] = m->resident[i] =
				files > 1 ? 8e6 : 8e6 * (double)(i + 1);
			m->anonymous[i] = 0;
			m->count[i] = 1;
		}
		for (size_t k = 0; k < HT_STAT_COUNT; k++) {
			double file = files > 1 ? 8e6 * (double)now
						: 8e6 * (double)(i + 1);

			s->metric[HT_M_rss_file][k][i] = file;
			s->metric[HT_M_rss_shmem][k][i] = 0;
			s->metric[HT_M_non_malloc_anon][k][i] = 0;
			s->metric[HT_M_retained][k][i] = 0;
			s->metric[HT_M_mmapped_resident][k][i] = 0;
			s->metric[HT_M_rss][k][i] = 20e6 + file;
		}
	}
}

static bool says(const struct ht_verdict *v, const char *text)
{
	for (size_t i = 0; i < v->evidence_n; i++)
		if (strstr(v->evidence[i], text))
			return true;
	return false;
}

static void files_that_come_one_by_one_are_named(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;

	(void)state;
	read_files(&s, "/srv/seg.", 30);
	ht_verdict(&s, s.time_ns[59], NULL, &v);
	assert_int_equal(v.label, HT_LABEL_STABLE);
	assert_non_null(strstr(v.culprit, "the mapped file /srv/seg."));
	assert_non_null(strstr(v.culprit, " more"));
	assert_true(says(&v, "page cache"));
}

static void what_a_driver_has_is_no_page_cache(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;

	(void)state;
	read_files(&s, "anon_inode:[io_uring]", 1);
	ht_verdict(&s, s.time_ns[59], NULL, &v);
	assert_false(says(&v, "page cache"));
	assert_true(says(&v, "memory of the kernel or of a driver"));
	assert_null(strstr(v.remedy, "nothing to do"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_written_takes_no_memory),
		cmocka_unit_test(what_is_locked_is_to_be_unlocked),
		cmocka_unit_test(
			what_a_fork_shares_is_not_given_to_the_machine),
		cmocka_unit_test(a_top_is_told_with_what_keeps_it),
		cmocka_unit_test(fewer_arenas_return_what_peaks_leave),
		cmocka_unit_test(what_huge_pages_fill_again_does_not_last),
		cmocka_unit_test(a_mix_of_sizes_that_shifts_is_no_leak),
		cmocka_unit_test(
			what_runs_out_first_is_in_the_remedy_of_a_leak),
		cmocka_unit_test(
			a_leak_that_is_locked_ends_at_what_may_be_locked),
		cmocka_unit_test(a_gap_is_not_told_as_too_few_samples),
		cmocka_unit_test(another_allocators_growth_is_told),
		cmocka_unit_test(files_that_come_one_by_one_are_named),
		cmocka_unit_test(what_a_driver_has_is_no_page_cache),
		cmocka_unit_test(a_runtime_is_asked_with_its_own_tools),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
