/* SPDX-License-Identifier: Apache-2.0 */
/* Long lists in any order of memory: what is found must not depend on how they
 * are followed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/walk/links.h"

#define CHUNKS	    200000u
#define EACH	    6u /* units from one chunk to the next: 96 bytes */
#define ARENA	    0x7f0000000000ull
#define HEAP	    0x560000000000ull
#define UNSORTED    HT_LINK_BIN(1)
#define BROKEN_AT   (CHUNKS / 2)
#define TABLES_MAX  ((size_t)64 << 20)
#define RANDOM_SEED 88172645463325252ull

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* order[i]: which chunk is the i-th of the unsorted list. */
static uint32_t *shuffled(void)
{
	uint32_t *order = malloc(CHUNKS * sizeof(*order));
	uint64_t seed = RANDOM_SEED;

	assert_non_null(order);
	for (uint32_t i = 0; i < CHUNKS; i++)
		order[i] = i;
	for (uint32_t i = CHUNKS - 1; i > 0; i--) {
		uint32_t j = (uint32_t)(next_random(&seed) % (i + 1));
		uint32_t kept = order[i];

		order[i] = order[j];
		order[j] = kept;
	}
	return order;
}

/* One arena whose unsorted list holds every chunk in that order. */
struct arena {
	struct ht_layout layout;
	struct ht_segment segment;
	struct ht_links links;
	struct ht_list list[HT_BINS];
	uint32_t *order;
	uint32_t fd[CHUNKS], bk[CHUNKS];
};

static uint32_t link_to(uint32_t chunk)
{
	return 1 + chunk * EACH;
}

static void order_list(struct arena *a)
{
	for (uint32_t i = 0; i < CHUNKS; i++) {
		a->fd[a->order[i]] =
			i + 1 < CHUNKS ? link_to(a->order[i + 1]) : UNSORTED;
		a->bk[a->order[i]] =
			i > 0 ? link_to(a->order[i - 1]) : UNSORTED;
	}
}

static void add_all(struct arena *a)
{
	ht_links_init(&a->links, &a->layout, ARENA, &a->segment, 1, TABLES_MAX);
	for (uint32_t i = 0; i < CHUNKS; i++)
		ht_links_add_free(&a->links, i * EACH, EACH - 2, a->fd[i],
				  a->bk[i]);
	assert_false(a->links.full);
	for (unsigned i = 0; i < HT_BINS; i++)
		a->list[i] = (struct ht_list){.bin = (uint8_t)(i + 1),
					      .head = HT_LINK_BIN(i + 1),
					      .tail = HT_LINK_BIN(i + 1)};
	a->list[0].head = link_to(a->order[0]);
	a->list[0].tail = link_to(a->order[CHUNKS - 1]);
}

static int make_arena(void **state)
{
	struct arena *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	assert_int_equal(ht_layout_glibc(36, HT_ABI_X86_64, &a->layout, NULL),
			 HT_OK);
	a->segment = (struct ht_segment){
		.start = HEAP, .end = HEAP + CHUNKS * EACH * 16, .first = HEAP};
	a->order = shuffled();
	order_list(a);
	*state = a;
	return 0;
}

static int free_arena(void **state)
{
	struct arena *a = *state;

	ht_links_fini(&a->links);
	free(a->order);
	free(a);
	return 0;
}

static void a_long_list_in_any_order_is_found_whole(void **state)
{
	struct arena *a = *state;

	add_all(a);
	assert_true(ht_links_join_bins(&a->links, a->list, HT_BINS));
	assert_int_equal(a->list[0].count.chunks, CHUNKS);
	assert_int_equal(a->list[0].count.bytes, CHUNKS * (EACH - 2) * 16);
	for (unsigned i = 1; i < HT_BINS; i++)
		assert_int_equal(a->list[i].count.chunks, 0);
}

/* The fault is told as if the list had been followed from its head. */
static void assert_found(struct arena *a, enum ht_list_fault fault,
			 uint64_t chunks)
{
	add_all(a);
	assert_false(ht_links_join_bins(&a->links, a->list, HT_BINS));
	ht_links_follow_bins(&a->links, a->list, HT_BINS);
	assert_int_equal(a->list[0].fault, fault);
	assert_int_equal(a->list[0].count.chunks, chunks);
	assert_int_equal(a->list[0].fault_at,
			 link_to(a->order[chunks - 1]) - 1);
}

static void a_bk_that_does_not_lead_back_is_found(void **state)
{
	struct arena *a = *state;

	a->bk[a->order[BROKEN_AT]] = link_to(a->order[7]);
	assert_found(a, HT_LIST_BACK, BROKEN_AT);
}

static void a_wild_fd_is_found(void **state)
{
	struct arena *a = *state;

	a->fd[a->order[BROKEN_AT - 1]] = HT_LINK_WILD;
	assert_found(a, HT_LIST_WILD, BROKEN_AT);
}

static void a_list_that_bites_its_tail_ends(void **state)
{
	struct arena *a = *state;

	a->fd[a->order[CHUNKS - 1]] = link_to(a->order[BROKEN_AT]);
	a->bk[a->order[BROKEN_AT]] = link_to(a->order[CHUNKS - 1]);
	assert_found(a, HT_LIST_BACK, BROKEN_AT);
}

static void a_small_chunk_in_a_wrong_bin_is_found(void **state)
{
	struct arena *a = *state;

	add_all(a);
	a->list[9].head = a->list[0].head; /* the list hangs on bin 10 */
	a->list[9].tail = a->list[0].tail;
	a->list[0].head = a->list[0].tail = UNSORTED;
	assert_false(ht_links_join_bins(&a->links, a->list, HT_BINS));
}

