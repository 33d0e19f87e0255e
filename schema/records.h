/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records: what one look at a process yields, field by field.
 *
 * Each record is one list of F(type, name, arg, doc). From that one list come
 * the C struct, the wire form (wire.c), the JSON keys (snapshot_json.c) and the
 * field reference in the docs, so that they cannot drift apart. Lists only
 * grow: JSON keys are a contract; the wire carries HT_WIRE_VERSION.
 *
 * Types: U64 count or bytes; HEX target address; TIME wall clock, int64_t ns;
 * F64 ratio (NaN: unknown); BOOL; ENUM small number, arg names its table of
 * names; TEXT char[arg], NUL-terminated.
 * All but TEXT take 8 bytes. HT_UNKNOWN in a U64, HEX, BOOL or ENUM means "not
 * read" and becomes null; it is never turned into 0.
 */
#ifndef HT_SCHEMA_RECORDS_H
#define HT_SCHEMA_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#include "schema/records_look.h"
#include "schema/records_who.h"

#define HT_UNKNOWN UINT64_MAX

/* Tables of names: X(CONSTANT, "json name"). */
/* clang-format off */
#define HT_LIVE_MODE_NAMES(X) /* of a process */                        \
	X(NONE, "none")                                                 \
	X(BOUNDED, "bounded")                                           \
	X(EXACT, "exact")                                               \
	X(SNAPSHOT, "snapshot")
#define HT_MODE_NAMES(X) HT_LIVE_MODE_NAMES(X) X(CORE, "core")
/* clang-format on */
#define HT_ARENA_KIND_NAMES(X) X(MAIN, "main") X(THREAD, "thread")
/* clang-format off */
#define HT_BIN_KIND_NAMES(X)                                            \
	X(FAST, "fast")                                                 \
	X(UNSORTED, "unsorted")                                         \
	X(SMALL, "small")                                               \
	X(LARGE, "large")
#define HT_CAUSE_NAMES(X)                                               \
	X(FILE, "file")                                                 \
	X(STACK, "stack")                                               \
	X(ANON_OTHER, "anon_other")                                     \
	X(SHMEM, "shmem")                                               \
	X(HEAP_IN_USE, "heap_in_use")                                   \
	X(HEAP_OVERHEAD, "heap_overhead")                               \
	X(MMAPPED_CHUNKS, "mmapped_chunks")                             \
	X(TRIMMABLE, "trimmable")                                       \
	X(TOP_MAIN, "top_main")                                         \
	X(TOP_THREAD, "top_thread")                                     \
	X(TCACHE, "tcache")                                             \
	X(SUB_PAGE, "sub_page")                                         \
	X(LOCKED, "locked")
/* clang-format on */
/* What a mapping outside malloc is; names the culprit of non-malloc growth. */
/* clang-format off */
#define HT_MAPPING_KIND_NAMES(X)                                        \
	X(FILE_CLEAN, "file")                                           \
	X(FILE_PRIVATE, "file_private")                                 \
	X(BSS, "bss")                                                   \
	X(STACK, "stack")                                               \
	X(THREAD_STACK, "thread_stack")                                 \
	X(ANON, "anon")                                                 \
	X(SHMEM, "shmem")                                               \
	X(HUGETLB, "hugetlb")                                           \
	X(BRK_OTHER, "brk_other")                                       \
	X(SPECIAL, "special")                                           \
	X(ENDED_STACK, "ended_stack")
/* clang-format on */
/* What keeps figures unknown. */
/* clang-format off */
#define HT_WHY_NAMES(X)                                                 \
	X(PAGEMAP, "pagemap")                                           \
	X(PROC, "proc")                                                 \
	X(ALLOCATOR, "allocator")                                       \
	X(LAYOUT, "layout")                                             \
	X(COST, "cost")                                                 \
	X(CORE, "core")                                                 \
	X(COPY, "copy")                                                 \
	X(CGROUP, "cgroup")
/* clang-format on */

/* What a type was told by, and what holds a chunk. */
/* clang-format off */
#define HT_TYPE_KIND_NAMES(X)                                           \
	X(CLASS, "class")                                               \
	X(STATIC, "static")                                             \
	X(CONTAINER, "container")                                       \
	X(STRING, "string")                                             \
	X(NODE, "node")                                                 \
	X(ARRAY, "array")                                               \
	X(TEXT, "text")                                                 \
	X(ZEROS, "zeros")                                               \
	X(HELD, "held")
