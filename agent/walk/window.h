/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Window: a moving view of one segment of target memory, read in blocks that
 * stay in the processor's cache. Page states are asked first: pages that were
 * never touched read as zero without being read, swapped pages end the window.
 */
#ifndef HT_AGENT_WALK_WINDOW_H
#define HT_AGENT_WALK_WINDOW_H

#include "agent/memory/pages.h"
#include "agent/memory/reader.h"

#define HT_WINDOW_MAX ((size_t)256 << 10)

struct ht_window {
	struct ht_reader *reader;     /* borrowed */
	const struct ht_pages *pages; /* borrowed; of the whole segment */
	uint64_t limit;		      /* never read at or beyond this address */
	uint64_t start, end;	      /* what is in the buffer now */
	uint8_t *buf;		      /* HT_WINDOW_MAX bytes */
	size_t block;		      /* bytes of the next read */
};

/* buf is owned by the window; HT_NOMEM only. */
enum ht_code ht_window_init(struct ht_window *w, struct ht_reader *reader,
			    struct ht_err *err) HT_MUST_CHECK;
void ht_window_fini(struct ht_window *w);
/* Moves on to another segment; nothing is in the buffer then. */
void ht_window_segment(struct ht_window *w, const struct ht_pages *pages,
		       uint64_t limit);

/* Reads on from addr's page. false when not even `need` (at most a page) bytes
 * from addr on can be had. */
bool ht_window_load(struct ht_window *w, uint64_t addr, size_t need);
/* The same, but what is there is used if it suffices. */
static inline bool ht_window_have(struct ht_window *w, uint64_t addr,
				  size_t need)
{
	if (addr >= w->start && addr < w->end && w->end - addr >= need)
		return true;
	return ht_window_load(w, addr, need);
}

/* Bytes at addr, which must be in the window. */
static inline const uint8_t *ht_window_at(const struct ht_window *w,
					  uint64_t addr)
{
	return w->buf + (addr - w->start);
}

#endif
