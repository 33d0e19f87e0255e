/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request: what a parent may ask its agent for. One request record, then the
 * agent answers with one snapshot or one error (wire.h), then waits for the
 * next request or ends when the socket closes.
 */
#ifndef HT_LINK_REQUEST_H
#define HT_LINK_REQUEST_H

#include <stdint.h>

enum ht_request_flag {
	HT_WANT_PSS = 1 << 0,	   /* PSS and USS, if max_pause_us is enough:
				      the target's mmap and brk wait */
	HT_WANT_BINS = 1 << 1,	   /* per-bin rows */
	HT_WANT_CLASSES = 1 << 2,  /* size classes */
	HT_WANT_MAPPINGS = 1 << 3, /* what lies outside malloc */
	HT_WANT_THREADS = 1 << 4,  /* per-thread rows */
	HT_WANT_HEAPS = 1 << 5,	   /* per-heap rows */
	HT_WANT_ALL = (1 << 6) - 1,
	HT_NO_DEBUG_INFO =
		1 << 6, /* locate by structure even if symbols are there */
	HT_LAST_REQUEST = 1 << 7, /* drop every privilege before the walk */
	HT_PSS_ANYHOW = 1 << 8,	  /* HT_WANT_PSS, however long it takes */
	/* Of a frozen copy or a core file: what nothing leads to, what chunks
	 * are, what holds them. */
	HT_WANT_LEAKS = 1 << 9,
	HT_WANT_TYPES = 1 << 10,
	HT_WANT_OWNERS = 1 << 11,
	HT_WANT_GRAPH = HT_WANT_LEAKS | HT_WANT_TYPES | HT_WANT_OWNERS,
	HT_TRIM = 1 << 12,     /* and a forecast of malloc_trim(0): trim.h */
	HT_TRIM_NOW = 1 << 13, /* HT_TRIM, and have it called: the snapshot
				  is of after */
	/* Who allocates: what is known by now of the sites that were seen.
	 * Asked for again and again of one agent, which keeps the samples. */
	HT_WHO = 1 << 14,
	HT_WHO_WINDOW = 1 << 15,   /* HT_WHO, and look at calls first */
	HT_WHO_LINES = 1 << 16,	   /* HT_WHO, with files, lines and what was
				      inlined: takes a while */
	HT_LOOK_LIGHTLY = 1 << 17, /* what malloc keeps, not every chunk */
	HT_TRIM_SOON = 1 << 18, /* HT_TRIM, and HT_TRIM_NOW follows: threads may
				   be touched */
	HT_RETAINED = 1 << 19,	/* HT_WANT_OWNERS: and retained sizes */
	HT_BY_ARENA = 1 << 20,	/* HT_WANT_TYPES: of each arena */
	/* HT_WHO: by who is the first to write to pages of the heap, not by
	 * calls of malloc; or so where these cannot be seen. */
	HT_WHO_GROWTH = 1 << 21,
	HT_WHO_GROWTH_LAST = 1 << 22,
};

/* For HT_WANT_GRAPH there is no other mode to ask in: a thread that can be
 * used, and may sleep nearly always, is waited for. */
#define HT_GRAPH_ATTEMPTS 400

struct ht_request {
	uint64_t mode;	       /* enum ht_mode */
	uint64_t max_pause_us; /* HT_MODE_BOUNDED: never stopped for longer */
	uint64_t timeout_ms;   /* whole measurement; the agent's own alarm */
	uint64_t flags;	       /* enum ht_request_flag */
	uint64_t attempts; /* stops before giving up on a thread in malloc */
	uint64_t size;	   /* HT_WANT_OWNERS, HT_WHO: of chunks of this size; 0:
			    * of the largest classes, of all */
	uint64_t memory_max;  /* HT_WANT_GRAPH: bytes the agent may take; 0: 256
			       * MiB */
	uint64_t max_hold_us; /* HT_TRIM_NOW: no arena locked for longer */
	uint64_t window_us;   /* HT_WHO_WINDOW: for so long at most */
	uint64_t window_hits; /* ... and for so many calls */
	uint64_t slice_max;   /* HT_LOOK_LIGHTLY: and walk so many bytes of the
			       * heap, behind those of the look before; not
			       * lightly: and remember for such looks */
	uint64_t chunks_max;  /* HT_LOOK_LIGHTLY: and go to so many free chunks
			       * of bins; 0: 2^20 */
};

#define HT_REQUEST_DEFAULT                                                     \
	((struct ht_request){HT_MODE_NONE, 2000, 30000, HT_WANT_ALL, 20, 0, 0, \
			     100000, 250000, 200, 0, 0})

#endif
