/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nodes: the chunks in use, numbered from 0 in order of address, and which of
 * them an address lies in. Made from the marks of a walk (agent/walk/marks.h);
 * mmapped chunks are nodes like all others.
 *
 * What belongs to a chunk at c is what its owner may use: [c + header, next +
 * word), for the first word of the chunk that follows is the last one of this
 * (malloc.c: prev_size). An address in that last word may also be meant for the
 * header of the next, as a link of a free list is: it is told apart.
 */
#ifndef HT_AGENT_GRAPH_NODES_H
#define HT_AGENT_GRAPH_NODES_H

#include "agent/walk/marks.h"
#include "common/err.h"

#define HT_NODE_NONE UINT32_MAX
#define HT_NODES_MAX (UINT32_MAX - 1)

#define HT_RANK_UNITS 128u /* two words of marks: next to none are counted */

/* A segment, or an mmapped chunk. */
struct ht_node_span {
	uint64_t start, end;		/* addresses that may lie in a node */
	const struct ht_marked *marked; /* borrowed; NULL: an mmapped chunk */
	uint32_t first;			/* the first node's number */
	uint32_t *rank;	  /* nodes before each HT_RANK_UNITS, from `first` on */
	uint32_t *before; /* last bound before each 4096 units, or none */
};

struct ht_nodes {
	struct ht_node_span *span; /* sorted by address */
	size_t n;
	uint32_t count;
	uint64_t low, high; /* all spans lie in [low, high) */
	unsigned word;
	size_t bytes; /* memory taken */
};

struct ht_node {
	uint32_t id;
	uint64_t chunk, size; /* size: of an mmapped one its mapping's length */
	uint64_t user, end;   /* what its owner may use */
	bool mmapped;
	uint64_t arena; /* index; HT_UNKNOWN for an mmapped one */
};

/* Borrows the marks. HT_NOMEM. */
enum ht_code ht_nodes_make(const struct ht_marks *m, struct ht_nodes *ret,
			   struct ht_err *err) HT_MUST_CHECK;
void ht_nodes_fini(struct ht_nodes *n);

/* Without an instruction for it the compiler would call a function for each
 * word. Sums of 2, 4, 8 bits side by side, then of all by one product. */
static inline uint32_t ht_ones(uint64_t x)
{
	x -= x >> 1 & UINT64_C(0x5555555555555555);
	x = (x & UINT64_C(0x3333333333333333)) +
	    (x >> 2 & UINT64_C(0x3333333333333333));
	x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (uint32_t)(x * UINT64_C(0x0101010101010101) >> 56);
}

enum ht_node_where {
	HT_NODE_START, /* what malloc returned */
	HT_NODE_INSIDE,
	HT_NODE_EDGE, /* its last word, or the next one's header */
};
/* The node that an address lies in, or HT_NODE_NONE. */
uint32_t ht_nodes_at(const struct ht_nodes *n, uint64_t address,
		     enum ht_node_where *ret_where);
/* The same in a span that it is known to lie in. */
uint32_t ht_nodes_in(const struct ht_nodes *n, const struct ht_node_span *s,
		     uint64_t address, enum ht_node_where *ret_where);
/* The node whose owner was given this address. false: none was. */
bool ht_nodes_starts(const struct ht_nodes *n, uint64_t address,
		     struct ht_node *ret);
/* Asks for what looking up an address will read, some time before. Returns the
 * span that it lies in, or NULL; last: that of the one before. */
const struct ht_node_span *ht_nodes_fetch(const struct ht_nodes *n,
					  const struct ht_node_span *last,
					  uint64_t address);
/* How many of these addresses, at most HT_NODES_AT_ONCE, lie in nodes other
 * than self: together they wait for memory once. */
#define HT_NODES_AT_ONCE 64
uint64_t ht_nodes_count(const struct ht_nodes *n, const uint64_t *address,
			size_t of, uint32_t self);
/* The span that an address lies in, or NULL. */
const struct ht_node_span *ht_nodes_span(const struct ht_nodes *n,
					 uint64_t address);
/* A node by its number. */
struct ht_node ht_nodes_get(const struct ht_nodes *n, uint32_t id);

/* The same, of which it is known where it is: a unit of a segment. */
void ht_nodes_describe(const struct ht_nodes *n, const struct ht_node_span *s,
		       uint64_t unit, uint32_t id, struct ht_node *ret);

/* All nodes one after the other: begin with {.nodes = n}. */
struct ht_node_walk {
	const struct ht_nodes *nodes;
	size_t span, word;
	uint64_t bits;
	bool begun;
	uint32_t id;
};
bool ht_nodes_next(struct ht_node_walk *w, struct ht_node *ret);
/* All from the one with this number on. */
struct ht_node_walk ht_nodes_from(const struct ht_nodes *n, uint32_t id);
/* The first node behind the middle of their addresses: two that share the work
 * have as much memory each. */
uint32_t ht_nodes_half(const struct ht_nodes *n);

#endif
