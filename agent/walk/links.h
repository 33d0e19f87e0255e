/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links: the free lists of one arena, followed in memory.
 *
 * Following a list in the target costs a system call per chunk and a list of
 * millions of chunks would take seconds. The linear pass meets every chunk
 * anyway: it leaves a compact record of each chunk that its neighbour calls
 * free and of each chunk that could be in a fastbin. Afterwards the lists are
 * followed from record to record, many at a time so that cache misses overlap.
 *
 * A chunk's place is its position: units of MALLOC_ALIGNMENT, counted through
 * all segments of the arena. Records are sorted by position because the pass
 * goes that way.
 */
#ifndef HT_AGENT_WALK_LINKS_H
#define HT_AGENT_WALK_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/walk/sizes.h"
#include "common/err.h"

/* A stretch of addresses that is walked: its chunks start at `first`. */
struct ht_segment {
	uint64_t start, end; /* what malloc counts: heap_info and all */
	uint64_t first;	     /* first chunk */
	uint32_t base;	     /* position of `first` */
};

/* What a link points to: 0 the end of a list, 1 + position of a chunk, or one
 * of these. */
#define HT_LINK_END    0u
#define HT_LINK_WILD   UINT32_MAX	      /* nothing that could be right */
#define HT_LINK_BIN(i) (UINT32_MAX - 1 - (i)) /* the header of bin i */
#define HT_LINK_MAX    (UINT32_MAX - 1 - HT_BINS) /* beyond any position */

/* A chunk, as small as it can be kept: there may be tens of millions. One
 * access to memory finds all of it. */
struct ht_record {
	uint32_t link; /* fd */
	uint8_t slot;  /* position % 256 */
	uint8_t mark;  /* list it was found in; HT_MARK_NONE */
	uint8_t from;  /* candidates that link to it; 255: as many or more. Of a
			  free one: the bin of its size */
};
#define HT_MARK_NONE 0xff

/* Records of one kind, sorted by position. */
struct ht_record_index {
	struct ht_record *v;
	size_t n;
	uint32_t *first; /* first record of each 256 positions */
	size_t granules;
};

/* What only free chunks have. */
struct ht_free_more {
	uint32_t back;	/* bk */
	uint32_t units; /* size */
};

enum ht_link_table {
	HT_TABLE_FREE,
	HT_TABLE_FREE_FIRST,
	HT_TABLE_FAST,
	HT_TABLE_FAST_FIRST,
	HT_TABLE_MORE,
	HT_LINK_TABLES,
};

struct ht_links {
	const struct ht_layout *layout;	  /* borrowed */
	const struct ht_segment *segment; /* borrowed, sorted */
	size_t segments;
	uint64_t low, span; /* all of them lie in [low, low + span) */
	uint64_t bins;	/* address of the header of bin 0 (has no storage) */
	unsigned shift; /* log2 of a unit */
	struct ht_record_index free; /* chunks their neighbour calls free */
	struct ht_free_more *more;   /* of each of them */
	struct ht_record_index
		fast;		     /* chunks that could be in a fastbin;
					mark: fastbin of their size | HT_FAST_CANDIDATE */
	uint64_t units_all;	     /* of all segments */
	size_t size[HT_LINK_TABLES]; /* address space of each */
	bool whole_is_one;	     /* they lie side by side in one mapping, */
	void *whole;		     /* this one: a call of the kernel, not */
	size_t whole_size;	     /* five, for each arena */
	size_t bytes, bytes_max;     /* memory of all tables */
	bool full;		     /* not every record found room */
	uint64_t key;		     /* of this process of ours alone */
	/* Hashes of (chunk, fd) less those of (bk, chunk), of all free ones. */
	uint64_t pairs;
};
#define HT_FAST_CANDIDATE 0x80 /* not (yet) found in the list */

/* segment and layout are borrowed until fini. Gives each segment its base. */
void ht_links_init(struct ht_links *l, const struct ht_layout *layout,
		   uint64_t arena, struct ht_segment *segment, size_t segments,
		   size_t bytes_max);
