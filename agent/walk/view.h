/* SPDX-License-Identifier: Apache-2.0 */
/*
 * View: a moving window on one segment of target memory, read in blocks that
 * stay in the processor's cache. Page states are asked first: pages that were
 * never touched read as zero without being read, swapped pages and those that
 * are withheld (vmflags.h) end the window.
 */
#ifndef HT_AGENT_WALK_VIEW_H
#define HT_AGENT_WALK_VIEW_H

#include "agent/memory/pages.h"
#include "agent/memory/reader.h"

#define HT_VIEW_MAX ((size_t)256 << 10)
/* Of a small heap: no mapping of its own for it at each look. */
#define HT_VIEW_SMALL	   ((size_t)32 << 10)
#define HT_VIEW_SMALL_HEAP ((uint64_t)1 << 20)

struct ht_view {
	struct ht_reader *reader;     /* borrowed */
	const struct ht_pages *pages; /* borrowed; of the whole segment */
	uint64_t limit;		      /* never read at or beyond this address */
	uint64_t start, end;	      /* what is in the buffer now */
	uint8_t *buf;		      /* of `max` bytes */
	size_t max;
	size_t block; /* bytes of the next read */
	bool swapped; /* the last one ended at a page that is swapped out since
		       */
};

/* buf is owned by the window; HT_NOMEM only. heap: bytes that it will go over.
 */
enum ht_code ht_view_init(struct ht_view *w, struct ht_reader *reader,
			  uint64_t heap, struct ht_err *err) HT_MUST_CHECK;
void ht_view_fini(struct ht_view *w);
/* Moves on to another segment; nothing is in the buffer then. */
void ht_view_segment(struct ht_view *w, const struct ht_pages *pages,
		     uint64_t limit);

/* Reads on from addr's page. false when not even `need` (at most a page) bytes
 * from addr on can be had. */
bool ht_view_load(struct ht_view *w, uint64_t addr, size_t need);
/* The same, but what is there is used if it suffices. */
static inline bool ht_view_have(struct ht_view *w, uint64_t addr, size_t need)
{
	if (addr >= w->start && addr < w->end && w->end - addr >= need)
		return true;
	return ht_view_load(w, addr, need);
}

/* Bytes at addr, which must be in the window. */
static inline const uint8_t *ht_view_at(const struct ht_view *w, uint64_t addr)
{
	return w->buf + (addr - w->start);
}

#endif
