/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks gone through by two threads, each with half of them: what comes of it
 * is, to the last reference, what one thread finds, whatever memory there is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/graph/graph.h"
#include "agent/graph/modules.h"
#include "agent/graph/refs.h"
#include "agent/memory/reader_image.h"
#include "agent/self/helper.h"
#include "link/request.h"

#define UNITS 400000u
#define FIRST UINT64_C(0x10000)
#define END   (FIRST + UNITS * UINT64_C(16))
#define ROOTS UINT64_C(0x7f0000000000)
#define HALF  (UNITS / 2)

/* One segment of chunks of ten sizes, two thirds of them in use. */
struct heap {
	uint64_t bound[UNITS / 64 + 2], used[UNITS / 64 + 2];
	uint64_t words[UNITS * 2 + 2];
	uint64_t root[64];
	struct ht_marked segment;
	struct ht_marks marks;
	struct ht_image_part part[3];
	struct ht_image image;
	struct ht_reader reader;
};

/* Knuth's multiplier; the same numbers in each run. */
static uint64_t below(uint64_t *r, uint64_t n)
{
	*r = *r * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (*r >> 33) % n;
}

static void add_chunks(struct heap *h, uint64_t *r)
{
	uint64_t chunk = FIRST;

	while (chunk < END) {
		uint64_t size = 32 + below(r, 10) * 16;

		ht_mark(&h->segment, chunk, below(r, 3) > 0);
		chunk += chunk + size + 32 > END ? END - chunk : size;
	}
	ht_mark(&h->segment, END, false);
}

/* Words of which every `sparse`-th leads into the heap: in the second half to
 * where `second` says. */
static void add_words(struct heap *h, uint64_t *r, unsigned first,
		      unsigned second)
{
	for (uint32_t i = 0; i < UNITS * 2; i++) {
		unsigned sparse = i < UNITS ? first : second;
		uint64_t to = FIRST + below(r, UNITS * 2) * 8;

		h->words[i] = below(r, sparse) == 0 ? to
			      : below(r, 4) == 0
				      ? UINT64_C(0x6f77206f6c6c6568) /* text */
				      : 0;
	}
	for (unsigned i = 0; i < 64; i++)
		h->root[i] = FIRST + below(r, UNITS * 2) * 8;
}

static struct heap *heap_of(unsigned first, unsigned second)
{
	uint64_t r = first * 100 + second;
	struct heap *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	h->segment = (struct ht_marked){.start = FIRST,
					.first = FIRST,
					.end = END,
					.units = UNITS + 1,
					.shift = 4,
					.word = 8,
					.bound = h->bound,
					.used = h->used};
	h->marks = (struct ht_marks){.segment = &h->segment, .n = 1};
	add_chunks(h, &r);
	add_words(h, &r, first, second);
	h->part[0] = (struct ht_image_part){
		.addr = FIRST, .bytes = h->words, .len = sizeof(h->words)};
	h->part[1] = (struct ht_image_part){
		.addr = ROOTS, .bytes = h->root, .len = sizeof(h->root)};
	h->image = (struct ht_image){.parts = h->part, .n = 2};
	ht_reader_open_image(&h->image, 8, UINT64_C(1) << 30, &h->reader);
	return h;
}

/* Of the heap so many bytes cannot be read, from the at-th on. */
static void make_hole(struct heap *h, size_t at, size_t len)
{
	h->part[2] =
		(struct ht_image_part){.addr = FIRST + at + len,
				       .bytes = (char *)h->words + at + len,
				       .len = sizeof(h->words) - at - len};
	h->part[0].len = at;
	h->image.n = 3;
}

/* --- references ---------------------------------------------------------- */

/* Whom each node was shown to. */
struct shown {
	uint8_t *to;
	uint8_t who;
};

static void show(void *ctx, const struct ht_node *node,
		 const struct ht_node_words *words)
{
	const struct shown *s = ctx;

	assert_true(words->n > 0);
	s->to[node->id] |= s->who;
}

static struct ht_refs refs_of(struct heap *h, const struct ht_nodes *nodes,
			      size_t bytes_max, bool both, uint8_t *shown)
{
	struct shown one = {shown, 1}, two = {shown, 2};
	const struct ht_refs_in in = {.nodes = nodes,
				      .reader = &h->reader,
				      .bytes_max = bytes_max,
				      .window = malloc(HT_REFS_WINDOW),
				      .each = show,
				      .each_ctx = &one,
				      .second_ctx = both ? &two : NULL};
	struct ht_refs ret;

	assert_int_equal(ht_refs_make(&in, &ret, NULL), HT_OK);
	free(in.window);
	return ret;
}

static void assert_same_refs(unsigned first, unsigned second, size_t bytes_max)
{
	struct heap *h = heap_of(first, second);
	struct ht_refs alone, both;
	struct ht_nodes nodes;
	uint8_t *shown;

	assert_int_equal(ht_nodes_make(&h->marks, &nodes, NULL), HT_OK);
	shown = calloc(nodes.count, 1);
	assert_non_null(shown);
	alone = refs_of(h, &nodes, bytes_max, false, shown);
	for (uint32_t i = 0; i < nodes.count; i++)
		assert_int_equal(shown[i], 1);
	memset(shown, 0, nodes.count);
	both = refs_of(h, &nodes, bytes_max, true, shown);
	assert_true(both.second > nodes.count / 4);
	assert_true(both.second < nodes.count / 4 * 3);
	for (uint32_t i = 0; i < nodes.count; i++)
		assert_int_equal(shown[i], i < both.second ? 1 : 2);
	assert_int_equal(alone.kept, both.kept);
	assert_int_equal(alone.unread, both.unread);
	assert_int_equal(alone.n, both.n);
	assert_memory_equal(alone.first, both.first,
			    (nodes.count + 1) * sizeof(*alone.first));
	assert_memory_equal(alone.to, both.to, alone.n * sizeof(*alone.to));
	assert_memory_equal(alone.at, both.at, alone.n * sizeof(*alone.at));
	ht_refs_fini(&alone);
	ht_refs_fini(&both);
	ht_nodes_fini(&nodes);
	free(shown);
	free(h);
}

