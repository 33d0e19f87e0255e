/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A heap made of bytes: a main arena in brk, a thread arena of two heaps, a
 * thread cache and two mmapped chunks, laid out as one glibc release does, with
 * what the walk must find in it. Offsets come from the tests' own structs
 * (malloc_structs.h), not from the walker's tables.
 */
#ifndef HT_TESTS_FAKEHEAP_H
#define HT_TESTS_FAKEHEAP_H

#include "agent/libc/facts.h"
#include "agent/libc/layout.h"
#include "agent/memory/maps.h"
#include "agent/memory/reader_image.h"
#include "agent/walk/walk.h"

/* One release's offsets. */
struct family {
	unsigned since; /* glibc 2.since */
	unsigned align, fastbins;
	size_t at_fast, size_arena, at_top, at_bins, at_next, at_system,
		at_max_system;
	size_t size_heap;
	size_t at_n_mmaps, at_mmapped_mem, at_sbrk_base, at_tcache_count;
	size_t size_tcache, at_entries;
	unsigned counters; /* 0 no tcache, 1 char, 2 uint16, 3 num_slots */
};

/* The same for what a vendor's backports made of a release. */
struct vendor {
	const char *name; /* as ht_layout_vendor() knows it */
	struct family f;
};

/* The family of a release, for words of 8 or 4 bytes. */
const struct family *fake_family(unsigned minor, unsigned word);

#define FAKE_PART (256 * 1024)
enum { FAKE_LIBC, FAKE_BRK, FAKE_HEAP_1, FAKE_HEAP_2, FAKE_MMAP, FAKE_PARTS };

struct fake {
	unsigned minor, word;
	bool safe_linking;
	bool moving; /* walk as if it ran meanwhile */
	const struct family *f;
	struct ht_layout layout; /* the walker's own */
	uint8_t *bytes[FAKE_PARTS];
	struct ht_image_part part[FAKE_PARTS];
	struct ht_image image;
	struct ht_maps maps;
	struct ht_reader reader;
	struct ht_pages_source pages;
	struct ht_located located;
	struct ht_thread_state thread;
	uint64_t main_arena, mp, arena; /* arena: the thread arena */
	/* Chunks to spoil: addresses. */
	uint64_t in_use, small_free, large_free, unsorted, fast, cached, top;
	/* What is in each of the two arenas. */
	struct {
		uint64_t system, in_use, in_use_chunks, tcache, fastbin,
			unsorted, small, large, top;
	} want[2];
	uint64_t want_mmapped, want_mmapped_chunks;
};

/* HT_UNSUPPORTED when the walker has no layout for the release. */
enum ht_code fake_build(struct fake *k, unsigned minor, unsigned word,
			struct ht_err *err);
/* A vendor's libc; some came to safe-linking by an update of their 2.28. */
enum ht_code fake_build_vendor(struct fake *k, const char *name, unsigned word,
			       bool safe_linking, struct ht_err *err);
/* A release that no table knows; `facts` is what its symbols and its debug
 * information say (addresses are the target's: the bias is 0). The layout to
 * walk it by is left to the caller: located.malloc[0].layout. */
enum ht_code fake_build_next(struct fake *k, unsigned word,
			     struct ht_facts *facts, struct ht_err *err);
void fake_free(struct fake *k);
/* A word of the image, to be spoiled or looked at. */
void fake_put(struct fake *k, uint64_t addr, uint64_t value);
uint64_t fake_get(const struct fake *k, uint64_t addr);
/* For fuzzing: 12 bytes spoil one word (where: part and offset; what: 8 bytes).
 */
void fake_spoil(struct fake *k, const uint8_t *patch);
/* roots and walk. */
enum ht_code fake_walk(struct fake *k, struct ht_snapshot *ret,
		       struct ht_err *err);

/* The same, and what the chunks are to each other: leaks, types, owners. 64
 * bits only. memory_max: as in ht_graph_in. */
enum ht_code fake_graph(struct fake *k, uint64_t memory_max,
			struct ht_snapshot *ret,
			struct ht_err *err) HT_MUST_CHECK;

#endif
