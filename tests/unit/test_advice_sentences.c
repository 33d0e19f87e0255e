/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every sentence of one look against the figures of that look: thousands of
 * made processes, each figure of any size that the others allow, some unknown.
 * What a sentence says is worked out anew here; one that no row here knows
 * fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/advice.h"
#include "tests/lib/made.h"

#define LOOKS	4000
#define MIB	UINT64_C(1048576)
#define DEFAULT UINT64_C(131072)

static uint64_t below(uint64_t n)
{
	return (uint64_t)(ht_made_uniform() * (double)n);
}

/* Of all sizes: as often some KiB as some hundred MiB. */
static uint64_t some(uint64_t most)
{
	uint64_t bytes = (UINT64_C(1) << (10 + below(20))) + below(MIB);

	return most ? bytes % most : bytes;
}

static uint64_t one_of(const uint64_t *of, size_t n)
{
	return of[below(n)];
}
#define ONE_OF(...)                                                            \
	one_of((const uint64_t[]){__VA_ARGS__},                                \
	       sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void add_cause(struct ht_snapshot *s, enum ht_cause cause, uint64_t n)
{
	struct ht_rss_cause *row = ht_snapshot_add_rss_cause(s);

	assert_non_null(row);
	row->cause = cause;
	row->bytes = n;
}

/* Which cause has the most in this process. */
enum most { TOPS, HOLES, CACHES, ANY };

/* What is retained of an arena: its top, what lies below it, caches. */
static void add_arena(struct ht_snapshot *s, enum most most)
{
	struct ht_arena *a = ht_snapshot_add_arena(s);
	struct ht_totals *t = &s->totals;
	uint64_t tops, caches, holes;

	assert_non_null(a);
	a->index = s->arenas.n - 1;
	a->kind = a->index ? HT_ARENA_THREAD : HT_ARENA_MAIN;
	a->in_use = some(0);
	a->pinned = some(most == HOLES || most == ANY ? 0 : MIB);
	a->tcache = some(most == CACHES ? 0 : most == ANY ? 8 * MIB : MIB);
	tops = some(most == TOPS || most == ANY ? 0 : MIB);
	caches = a->tcache;
	holes = a->pinned;
	a->top = tops + below(2) * some(0); /* not all of it resident */
	a->retained = tops + holes + caches;
	a->pin_holds = below(3) ? below(holes + 1) : HT_UNKNOWN;
	a->pin_address = a->pin_holds == HT_UNKNOWN ? HT_UNKNOWN : 0x5000;
	a->pin_size = a->pin_address == HT_UNKNOWN ? HT_UNKNOWN : 48;
	a->pin_cached_by = below(2) ? HT_UNKNOWN : 4711;
	a->trimmable = below(holes + 1) + (a->index ? 0 : tops);
	t->in_use += a->in_use;
	t->retained += a->retained;
	t->fastbin += below(3) ? 0 : below(holes + 1);
	t->tcache += caches;
	t->trimmable += a->trimmable;
	t->resident_free += tops + below(holes + 1) + caches;
	if (a->index)
		t->non_main_free_resident += tops + caches;
	t->arenas_holding += below(2);
	s->rss_causes.v[0].bytes += a->index ? tops : 0;
	s->rss_causes.v[1].bytes += holes - below(holes + 1);
}

/* Chunks that would have mappings of their own by default. */
static void add_large(struct ht_snapshot *s)
{
	struct ht_size_class *c = ht_snapshot_add_size_class(s);

	assert_non_null(c);
	c->max_size = MIB;
	c->in_use_bytes = below(s->totals.in_use + 1);
	c->free_bytes = below(s->totals.retained + 1);
}

static void make_params(struct ht_params *p)
{
	p->trim_threshold = ONE_OF(DEFAULT, DEFAULT, 0, 40 * MIB, HT_PARAM_OFF);
	p->mmap_threshold = ONE_OF(DEFAULT, DEFAULT, 4096, 20 * MIB);
	p->top_pad = ONE_OF(DEFAULT, DEFAULT, 0, 64 * MIB);
	p->no_dyn_threshold = below(2);
	p->arena_max = ONE_OF(0, 0, 1, 2, 8);
	p->tcache_count = ONE_OF(7, 7, 0, 1, 2, 100);
	p->n_mmaps_max = ONE_OF(65536, 65536, 0, 100);
	p->n_mmaps = below(2) ? p->n_mmaps_max : below(p->n_mmaps_max + 1);
}

static void make(struct ht_snapshot *s)
{
	struct ht_totals *t = &s->totals;
	struct ht_process *p = &s->process;
	uint64_t threads = 1 + below(300);
	enum most most = (enum most)below(ANY + 1);

	ht_snapshot_init(s);
	s->head.pid = 4711;
	t->in_use = t->retained = t->tcache = t->trimmable = 0;
	t->fastbin = 0;
	t->resident_free = t->non_main_free_resident = t->arenas_holding = 0;
	add_cause(s, HT_CAUSE_TOP_THREAD, 0);
	add_cause(s, HT_CAUSE_SUB_PAGE, 0);
	add_cause(s, HT_CAUSE_TOP_MAIN, below(4096));
	make_params(&s->params);
	t->arenas = 1 + below(12);
	for (size_t i = 0; i < t->arenas; i++)
		add_arena(s, most);
	add_cause(s, HT_CAUSE_LOCKED, below(2) ? 0 : below(t->retained + 1));
	for (size_t i = 0; i < threads && t->tcache; i++) {
		struct ht_thread *thread = ht_snapshot_add_thread(s);

		assert_non_null(thread);
		thread->tcache_chunks = below(1000);
	}
	add_large(s);
	t->mmapped_chunks = below(20000);
	t->mmapped = t->mmapped_chunks * ONE_OF(4096, 12288, MIB);
	t->non_malloc_anon = some(0);
	t->heap_resident = t->in_use + t->retained;
	t->trimmable_private =
		below(2) ? t->trimmable : below(t->trimmable + 1);
	s->blocked.chunks_4 = below(s->arenas.v[0].pinned + 1);
	s->blocked.span_64k = below(s->blocked.chunks_4 + 1);
	p->threads = threads;
	p->swap = 0;
	p->rss_anon = t->heap_resident + t->non_malloc_anon;
	p->rss_shmem = some(0);
	p->rss = p->rss_anon + p->rss_shmem + 2 * MIB;
	p->anon_huge = below(2) ? HT_UNKNOWN : some(p->rss_anon);
}

/* What cannot be read, one figure at a time. */
static void forget(struct ht_snapshot *s)
{
	uint64_t *const figures[] = {
		&s->totals.retained,	     &s->totals.trimmable,
		&s->totals.tcache,	     &s->totals.resident_free,
		&s->process.rss_anon,	     &s->process.rss,
		&s->totals.non_malloc_anon,  &s->params.trim_threshold,
		&s->params.top_pad,	     &s->params.tcache_count,
		&s->totals.trimmable_private};

	*figures[below(sizeof(figures) / sizeof(*figures))] = HT_UNKNOWN;
}

/* --- what sentences claim ------------------------------------------------ */

static uint64_t cause(const struct ht_snapshot *s, enum ht_cause c)
{
	return ht_snapshot_cause(s, c);
}

static bool much(const struct ht_snapshot *s, uint64_t bytes)
{
	return bytes >= 16 * MIB && bytes >= s->process.rss_anon / 4;
}

static bool half_of_retained(const struct ht_snapshot *s, uint64_t bytes)
{
	return much(s, s->totals.retained) && 2 * bytes >= s->totals.retained;
}

static uint64_t tops(const struct ht_snapshot *s)
{
	return cause(s, HT_CAUSE_TOP_THREAD) + cause(s, HT_CAUSE_TOP_MAIN);
}

static bool is_retained(const struct ht_snapshot *s, const struct ht_advice *a)
{
	return a->bytes == s->totals.retained && much(s, a->bytes);
}

static bool is_pinned(const struct ht_snapshot *s, const struct ht_advice *a)
{
	bool there = !strstr(a->text, "thread's arena") &&
		     a->bytes <= s->arenas.v[0].retained;

	for (size_t i = 1; i < s->arenas.n; i++)
		there |= strstr(a->text, "thread's arena") &&
			 a->bytes == s->arenas.v[i].pin_holds;
	return there && half_of_retained(s, a->bytes);
}

static bool is_stuck(const struct ht_snapshot *s, const struct ht_advice *a)
{
	return a->bytes == cause(s, HT_CAUSE_SUB_PAGE) &&
	       half_of_retained(s, a->bytes);
}

static bool is_tops(const struct ht_snapshot *s, const struct ht_advice *a)
{
	return a->bytes == tops(s) && half_of_retained(s, a->bytes);
}

static bool is_cached(const struct ht_snapshot *s, const struct ht_advice *a)
{
	return a->bytes <= s->totals.tcache &&
	       half_of_retained(s, s->totals.tcache);
}

/* Thread caches are no arena's. */
static bool is_shareable(const struct ht_snapshot *s, const struct ht_advice *a)
{
	uint64_t caches = 0;

	for (size_t i = 1; i < s->arenas.n; i++)
		caches += s->arenas.v[i].tcache;
	return a->bytes + caches <= s->totals.non_main_free_resident &&
	       s->totals.arenas_holding >= 4 && much(s, s->totals.retained);
}

static bool may_share(const struct ht_snapshot *s, const struct ht_advice *a)
{
	return is_shareable(s, a) && a->at_least == 0 &&
	       s->params.arena_max != 1 && s->params.arena_max != 2;
}

static bool is_outside(const struct ht_snapshot *s, const struct ht_advice *a)
{
	return a->bytes == s->totals.non_malloc_anon && a->bytes >= 16 * MIB;
}

static bool is_shared(const struct ht_snapshot *s, const struct ht_advice *a)
{
	return a->bytes == s->process.rss_shmem && a->bytes >= 16 * MIB;
}

static bool is_trimmable(const struct ht_snapshot *s, const struct ht_advice *a)
{
	bool shares = a->at_least < a->bytes;

	return a->bytes == s->totals.trimmable &&
	       shares == (strstr(a->text, "fork()") != NULL) &&
	       (!shares || a->at_least == s->totals.trimmable_private);
}

static bool is_locked(const struct ht_snapshot *s, const struct ht_advice *a)
{
	return a->bytes == cause(s, HT_CAUSE_LOCKED);
}

/* Resident in tops, whatever their size. */
static uint64_t resident_tops(const struct ht_snapshot *s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->arenas.n; i++) {
		const struct ht_arena *a = &s->arenas.v[i];
		uint64_t rest = a->retained - a->pinned;

		sum += rest < a->top ? rest : a->top;
	}
	return sum;
}

