/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds of growth that look like another one: which is named, what is said of
 * it, and how surely after seconds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/advice.h"
#include "analysis/verdict.h"
#include "common/clock.h"
#include "tests/lib/made.h"

#define ROWS 60
#define MB   1e6

/* All of a moment that is asked for: the rest is 0. */
struct moment {
	double in_use, outside, shared, heap, retained, tops, non_main;
	double threshold;
};

static void put(struct ht_series *s, size_t i, const struct moment *m)
{
	const struct {
		enum ht_metric metric;
		double value;
	} all[] = {{HT_M_in_use, m->in_use},
		   {HT_M_in_use_arena, m->in_use},
		   {HT_M_non_malloc_anon, m->outside},
		   {HT_M_rss_shmem, m->shared},
		   {HT_M_rss_file, 2 * MB},
		   {HT_M_heap_resident, m->heap},
		   {HT_M_mmapped_resident, 0},
		   {HT_M_rss_anon, m->heap + m->outside},
		   {HT_M_rss, m->heap + m->outside + m->shared + 2 * MB},
		   {HT_M_retained, m->retained},
		   {HT_M_trimmable, 0},
		   {HT_M_tcache, 0},
		   {HT_M_fastbin, 0},
		   {HT_M_stuck, 0},
		   {HT_M_pinned, 0},
		   {HT_M_top, m->tops},
		   {HT_M_tops_kept, m->tops},
		   {HT_M_arenas, 6},
		   {HT_M_arenas_holding, m->tops > 0 ? 5 : 1},
		   {HT_M_non_main_free_resident, m->non_main},
		   {HT_M_resident_free, m->retained},
		   {HT_M_trim_threshold, m->threshold},
		   {HT_M_limit, 8e9}};

	for (size_t k = 0; k < sizeof(all) / sizeof(*all); k++)
		for (size_t j = 0; j < HT_STAT_COUNT; j++)
			s->metric[all[k].metric][j][i] = all[k].value;
}

/* One row every `step` seconds. */
static void begin(struct ht_series *s, double step)
{
	double x[ROWS];

	for (size_t i = 0; i < ROWS; i++)
		x[i] = 20 * MB;
	ht_series_init(s);
	ht_made_in_use(s, x, ROWS, 0);
	for (size_t i = 0; i < ROWS; i++)
		s->time_ns[i] = s->time_ns[0] + (int64_t)((double)i * step *
							  (double)HT_NS_PER_S);
}

static void judge(const struct ht_series *s, const struct ht_snapshot *latest,
		  struct ht_verdict *v)
{
	ht_verdict(s, s->time_ns[s->rows - 1], latest, v);
}

static bool says(const struct ht_verdict *v, const char *text)
{
	for (size_t i = 0; i < v->evidence_n; i++)
		if (strstr(v->evidence[i], text))
			return true;
	return false;
}

/* Five threads, each with a free top of 24 MB: fewer arenas would keep as much,
 * and it is one rule that keeps them. */