void ht_links_fini(struct ht_links *l);

/* The segment that a chunk would lie in, or NULL. By halving without branches:
 * which way to go cannot be predicted. */
static inline const struct ht_segment *
ht_links_segment(const struct ht_links *l, uint64_t chunk)
{
	const struct ht_segment *s = l->segment;
	size_t n = l->segments;

	while (n > 1) {
		size_t half = n / 2;

		s += s[half].first <= chunk ? half : 0;
		n -= half;
	}
	return n == 1 && s->first <= chunk && chunk < s->end ? s : NULL;
}

/* What the address of a chunk (or bin header) is as a link. */
static inline uint32_t ht_links_encode(const struct ht_links *l, uint64_t chunk)
{
	/* shifts: a division would take longer than all the rest */
	const unsigned pair_shift = l->layout->word == 8 ? 4 : 3;
	const struct ht_segment *s;
	uint64_t bin = chunk - l->bins;

	if (bin >> pair_shift <= HT_BINS && !(bin & ((1u << pair_shift) - 1)))
		return HT_LINK_BIN((uint32_t)(bin >> pair_shift));
	s = chunk - l->low < l->span ? ht_links_segment(l, chunk) : NULL;
	if (!s || s->base == HT_LINK_MAX ||
	    (chunk - s->first) & (((uint64_t)1 << l->shift) - 1))
		return HT_LINK_WILD;
	return 1 + s->base + (uint32_t)((chunk - s->first) >> l->shift);
}

uint64_t ht_links_address(const struct ht_links *l, uint32_t position);

#define HT_GRANULE_SHIFT 8 /* positions of one directory entry: 256 */

/* The records of one granule. */
struct ht_granule {
	struct ht_record *v;
	size_t n;
};

/* Empty beyond the directory. */
static inline __attribute__((always_inline)) struct ht_granule
ht_granule_of(const struct ht_record_index *x, size_t granule)
{
	size_t first;

	if (granule >= x->granules)
		return (struct ht_granule){NULL, 0};
	first = x->first[granule];
	return (struct ht_granule){
		x->v + first,
		(granule + 1 < x->granules ? x->first[granule + 1] : x->n) -
			first};
}

/* Where the record of a position is if they lie evenly, as they nearly do: in
 * the same line of the cache, as a rule. Not of an empty granule. */
static inline __attribute__((always_inline)) struct ht_record *
ht_granule_guess(const struct ht_granule *g, uint32_t position)
{
	return g->v + (g->n * (uint8_t)position >> HT_GRANULE_SHIFT);
}

/* The record of the position: from where it should be, up or down. */
static inline struct ht_record *ht_record_find(const struct ht_record_index *x,
					       uint32_t position)
{
	const struct ht_granule g =
		ht_granule_of(x, position >> HT_GRANULE_SHIFT);
	const uint8_t slot = (uint8_t)position;
	struct ht_record *r;

	if (g.n == 0)
		return NULL;
	r = ht_granule_guess(&g, position);
	while (r->slot > slot && r > g.v)
		r--;
	while (r->slot < slot && r + 1 < g.v + g.n)
		r++;
	return r->slot == slot ? r : NULL;
}

/* Following a link waits twice for memory: for the directory, then for the
 * record. These ask for one of them, so that others can go on meanwhile. Always
 * inline: to gcc a function that only prefetches is pure, and its call goes. */
#define HT_FETCH static inline __attribute__((always_inline)) void
HT_FETCH ht_fetch_directory(const struct ht_record_index *x, uint32_t link)
{
	size_t granule = (link - 1) >> HT_GRANULE_SHIFT;

	if (granule < x->granules)
		__builtin_prefetch(x->first + granule);
}

HT_FETCH ht_fetch_records(const struct ht_record_index *x, uint32_t link)
{
	const struct ht_granule g =
		ht_granule_of(x, (link - 1) >> HT_GRANULE_SHIFT);

	if (g.n)
		__builtin_prefetch(ht_granule_guess(&g, link - 1));
}

/* Position of the i-th record. */
uint32_t ht_record_position(const struct ht_record_index *x, size_t i);