#define HT_HOLDER_KIND_NAMES(X)                                         \
	X(STATIC, "static")                                             \
	X(STACK, "stack")                                               \
	X(TLS, "tls")                                                   \
	X(TABLE, "table")                                               \
	X(NOBODY, "unknown")                                            \
	X(OUTSIDE, "outside")
/* clang-format on */

/* The shape of a holder of kind NOBODY whose chunks no chain leads to. */
#define HT_SHAPE_UNREACHED "reachable from nowhere"

#define HT_DECLARE_ENUM(prefix, NAMES, ...)                                    \
	enum prefix { NAMES(HT_ENUM_ITEM_##prefix) __VA_ARGS__ }
#define HT_ENUM_ITEM_ht_mode(c, s)	   HT_MODE_##c,
#define HT_ENUM_ITEM_ht_arena_kind(c, s)   HT_ARENA_##c,
#define HT_ENUM_ITEM_ht_bin_kind(c, s)	   HT_BIN_##c,
#define HT_ENUM_ITEM_ht_cause(c, s)	   HT_CAUSE_##c,
#define HT_ENUM_ITEM_ht_mapping_kind(c, s) HT_MAPPING_##c,
#define HT_ENUM_ITEM_ht_why(c, s)	   HT_WHY_##c,
#define HT_ENUM_ITEM_ht_type_kind(c, s)	   HT_TYPE_##c,
#define HT_ENUM_ITEM_ht_holder_kind(c, s)  HT_HOLDER_##c,
#define HT_ENUM_ITEM_ht_way(c, s)	   HT_WAY_##c,
#define HT_ENUM_ITEM_ht_look_kind(c, s)	   HT_LOOK_##c,
#define HT_ENUM_ITEM_ht_how(c, s)	   HT_HOW_##c,
HT_DECLARE_ENUM(ht_mode, HT_MODE_NAMES, HT_MODE_COUNT);
HT_DECLARE_ENUM(ht_arena_kind, HT_ARENA_KIND_NAMES, HT_ARENA_KIND_COUNT);
HT_DECLARE_ENUM(ht_bin_kind, HT_BIN_KIND_NAMES, HT_BIN_KIND_COUNT);
HT_DECLARE_ENUM(ht_cause, HT_CAUSE_NAMES, HT_CAUSE_COUNT);
HT_DECLARE_ENUM(ht_mapping_kind, HT_MAPPING_KIND_NAMES, HT_MAPPING_KIND_COUNT);
HT_DECLARE_ENUM(ht_why, HT_WHY_NAMES, HT_WHY_COUNT);
HT_DECLARE_ENUM(ht_type_kind, HT_TYPE_KIND_NAMES, HT_TYPE_KIND_COUNT);
HT_DECLARE_ENUM(ht_holder_kind, HT_HOLDER_KIND_NAMES, HT_HOLDER_KIND_COUNT);
HT_DECLARE_ENUM(ht_way, HT_WAY_NAMES, HT_WAY_COUNT);
HT_DECLARE_ENUM(ht_look_kind, HT_LOOK_NAMES, HT_LOOK_COUNT);
HT_DECLARE_ENUM(ht_how, HT_HOW_NAMES, HT_HOW_COUNT);

/* --- the one process that was looked at ---------------------------------- */

#define HT_HEAD_FIELDS(F)                                                      \
	F(U64, pid, 0, "process id, in the observer's pid namespace")          \
	F(TEXT, comm, 64, "command name of the main thread")                   \
	F(TEXT, exe, 256, "executable, as the target's own root names it")     \
	F(TIME, started_at, 0, "start of the process")                         \
	F(TIME, taken_at, 0, "when the figures were true: inside the stop")    \
	F(TEXT, arch, 16, "x86_64 or i386")                                    \
	F(TEXT, boot_id, 40, "which boot of the machine")                      \
	F(U64, start_ticks, 0, "start time as /proc/PID/stat has it")          \
	F(U64, exe_dev, 0, "device of the executable")                         \
	F(U64, exe_inode, 0, "inode of the executable")                        \
	F(U64, cpu_ns, 0, "processor time used so far, user and system")       \
	F(TEXT, cgroup, 256, "cgroup path (v2)")                               \
	F(U64, uid, 0, "effective user id")

#define HT_LIBC_FIELDS(F)                                                      \
	F(TEXT, version, 64,                                                   \
	  "as its banner says, or 2.35 to 2.42: by its structs")               \
	F(TEXT, build_id, 48, "hex; empty: none")                              \
	F(TEXT, path, 256, "the file that holds malloc")                       \
	F(TEXT, layout, 16, "dwarf or table; empty: none fits")                \
	F(TEXT, located, 16, "symbol or scan; empty: not found")               \
	F(TEXT, allocator, 64, "who serves malloc: glibc, jemalloc, ...")      \
	F(TEXT, layout_name, 64, "which row of the layout tables")             \
	F(BOOL, safe_linking, 0, "list pointers are mangled")

#define HT_STOP_FIELDS(F)                                                                          \
	F(ENUM, mode, ht_mode_names, "how it was measured")                                        \
	F(U64, pause_us, 0, "first thread stopped to last one resumed")                            \
	F(U64, attempts, 0, "stops until no thread was inside malloc")                             \
	F(U64, threads, 0, "threads stopped")                                                      \
	F(U64, uncertain_bytes, 0, "heap bytes that moved while being read")                       \
	F(U64, walk_us, 0, "time of the whole measurement")                                        \
	F(U64, bytes_read, 0, "bytes of the target's memory that were read")                       \
	F(BOOL, inside_malloc, 0, "gave up waiting: a thread was in malloc")                       \
	F(U64, gap_us, 0,                                                                          \
	  "longest that a thread may have waited: stopped, or for a processor that the agent had") \
	F(ENUM, look, ht_look_names, "full: chunk by chunk, or light")

#define HT_PROCESS_FIELDS(F)                                                   \
	F(U64, vsz, 0, "address space, bytes")                                 \
	F(U64, rss, 0, "resident bytes, counted page by page in the stop")     \
	F(U64, pss, 0, "proportional set size (explain only)")                 \
	F(U64, uss, 0, "unique set size (explain only)")                       \
	F(U64, swap, 0, "swapped-out bytes")                                   \
	F(U64, writable_private, 0, "size of private writable mappings")       \
	F(U64, rss_anon, 0, "resident anonymous bytes")                        \
	F(U64, rss_file, 0, "resident file-backed bytes")                      \
	F(U64, rss_shmem, 0, "resident shared-memory bytes")                   \
	F(U64, minflt, 0, "minor faults so far")                               \
	F(U64, majflt, 0, "major faults so far")                               \
	F(U64, threads, 0, "threads")                                          \
	F(U64, locked, 0, "locked in memory (mlock)")                          \
	F(U64, huge_pool, 0, "in pages of the huge page pool")                 \
	F(U64, anon_huge, 0, "in transparent huge pages (with pss)")           \
	F(U64, mappings, 0, "mappings, as /proc/PID/maps lists them")          \
	F(U64, descriptors, 0, "open file descriptors")

#define HT_LIMITS_FIELDS(F)                                                    \
	F(U64, cgroup_max, 0, "nearest memory.max above the process")          \
	F(U64, cgroup_used, 0, "unreclaimable bytes charged to that cgroup")   \
	F(U64, rlimit_as, 0, "RLIMIT_AS, bytes")                               \
	F(U64, rlimit_data, 0, "RLIMIT_DATA, bytes")                           \
	F(U64, mem_total, 0, "the machine's memory")                           \
	F(U64, mem_available, 0, "the machine's MemAvailable")                 \
	F(U64, swap_free, 0, "the machine's SwapFree")                         \
	F(U64, cpus, 0, "online processors: the arena limit follows them")     \
	F(TEXT, cgroup_path, 256, "the cgroup that cgroup_max is of")          \
	F(U64, max_map_count, 0, "vm.max_map_count: mappings of a process")    \
	F(U64, rlimit_nofile, 0, "RLIMIT_NOFILE: its file descriptors")        \
	F(U64, rlimit_stack, 0, "RLIMIT_STACK: the main thread's stack")       \
	F(U64, rlimit_memlock, 0,                                              \
	  "RLIMIT_MEMLOCK: what it may lock in memory")                        \
	F(U64, threads_max, 0,                                                 \
	  "threads that it may have, by the nearest limit")                    \
	F(TEXT, threads_max_of, 80, "which limit that is")

/* A parameter of all ones, such as M_TRIM_THRESHOLD after mallopt(..., -1). */
#define HT_PARAM_OFF ((uint64_t)INT64_MAX)

#define HT_PARAMS_FIELDS(F)                                                    \
	F(U64, mmap_threshold, 0, "mp_.mmap_threshold")                        \
	F(U64, trim_threshold, 0, "mp_.trim_threshold; 2^63 - 1: never")       \
	F(U64, top_pad, 0, "mp_.top_pad")                                      \
	F(U64, n_mmaps, 0, "mp_.n_mmaps")                                      \
	F(U64, mmapped_mem, 0, "mp_.mmapped_mem: glibc's own word")            \
	F(U64, max_n_mmaps, 0, "mp_.max_n_mmaps")                              \
	F(U64, n_mmaps_max, 0, "mp_.n_mmaps_max")                              \
	F(U64, no_dyn_threshold, 0, "mp_.no_dyn_threshold")                    \
	F(U64, arena_max, 0, "mp_.arena_max; 0: by processors")                \
	F(U64, arena_test, 0, "mp_.arena_test")                                \
	F(U64, tcache_count, 0, "mp_.tcache_count")                            \
	F(U64, tcache_max_bytes, 0, "mp_.tcache_max_bytes")                    \
	F(HEX, sbrk_base, 0, "mp_.sbrk_base")                                  \
	F(U64, thp_pagesize, 0, "mp_.thp_pagesize (2.35+)")                    \
	F(U64, hp_pagesize, 0, "mp_.hp_pagesize (2.35+)")

/* free = tcache + fastbin + unsorted + small + large + top;
 * system = in_use + free + overhead. in_use excludes mmapped chunks. */
#define HT_TOTALS_FIELDS(F)                                                    \
	F(U64, arenas, 0, "arenas, main included")                             \
	F(U64, heaps, 0, "heap_info heaps of the other arenas")                \
	F(U64, system, 0, "taken from the system, sum of system_mem")          \
	F(U64, max_system, 0, "sum of max_system_mem")                         \
	F(U64, in_use, 0, "in chunks the program holds")                       \
	F(U64, in_use_chunks, 0, "chunks the program holds")                   \
	F(U64, free, 0, "free by place, sum of the next six")                  \
	F(U64, tcache, 0, "in thread caches")                                  \
	F(U64, fastbin, 0, "in fastbins")                                      \
	F(U64, unsorted, 0, "in unsorted bins")                                \
	F(U64, small, 0, "in small bins")                                      \
	F(U64, large, 0, "in large bins")                                      \
	F(U64, last_remainder, 0, "a hint: already counted in its bin")        \
	F(U64, top, 0, "in top chunks")                                        \
	F(U64, overhead, 0,                                                    \
	  "heap headers, arena structs, alignment, fenceposts")                \
	F(U64, mmapped, 0, "mapping lengths of mmapped chunks, by census")     \
	F(U64, mmapped_chunks, 0, "mmapped chunks, by census")                 \
	F(U64, retained, 0, "free and resident")                               \
	F(U64, trimmable, 0, "malloc_trim(0) would return this now")           \
	F(U64, pinned, 0,                                                      \
	  "retained below a top, held there by chunks in use above")           \
	F(U64, tcache_chunks, 0, "chunks in thread caches")                    \
	F(U64, fastbin_chunks, 0, "chunks in fastbins")                        \
	F(U64, binned_chunks, 0, "chunks in unsorted, small and large bins")   \
	F(U64, heap_resident, 0, "resident bytes of all arenas")               \
	F(U64, mmapped_resident, 0, "resident bytes of mmapped chunks")        \
	F(U64, non_malloc_anon, 0, "anonymous + swap that is not malloc's")    \
	F(U64, resident_free, 0, "resident whole pages without a byte in use") \
	F(U64, used_pages_resident, 0,                                         \
	  "resident bytes of pages with a byte in use")                        \
	F(U64, free_swapped, 0, "free bytes that are swapped out")             \
	F(U64, arenas_holding, 0, "arenas with >= 5 % of resident_free each")  \
	F(U64, non_main_free_resident, 0,                                      \
	  "resident_free outside the main arena")                              \
	F(U64, unattached_arenas, 0, "arenas that no thread is attached to")   \
	F(U64, trimmable_private, 0,                                           \
	  "of trimmable, mapped by no other process: what the machine gets")

#define HT_FRAGMENTATION_FIELDS(F)                                             \
	F(F64, external, 0, "1 - largest free run / all free runs")            \
	F(F64, retained_ratio, 0, "retained / resident heap")                  \
	F(U64, largest_free, 0, "largest free run, bytes")                     \
	F(U64, free_runs, 0, "sum of all free runs, bytes; tops excluded")     \
	F(F64, page_utilisation, 0,                                            \
	  "bytes in use / resident pages that hold any")                       \
	F(F64, unusable_median, 0,                                             \
	  "share of free runs too small for the median chunk")                 \
	F(F64, unusable_p95, 0, "same for the 95th percentile chunk")          \
	F(F64, stuck_ratio, 0,                                                 \
	  "retained in pages that hold bytes in use / retained")               \
	F(F64, peak_overhead, 0, "max_system / in_use - 1")                    \
	F(U64, holes_lt_4k, 0, "bytes in free runs below 4 KiB")               \
	F(U64, holes_4k_64k, 0, "bytes in free runs of 4 to 64 KiB")           \
	F(U64, holes_64k_1m, 0, "bytes in free runs of 64 KiB to 1 MiB")       \
	F(U64, holes_ge_1m, 0, "bytes in free runs of 1 MiB and more")         \
	F(U64, holes_lt_4k_count, 0, "free runs below 4 KiB")                  \
	F(U64, holes_4k_64k_count, 0, "free runs of 4 to 64 KiB")              \
	F(U64, holes_64k_1m_count, 0, "free runs of 64 KiB to 1 MiB")          \
	F(U64, holes_ge_1m_count, 0, "free runs of 1 MiB and more")

/* Main arena: free bytes below the top that would join it. */
#define HT_BLOCKED_FIELDS(F)                                                   \
	F(U64, chunks_1, 0, "if the highest chunk not free went")              \
	F(U64, chunks_4, 0, "if the 4 highest went")                           \
	F(U64, chunks_16, 0, "if the 16 highest went")                         \
	F(U64, span_64k, 0, "if all in the last 64 KiB below the top went")    \
	F(U64, span_64k_chunks, 0, "how many chunks those are")

/* --- lists --------------------------------------------------------------- */

#define HT_RSS_FIELDS(F)                                                       \
	F(ENUM, cause, ht_cause_names, "the one rule that keeps them")         \
	F(U64, bytes, 0, "resident bytes; all causes sum to process.rss")

#define HT_ARENA_FIELDS(F)                                                     \
	F(U64, index, 0, "position in the ring, 0: main")                      \
	F(ENUM, kind, ht_arena_kind_names, "main or thread")                   \
	F(HEX, address, 0, "struct malloc_state")                              \
	F(U64, system, 0, "system_mem")                                        \
	F(U64, max_system, 0, "max_system_mem")                                \
	F(U64, in_use, 0, "bytes in chunks the program holds")                 \
	F(U64, in_use_chunks, 0, "chunks the program holds")                   \
	F(U64, free, 0, "free by place")                                       \
	F(U64, tcache, 0, "of it in thread caches")                            \
	F(U64, fastbin, 0, "of it in fastbins")                                \
	F(U64, unsorted, 0, "of it in the unsorted bin")                       \
	F(U64, small, 0, "of it in small bins")                                \
	F(U64, large, 0, "of it in large bins")                                \
	F(U64, top, 0, "of it in the top chunk")                               \
	F(U64, overhead, 0, "headers, arena struct, alignment, fenceposts")    \
	F(U64, last_remainder, 0, "size of the last remainder; a hint")        \
	F(U64, resident, 0, "resident bytes")                                  \
	F(U64, retained, 0, "free and resident")                               \
	F(U64, resident_free, 0, "resident whole pages without a byte in use") \
	F(U64, trimmable, 0, "malloc_trim(0) would return this now")           \
	F(U64, pinned, 0, "retained below the top, held by chunks above")      \
	F(U64, attached_threads, 0, "attached_threads (2.23+)")                \
	F(U64, uncertain_bytes, 0, "bytes that could not be settled")          \
	F(BOOL, contiguous, 0, "no NONCONTIGUOUS flag")                        \
	F(U64, space, 0, "which malloc: 0, or 1.. for a dlmopen'ed libc's")    \
	F(HEX, pin_address, 0,                                                 \
	  "the chunk in use that holds the most below the top")                \
	F(U64, pin_size, 0, "its size")                                        \
	F(U64, pin_holds, 0, "free and resident below it: cannot leave")       \
	F(U64, pin_cached_by, 0,                                               \
	  "the thread in whose cache it is; null: the program holds it")

/* Rows that belong to an arena say which: `arena` is its index. */
#define HT_HEAP_FIELDS(F)                                                      \
	F(U64, arena, 0, "index of its arena")                                 \
	F(HEX, address, 0, "heap_info, or the segment's start (main)")         \
	F(U64, size, 0, "bytes malloc uses of it")                             \
	F(U64, resident, 0, "resident bytes of it")                            \
	F(TEXT, pages, 100,                                                    \
	  "what of it is resident, by address: of each of 48 equal stretches two hexadecimal digits, its share that is resident and held, then its share of whole pages that are resident and free: 0 nothing, 1..e up to a part, f all; empty: not known")

#define HT_BIN_FIELDS(F)                                                       \
	F(U64, arena, 0, "index of its arena")                                 \
	F(ENUM, kind, ht_bin_kind_names, "fast, unsorted, small or large")     \
	F(U64, index, 0, "fastbinsY index, or 1..126 as bin_at() counts")      \
	F(U64, min_size, 0, "smallest chunk size it takes; unsorted: null")    \
	F(U64, max_size, 0, "largest chunk size; open end: null")              \
	F(U64, chunks, 0, "chunks in it")                                      \
	F(U64, bytes, 0, "bytes in it")

#define HT_THREAD_FIELDS(F)                                                    \
	F(U64, tid, 0, "thread id")                                            \
	F(U64, arena, 0, "index of its arena; null: none yet")                 \
	F(U64, tcache_chunks, 0, "chunks in its cache")                        \
	F(U64, tcache_bytes, 0, "bytes in its cache")

/* Exact sizes in ALIGN steps up to 1040; above, four classes per power of
 * two. max_size 0 stands for mmapped chunks. */
#define HT_SIZE_CLASS_FIELDS(F)                                                \
	F(U64, max_size, 0, "largest chunk size of the class")                 \
	F(U64, in_use_chunks, 0, "chunks in use")                              \
	F(U64, in_use_bytes, 0, "bytes in use")                                \
	F(U64, free_chunks, 0, "chunks free, tcache included")                 \
	F(U64, free_bytes, 0, "bytes free")

#define HT_MAPPING_FIELDS(F)                                                   \
	F(ENUM, kind, ht_mapping_kind_names, "what kind of mapping")           \
	F(TEXT, name, 128, "file or label; empty: anonymous")                  \
	F(U64, count, 0, "how many mappings")                                  \
	F(U64, size, 0, "their address space")                                 \
	F(U64, resident, 0, "their resident bytes")                            \
	F(U64, anonymous, 0, "their anonymous and swapped bytes")              \
	F(U64, common_size, 0, "size of most of them; null: no one size")

#define HT_ADVICE_FIELDS(F)                                                    \
	F(TEXT, code, 40, "stable name of the advice")                         \
	F(TEXT, text, 400, "what to do, with the figure")                      \
	F(U64, bytes, 0,                                                       \
	  "the bytes it is about; of a remedy: at most so many")               \
	F(U64, at_least, 0, "a remedy returns at least so many of them")       \
	F(U64, at_worst, 0, "it may take so many instead; null: none")         \
	F(TEXT, how, 240, "what to type, word for word; empty: nothing")       \
	F(TEXT, cost, 240, "what it costs; empty: nothing to speak of")

#define HT_WARNING_FIELDS(F)                                                   \
	F(TEXT, text, 256, "what is missing or odd, and why")

/* What cannot be true in a sound heap. */
#define HT_FINDING_FIELDS(F)                                                   \
	F(TEXT, code, 40, "which invariant")                                   \
	F(HEX, address, 0, "where")                                            \
	F(U64, arena, 0, "index of the arena; null: none")                     \
	F(TEXT, text, 200, "what was seen there")

/* Figures that are null and should not be, a row for each reason. A figure that
 * is null for there is no such thing (a limit that is not set, a parameter that
 * this libc has not) is in none. */
#define HT_UNKNOWN_FIELDS(F)                                                   \
	F(ENUM, reason, ht_why_names, "what kept them from being known")       \
	F(U64, figures, 0, "how many")                                         \
	F(TEXT, names, 600, "which, as far as they fit: record.field")         \
	F(TEXT, text, 256, "why, and what would mend it")

/* What can be reached from where: `heaptide leaks`, `owners`, `types` alone ask
 * for these. One row at most. */
#define HT_GRAPH_FIELDS(F)                                                     \
	F(U64, chunks, 0, "chunks in use, mmapped ones too")                   \
	F(U64, bytes, 0, "their bytes; of mmapped ones the mappings")          \
	F(U64, references, 0, "words in them that point into others")          \
	F(U64, root_references, 0, "words and registers outside that do")      \
	F(U64, leaked_chunks, 0, "that nothing leads to")                      \
	F(U64, leaked_bytes, 0, "their bytes")                                 \
	F(U64, uncertain_chunks, 0,                                            \
	  "reached by words alone that may be stale")                          \
	F(U64, uncertain_bytes, 0, "their bytes: so much more may be leaked")  \
	F(U64, unread_bytes, 0, "bytes of them that could not be read")        \
	F(U64, unknown_chunks, 0, "whose type is not known")                   \
	F(U64, unknown_bytes, 0, "their bytes")

/* Leaked chunks by what stands at their head: chunks that only each other lead
 * to are one piece, a lost list for instance. */
#define HT_LEAK_FIELDS(F)                                                      \
	F(TEXT, head_type, 200, "type of the heads; empty: not known")         \
	F(U64, max_size, 0, "size class of the heads; 0: mmapped")             \
	F(U64, heads, 0, "how many such pieces")                               \
	F(U64, chunks, 0, "chunks in them, the heads included")                \
	F(U64, bytes, 0, "bytes in them")

/* Chunks in use by what they are. */
#define HT_CHUNK_TYPE_FIELDS(F)                                                \
	F(TEXT, name, 200,                                                     \
	  "class, mangled on the wire; symbol, module+offset; or in words")    \
	F(ENUM, kind, ht_type_kind_names, "what told it")                      \
	F(TEXT, module, 128, "where its vtable or static is")                  \
	F(U64, chunks, 0, "chunks of it")                                      \
	F(U64, bytes, 0, "their bytes")                                        \
	F(U64, arena, 0,                                                       \
	  "the arena they are in; null: mmapped, or of all arenas")

/* Chunks of which it was asked who holds them: of one size and type. */
#define HT_OWNED_FIELDS(F)                                                     \
	F(U64, max_size, 0, "largest chunk size of the class; 0: mmapped")     \
	F(TEXT, type, 200, "empty: not known")                                 \
	F(U64, chunks, 0, "chunks in use")                                     \
	F(U64, bytes, 0, "their bytes")                                        \
	F(U64, retained_bytes, 0,                                              \
	  "theirs and of all that only they lead to; null: not asked for")     \
	F(U64, most_retained_bytes, 0, "the same of the one that has most")
#define HT_HOLDER_FIELDS(F)                                                                        \
	F(U64, owned, 0, "row of the list of what is owned")                                       \
	F(ENUM, kind, ht_holder_kind_names,                                                        \
	  "where the chain ends; outside: words in memory outside malloc, as a heap of a runtime") \
	F(TEXT, symbol, 160,                                                                       \
	  "the static or thread-local variable; empty: it has no name")                            \
	F(TEXT, module, 128, "the file that it is in")                                             \
	F(U64, offset, 0,                                                                          \
	  "bytes in the symbol; without one, in the module, or in its thread-local variables")     \
	F(U64, thread, 0,                                                                          \
	  "whose stack or variables; null: of no thread, or of several")                           \
	F(TEXT, shape, 64, "how the chunks hang together")                                         \
	F(U64, via_offset, 0, "bytes into a chunk, of the link or the field")                      \
	F(U64, chunks, 0, "chunks that it holds")                                                  \
	F(U64, bytes, 0, "their bytes")                                                            \
	F(F64, share, 0, "of all that were asked for")                                             \
	F(U64, retained_bytes, 0,                                                                  \
	  "of all chunks that only it leads to; null: not asked for")                              \
	F(U64, threads, 0,                                                                         \
	  "how many threads' stacks or variables; 0: of no thread")                                \
	F(TEXT, function, 160, "of a stack: whose local it is")                                    \
	F(TEXT, thread_name, 16, "of a stack")

/* A step of a chain, from the chunks up to what holds them. */
#define HT_LINK_FIELDS(F)                                                      \
	F(U64, holder, 0, "row of the list of holders")                        \
	F(U64, max_size, 0, "size class of the chunks of this step")           \
	F(TEXT, type, 200, "empty: not known")                                 \
	F(U64, chunks, 0, "how many there are")                                \
	F(U64, offset, 0, "of the field; null: many places, an array")         \
	F(U64, references, 0, "from them to the step before")                  \
	F(F64, share, 0, "of the step before that they hold")                  \
	F(TEXT, shape, 64, "how the step before hangs on them")

/* Every record with its C struct: R(name, FIELDS, member of the snapshot). One
 * per snapshot first, then lists. The order is the wire's and never changes. */
/* clang-format off */
#define HT_SINGLE_RECORDS(R)                                            \
	R(head, HT_HEAD_FIELDS, head)                                   \
	R(libc, HT_LIBC_FIELDS, libc)                                   \
	R(stop, HT_STOP_FIELDS, stop)                                   \
	R(process, HT_PROCESS_FIELDS, process)                          \
	R(limits, HT_LIMITS_FIELDS, limits)                             \
	R(params, HT_PARAMS_FIELDS, params)                             \
	R(totals, HT_TOTALS_FIELDS, totals)                             \
	R(fragmentation, HT_FRAGMENTATION_FIELDS, fragmentation)        \
	R(blocked, HT_BLOCKED_FIELDS, blocked)
#define HT_LIST_RECORDS(R)                                              \
	R(rss_cause, HT_RSS_FIELDS, rss_causes)                         \
	R(arena, HT_ARENA_FIELDS, arenas)                               \
	R(heap, HT_HEAP_FIELDS, heaps)                                  \
	R(bin, HT_BIN_FIELDS, bins)                                     \
	R(thread, HT_THREAD_FIELDS, threads)                            \
	R(size_class, HT_SIZE_CLASS_FIELDS, size_classes)               \
	R(mapping, HT_MAPPING_FIELDS, mappings)                         \
	R(advice, HT_ADVICE_FIELDS, advice)                             \
	R(warning, HT_WARNING_FIELDS, warnings)                         \
	R(finding, HT_FINDING_FIELDS, findings)                         \
	R(unknown, HT_UNKNOWN_FIELDS, unknowns)                         \
	R(graph, HT_GRAPH_FIELDS, graphs)                               \
	R(leak, HT_LEAK_FIELDS, leaks)                                  \
	R(chunk_type, HT_CHUNK_TYPE_FIELDS, chunk_types)                \
	R(owned, HT_OWNED_FIELDS, owned)                                \
	R(holder, HT_HOLDER_FIELDS, holders)                            \
	R(link, HT_LINK_FIELDS, links)                                  \
	R(windows, HT_WINDOWS_FIELDS, windows)                          \
	R(site, HT_SITE_FIELDS, sites)                                  \
	R(stack_frame, HT_STACK_FRAME_FIELDS, stack_frames)             \
	R(site_size, HT_SITE_SIZE_FIELDS, site_sizes)                   \
	R(quality, HT_QUALITY_FIELDS, qualities)
/* clang-format on */

#define HT_MEMBER(type, name, arg, doc) HT_MEMBER_##type(name, arg)
#define HT_MEMBER_U64(name, arg)	uint64_t name;
#define HT_MEMBER_HEX(name, arg)	uint64_t name;
#define HT_MEMBER_BOOL(name, arg)	uint64_t name;
#define HT_MEMBER_ENUM(name, arg)	uint64_t name;
#define HT_MEMBER_TIME(name, arg)	int64_t name;
#define HT_MEMBER_F64(name, arg)	double name;
#define HT_MEMBER_TEXT(name, arg)	char name[arg];
#define HT_DECLARE_RECORD(record, FIELDS, member)                              \
	struct ht_##record {                                                   \
		FIELDS(HT_MEMBER)                                              \
	};
HT_SINGLE_RECORDS(HT_DECLARE_RECORD)
HT_LIST_RECORDS(HT_DECLARE_RECORD)

/* --- the same lists as data ---------------------------------------------- */

enum ht_type {
	HT_T_U64,
	HT_T_HEX,
	HT_T_BOOL,
	HT_T_ENUM,
	HT_T_TIME,
	HT_T_F64,
	HT_T_TEXT,
};

struct ht_field {
	const char *name;
	const char *doc;
	const char *const *names; /* HT_T_ENUM: name of each value */
	uint16_t offset;	  /* in the record's struct */
	uint16_t size;		  /* bytes there */
	uint16_t names_count;
	uint16_t type; /* enum ht_type */
};

struct ht_record_type {
	const char *name;
	const struct ht_field *fields;
	const void *blank;	     /* one with every field unknown */
	uint16_t fields_count, size; /* of the struct */
};

enum ht_record_id {
#define HT_RECORD_ID(record, FIELDS, member) HT_RECORD_##record,
	HT_SINGLE_RECORDS(HT_RECORD_ID) HT_LIST_RECORDS(HT_RECORD_ID)
		HT_RECORD_COUNT
};

extern const struct ht_record_type ht_record_types[HT_RECORD_COUNT];

extern const char *const ht_mode_names[HT_MODE_COUNT];
extern const char *const ht_arena_kind_names[HT_ARENA_KIND_COUNT];
extern const char *const ht_bin_kind_names[HT_BIN_KIND_COUNT];
extern const char *const ht_cause_names[HT_CAUSE_COUNT];
extern const char *const ht_mapping_kind_names[HT_MAPPING_KIND_COUNT];
extern const char *const ht_why_names[HT_WHY_COUNT];
extern const char *const ht_type_kind_names[HT_TYPE_KIND_COUNT];
extern const char *const ht_holder_kind_names[HT_HOLDER_KIND_COUNT];
extern const char *const ht_way_names[HT_WAY_COUNT];
extern const char *const ht_look_names[HT_LOOK_COUNT];
extern const char *const ht_how_names[HT_HOW_COUNT];

/* Sets every field of one record to unknown (text: empty, TIME: 0). */
void ht_record_clear(enum ht_record_id id, void *record);

#endif