/* Links and sizes agree, only the header is that of other sizes. */
static void a_list_of_a_wrong_bin_is_found(void **state)
{
	struct arena *a = *state;

	a->fd[a->order[CHUNKS - 1]] = a->bk[a->order[0]] = HT_LINK_BIN(10);
	add_all(a);
	a->list[9].head = a->list[0].head;
	a->list[9].tail = a->list[0].tail;
	a->list[0].head = a->list[0].tail = UNSORTED;
	assert_false(ht_links_join_bins(&a->links, a->list, HT_BINS));
}

/* Each of its chunks leads to the next and back, and no header to one. */
static void assert_ring_found(struct arena *a, uint32_t chunks)
{
	const uint32_t *last = &a->order[CHUNKS - 1];
	const uint32_t first = a->order[CHUNKS - chunks];
	const uint32_t before = a->order[CHUNKS - chunks - 1];

	a->fd[before] = UNSORTED;
	a->fd[*last] = link_to(first);
	a->bk[first] = link_to(*last);
	add_all(a);
	a->list[0].tail = link_to(before);
	assert_false(ht_links_follow_bins(&a->links, a->list, HT_BINS));
	assert_int_equal(a->list[0].fault, HT_LIST_SOUND);
	assert_int_equal(a->list[0].count.chunks, CHUNKS - chunks);
	assert_int_equal(a->links.free.v[first].mark, HT_MARK_NONE);
}

static void a_ring_of_few_without_a_header_is_found(void **state)
{
	assert_ring_found(*state, 1);
}

static void a_ring_of_many_without_a_header_is_found(void **state)
{
	assert_ring_found(*state, CHUNKS / 4);
}

/* A walk of a heap that moves may meet the same bytes again and again. */
static void a_table_never_takes_more_than_it_has_room_for(void **state)
{
	struct arena *a = *state;
	struct ht_segment small = {.first = HEAP, .end = HEAP + 64 * 16};
	const struct ht_fast_candidate fast = {.position = 1};
	struct ht_links links;

	ht_links_init(&links, &a->layout, ARENA, &small, 1, TABLES_MAX);
	for (uint32_t i = 0; i < 1u << 20; i++)
		ht_links_add_free(&links, 1, 2, UNSORTED, UNSORTED);
	assert_true(links.full);
	assert_true(links.free.n * sizeof(*links.free.v) <=
		    links.size[HT_TABLE_FREE]);
	ht_links_fini(&links);

	ht_links_init(&links, &a->layout, ARENA, &small, 1, TABLES_MAX);
	for (uint32_t i = 0; i < 1u << 20; i++)
		ht_links_add_fast(&links, &fast, 1);
	assert_true(links.full);
	assert_true(links.fast.n * sizeof(*links.fast.v) <=
		    links.size[HT_TABLE_FAST]);
	ht_links_fini(&links);
}

/* Fastbin 0 is all chunks but the last, in the order of `order`; the last
 * one is a candidate, too. */
static struct ht_list fastbin_of(struct arena *a, uint32_t last_link)
{
	struct ht_list list = {.head = link_to(a->order[0])};

	ht_links_init(&a->links, &a->layout, ARENA, &a->segment, 1, TABLES_MAX);
	a->fd[a->order[CHUNKS - 2]] = HT_LINK_END;
	a->fd[a->order[CHUNKS - 1]] = last_link;
	for (uint32_t i = 0; i < CHUNKS; i++) {
		struct ht_fast_candidate c = {i * EACH, a->fd[i], 0};

		ht_links_add_fast(&a->links, &c, 1);
	}
	return list;
}

static void assert_all_but_last(struct arena *a, struct ht_list *list)
{
	ht_links_settle_fastbins(&a->links, list, 1);
	assert_int_equal(list->fault, HT_LIST_SOUND);
	assert_int_equal(list->count.chunks, CHUNKS - 1);
	for (uint32_t i = 0; i < CHUNKS; i++)
		assert_int_equal(!(a->links.fast.v[i].mark & HT_FAST_CANDIDATE),
				 i != a->order[CHUNKS - 1]);
}

static void a_cached_chunk_is_in_no_fastbin(void **state)
{
	struct arena *a = *state;
	struct ht_list list = fastbin_of(a, link_to(a->order[5]));

	ht_links_note_cached(&a->links,
			     HEAP + (uint64_t)a->order[CHUNKS - 1] * EACH * 16);
	assert_all_but_last(a, &list);
}

static void a_stale_link_is_in_no_fastbin(void **state)
{
	struct arena *a = *state;
	struct ht_list list = fastbin_of(a, link_to(a->order[5]));

	assert_all_but_last(a, &list);
}

static void a_chunk_that_is_cached_and_in_a_fastbin_is_in_both(void **state)
{
	struct arena *a = *state;
	struct ht_list list = fastbin_of(a, link_to(a->order[5]));

	ht_links_note_cached(&a->links,
			     HEAP + (uint64_t)a->order[7] * EACH * 16);
	assert_all_but_last(a, &list);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_arena, free_arena)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_long_list_in_any_order_is_found_whole),
		TEST(a_bk_that_does_not_lead_back_is_found),
		TEST(a_wild_fd_is_found),
		TEST(a_list_that_bites_its_tail_ends),
		TEST(a_small_chunk_in_a_wrong_bin_is_found),
		TEST(a_list_of_a_wrong_bin_is_found),
		TEST(a_ring_of_few_without_a_header_is_found),
		TEST(a_ring_of_many_without_a_header_is_found),
		TEST(a_cached_chunk_is_in_no_fastbin),
		TEST(a_stale_link_is_in_no_fastbin),
		TEST(a_chunk_that_is_cached_and_in_a_fastbin_is_in_both),
		TEST(a_table_never_takes_more_than_it_has_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
