/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References: which node points to which, and from where inside: every aligned
 * word of a node whose value is an address in some other node. Kept in order of
 * the referrers (compressed rows): those of node i are [first[i], first[i+1]).
 *
 * Memory for them is bounded. What does not fit is read again from the target
 * whenever it is asked for (ht_refs_scan_nodes): slower, never refused.
 */
#ifndef HT_AGENT_GRAPH_REFS_H
#define HT_AGENT_GRAPH_REFS_H

#include "agent/graph/nodes.h"
#include "agent/memory/reader.h"
#include "agent/memory/sparse.h"

/* Where in the referrer: its words from the user pointer on; those further in
 * than the last are all called the last. */
#define HT_REF_PLACE  0x3fff
#define HT_REF_FAR    HT_REF_PLACE
#define HT_REF_INSIDE 0x4000 /* not to what malloc returned */
#define HT_REF_EDGE   0x8000 /* to the last word, or to what follows */

struct ht_refs {
	uint32_t *first; /* nodes + 1 of them */
	uint32_t *to;
	uint16_t *at;
	size_t n, max;
	uint32_t kept;	 /* of this node and those behind nothing is kept */
	uint32_t second; /* from this node on `each` was called with second_ctx
			  */
	uint64_t unread; /* bytes of nodes that could not be read */
	/* address space of the three tables */
	size_t first_bytes, to_bytes, at_bytes;
};

#define HT_REFS_WINDOW ((size_t)256 << 10)

/* The first words of a node, as many as were read at once (at least four unless
 * the node is smaller); in the target's order. */
struct ht_node_words {
	const uint64_t *v;
	size_t n;
	bool any;   /* one of them is not 0 */
	bool leads; /* one of them may be an address in a node */
};

/* What else is to be made of the words of each node, in the same pass. */
typedef void ht_node_fn(void *ctx, const struct ht_node *node,
			const struct ht_node_words *words);

struct ht_refs_in {
	const struct ht_nodes *nodes;
	struct ht_reader *reader;
	size_t bytes_max; /* for all tables */
	uint64_t *window; /* HT_REFS_WINDOW bytes of scratch, the caller's */
	/* Which of a large root's pages are there; NULL: all of it is read. */
	struct ht_pages_source *pages;
	ht_node_fn *each; /* or NULL */
	void *each_ctx;
	/* The helper does the second half of the nodes at the same time, and
	 * calls `each` with this; NULL: one thread does all. */
	void *second_ctx;
	void (*progress)(void *ctx, uint64_t done,
			 uint64_t total); /* or NULL */
	void *progress_ctx;
};

enum ht_code ht_refs_make(const struct ht_refs_in *in, struct ht_refs *ret,
			  struct ht_err *err) HT_MUST_CHECK;
void ht_refs_fini(struct ht_refs *r);

/* The same without reading: nodes in order of their numbers, of each what it
 * may lead to, in order of the places in words. The first makes the tables. */
struct ht_refs_feed; /* opaque */
struct ht_refs_feed *ht_refs_feed_begin(const struct ht_refs_in *in,
					struct ht_refs *r, struct ht_err *err);
void ht_refs_feed(struct ht_refs_feed *f, uint32_t node, uint64_t value,
		  uint64_t word);
/* Of NULL too. */
void ht_refs_feed_end(struct ht_refs_feed *f);

/* Calls fn for each address in [start, end) that holds an address in a node:
 * roots. place: bytes from start; from: HT_NODE_NONE. Bytes that could not be
 * read are added to *unread. */
typedef void ht_ref_fn(void *ctx, uint32_t from, uint64_t place, uint32_t to,
		       enum ht_node_where where);
void ht_refs_scan(const struct ht_refs_in *in, uint64_t start, uint64_t end,
		  ht_ref_fn *fn, void *ctx, uint64_t *unread);
/* The same of nodes of which no references were kept, in order of their
 * numbers: those that lie near together are read at once. */
void ht_refs_scan_nodes(const struct ht_refs_in *in, const uint32_t *node,
			size_t n, ht_ref_fn *fn, void *ctx, uint64_t *unread);

#endif
