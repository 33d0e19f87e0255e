/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks one by one, of made heaps of every release: they are those that the
 * walk counts, an address leads to the chunk that it lies in and to no other,
 * and with little memory the same comes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/graph/graph.h"
#include "agent/graph/nodes.h"
#include "agent/graph/types.h"
#include "tests/lib/fakeheap.h"

#define FIRST 17
#define LAST  44

static void marked(struct fake *k, struct ht_snapshot *s, uint64_t memory)
{
	struct ht_err err;
	enum ht_code code = fake_graph(k, memory, s, &err);

	if (code != HT_OK)
		fail_msg("%s", err.msg);
}

static void every_chunk_in_use_is_met_once(void **state)
{
	(void)state;
	for (unsigned minor = FIRST; minor <= LAST; minor++) {
		struct ht_snapshot s;
		struct fake k;

		assert_int_equal(fake_build(&k, minor, 8, NULL), HT_OK);
		marked(&k, &s, HT_GRAPH_MEMORY_MAX);
		assert_int_equal(s.graphs.n, 1);
		assert_int_equal(s.graphs.v[0].chunks,
				 s.totals.in_use_chunks +
					 s.totals.mmapped_chunks);
		assert_int_equal(s.graphs.v[0].bytes,
				 s.totals.in_use + s.totals.mmapped);
		ht_snapshot_fini(&s);
		fake_free(&k);
	}
}

static void with_no_memory_for_references_the_same_is_leaked(void **state)
{
	(void)state;
	for (unsigned minor = FIRST; minor <= LAST; minor += 3) {
		struct ht_snapshot all, none;
		struct fake k;

		assert_int_equal(fake_build(&k, minor, 8, NULL), HT_OK);
		marked(&k, &all, HT_GRAPH_MEMORY_MAX);
		marked(&k, &none, 0);
		assert_int_equal(all.graphs.v[0].leaked_bytes,
				 none.graphs.v[0].leaked_bytes);
		assert_int_equal(all.graphs.v[0].leaked_chunks,
				 none.graphs.v[0].leaked_chunks);
		ht_snapshot_fini(&all);
		ht_snapshot_fini(&none);
		fake_free(&k);
	}
}

/* A segment of our own: 64 units, chunks at these; every second one in use, but
 * for a long one that crosses blocks. */
#define UNITS	  20000
#define UNITS_MAX 20480 /* a whole number of ranks */
static uint64_t bound[UNITS_MAX / 64 + 2], used[UNITS_MAX / 64 + 2];
static struct ht_marked segment = {.start = 0x10000,
				   .first = 0x10000,
				   .end = 0x10000 + UNITS * 16,
				   .units = UNITS + 1,
				   .shift = 4,
				   .word = 8,
				   .bound = bound,
				   .used = used};

static void begin_segment(void)
{
	uint64_t chunk = segment.first;

	memset(bound, 0, sizeof(bound));
	memset(used, 0, sizeof(used));
	for (unsigned i = 0; chunk < segment.end; i++) {
		ht_mark(&segment, chunk, i % 2 == 0);
		chunk += i % 50 == 49 ? 9000 * 16 : 32 + i % 7 * 16;
	}
	ht_mark(&segment, segment.end, false);
}

static bool is_marked(const uint64_t *map, uint64_t unit)
{
	return map[unit / 64] >> unit % 64 & 1;
}

/* What an address lies in, said once more, one unit at a time. */
static uint32_t plain_node_at(uint64_t address)
{
	uint32_t node = HT_NODE_NONE, n = 0;

	for (uint64_t u = 0, next; u < UNITS; u = next) {
		uint64_t chunk = segment.first + u * 16, end;

		for (next = u + 1; next < UNITS && !is_marked(bound, next);)
			next++;
		end = segment.first + next * 16 + 8;
		if (!is_marked(used, u))
			continue;
		if (address >= chunk + 16 && address < end)
			node = n;
		n++;
	}
	return node;
}

static void an_address_leads_to_the_chunk_it_lies_in(void **state)
{
	struct ht_marks m = {.segment = &segment, .n = 1};
	struct ht_nodes n;

	(void)state;
	begin_segment();
	assert_int_equal(ht_nodes_make(&m, &n, NULL), HT_OK);
	for (uint64_t at = segment.start - 32; at < segment.end + 32;
	     at += 40) {
		enum ht_node_where where;
		bool inside = at < segment.end;

		assert_int_equal(ht_nodes_at(&n, at, &where),
				 inside ? plain_node_at(at) : HT_NODE_NONE);
	}
	ht_nodes_fini(&n);
}

static void numbered(uint64_t units)
{
	struct ht_marks m = {.segment = &segment, .n = 1};
	struct ht_node_walk walk;
	struct ht_node node, same;
	struct ht_nodes n;
	uint64_t before = 0;
	uint32_t count = 0;

	begin_segment();
	segment.units = units;
	assert_int_equal(ht_nodes_make(&m, &n, NULL), HT_OK);
	walk = (struct ht_node_walk){.nodes = &n};
	while (ht_nodes_next(&walk, &node)) {
		enum ht_node_where where;

		assert_int_equal(node.id, count++);
		assert_true(node.chunk > before || count == 1);
		before = node.chunk;
		same = ht_nodes_get(&n, node.id);
		assert_int_equal(same.chunk, node.chunk);
		assert_int_equal(same.size, node.size);
		assert_int_equal(ht_nodes_at(&n, node.user, &where), node.id);
		assert_int_equal(where, HT_NODE_START);
		assert_int_equal(ht_nodes_at(&n, node.end - 9, &where),
				 node.id);
	}
	assert_int_equal(count, n.count);
	ht_nodes_fini(&n);
	segment.units = UNITS + 1;
}

/* Whether a rank begins where they end, too: as a damaged end may have it. */
static void nodes_are_numbered_in_order_and_found_by_number(void **state)
{
	(void)state;
	numbered(UNITS + 1);
	numbered(UNITS_MAX);
}

static enum ht_look_like like(const char *bytes, size_t n)
{
	uint64_t words[8] = {0};

	memcpy(words, bytes, n);
	return ht_like_of_words(words, 8);
}

static void only_characters_are_text(void **state)
{
	char same[64];

	(void)state;
	assert_int_equal(like("plain words", 11), HT_LIKE_TEXT);
	assert_int_equal(like("gr\xc3\xbc\xc3\x9f"
			      "e, \xe2\x82\xac",
			      12),
			 HT_LIKE_TEXT);
	assert_int_equal(like("plain w\xfcrds", 11), HT_LIKE_NOTHING);
	assert_int_equal(like("plain words\xc3", 12), HT_LIKE_NOTHING);
	assert_int_equal(like("plain \x01 words", 13), HT_LIKE_NOTHING);
	for (unsigned byte = 0x80; byte <= 0xff; byte++) {
		memset(same, (int)byte, sizeof(same));
		assert_int_equal(like(same, sizeof(same)), HT_LIKE_NOTHING);
	}
	/* Cut amid a character, where no more was looked at. */
	memset(same, 'x', sizeof(same));
	same[63] = (char)0xc3;
	assert_int_equal(like(same, sizeof(same)), HT_LIKE_TEXT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_characters_are_text),
		cmocka_unit_test(every_chunk_in_use_is_met_once),
		cmocka_unit_test(
			with_no_memory_for_references_the_same_is_leaked),
		cmocka_unit_test(an_address_leads_to_the_chunk_it_lies_in),
		cmocka_unit_test(
			nodes_are_numbered_in_order_and_found_by_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
