/* SPDX-License-Identifier: Apache-2.0 */
/* What chunks are, told while a walk has them, is to the byte what is found
 * when all is read again: however the blocks are cut, whoever is shown them,
 * whatever finds no room, and though some of it was in a bin after all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/graph/graph.h"
#include "agent/graph/modules.h"
#include "agent/graph/telling.h"
#include "agent/memory/reader_image.h"
#include "link/request.h"

#define UNITS  300000u
#define FIRST  UINT64_C(0x10000)
#define END    (FIRST + UNITS * UINT64_C(16))
#define MODULE UINT64_C(0x7f0000000000)
#define MEMORY (UINT64_C(256) << 20)

/* One segment with the headers that a walk would see. */
struct heap {
	uint64_t bound[UNITS / 64 + 2], used[UNITS / 64 + 2];
	uint64_t told[UNITS / 64 + 2];
	uint64_t words[UNITS * 2 + 2];
	struct ht_marked segment;
	struct ht_marks marks;
	struct ht_image_part part;
	struct ht_image image;
	struct ht_reader reader;
	struct ht_module module;
	struct ht_modules modules;
	struct ht_vma vma;
	struct ht_maps maps;
	char text[1];
	struct ht_located located;
};

/* The same numbers in each run. */
static uint64_t below(uint64_t *r, uint64_t n)
{
	*r = *r * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (*r >> 33) % n;
}

static uint64_t *word(struct heap *h, uint64_t address)
{
	return &h->words[(address - FIRST) / 8];
}

/* A chunk's words as they may be (of a type: some are so rare that a chunk in a
 * bin more or less decides whether they are one): of a type, text, zeros,
 * mostly pointers, a buffer's owner, some of each. */
static void fill(struct heap *h, uint64_t *r, uint64_t chunk, uint64_t size,
		 const uint64_t *start, size_t starts)
{
	uint64_t kind = below(r, 12), n = (size - 8) / 8;
	uint64_t *w = word(h, chunk + 16);

	for (uint64_t i = 0; i < n; i++) {
		uint64_t to = start[below(r, starts)] + 16;

		w[i] = kind < 3		  ? 0
		       : kind < 5	  ? UINT64_C(0x6f77206f6c6c6568)
		       : kind < 7	  ? to
		       : below(r, 6) == 0 ? to + below(r, 5) * 8
		       : below(r, 3) == 0 ? below(r, 1000)
					  : 0;
	}
	if (kind >= 9 && below(r, 3) > 0)
		w[0] = MODULE + below(r, below(r, 3) ? 400 : 20) * 8;
	if (kind == 8 && n > 4) {
		w[2] = w[3] = 40;
		w[1] = start[below(r, starts)] + 16;
	}
}

/* Lists and trees: neighbours that lead to each other. */
static void link_some(struct heap *h, uint64_t *r, const uint64_t *start,
		      size_t starts)
{
	for (size_t i = 0; i + 1 < starts; i += 1 + below(r, 40)) {
		uint64_t *a = word(h, start[i] + 16);
		uint64_t *b = word(h, start[i + 1] + 16);

		a[below(r, 3)] = start[i + 1] + 16;
		b[below(r, 3)] = start[i] + 16;
	}
}

static struct heap *heap_of(uint64_t seed)
{
	struct heap *h = calloc(1, sizeof(*h));
	uint64_t *start = calloc(UNITS / 2 + 1, sizeof(*start)), r = seed;
	uint64_t *size = calloc(UNITS / 2 + 1, sizeof(*size));
	size_t n = 0;

