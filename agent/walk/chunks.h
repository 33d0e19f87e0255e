/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks: the linear pass over a segment, from boundary tag to boundary tag.
 *
 * The hot loop of heaptide: it meets every chunk once, counts what looks in use
 * by size, and leaves records for links.h. It follows sizes as long as they can
 * be true and stops where they cannot; the caller decides what that means (top,
 * fencepost, corruption).
 */
#ifndef HT_AGENT_WALK_CHUNKS_H
#define HT_AGENT_WALK_CHUNKS_H

#include "agent/walk/links.h"
#include "agent/walk/marks.h"
#include "agent/walk/teller.h"
#include "agent/walk/view.h"

/* A chunk in a thread cache. */
struct ht_cached {
	uint64_t chunk;
	uint64_t size; /* as its list says; in a walk 0 until the pass met it */
	int tid;       /* of the thread in whose cache it is */
};

enum ht_pass_end {
	HT_PASS_DONE,	    /* reached `stop` */
	HT_PASS_SIZE,	    /* the chunk at `at` has a size that cannot be */
	HT_PASS_FULL,	    /* the tables must be emptied before it goes on */
	HT_PASS_UNREADABLE, /* the header at `at` cannot be read */
};

#define HT_CHECKPOINTS 64

struct ht_pass {
	/* set by the caller; borrowed */
	const struct ht_layout *layout;
	struct ht_view *window;
	struct ht_links *links;
	struct ht_cached *cached; /* sorted; those of this segment */
	size_t cached_n;
	uint64_t first; /* address of position base */
	uint32_t base;	/* position of `first` */
	uint64_t stop;	/* where the pass ends: top, or the segment's end */
	uint64_t limit; /* chunks of the segment lie below; stop or beyond */
	uint64_t fast_sizes; /* bit size / 8: that fastbin is not empty */
	bool safe_linking;
	uint64_t mark; /* HT_NON_MAIN_ARENA where all in use have it, or 0 */
	struct ht_marked *marked;  /* to mark each chunk in; NULL: none */
	struct ht_teller *teller;  /* to show each block to, or NULL */
	struct ht_gone_chunk *met; /* behind the last that it is shown */

	/* where it is */
	uint64_t at;	   /* the chunk that comes next */
	uint64_t previous; /* the one before it; 0: none yet */
	uint64_t previous_word;

	/* what it found */
	struct ht_class_count *in_use; /* HT_CLASSES; what looks in use */
	struct ht_class_count
		*binned;	/* HT_BINS + 1; free chunks by their size */
	uint64_t footers_bad;	/* free chunks whose footer is not their size */
	uint64_t footer_bad_at; /* the first of them */
	uint64_t flags_bad;	/* free chunks behind a free chunk */
	uint64_t flags_bad_at;
	uint64_t marks_bad; /* in use without `mark`, or free and not 0 */
	uint64_t mark_bad_at;
	uint64_t checkpoint[HT_CHECKPOINTS]; /* ring: a chunk in each block */
	size_t checkpoints;		     /* ever taken */
};

/* From `at` on, until one of the ends above; `at` says where. */
enum ht_pass_end ht_pass_run(struct ht_pass *p);

#endif