static inline void ht_record_append(struct ht_record_index *x,
				    uint32_t position, uint32_t link,
				    uint8_t mark, unsigned from)
{
	while (x->granules <= position >> HT_GRANULE_SHIFT)
		x->first[x->granules++] = (uint32_t)x->n;
	x->v[x->n++] = (struct ht_record){link, (uint8_t)position, mark,
					  (uint8_t)from};
}

/* Of two links, in this order: the finalizer of MurmurHash3 (A. Appleby), of
 * what no target knows. */
static inline uint64_t ht_pair_hash(uint64_t key, uint32_t from, uint32_t to)
{
	uint64_t x = ((uint64_t)from << 32 | to) ^ key;

	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

/* Positions must rise from call to call. */
void ht_links_add_free(struct ht_links *l, uint32_t position, uint32_t units,
		       uint32_t fd, uint32_t bk);
/* The same in two steps, for many: whether n more find room, the last of them
 * at this position; then each, with the bin of its size. */
bool ht_links_spend_free(struct ht_links *l, size_t n, uint32_t last);
static inline void ht_links_put_free(struct ht_links *l, uint32_t position,
				     const struct ht_free_more *more,
				     uint32_t fd, unsigned bin)
{
	ht_record_append(&l->free, position, fd, HT_MARK_NONE, bin);
	l->more[l->free.n - 1] = *more;
	l->pairs += ht_pair_hash(l->key, 1 + position, fd) -
		    ht_pair_hash(l->key, more->back, 1 + position);
}
/* A batch of fastbin candidates: position, link and fastbin index of each. */
struct ht_fast_candidate {
	uint32_t position, link;
	uint32_t index;
};
void ht_links_add_fast(struct ht_links *l, const struct ht_fast_candidate *c,
		       size_t n);

/* Whether there may be no room for the records of another window. */
bool ht_links_pressed(const struct ht_links *l);
/* Forgets all records. The next positions may be any that are higher. */
void ht_links_clear(struct ht_links *l);
/* Appends all records of `from`, of the same segments and behind those of `l`,
 * and ends it: table by table, so that few are there twice. false: there is no
 * room for them, nothing was changed. */
bool ht_links_append(struct ht_links *l, struct ht_links *from);

/* What was found in one list. */
struct ht_list_count {
	uint64_t chunks, bytes;
};

enum ht_list_fault {
	HT_LIST_SOUND,
	HT_LIST_WILD,	  /* a link to nothing that could be right */
	HT_LIST_NOT_FREE, /* a link to what is no free chunk */
	HT_LIST_LOOP,	  /* a chunk that is in a list already */
	HT_LIST_BACK,	  /* bk does not point back */
	HT_LIST_SIZE,	  /* a chunk whose size belongs elsewhere */
};

/* A list to follow: where it starts, what came of it. */
struct ht_list {
	uint32_t head, tail; /* links; tail: the header's bk (bins only) */
	uint8_t bin;	     /* bin 1..126, or fastbin index */
	struct ht_list_count count;
	enum ht_list_fault fault;
	uint32_t fault_at; /* position, or HT_LINK_MAX: in the header */
	/* while following */
	uint32_t next, previous;
};

/* true: every free chunk is in one of them, and none was marked; false: those
 * that are have its mark. */
bool ht_links_follow_bins(struct ht_links *l, struct ht_list *lists, size_t n);
/* pieces.c: the same, sooner, for arenas of many free chunks whose lists are
 * all sound. false: nothing was concluded. */
bool ht_links_join_bins(struct ht_links *l, struct ht_list *lists, size_t n);
/* One fastbin from its head on, whatever it is. */
void ht_links_follow_fastbin(struct ht_links *l, struct ht_list *list);
/* membership.c, before: a chunk that a thread cache holds, as far as is known.
 */
void ht_links_note_cached(struct ht_links *l, uint64_t chunk);
/* membership.c: all fastbins, without following those that are sound. */
void ht_links_settle_fastbins(struct ht_links *l, struct ht_list *lists,
			      size_t n);

#endif