static bool keeps_by_threshold(const struct ht_snapshot *s,
			       const struct ht_advice *a)
{
	bool set = s->params.no_dyn_threshold == 1;

	return s->params.trim_threshold > DEFAULT &&
	       a->bytes <= resident_tops(s) &&
	       set == (strncmp(a->how, "GLIBC_TUNABLES", 14) != 0);
}

static bool keeps_by_pad(const struct ht_snapshot *s, const struct ht_advice *a)
{
	return s->params.top_pad > DEFAULT && a->bytes <= resident_tops(s);
}

static bool is_of_mappings(const struct ht_snapshot *s,
			   const struct ht_advice *a)
{
	if (s->params.mmap_threshold < DEFAULT)
		return a->bytes <= s->totals.mmapped && a->at_least == 0;
	return s->params.mmap_threshold > DEFAULT &&
	       s->params.no_dyn_threshold == 0;
}

/* They may have been large blocks, and malloc may map no more. */
static bool is_of_too_few_mappings(const struct ht_snapshot *s,
				   const struct ht_advice *a)
{
	return s->params.n_mmaps >= s->params.n_mmaps_max && a->at_least == 0 &&
	       a->bytes <= s->totals.retained;
}

static bool is_fast(const struct ht_snapshot *s, const struct ht_advice *a)
{
	return a->bytes == s->totals.fastbin && half_of_retained(s, a->bytes);
}