	assert_true(h && start && size);
	h->segment = (struct ht_marked){.start = FIRST,
					.first = FIRST,
					.end = END,
					.units = UNITS + 1,
					.shift = 4,
					.word = 8,
					.bound = h->bound,
					.used = h->used,
					.told = h->told};
	for (uint64_t at = FIRST; at < END; at += size[n++]) {
		start[n] = at;
		size[n] = below(&r, 3000) ? 32 + below(&r, 10) * 16
					  : 4096 + below(&r, 30) * 4096;
		if (at + size[n] + 32 > END)
			size[n] = END - at;
	}
	for (size_t i = 0; i < n; i++)
		fill(h, &r, start[i], size[i], start, n);
	link_some(h, &r, start, n);
	for (size_t i = 0, in_use = 1; i < n; i++) {
		*word(h, start[i] + 8) = size[i] | in_use;
		in_use = below(&r, 3) > 0;
		ht_mark(&h->segment, start[i], in_use);
		if (i + 1 == n)
			*word(h, END + 8) = in_use;
	}
	ht_mark(&h->segment, END, false);
	free(start);
	free(size);
	return h;
}

static void open_heap(struct heap *h)
{
	h->marks = (struct ht_marks){.segment = &h->segment, .n = 1};
	h->part = (struct ht_image_part){
		.addr = FIRST, .bytes = h->words, .len = sizeof(h->words)};
	h->image = (struct ht_image){.parts = &h->part, .n = 1};
	ht_reader_open_image(&h->image, 8, UINT64_C(1) << 32, &h->reader);
	h->module = (struct ht_module){.name = "program",
				       .fd = -1,
				       .load = {{.start = MODULE,
						 .end = MODULE + 8192,
						 .write = true}},
				       .loads = 1};
	h->modules = (struct ht_modules){.v = &h->module, .n = 1};
	h->vma = (struct ht_vma){.start = FIRST,
				 .end = FIRST + sizeof(h->words),
				 .flags = HT_VMA_READ | HT_VMA_WRITE};
	h->maps = (struct ht_maps){.v = &h->vma, .n = 1, .text = h->text};
}

static uint64_t next_of(struct heap *h, uint64_t chunk)
{
	return chunk + (*word(h, chunk + 8) & ~UINT64_C(7));
}

/* Blocks of about so many bytes, and of each the chunk that lies across is left
 * out, as a walk does, and some that might be in a fastbin; from `other` on
 * they are shown to the second. */
static void show_all(struct heap *h, struct ht_telling *t, uint64_t block,
		     uint64_t other)
{
	static struct ht_gone_chunk chunk[HT_GONE_BY_MAX + 1];
	uint64_t at = FIRST, r = 7;

	while (at < END) {
		struct ht_teller *who = &t->teller[at >= other];
		struct ht_gone_by s = {.marked = &h->segment,
				       .start = at,
				       .end = at + block,
				       .from = at,
				       .to = at,
				       .chunk = chunk};

		if (s.end > END + 16)
			s.end = END + 16;
		s.buf = (const uint8_t *)word(h, at);
		while (s.to < END && next_of(h, s.to) + 16 <= s.end &&
		       (s.to < other) == (at < other)) {
			uint64_t next = next_of(h, s.to);

			chunk[s.n] = (struct ht_gone_chunk){
				.at = (uint32_t)(s.to - at),
				.size = (uint32_t)(next - s.to)};
			s.n += *word(h, next + 8) & 1 && below(&r, 30) != 0;
			s.to = next;
		}
		if (s.from < s.to)
			who->show(who, &s);
		at = s.to < END && (s.to >= other) == (at >= other)
			     ? next_of(h, s.to)
			     : s.to;
	}
}

/* Of what was told some is in a bin. */
static void drop_some(struct heap *h)
{
	uint64_t r = 5;

	for (uint64_t at = FIRST; at < END; at = next_of(h, at))
		if (below(&r, 50) == 0)
			ht_marks_drop(&h->marks, at);
}

static void measure(struct heap *h, struct ht_telling *t,
		    struct ht_snapshot *ret)
{
	const struct ht_graph_in in = {.located = &h->located,
				       .reader = &h->reader,
				       .maps = &h->maps,
				       .marks = &h->marks,
				       .modules = &h->modules,
				       .telling = t,
				       .want = HT_WANT_TYPES,
				       .memory_max = MEMORY};
	struct ht_err err = {0};

