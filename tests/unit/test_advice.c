/* SPDX-License-Identifier: Apache-2.0 */
/* Advice from one look: which words fit which heap, each with its bytes, and
 * never that it leaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "analysis/advice.h"
#include "analysis/fragmentation.h"

#define MIB(n)		      ((uint64_t)(n) << 20)
#define assert_near(a, b, by) assert_true(fabs((a) - (b)) <= (by))

/* A sound process: 40 MiB in use, 1 MiB free, glibc's defaults. */
static void sound(struct ht_snapshot *s)
{
	struct ht_arena *a;

	ht_snapshot_init(s);
	s->process.rss_anon = MIB(42);
	s->process.swap = 0;
	s->process.threads = 4;
	s->totals.arenas = 1;
	s->totals.in_use = MIB(40);
	s->totals.retained = MIB(1);
	s->totals.trimmable = MIB(1) / 2;
	s->totals.tcache = 4096;
	s->totals.heap_resident = MIB(41);
	s->totals.resident_free = MIB(1);
	s->totals.non_main_free_resident = 0;
	s->totals.arenas_holding = 1;
	s->totals.used_pages_resident = MIB(40);
	s->totals.max_system = MIB(44);
	s->totals.non_malloc_anon = MIB(1);
	s->totals.mmapped = 0;
	s->totals.mmapped_chunks = 0;
	s->blocked.chunks_4 = 4096;
	s->blocked.span_64k = 4096;
	s->params.trim_threshold = 131072;
	s->params.mmap_threshold = 131072;
	s->params.no_dyn_threshold = 0;
	s->params.tcache_count = 7;
	a = ht_snapshot_add_arena(s);
	assert_non_null(a);
	memset(a, 0xff, sizeof(*a)); /* unknown unless set */
	a->in_use = MIB(40);
	a->top = 65536;
}

/* Why what is retained is resident; trimmable and the caches are in totals. */
static void keep(struct ht_snapshot *s, uint64_t tops, uint64_t sub_page)
{
	const struct {
		enum ht_cause cause;
		uint64_t bytes;
	} rows[] = {{HT_CAUSE_TOP_MAIN, 0},
		    {HT_CAUSE_TOP_THREAD, tops},
		    {HT_CAUSE_SUB_PAGE, sub_page}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct ht_rss_cause *row = ht_snapshot_add_rss_cause(s);

		assert_non_null(row);
		row->cause = rows[i].cause;
		row->bytes = rows[i].bytes;
	}
}

static void advise(struct ht_snapshot *s)
{
	struct ht_err err;

	assert_int_equal(ht_advise(s, &err), HT_OK);
	for (size_t i = 0; i < s->advice.n; i++) {
		assert_null(strstr(s->advice.v[i].code, "leak"));
		assert_null(strstr(s->advice.v[i].text, "leak"));
		assert_true(s->advice.v[i].text[0] != '\0');
	}
}

static bool has(const struct ht_snapshot *s, const char *code)
{
	for (size_t i = 0; i < s->advice.n; i++)
		if (strcmp(s->advice.v[i].code, code) == 0)
			return true;
	return false;
}

static void add_class(struct ht_snapshot *s, uint64_t size, uint64_t used,
		      uint64_t free_chunks)
{
	struct ht_size_class *c = ht_snapshot_add_size_class(s);

	assert_non_null(c);
	c->max_size = size;
	c->in_use_chunks = used;
	c->in_use_bytes = used * size;
	c->free_chunks = free_chunks;
	c->free_bytes = free_chunks * size;
}

/* The advice of that name; the test fails when there is none. */
static const struct ht_advice *find(const struct ht_snapshot *s,
				    const char *code)
{
	static const struct ht_advice none;

	for (size_t i = 0; i < s->advice.n; i++)
		if (strcmp(s->advice.v[i].code, code) == 0)
			return &s->advice.v[i];
	fail_msg("no advice %s", code);
	return &none;
}

static void a_sound_heap_gets_no_remedy(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	(void)state;
	sound(&s);
	advise(&s);
	assert_int_equal(s.advice.n, 1);
	assert_true(has(&s, "nothing_notable"));
}

static void an_unmeasured_heap_is_not_called_sound(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	(void)state;
	ht_snapshot_init(&s);
	advise(&s);
	assert_int_equal(s.advice.n, 0);
}