static bool shortens(const struct ht_snapshot *s, const struct ht_advice *a)
{
	const char *count = strstr(a->how, "tcache_count=");

	return is_cached(s, a) && count &&
	       strtoull(count + 13, NULL, 10) < s->params.tcache_count;
}

static bool is_held(const struct ht_snapshot *s, const struct ht_advice *a)
{
	for (size_t i = 0; i < s->arenas.n; i++)
		if (s->arenas.v[i].pin_holds == a->bytes)
			return a->at_least == 0;
	return false;
}

static bool is_quiet(const struct ht_snapshot *s, const struct ht_advice *a)
{
	(void)a;
	return !much(s, s->totals.retained) && strstr(a->how, "diagnose 4711");
}

static bool sends_on(const struct ht_snapshot *s, const struct ht_advice *a)
{
	(void)s;
	return strstr(a->how, "diagnose 4711") != NULL;
}

static const struct {
	const char *code;
	bool (*holds)(const struct ht_snapshot *s, const struct ht_advice *a);
} sentences[] = {
	{"retained_high", is_retained},
	{"pinned", is_pinned},
	{"fragmented", is_stuck},
	{"tops_kept", is_tops},
	{"many_arenas", is_shareable},
	{"thread_caches", is_cached},
	{"outside_malloc", is_outside},
	{"shared_memory", is_shared},
	{"nothing_notable", is_quiet},
	{"over_time", sends_on},
	{"trim_now", is_trimmable},
	{"unlock", is_locked},
	{"trim_threshold", keeps_by_threshold},
	{"top_pad", keeps_by_pad},
	{"mmap_threshold", is_of_mappings},
	{"mmap_max", is_of_too_few_mappings},
	{"fastbins", is_fast},
	{"mxfast", is_fast},
	{"arena_max", may_share},
	{"tcache_count", shortens},
	{"pin", is_held},
	{"allocator", is_stuck},
};
#define SENTENCES (sizeof(sentences) / sizeof(*sentences))