static void tops_of_many_arenas_are_kept_tops(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	HT_AUTO_SNAPSHOT struct ht_snapshot latest;
	struct ht_verdict v;

	(void)state;
	begin(&s, 60);
	for (size_t i = 0; i < ROWS; i++)
		put(&s, i,
		    &(struct moment){.in_use = MB,
				     .heap = 121 * MB,
				     .retained = 120 * MB,
				     .tops = 120 * MB,
				     .non_main = 120 * MB,
				     .threshold = 62 * MB});
	ht_snapshot_init(&latest);
	latest.params.top_pad = 131072;
	latest.params.no_dyn_threshold = 0;
	judge(&s, &latest, &v);
	assert_int_equal(v.label, HT_LABEL_POOL_GROWTH);
	assert_string_equal(v.reason, "tops_kept");
	assert_non_null(strstr(v.remedy, "glibc.malloc.trim_threshold=131072"));
	assert_true(v.remedy_bytes > 110000000);
	for (size_t i = 0; i < ROWS; i++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			s.metric[HT_M_trim_threshold][k][i] = 131072;
	latest.params.top_pad = 24 << 20;
	judge(&s, &latest, &v);
	assert_string_equal(v.reason, "tops_kept");
	assert_true(says(&v, "free() leaves top_pad (24.0 MiB) each"));
	assert_false(says(&v, "from the trim threshold"));
	assert_non_null(strstr(v.remedy, "top_pad is 24.0 MiB"));
	/* what the default leaves each arena is no such top */
	for (size_t i = 0; i < ROWS; i++)
		put(&s, i,
		    &(struct moment){.in_use = MB,
				     .heap = 121 * MB,
				     .retained = 20 * MB,
				     .tops = 20 * MB,
				     .non_main = 20 * MB,
				     .threshold = 131072});
	for (size_t i = 0; i < ROWS; i++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			s.metric[HT_M_arenas][k][i] = 200;
	for (size_t i = 0; i < ROWS; i++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			s.metric[HT_M_rss_anon][k][i] = 30 * MB;
	judge(&s, &latest, &v);
	assert_int_equal(v.label, HT_LABEL_ARENA_PROLIFERATION);
}

/* Chunks in fastbins of many arenas would join tops, and are none: what empties
 * fastbins returns them, fewer arenas what their peaks leave. */
static void fastbins_of_many_arenas_are_to_be_emptied(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;

	(void)state;
	begin(&s, 60);
	for (size_t i = 0; i < ROWS; i++) {
		put(&s, i,
		    &(struct moment){.in_use = 7 * MB,
				     .heap = 77 * MB,
				     .retained = 69 * MB,
				     .tops = 68 * MB,
				     .non_main = 69 * MB,
				     .threshold = 131072});
		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			s.metric[HT_M_fastbin][k][i] = 68 * MB;
	}
	judge(&s, NULL, &v);
	assert_int_equal(v.label, HT_LABEL_ARENA_PROLIFERATION);
	assert_true(says(&v, "64.8 MiB of it lie in fastbins"));
	assert_non_null(strstr(v.remedy, "glibc.malloc.mxfast=0"));
	assert_false(says(&v, "are the tops of arenas"));
}

/* A mapping of `size` bytes of which `used` are in memory. */
static void map(struct ht_series *s, uint64_t kind, size_t i, double size,
		double used)
{
	struct ht_mapping_series *m = ht_series_mapping(s, kind, "");

	assert_non_null(m);
	m->size[i] = size;
	m->resident[i] = used;
	m->anonymous[i] = kind == HT_MAPPING_ANON ? used : 0;
	m->count[i] = 1;
}

/* A shared segment fills, which ends with it; that is no excuse for what in use
 * gains meanwhile. */
static void what_ends_does_not_hide_a_leak(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;

	(void)state;
	ht_series_init(&s);
	for (int leak = 0; leak < 2; leak++) {
		ht_series_fini(&s);
		begin(&s, 1);
		for (size_t i = 0; i < ROWS; i++) {
			double in_use =
				leak ? (20 + 0.4 * (double)i) * MB : 20 * MB;
			double shared = (double)(i + 1) * MB;

			put(&s, i,
			    &(struct moment){.in_use = in_use,
					     .heap = in_use,
					     .shared = shared,
					     .threshold = 131072});
			map(&s, HT_MAPPING_SHMEM, i, 300 * MB, shared);
		}
		judge(&s, NULL, &v);
		assert_int_equal(v.label, leak ? HT_LABEL_LEAK
					       : HT_LABEL_NON_MALLOC_GROWTH);
		if (!leak) {
			assert_string_equal(v.reason, "bounded");
			continue;
		}
		assert_non_null(strstr(v.remedy, "does not free"));
		assert_true(v.also_n > 0);
		assert_int_equal(v.also[0], HT_LABEL_NON_MALLOC_GROWTH);
	}
}

/* A ring that is doubled by mremap() when it is full has not ended where it is
 * now, however long ago it was doubled last. */
static void a_mapping_that_was_widened_is_no_bound(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;

	(void)state;
	ht_series_init(&s);
	for (int widens = 0; widens < 2; widens++) {
		ht_series_fini(&s);
		begin(&s, 1);
		for (size_t i = 0; i < ROWS; i++) {
			double used = 3 * MB * (double)(i + 1), size = 8 * MB;

			while (size < used)
				size *= 2;
			put(&s, i,
			    &(struct moment){.in_use = MB,
					     .heap = MB,
					     .outside = used,
					     .threshold = 131072});
			map(&s, HT_MAPPING_ANON, i, widens ? size : 256 * MB,
			    used);
		}
		judge(&s, NULL, &v);
		assert_int_equal(v.label, HT_LABEL_NON_MALLOC_GROWTH);
		assert_int_equal(says(&v, "mappings that do not grow"),
				 !widens);
		assert_int_equal(v.eta_at_ns == 0, !widens);
		/* the same rise, told twice, is one figure */
		assert_true(says(&v, "gained 163.1 MiB"));
		assert_true(says(&v, "outside malloc 163.1 MiB"));
	}
}

/* An allocator whose mapping is full makes another one. */
static void an_allocators_mapping_is_no_bound(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;

	(void)state;
	for (int known = 0; known < 2; known++) {
		struct ht_mapping_series *m;

		begin(&s, 1);
		m = ht_series_mapping(&s, HT_MAPPING_ANON,
				      known ? "mimalloc" : "");
		assert_non_null(m);
		for (size_t i = 0; i < ROWS; i++) {
			double used = MB * (double)(i + 1);

			put(&s, i,
			    &(struct moment){.in_use = MB,
					     .heap = MB,
					     .outside = used,
					     .threshold = 131072});
			m->size[i] = 256 * MB;
			m->resident[i] = m->anonymous[i] = used;
			m->count[i] = 1;
		}
		judge(&s, NULL, &v);
		assert_int_equal(v.label, HT_LABEL_NON_MALLOC_GROWTH);
		assert_int_equal(says(&v, "mappings that do not grow"), !known);
		assert_int_equal(v.eta_at_ns == 0, !known);
		ht_series_fini(&s);
	}
	ht_series_init(&s);
}

/* Two leak below one limit: each meets it before its own speed says so. */
static void others_below_a_limit_bring_it_nearer(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	HT_AUTO_SNAPSHOT struct ht_snapshot latest;
	struct ht_verdict v;
	double low[2];

	(void)state;
	ht_series_init(&s);
	ht_snapshot_init(&latest);
	for (int others = 0; others < 2; others++) {
		ht_series_fini(&s);
		begin(&s, 1);
		for (size_t i = 0; i < ROWS; i++) {
			double in_use = (20 + (double)i) * MB;
			double room = (400 - (others ? 6 : 1) * (double)i) * MB;

			put(&s, i,
			    &(struct moment){.in_use = in_use,
					     .heap = in_use,
					     .threshold = 131072});
			for (size_t k = 0; k < HT_STAT_COUNT; k++)
				s.metric[HT_M_limit][k][i] = in_use + room;
		}
		judge(&s, &latest, &v);
		assert_int_equal(v.label, HT_LABEL_LEAK);
		low[others] = (double)(v.eta_low_ns - v.to_ns) / HT_NS_PER_S;
		assert_int_equal(says(&v, "others took"), others);
	}
	assert_true(low[0] > 150); /* 341 MB at 1 MB/s, and its interval */
	assert_true(low[1] > 6 && low[1] < 10); /* 46 MB at 6 MB/s */
}

/* In seconds nobody saw what comes in steps, nor what comes slowly. */
static void calm_of_seconds_is_not_sure(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;

	(void)state;
	ht_series_init(&s);
	for (int rises = 0; rises < 2; rises++)
		for (int minutes = 0; minutes < 2; minutes++) {
			ht_series_fini(&s);
			begin(&s, minutes ? 60 : 0.5);
			for (size_t i = 0; i < ROWS; i++) {
				double in_use =
					rises ? fmin(10 + (double)i, 40) * MB
					      : 20 * MB;

				put(&s, i,
				    &(struct moment){.in_use = in_use,
						     .heap = in_use,
						     .threshold = 131072});
			}
			judge(&s, NULL, &v);
			assert_int_equal(v.label, rises ? HT_LABEL_CACHE_WARMUP
							: HT_LABEL_STABLE);
			assert_int_equal(v.confidence <= 0.6, !minutes);
			assert_int_equal(says(&v, "ask again in"), !minutes);
			assert_int_equal(says(&v, "in steps rests"),
					 rises && !minutes);
			/* 1 MiB in 29.5 s */
			assert_int_equal(says(&v, "less than 122.0 MiB"),
					 !rises && !minutes);
		}
}

/* What rose outside malloc, and is level, is somebody's all the same. */
static void a_rise_that_is_over_is_named(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_verdict v;

	(void)state;
	begin(&s, 60);
	for (size_t i = 0; i < ROWS; i++) {
		double stacks = fmin((double)i, 10) * 5 * MB;

		put(&s, i,
		    &(struct moment){.in_use = 20 * MB,
				     .heap = 20 * MB,
				     .outside = stacks,
				     .threshold = 131072});
		map(&s, HT_MAPPING_THREAD_STACK, i, 80 * MB, stacks);
		ht_series_mapping(&s, HT_MAPPING_THREAD_STACK, "")
			->anonymous[i] = stacks;
	}
	judge(&s, NULL, &v);
	assert_int_equal(v.label, HT_LABEL_STABLE);
	assert_string_equal(v.culprit, "stacks of threads");
	assert_true(says(&v, "stacks of threads gained"));
}

static bool advises(const struct ht_snapshot *s, const char *code,
		    const char *text)
{
	for (size_t i = 0; i < s->advice.n; i++)
		if (strcmp(s->advice.v[i].code, code) == 0)
			return strstr(s->advice.v[i].text, text) != NULL;
	return false;
}

/* A cached chunk at the end of a thread's arena holds all that lies below. */
static void a_pin_of_a_threads_arena_is_a_pin(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	HT_AUTO_SNAPSHOT struct ht_snapshot latest;
	struct ht_arena *main_arena, *threads;
	struct ht_verdict v;

	(void)state;
	begin(&s, 60);
	for (size_t i = 0; i < ROWS; i++) {
		put(&s, i,
		    &(struct moment){.in_use = MB,
				     .heap = 31 * MB,
				     .retained = 30 * MB,
				     .non_main = 30 * MB,
				     .threshold = 131072});
		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			s.metric[HT_M_trimmable][k][i] = 29 * MB;
	}
	ht_snapshot_init(&latest);
	main_arena = ht_snapshot_add_arena(&latest);
	threads = ht_snapshot_add_arena(&latest);
	assert_non_null(main_arena);
	assert_non_null(threads);
	latest.arenas.v[0].kind = HT_ARENA_MAIN;
	threads->kind = HT_ARENA_THREAD;
	threads->pin_address = 0x7f5a7d9c65e0;
	threads->pin_size = 416;
	judge(&s, &latest, &v);
	assert_string_equal(v.reason, "holes");
	threads->pin_holds = 29000000;
	threads->pin_cached_by = 4242;
	judge(&s, &latest, &v);
	assert_int_equal(v.label, HT_LABEL_TOP_PINNED);
	assert_true(says(&v, "at the end of a thread's arena"));
	assert_true(says(&v, "waits in the cache of thread 4242"));
	assert_string_equal(v.culprit, "the 416-byte chunk at 0x7f5a7d9c65e0");
	latest.process.rss_anon = 31000000;
	latest.totals.retained = latest.totals.trimmable = 30000000;
	latest.totals.in_use = 1000000;
	assert_int_equal(ht_advise(&latest, NULL), HT_OK);
	assert_true(advises(&latest, "pinned", "end of a thread's arena"));
	assert_true(advises(&latest, "pin", "in the cache of thread 4242"));
}

/* Huge pages are nobody's whose tunable is not set: it is not to be unset. */
static void what_is_not_set_is_not_to_be_unset(void **state)
{
	const struct {
		uint64_t thp_pagesize;
		const char *told, *not_told;
	} cases[] = {{0, "no madvise(MADV_HUGEPAGE)", "hugetlb=0"},
		     {2 << 20, "glibc.malloc.hugetlb=0 in place of 1",
		      "MADV_HUGEPAGE"},
		     {HT_UNKNOWN, "where it is set", "MADV_HUGEPAGE"}};
	HT_AUTO_SERIES struct ht_series s;
	HT_AUTO_SNAPSHOT struct ht_snapshot latest;
	struct ht_verdict v;

	(void)state;
	begin(&s, 60);
	for (size_t i = 0; i < ROWS; i++) {
		/* every tenth minute the program trims, and it comes again */
		put(&s, i,
		    &(struct moment){.in_use = 5 * MB,
				     .heap = (20 + (double)(i % 10)) * MB,
				     .retained = 10 * MB,
				     .threshold = 131072});
		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			s.metric[HT_M_minflt][k][i] = 1000;
	}
	ht_snapshot_init(&latest);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		latest.params.thp_pagesize = cases[i].thp_pagesize;
		judge(&s, &latest, &v);
		assert_true(says(&v, "khugepaged"));
		assert_non_null(strstr(v.remedy, cases[i].told));
		assert_null(strstr(v.remedy, cases[i].not_told));
	}
}

/* One size class that was not there and is: no buffers that were few grow. */
static void chunks_that_came_from_none_are_many(void **state)
{
	HT_AUTO_SERIES struct ht_series s;
	struct ht_class_series *class;
	struct ht_verdict v;

	(void)state;
	begin(&s, 1);
	for (size_t i = 0; i < ROWS; i++) {
		double gained = i < 20 ? 0 : 0.2 * (double)(i - 20) * MB;

		put(&s, i,
		    &(struct moment){.in_use = 2 * MB + gained,
				     .heap = 2 * MB + gained,
				     .threshold = 131072});
	}
	class = ht_series_class(&s, 4096);
	assert_non_null(class);
	for (size_t i = 0; i < ROWS; i++)
		for (size_t k = 0; k < HT_STAT_COUNT; k++) {
			class->bytes[k][i] =
				i < 20 ? 0 : 0.2 * (double)(i - 20) * MB;
			class->chunks[i] = class->bytes[k][i] / 4096;
		}
	judge(&s, NULL, &v);
	assert_int_equal(v.label, HT_LABEL_LEAK);
	assert_string_equal(v.culprit, "size class 4096");
	assert_false(says(&v, "chunks grow, not their number"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tops_of_many_arenas_are_kept_tops),
		cmocka_unit_test(fastbins_of_many_arenas_are_to_be_emptied),
		cmocka_unit_test(others_below_a_limit_bring_it_nearer),
		cmocka_unit_test(an_allocators_mapping_is_no_bound),
		cmocka_unit_test(what_ends_does_not_hide_a_leak),
		cmocka_unit_test(a_mapping_that_was_widened_is_no_bound),
		cmocka_unit_test(calm_of_seconds_is_not_sure),
		cmocka_unit_test(a_rise_that_is_over_is_named),
		cmocka_unit_test(a_pin_of_a_threads_arena_is_a_pin),
		cmocka_unit_test(what_is_not_set_is_not_to_be_unset),
		cmocka_unit_test(chunks_that_came_from_none_are_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