static void a_pin_is_named_with_its_address_and_what_it_holds(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	const struct ht_advice *a;

	(void)state;
	sound(&s);
	s.process.rss_anon = MIB(500);
	s.totals.in_use = 4096;
	s.totals.retained = s.totals.trimmable = MIB(496);
	s.blocked.chunks_4 = MIB(495);
	s.arenas.v[0].pin_address = 0x55fcc6259a80;
	s.arenas.v[0].pin_size = 32;
	s.arenas.v[0].pin_holds = MIB(495);
	advise(&s);
	assert_int_equal(find(&s, "retained_high")->bytes, MIB(496));
	assert_int_equal(find(&s, "pinned")->bytes, MIB(495));
	assert_int_equal(find(&s, "trim_now")->bytes, MIB(496));
	a = find(&s, "pin");
	assert_int_equal(a->bytes, MIB(495));
	assert_non_null(strstr(a->text, "0x55fcc6259a80"));
	assert_int_equal(a->at_least, 0);
	assert_false(has(&s, "fragmented"));
}

/* Without a cache free() would have joined it with what lies below and shrunk
 * the top: where it is the last, above the trim threshold, and goes into no
 * fastbin. */
static void a_pin_that_a_cache_has_goes_when_it_alone_holds(void **state)
{
	static const struct {
		uint64_t size, alone, threshold;
		bool goes;
	} cases[] = {
		{512, MIB(40), MIB(1) / 8, true},
		{48, MIB(40), MIB(1) / 8, false},
		{512, MIB(2), MIB(1) / 8, false},
		{512, MIB(40), MIB(64), false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		HT_AUTO_SNAPSHOT struct ht_snapshot s;
		const struct ht_advice *a;

		sound(&s);
		s.process.rss_anon = MIB(50);
		s.totals.retained = s.totals.trimmable = MIB(41);
		s.params.trim_threshold = cases[i].threshold;
		s.params.top_pad = MIB(1) / 8;
		s.blocked.chunks_1 = cases[i].alone;
		s.blocked.chunks_4 = MIB(40);
		s.arenas.v[0].pin_address = 0x55fcc6259a80;
		s.arenas.v[0].pin_size = cases[i].size;
		s.arenas.v[0].pin_holds = MIB(40);
		s.arenas.v[0].pin_cached_by = 4711;
		s.arenas.v[0].kind = HT_ARENA_MAIN;
		advise(&s);
		a = find(&s, "pin");
		assert_int_equal(a->bytes, MIB(40));
		if (cases[i].goes)
			assert_in_range(a->at_least, MIB(35), MIB(36));
		else
			assert_int_equal(a->at_least, 0);
	}
}

static void
stuck_memory_calls_for_another_allocator_not_for_a_trim(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	(void)state;
	sound(&s);
	s.process.rss_anon = MIB(190);
	s.totals.retained = MIB(87);
	s.totals.trimmable = 65536;
	keep(&s, 0, MIB(87) - 65536);
	advise(&s);
	assert_int_equal(find(&s, "fragmented")->bytes, MIB(87) - 65536);
	assert_true(has(&s, "allocator"));
	assert_false(has(&s, "trim_now"));
}

static void idle_arenas_call_for_fewer_arenas(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	const struct ht_advice *a;

	(void)state;
	sound(&s);
	for (int i = 0; i < 13; i++) {
		struct ht_arena *more = ht_snapshot_add_arena(&s);

		assert_non_null(more);
		more->in_use = 4096;
		more->kind = HT_ARENA_THREAD;
		more->tcache = MIB(1) / 2;
		more->retained = MIB(i == 3 ? 10 : 7) + MIB(1) / 2;
	}
	s.process.rss_anon = MIB(98);
	s.totals.arenas = 14;
	s.totals.retained = s.totals.trimmable = MIB(95);
	s.totals.resident_free = MIB(95);
	s.totals.arenas_holding = 13;
	s.totals.non_main_free_resident = MIB(94) + 13 * MIB(1) / 2;
	advise(&s);
	assert_true(has(&s, "many_arenas"));
	a = find(&s, "arena_max");
	/* whoever shares an arena still has the largest peak */
	assert_int_equal(a->bytes, MIB(94 - 10));
	assert_non_null(strstr(a->text, "13 of 14 arenas"));
	assert_non_null(strstr(a->how, "MALLOC_ARENA_MAX=2"));
	assert_int_equal(a->at_least, 0);
	s.advice.n = 0;
	s.params.arena_max = 2; /* what is set already is not proposed */
	advise(&s);
	assert_false(has(&s, "arena_max"));
	s.advice.n = 0;
	s.params.arena_max = 0;
	for (size_t i = 0; i < s.arenas.n; i++)
		s.arenas.v[i].in_use = MIB(3);
	advise(&s); /* arenas at work would only wait for each other */
	assert_false(has(&s, "arena_max"));
}

static void no_remedy_sets_what_is_set(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	(void)state;
	sound(&s);
	s.process.rss_anon = MIB(60);
	s.totals.retained = MIB(56);
	s.totals.tcache = MIB(55);
	s.totals.trimmable = 0;
	keep(&s, 0, 0);
	for (uint64_t count = 0; count < 9; count++) {
		char set[64];

		snprintf(set, sizeof(set), "tcache_count=%" PRIu64 " ", count);
		s.advice.n = 0;
		s.params.tcache_count = count;
		advise(&s);
		for (size_t i = 0; i < s.advice.n; i++)
			assert_null(strstr(s.advice.v[i].how, set));
		assert_int_equal(has(&s, "tcache_count"), count > 0);
	}
}

static void full_thread_caches_call_for_a_smaller_tcache(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	const struct ht_advice *a;
	struct ht_thread *t;

	(void)state;
	sound(&s);
	s.params.tcache_count = 1000;
	t = ht_snapshot_add_thread(&s);
	assert_non_null(t);
	t->tcache_chunks = 60000;
	keep(&s, 0, 0);
	s.process.rss_anon = MIB(60);
	s.totals.retained = MIB(56);
	s.totals.tcache = MIB(55);
	s.totals.trimmable = 0;
	advise(&s);
	assert_int_equal(find(&s, "thread_caches")->bytes, MIB(55));
	a = find(&s, "tcache_count");
	assert_non_null(strstr(a->how, "glibc.malloc.tcache_count=2 "));
	assert_non_null(strstr(a->how, "1000 now"));
	assert_true(a->at_least <= a->bytes && a->bytes <= MIB(55));
	/* caches are no fragmentation: they can be emptied */
	assert_false(has(&s, "fragmented"));
}

/* A top of 30 MiB in a process of 72, and nothing that keeps it but a rule. */
static void large_top(struct ht_snapshot *s)
{
	sound(s);
	s->process.rss_anon = MIB(72);
	s->totals.retained = s->totals.trimmable = MIB(30);
	s->arenas.v[0].top = s->arenas.v[0].retained = MIB(30);
	s->arenas.v[0].pinned = s->arenas.v[0].tcache = 0;
}

static void a_raised_threshold_is_named_with_the_top_it_keeps(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	const struct ht_advice *a;

	(void)state;
	large_top(&s);
	s.params.trim_threshold = MIB(40);
	s.params.mmap_threshold = MIB(20);
	s.params.top_pad = 131072;
	add_class(&s, MIB(2), 4, 5);
	advise(&s);
	a = find(&s, "trim_threshold");
	assert_int_equal(a->bytes, MIB(30));
	assert_int_equal(a->at_least, MIB(30) - 131072 - 8192);
	assert_non_null(strstr(a->how, "trim_threshold=131072"));
	assert_int_equal(find(&s, "mmap_threshold")->bytes, MIB(10));
	assert_int_equal(find(&s, "mmap_threshold")->at_least, 0);
	assert_non_null(strstr(a->text, "40.0 MiB"));
	assert_true(has(&s, "mmap_threshold"));
	s.advice.n = 0;
	s.params.no_dyn_threshold = 1; /* set by the operator: no ratchet */
	advise(&s);
	assert_false(has(&s, "mmap_threshold"));
}

/* mallopt(M_TRIM_THRESHOLD, -1), and M_TOP_PAD: what keeps a top stands where
 * it was set, and no environment overrules that. */
static void what_keeps_a_top_is_undone_where_it_was_set(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	const struct ht_advice *a;

	(void)state;
	large_top(&s);
	s.params.no_dyn_threshold = 1;
	s.params.trim_threshold = HT_PARAM_OFF;
	s.params.top_pad = 131072;
	advise(&s);
	a = find(&s, "trim_threshold");
	assert_non_null(strstr(a->text, "never to trim"));
	assert_non_null(strstr(a->how, "where it was set"));
	assert_false(has(&s, "top_pad"));
	s.advice.n = 0;
	s.params.trim_threshold = 131072;
	s.params.top_pad = MIB(32);
	advise(&s);
	assert_false(has(&s, "trim_threshold"));
	a = find(&s, "top_pad");
	assert_int_equal(a->bytes, MIB(30));
	assert_int_equal(a->at_least, MIB(30) - 131072 - 8192);
}

/* No block of 128 KiB and more lives in the arenas: nothing to map apart. */
static void small_blocks_get_no_mappings_of_their_own(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	(void)state;
	sound(&s);
	s.process.rss_anon = MIB(106);
	s.totals.retained = s.totals.trimmable = MIB(100);
	s.params.mmap_threshold = MIB(2);
	add_class(&s, 640, 100, 100000);
	advise(&s);
	assert_false(has(&s, "mmap_threshold"));
}

static void a_kept_top_of_a_thread_arena_is_no_fragmentation(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	const struct ht_advice *a;
	struct ht_arena *more;

	(void)state;
	sound(&s);
	s.totals.in_use = s.arenas.v[0].in_use = 656;
	s.process.rss_anon = MIB(45);
	s.totals.retained = MIB(44);
	s.totals.trimmable = 0;
	s.params.trim_threshold = MIB(62);
	s.params.top_pad = 131072;
	keep(&s, MIB(44), 0);
	more = ht_snapshot_add_arena(&s);
	assert_non_null(more);
	more->kind = HT_ARENA_THREAD;
	more->in_use = 0;
	more->top = more->retained = MIB(44);
	more->pinned = more->tcache = 0;
	advise(&s);
	assert_false(has(&s, "fragmented"));
	assert_false(has(&s, "allocator"));
	assert_int_equal(find(&s, "tops_kept")->bytes, MIB(44));
	a = find(&s, "trim_threshold");
	assert_true(a->at_least > MIB(43) && a->bytes == MIB(44));
}

static void one_look_sends_on_to_a_diagnosis(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	(void)state;
	sound(&s);
	s.head.pid = 4711;
	advise(&s);
	assert_string_equal(find(&s, "nothing_notable")->how,
			    "heaptide diagnose 4711 -d 10m");
}

static void a_mapping_for_each_small_block_is_waste(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	(void)state;
	sound(&s);
	s.totals.mmapped_chunks = 125000;
	s.totals.mmapped = 125000u * 4096u;
	s.params.mmap_threshold = 1024;
	advise(&s);
	assert_int_equal(find(&s, "mmap_threshold")->bytes, 125000u * 3072u);
}

static void memory_that_is_not_mallocs_is_said_so(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct ht_mapping *own;

	(void)state;
	sound(&s);
	s.process.rss_anon = MIB(200);
	s.totals.non_malloc_anon = MIB(150);
	advise(&s);
	assert_int_equal(find(&s, "outside_malloc")->bytes, MIB(150));
	assert_non_null(strstr(find(&s, "outside_malloc")->text, "or another"));
	s.advice.n = 0;
	own = ht_snapshot_add_mapping(&s);
	assert_non_null(own);
	own->kind = HT_MAPPING_THREAD_STACK;
	own->anonymous = MIB(140);
	advise(&s); /* who it is is known: it is said */
	assert_non_null(strstr(find(&s, "outside_malloc")->text,
			       "140.0 MiB of it: stacks of threads"));
	assert_true(has(&s, "over_time")); /* and what to ask next */
	assert_false(has(&s, "nothing_notable"));
}

static void shared_memory_is_said_to_be_there_once(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct ht_mapping *segment;

	(void)state;
	sound(&s);
	s.process.rss = MIB(150);
	s.process.rss_shmem = MIB(140);
	segment = ht_snapshot_add_mapping(&s);
	assert_non_null(segment);
	segment->kind = HT_MAPPING_SHMEM;
	segment->resident = MIB(140);
	strcpy(segment->name, "/dev/shm/cache");
	advise(&s);
	assert_int_equal(find(&s, "shared_memory")->bytes, MIB(140));
	assert_non_null(strstr(find(&s, "shared_memory")->text,
			       "shared memory /dev/shm/cache"));
	s.process.rss_shmem = MIB(10);
	s.advice.n = 0;
	advise(&s);
	assert_false(has(&s, "shared_memory"));
}

/* --- ratios -------------------------------------------------------------- */

static void a_checkerboard_serves_small_requests_and_no_larger_one(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	(void)state;
	sound(&s);
	add_class(&s, 1008, 90000, 90000);
	add_class(&s, 1536, 10000, 0);
	s.fragmentation.free_runs = 90000 * 1008;
	s.fragmentation.holes_lt_4k = 90000 * 1008;
	s.fragmentation.holes_4k_64k = 0;
	s.fragmentation.holes_64k_1m = 0;
	s.fragmentation.holes_ge_1m = 0;
	assert_near(ht_unusable(&s, 1008), 0, 0);
	assert_near(ht_unusable(&s, 1500), 1, 0);
	assert_int_equal(ht_chunk_quantile(&s, 0.5), 1008);
	assert_int_equal(ht_chunk_quantile(&s, 0.95), 1536);
	ht_fragmentation(&s);
	assert_near(s.fragmentation.unusable_median, 0, 0);
	assert_near(s.fragmentation.unusable_p95, 1, 0);
}

static void ratios_follow_their_definitions(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	(void)state;
	sound(&s);
	keep(&s, 0, MIB(1) / 2);
	s.fragmentation.free_runs = MIB(1);
	s.fragmentation.largest_free = MIB(1) / 4;
	ht_fragmentation(&s);
	assert_near(s.fragmentation.external, 0.75, 1e-12);
	assert_near(s.fragmentation.retained_ratio, 1.0 / 41, 1e-12);
	assert_near(s.fragmentation.stuck_ratio, 0.5, 1e-12);
	assert_near(s.fragmentation.page_utilisation, 1, 1e-12);
	assert_near(s.fragmentation.peak_overhead, 0.1, 1e-12);
}

static void unknown_figures_leave_ratios_unknown(void **state)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;

	(void)state;
	ht_snapshot_init(&s);
	ht_fragmentation(&s);
	assert_true(isnan(s.fragmentation.external));
	assert_true(isnan(s.fragmentation.stuck_ratio));
	assert_true(isnan(s.fragmentation.unusable_median));
	sound(&s);
	ht_fragmentation(&s); /* the causes were not counted */
	assert_true(isnan(s.fragmentation.stuck_ratio));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_heap_gets_no_remedy),
		cmocka_unit_test(an_unmeasured_heap_is_not_called_sound),
		cmocka_unit_test(
			a_pin_is_named_with_its_address_and_what_it_holds),
		cmocka_unit_test(
			a_pin_that_a_cache_has_goes_when_it_alone_holds),
		cmocka_unit_test(
			stuck_memory_calls_for_another_allocator_not_for_a_trim),
		cmocka_unit_test(idle_arenas_call_for_fewer_arenas),
		cmocka_unit_test(full_thread_caches_call_for_a_smaller_tcache),
		cmocka_unit_test(
			a_raised_threshold_is_named_with_the_top_it_keeps),
		cmocka_unit_test(a_mapping_for_each_small_block_is_waste),
		cmocka_unit_test(no_remedy_sets_what_is_set),
		cmocka_unit_test(what_keeps_a_top_is_undone_where_it_was_set),
		cmocka_unit_test(small_blocks_get_no_mappings_of_their_own),
		cmocka_unit_test(
			a_kept_top_of_a_thread_arena_is_no_fragmentation),
		cmocka_unit_test(one_look_sends_on_to_a_diagnosis),
		cmocka_unit_test(memory_that_is_not_mallocs_is_said_so),
		cmocka_unit_test(shared_memory_is_said_to_be_there_once),
		cmocka_unit_test(
			a_checkerboard_serves_small_requests_and_no_larger_one),
		cmocka_unit_test(ratios_follow_their_definitions),
		cmocka_unit_test(unknown_figures_leave_ratios_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
