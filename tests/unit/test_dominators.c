/* SPDX-License-Identifier: Apache-2.0 */
/* Dominators of random graphs, against what can be reached when a node is taken
 * out: retained sizes are those of the nodes that cannot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/graph/dominators.h"

#define NODES_MAX 300u
#define TOPS_MAX  6u
#define REFS_MAX  (NODES_MAX * 8)

struct graph {
	uint32_t nodes, tops;
	uint32_t first[NODES_MAX + 1], to[REFS_MAX];
	uint32_t top_first[TOPS_MAX + 1], top_to[REFS_MAX];
};

/* Knuth's multiplier; the same numbers in each run. */
static uint32_t below(uint64_t *r, uint32_t n)
{
	*r = *r * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)((*r >> 33) % n);
}

/* Near: to those that lie about; else to any. */
static uint32_t one(uint64_t *r, uint32_t nodes, uint32_t from, bool near)
{
	return near ? (from + 1 + below(r, 4)) % nodes : below(r, nodes);
}

static void make(struct graph *g, uint64_t *r, uint32_t most)
{
	uint32_t n = 0;

	g->nodes = 1 + below(r, NODES_MAX);
	g->tops = 1 + below(r, TOPS_MAX);
	for (uint32_t i = 0; i < g->nodes; i++) {
		g->first[i] = n;
		for (uint32_t k = below(r, most + 1); k > 0; k--)
			g->to[n++] = one(r, g->nodes, i, below(r, 3) > 0);
	}
	g->first[g->nodes] = n;
	n = 0;
	for (uint32_t i = 0; i < g->tops; i++) {
		g->top_first[i] = n;
		for (uint32_t k = below(r, 4); k > 0; k--)
			g->top_to[n++] = below(r, g->nodes);
	}
	g->top_first[g->tops] = n;
}

static uint64_t size_of(uint32_t node)
{
	return 32 + node % 7 * 16;
}

/* Bytes that are reached when no way leads through this node or top. */
static uint64_t reached(const struct graph *g, uint32_t without, bool *seen)
{
	uint32_t queue[NODES_MAX], head = 0, tail = 0;
	uint64_t bytes = 0;

	memset(seen, 0, NODES_MAX * sizeof(*seen));
	for (uint32_t t = 0; t < g->tops; t++)
		for (uint32_t k = g->top_first[t];
		     without != g->nodes + t && k < g->top_first[t + 1]; k++) {
			uint32_t to = g->top_to[k];

			if (to != without && !seen[to]) {
				seen[to] = true;
				queue[tail++] = to;
			}
		}
	while (head < tail) {
		uint32_t i = queue[head++];

		bytes += size_of(i);
		for (uint32_t k = g->first[i]; k < g->first[i + 1]; k++)
			if (g->to[k] != without && !seen[g->to[k]]) {
				seen[g->to[k]] = true;
				queue[tail++] = g->to[k];
			}
	}
	return bytes;
}

static void assert_retained(const struct graph *g)
{
	const struct ht_dominators_in in = {.nodes = g->nodes,
					    .first = g->first,
					    .to = g->to,
					    .tops = g->tops,
					    .top_first = g->top_first,
					    .top_to = g->top_to};
	bool all[NODES_MAX], some[NODES_MAX];
	uint64_t bytes = reached(g, UINT32_MAX, all);
	struct ht_dominators d;

	assert_int_equal(ht_dominators_make(&in, &d, NULL), HT_OK);
	for (uint32_t i = 0; i < g->nodes; i++) {
		assert_int_equal(d.number[i] != HT_DOMINATORS_NONE, all[i]);
		if (all[i])
			d.retained[d.number[i]] = size_of(i);
	}
	ht_dominators_sum(&d);
	assert_int_equal(d.retained[0], bytes);
	for (uint32_t i = 0; i < g->nodes + g->tops; i++) {
		if (i == g->nodes || (i < g->nodes && !all[i]))
			continue;
		assert_int_equal(d.retained[d.number[i]],
				 bytes - reached(g, i, some));
	}
	ht_dominators_fini(&d);
}

static void retained_is_what_is_reached_no_more(void **state)
{
	struct graph *g = calloc(1, sizeof(*g));
	uint64_t r = 20;

	(void)state;
	assert_non_null(g);
	for (int i = 0; i < 400; i++) {
		make(g, &r, (uint32_t)i % 7);
		assert_retained(g);
	}
	free(g);
}

/* A chain is searched and made short without a stack of calls. */
static void a_chain_of_a_million_is_no_depth(void **state)
{
	enum { N = 1000000 };
	uint32_t *first = calloc(N + 1, sizeof(*first));
	uint32_t *to = calloc(N, sizeof(*to));
	const uint32_t top_first[] = {0, 1}, top_to[] = {0};
	const struct ht_dominators_in in = {.nodes = N,
					    .first = first,
					    .to = to,
					    .tops = 1,
					    .top_first = top_first,
					    .top_to = top_to};
	struct ht_dominators d;

	(void)state;
	assert_non_null(first);
	assert_non_null(to);
	for (uint32_t i = 0; i < N; i++) {
		first[i] = i;
		to[i] = (i + 1) % N;
	}
	first[N] = N;
	assert_int_equal(ht_dominators_make(&in, &d, NULL), HT_OK);
	for (uint32_t i = 1; i <= N; i++)
		d.retained[i] = 1;
	ht_dominators_sum(&d);
	assert_int_equal(d.retained[d.number[0]], N);
	assert_int_equal(d.retained[d.number[N / 2]], N / 2);
	assert_int_equal(d.retained[d.number[N - 1]], 1);
	ht_dominators_fini(&d);
	free(first);
	free(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(retained_is_what_is_reached_no_more),
		cmocka_unit_test(a_chain_of_a_million_is_no_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