static void two_threads_find_the_references_that_one_finds(void **state)
{
	(void)state;
	ht_helper_start();
	assert_same_refs(3, 3, (size_t)64 << 20);
	assert_same_refs(100, 2, (size_t)64 << 20);
}

/* Room for some 140,000 references beside the table of 46,000 nodes: all are
 * in the first half, and would find room. */
static void a_full_half_takes_the_room_of_an_empty_one(void **state)
{
	(void)state;
	ht_helper_start();
	assert_same_refs(3, 100000, (size_t)1 << 20);
}

/* --- all that is said of it ---------------------------------------------- */

static void measure(struct heap *h, uint64_t memory_max,
		    struct ht_snapshot *ret)
{
	struct ht_modules none = {0};
	struct ht_located located = {0};
	struct ht_vma root = {.start = ROOTS,
			      .end = ROOTS + sizeof(h->root),
			      .flags = HT_VMA_READ | HT_VMA_WRITE};
	struct ht_maps maps = {.v = &root, .n = 1, .text = (char[]){""}};
	const struct ht_graph_in in = {.located = &located,
				       .reader = &h->reader,
				       .maps = &maps,
				       .marks = &h->marks,
				       .modules = &none,
				       .want = HT_WANT_GRAPH,
				       .memory_max = memory_max};
	struct ht_err err = {0};

	ht_snapshot_init(ret);
	if (ht_graph_measure(&in, ret, &err) != HT_OK)
		fail_msg("%s", err.msg);
}

static void assert_same_rows(struct ht_snapshot *a, struct ht_snapshot *b,
			     enum ht_record_id id)
{
	assert_int_equal(ht_snapshot_count(a, id), ht_snapshot_count(b, id));
	for (size_t i = 0; i < ht_snapshot_count(a, id); i++)
		assert_memory_equal(ht_snapshot_row(a, id, i),
				    ht_snapshot_row(b, id, i),
				    ht_record_types[id].size);
}

/* First, while there is no helper yet. */
static void two_threads_say_what_one_says(void **state)
{
	static const enum ht_record_id lists[] = {
		HT_RECORD_graph,  HT_RECORD_leak,	HT_RECORD_owned,
		HT_RECORD_holder, HT_RECORD_chunk_type,
	};
	struct heap *h = heap_of(40, 20);
	struct ht_snapshot alone, both;

	(void)state;
	assert_int_equal(ht_helper_tid(), 0);
	measure(h, HT_GRAPH_MEMORY_MAX, &alone);
	ht_helper_start();
	assert_int_not_equal(ht_helper_tid(), 0);
	measure(h, HT_GRAPH_MEMORY_MAX, &both);
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		assert_same_rows(&alone, &both, lists[i]);
	assert_true(alone.leaks.n > 5);
	assert_true(alone.chunk_types.n > 1);
	assert_true(alone.owned.n > 5);
	ht_snapshot_fini(&alone);
	ht_snapshot_fini(&both);
	free(h);
}

/* --- without room -------------------------------------------------------- */

static unsigned reads;

static void count_read(void)
{
	reads++;
}

/* No reference finds room: the same is leaked, and of what lies together it is
 * read by one call. */
static void assert_same_leaks(struct heap *h)
{
	struct ht_snapshot all, none;
	const struct ht_graph *a, *b;

	measure(h, HT_GRAPH_MEMORY_MAX, &all);
	h->reader.beat = count_read;
	reads = 0;
	measure(h, 1, &none);
	a = &all.graphs.v[0];
	b = &none.graphs.v[0];
	assert_true(a->references > 1000);
	assert_int_equal(b->references, 0);
	assert_true(a->leaked_chunks > 1000);
	assert_int_equal(a->leaked_chunks, b->leaked_chunks);
	assert_int_equal(a->leaked_bytes, b->leaked_bytes);
	assert_same_rows(&all, &none, HT_RECORD_leak);
	assert_in_range(reads, 1, a->chunks / 20);
	ht_snapshot_fini(&all);
	ht_snapshot_fini(&none);
	free(h);
}

static void without_room_for_references_the_same_is_leaked(void **state)
{
	struct heap *h = heap_of(40, 20);

	(void)state;
	ht_helper_start();
	assert_same_leaks(h);
	h = heap_of(30, 60);
	make_hole(h, (size_t)1 << 20, 3 * 4096 + 64);
	assert_same_leaks(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_threads_say_what_one_says),
		cmocka_unit_test(
			two_threads_find_the_references_that_one_finds),
		cmocka_unit_test(a_full_half_takes_the_room_of_an_empty_one),
		cmocka_unit_test(
			without_room_for_references_the_same_is_leaked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
