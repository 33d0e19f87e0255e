/* SPDX-License-Identifier: Apache-2.0 */
/* Records of `heaptide who`, field by field, for schema/records.h, which says
 * what the lists are. */
#ifndef HT_SCHEMA_RECORDS_WHO_H
#define HT_SCHEMA_RECORDS_WHO_H

/* By which links of the kernel calls of malloc were seen; growth: by none, but
 * who was the first to write to pages of the heap. */
/* clang-format off */
#define HT_WAY_NAMES(X)                                                 \
	X(SESSION, "session")                                           \
	X(UPROBE_MULTI, "uprobe_multi")                                 \
	X(PERF, "perf")                                                 \
	X(GROWTH, "growth")
/* clang-format on */

/* Who allocates: `heaptide who` alone asks for these. What was seen in all
 * windows so far, one row. */
#define HT_WINDOWS_FIELDS(F)                                                   \
	F(ENUM, way, ht_way_names,                                             \
	  "by which links of the kernel, or by growth")                        \
	F(U64, windows, 0, "how often calls of malloc were looked at")         \
	F(U64, armed_us, 0, "for how long in all")                             \
	F(U64, hits, 0, "calls that came by then")                             \
	F(U64, samples, 0, "of them, of the size asked for: followed")         \
	F(U64, lost, 0, "for which there was no room")                         \
	F(U64, cut, 0, "whose stack was not unwound to its outermost frame")   \
	F(U64, followed_us, 0, "first window to the last look at the chunks")  \
	F(U64, more_sites, 0, "samples of sites for which there was no room")  \
	F(U64, seen, 0, "stacks that were taken, of whatever calls or writes")

/* A site: one call stack that asks for memory. Its samples are chunks, alive,
 * freed, or not known to be either. Old: taken in the first half of the time.
 */
#define HT_SITE_FIELDS(F)                                                      \
	F(U64, samples, 0, "chunks that it was seen to take")                  \
	F(U64, alive, 0, "of them, those still there, with what they held")    \
	F(U64, freed, 0, "of them, those that were given back")                \
	F(U64, unknown, 0,                                                     \
	  "there is a chunk; whether the same cannot be said")                 \
	F(U64, moved, 0, "of them, those that realloc may have moved")         \
	F(U64, bytes, 0, "of the samples; realloc: what it added")             \
	F(U64, alive_bytes, 0, "of those alive")                               \
	F(U64, min_size, 0, "size class of the smallest")                      \
	F(U64, max_size, 0, "size class of the largest; 0: mmapped")           \
	F(U64, old_samples, 0, "samples of the first half of the time")        \
	F(U64, old_alive, 0, "of them, those alive")                           \
	F(U64, old_freed, 0, "of them, those freed")                           \
	F(BOOL, whole, 0, "its stack reaches the outermost frame")             \
	F(BOOL, growing, 0,                                                    \
	  "what realloc makes of its chunks becomes larger and larger")

/* The samples of a site by size class, as they are by now: realloc lets chunks
 * grow. */
#define HT_SITE_SIZE_FIELDS(F)                                                 \
	F(U64, site, 0, "row of the list of sites")                            \
	F(U64, max_size, 0, "largest chunk size of the class; 0: mmapped")     \
	F(U64, bytes, 0, "of the samples")                                     \
	F(U64, old_samples, 0, "samples of the first half of the time")        \
	F(U64, old_alive, 0, "of them, those alive")                           \
	F(U64, old_freed, 0, "of them, those freed")                           \
	F(U64, old_rewritten, 0,                                               \
	  "of the freed, those that hold something else, and nothing else says that they were freed")

/* A frame of a site, innermost first. Functions that were inlined at the place
 * of a call have frames of their own, of the same module and offset. */
#define HT_STACK_FRAME_FIELDS(F)                                               \
	F(U64, site, 0, "row of the list of sites")                            \
	F(TEXT, function, 256, "mangled on the wire; empty: it has no name")   \
	F(TEXT, module, 128, "the file it is in; empty: in none")              \
	F(U64, offset, 0, "of the call, an address in the file")               \
	F(U64, within, 0, "bytes from the function's start")                   \
	F(TEXT, file, 256, "of the source; empty: nothing tells")              \
	F(U64, line, 0, "of the source")                                       \
	F(BOOL, inlined, 0, "it was inlined into the next frame's function")

#endif