struct count {
	size_t of[SENTENCES], refuted;
};

/* Of any sentence: no figure that is unknown, a range in order, and no more
 * than there is of the process. */
static bool is_sound(const struct ht_snapshot *s, const struct ht_advice *a)
{
	bool range = a->at_least == HT_UNKNOWN || a->at_least <= a->bytes;
	bool there = a->bytes == HT_UNKNOWN || s->process.rss == HT_UNKNOWN ||
		     a->bytes <= s->process.rss ||
		     strcmp(a->code, "mmap_threshold") == 0;

	/* only where nothing is sure to come back may it take some */
	bool worst = a->at_worst == HT_UNKNOWN || a->at_least == 0;

	return !strchr(a->text, '?') && range && there && worst;
}

static void ask(const struct ht_snapshot *s, const struct ht_advice *a,
		bool all_known, struct count *c)
{
	for (size_t i = 0; i < SENTENCES; i++) {
		if (strcmp(sentences[i].code, a->code) != 0)
			continue;
		c->of[i]++;
		if (is_sound(s, a) && (!all_known || sentences[i].holds(s, a)))
			return;
		c->refuted++;
		if (c->refuted < 5)
			print_message("refuted: %s %" PRIu64 "..%" PRIu64
				      ": %s\n",
				      a->code, a->at_least, a->bytes, a->text);
		return;
	}
	fail_msg("no row knows %s", a->code);
}

/* The last row sends on, and no other does. */
static void ask_last(const struct ht_snapshot *s)
{
	for (size_t i = 0; i < s->advice.n; i++)
		assert_int_equal(ht_advice_is_next_step(&s->advice.v[i]),
				 i + 1 == s->advice.n);
}

static void look(bool all_known, struct count *c)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct ht_err err;

	make(&s);
	if (!all_known)
		forget(&s);
	assert_int_equal(ht_advise(&s, &err), HT_OK);
	for (size_t i = 0; i < s.advice.n; i++)
		ask(&s, &s.advice.v[i], all_known, c);
	if (all_known)
		ask_last(&s);
}

static void no_sentence_of_a_look_is_refuted_by_its_figures(void **state)
{
	struct count c = {0};

	(void)state;
	ht_made_seed(1);
	for (size_t i = 0; i < LOOKS; i++)
		look(true, &c);
	assert_int_equal(c.refuted, 0);
	for (size_t i = 0; i < SENTENCES; i++) /* each was said often */
		if (c.of[i] < 10)
			fail_msg("%s was said %zu times", sentences[i].code,
				 c.of[i]);
}

static void no_sentence_of_a_look_has_a_figure_that_is_unknown(void **state)
{
	struct count c = {0};

	(void)state;
	ht_made_seed(2);
	for (size_t i = 0; i < LOOKS; i++)
		look(false, &c);
	assert_int_equal(c.refuted, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			no_sentence_of_a_look_is_refuted_by_its_figures),
		cmocka_unit_test(
			no_sentence_of_a_look_has_a_figure_that_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
