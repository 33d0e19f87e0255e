/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling: what each chunk is, as far as its own words say, told while the walk
 * has them at hand (agent/walk/teller.h), so that no byte is read twice.
 *
 * When a chunk is met nobody knows yet where all others are, nor whether it is
 * in a bin after all. So three things are kept:
 *
 *   codes   of a chunk that leads nowhere that counts: its type and what it
 *           looks like, two bytes each, in order; they are summed up at once
 *   rows    of one that does: its words that may be addresses in chunks
 *   stretches   which of them, in order of addresses, are whose: each of two
 *           threads has tables of its own
 *
 * What found no room is told of as not told, and is read again (told.c).
 */
#ifndef HT_AGENT_GRAPH_TELLING_H
#define HT_AGENT_GRAPH_TELLING_H

#include "agent/graph/types.h"
#include "agent/memory/maps.h"
#include "agent/walk/ranges.h"
#include "agent/walk/teller.h"

/* A code: the number of a type, and in its lowest two bits what it looks like.
 */
#define HT_CODE_PLAIN 0u
#define HT_CODE_TEXT  1u
#define HT_CODE_ZEROS 2u
#define HT_CODES      (HT_TYPES_MAX << 2)

struct ht_told_sum {
	uint64_t chunks, bytes;
};

/*
 * A row: chunk << 16 | code, then as many words as there are: an address that
 * may lie in a chunk << 16 | where in the row's own it stands, as in ht_refs;
 * the last one with HT_ROW_LAST. With HT_ROW_BUFFER it is one that sizes stand
 * behind, and one more word says in units of 16 how large the chunk is if that
 * is a string's (above) and a vector's (below).
 */
#define HT_ROW_BUFFER 0x8000u
#define HT_ROW_LAST   0x4000u
/* Of a row of n words of a chunk at most. */
#define HT_ROW_MAX(n) (1 + 3 * (size_t)(n))

struct ht_told_stretch {
	uint64_t start; /* address */
	unsigned by;
	size_t code, row; /* where its own begin */
	size_t codes, rows;
};

/* What one thread told. */
struct ht_told_by {
	const struct ht_ranges *heaps;
	struct ht_range last; /* of heaps; the one that was asked for last */
	struct ht_types types;
	struct ht_reader reader; /* the helper's: a twin */
	uint16_t *code;
	size_t codes, codes_max;
	uint64_t *row;
	size_t rows, rows_max; /* words */
	struct ht_told_stretch *stretch;
	size_t stretches, capacity;
	struct ht_told_sum **sum; /* by arena, or all in one; of each code */
	size_t sums;
	bool by_arena;
	bool lost;	     /* no memory for what must be kept */
	const uint64_t *map; /* whose bits are set now */
	uint64_t from;	     /* in words of the map: none before is ours */
};

struct ht_telling {
	struct ht_teller teller[2];
	struct ht_told_by by[2];
	struct ht_ranges heaps; /* where chunks may lie; sorted, disjoint */
	size_t codes_bytes, rows_bytes;
};

struct ht_telling_in {
	const struct ht_maps *maps;
	const struct ht_modules *modules;
	const struct ht_located *located;
	struct ht_reader *reader;
	uint64_t memory_max; /* of which it takes five eighths at most */
	bool by_arena;
};

/* NULL: no memory; then nothing is told, and all is read again. */
struct ht_telling *ht_telling_begin(const struct ht_telling_in *in);
void ht_telling_end(struct ht_telling *t);
/* Memory that it keeps: rows give way to what is made of them. Of NULL 0. */
uint64_t ht_telling_bytes(const struct ht_telling *t);
/* Whether all that was told may be used, with chunks where these nodes are. */
bool ht_telling_holds(const struct ht_telling *t, const struct ht_nodes *n);
/* All stretches in order of their addresses; to be freed. NULL: no memory. */
struct ht_told_stretch *ht_telling_stretches(struct ht_telling *t,
					     size_t *ret_n);

/* Whether an address may lie in a chunk. */
bool ht_told_may_lead(struct ht_told_by *t, uint64_t value);
/* Makes the row of a chunk of which w are the first n words, and has room for
 * HT_ROW_MAX(n). Returns its words; 0: it leads nowhere that counts. */
size_t ht_told_row(struct ht_told_by *t, uint64_t chunk, uint64_t size,
		   unsigned code, const uint64_t *w, size_t n, uint64_t *row);
/* The next word of a row, from behind its head on; the first time *at is 0.
 * false: no more. */
bool ht_row_next(const uint64_t *row, size_t *at, uint64_t *ret);
size_t ht_row_length(const uint64_t *row);
/* The code of these words; chunk-wide ones: whole. Counts the type. */
unsigned ht_told_code(struct ht_told_by *t, const uint64_t *w, size_t n,
		      bool whole);

#endif