	ht_snapshot_init(ret);
	if (ht_graph_measure(&in, ret, &err) != HT_OK)
		fail_msg("%s", err.msg);
}

static const struct ht_chunk_type *find(const struct ht_snapshot *s,
					const struct ht_chunk_type *like)
{
	for (size_t i = 0; i < s->chunk_types.n; i++)
		if (s->chunk_types.v[i].kind == like->kind &&
		    strcmp(s->chunk_types.v[i].name, like->name) == 0)
			return &s->chunk_types.v[i];
	return NULL;
}

static void assert_same_types(const struct ht_snapshot *a,
			      const struct ht_snapshot *b)
{
	assert_int_equal(a->graphs.v[0].chunks, b->graphs.v[0].chunks);
	assert_int_equal(a->graphs.v[0].bytes, b->graphs.v[0].bytes);
	assert_int_equal(a->graphs.v[0].unknown_chunks,
			 b->graphs.v[0].unknown_chunks);
	assert_int_equal(a->chunk_types.n, b->chunk_types.n);
	for (size_t i = 0; i < a->chunk_types.n; i++) {
		const struct ht_chunk_type *t = find(b, &a->chunk_types.v[i]);

		if (!t)
			fail_msg("no %s", a->chunk_types.v[i].name);
		else
			assert_true(a->chunk_types.v[i].chunks == t->chunks &&
				    a->chunk_types.v[i].bytes == t->bytes);
	}
}

/* memory: of what is told; shown: how much of it is told at all. */
static void assert_told(uint64_t seed, uint64_t block, uint64_t other,
			uint64_t memory, unsigned least_told)
{
	struct heap *h = heap_of(seed);
	struct ht_snapshot told, again;
	struct ht_telling_in in;
	struct ht_telling *t;
	size_t n = 0, all = 0;

	open_heap(h);
	in = (struct ht_telling_in){.maps = &h->maps,
				    .modules = &h->modules,
				    .located = &h->located,
				    .reader = &h->reader,
				    .memory_max = memory};
	t = ht_telling_begin(&in);
	assert_non_null(t);
	show_all(h, t, block, other);
	for (size_t i = 0; i < sizeof(h->told) / sizeof(*h->told); i++) {
		n += (size_t)__builtin_popcountll(h->told[i]);
		all += (size_t)__builtin_popcountll(h->used[i]);
	}
	assert_true(n * 100 >= all * least_told);
	drop_some(h);
	measure(h, t, &told);
	measure(h, NULL, &again);
	assert_true(again.chunk_types.n >= 20);
	assert_same_types(&told, &again);
	ht_snapshot_fini(&told);
	ht_snapshot_fini(&again);
	ht_telling_end(t);
	free(h);
}

static void what_is_told_is_what_is_found_by_reading_again(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++)
		assert_told(seed, 262144, UINT64_MAX, MEMORY, 40);
}

static void however_blocks_are_cut(void **state)
{
	(void)state;
	assert_told(7, 8192, UINT64_MAX, MEMORY, 30);
	assert_told(8, 65536 + 4096, UINT64_MAX, MEMORY, 40);
}

static void by_two_threads_it_is_the_same(void **state)
{
	(void)state;
	assert_told(9, 65536, FIRST + (END - FIRST) / 2, MEMORY, 40);
	assert_told(10, 65536, FIRST + 1000000, MEMORY, 40);
}

static void what_finds_no_room_is_read_again(void **state)
{
	(void)state;
	assert_told(11, 65536, UINT64_MAX, 1 << 20, 10);
	assert_told(12, 65536, UINT64_MAX, 4096, 0);
	assert_told(13, 65536, UINT64_MAX, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			what_is_told_is_what_is_found_by_reading_again),
		cmocka_unit_test(however_blocks_are_cut),
		cmocka_unit_test(by_two_threads_it_is_the_same),
		cmocka_unit_test(what_finds_no_room_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
