-- SPDX-License-Identifier: Apache-2.0
-- The history of heaptide. Once released, this file never changes: the next
-- version of the schema is the next file.
--
-- Sizes are bytes, *_ns nanoseconds since 1970 UTC, *_s seconds since 1970 UTC,
-- addresses integers (printf('0x%x', address) shows them). NULL: not known.

-- One life of one process. The same pid with another boot, start time,
-- executable or image (after exec) is another process.
CREATE TABLE process (
	id INTEGER PRIMARY KEY,
	target TEXT NOT NULL,        -- configured name; '' for a bare record
	boot_id TEXT NOT NULL, pid INTEGER NOT NULL,
	start_ticks INTEGER NOT NULL,
	exec INTEGER NOT NULL,       -- 0, then 1.. after each exec
	exe_dev INTEGER, exe_inode INTEGER,
	image INTEGER,               -- address of the main arena: exec moves it
	comm TEXT NOT NULL, exe TEXT NOT NULL, arch TEXT NOT NULL,
	cgroup TEXT NOT NULL, uid INTEGER,
	started_ns INTEGER NOT NULL, -- 0: not known
	first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,
	ended_ns INTEGER,            -- NULL: not known to have ended
	samples INTEGER NOT NULL,    -- ever taken
	last_id INTEGER,             -- newest sample
	raw_from_ns INTEGER NOT NULL, -- samples before this were thinned out
	rolled_s INTEGER NOT NULL,   -- rolled up to here
	UNIQUE (boot_id, pid, start_ticks, exec)
) STRICT;
CREATE INDEX process_by_target ON process (target, last_ns);

-- One look at one process, with the metrics that are followed over time.
--
-- detail says what is kept beside the metrics, in the tables below:
--   0 nothing, 1 the rows that changed since base_id, 2 all rows (base_id is
--   this sample), 3 all rows, kept as the hour's, 4 all rows, the day's.
-- A row stays valid until the next one with its key; gone = 1 ends it.
-- lists: bit 1 << record id for each list that was measured.
CREATE TABLE sample (
	id INTEGER PRIMARY KEY,
	process_id INTEGER NOT NULL REFERENCES process (id) ON DELETE CASCADE,
	at_ns INTEGER NOT NULL,
	base_id INTEGER NOT NULL,
	detail INTEGER NOT NULL,
	lists INTEGER NOT NULL,
	in_use INTEGER, in_use_arena INTEGER, in_use_chunks INTEGER,
	mmapped INTEGER, mmapped_chunks INTEGER, mmapped_resident INTEGER,
	system INTEGER, max_system INTEGER, free INTEGER, tcache INTEGER,
	fastbin INTEGER, unsorted INTEGER, small INTEGER, large INTEGER,
	top INTEGER, overhead INTEGER, heap_resident INTEGER,
	retained INTEGER, resident_free INTEGER, trimmable INTEGER,
	pinned INTEGER, used_pages_resident INTEGER,
	non_malloc_anon INTEGER, arenas INTEGER, heaps INTEGER,
	arenas_holding INTEGER, non_main_free_resident INTEGER,
	unattached_arenas INTEGER, blocked_1 INTEGER, blocked_4 INTEGER,
	blocked_16 INTEGER, blocked_span INTEGER, largest_free INTEGER,
	free_runs INTEGER, trim_threshold INTEGER, mmap_threshold INTEGER,
	rss INTEGER, rss_anon INTEGER, rss_file INTEGER, rss_shmem INTEGER,
	swap INTEGER, vsz INTEGER, writable_private INTEGER, minflt INTEGER,
	majflt INTEGER, threads INTEGER, cpu_ns INTEGER, pause_us INTEGER,
	uncertain INTEGER, "limit" INTEGER
) STRICT;
CREATE INDEX sample_by_time ON sample (process_id, at_ns);
CREATE INDEX sample_by_detail ON sample (detail, at_ns);

-- What happened: ended, gap, failed, exec, trim, clock, ...
CREATE TABLE event (
	id INTEGER PRIMARY KEY,
	process_id INTEGER REFERENCES process (id) ON DELETE CASCADE,
	at_ns INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL
) STRICT;
CREATE INDEX event_by_time ON event (process_id, at_ns);

-- ---- roll-ups: buckets of level_s = 60, 600 and 3600 seconds ----------------

-- Up to four rows a bucket, one a statistic: median has every figure; in min,
-- p10 and max NULL means "equal to the median" (and so does a missing row).
-- View rollup_full fills them in.
CREATE TABLE rollup (
	process_id INTEGER NOT NULL REFERENCES process (id) ON DELETE CASCADE,
	level_s INTEGER NOT NULL,
	at_s INTEGER NOT NULL,       -- start of the bucket
	stat TEXT NOT NULL CHECK (stat IN ('min', 'p10', 'median', 'max')),
	samples INTEGER NOT NULL,
	in_use INTEGER, in_use_arena INTEGER, in_use_chunks INTEGER,
	mmapped INTEGER, mmapped_chunks INTEGER, mmapped_resident INTEGER,
	system INTEGER, max_system INTEGER, free INTEGER, tcache INTEGER,
	fastbin INTEGER, unsorted INTEGER, small INTEGER, large INTEGER,
	top INTEGER, overhead INTEGER, heap_resident INTEGER,
	retained INTEGER, resident_free INTEGER, trimmable INTEGER,
	pinned INTEGER, used_pages_resident INTEGER,
	non_malloc_anon INTEGER, arenas INTEGER, heaps INTEGER,
	arenas_holding INTEGER, non_main_free_resident INTEGER,
	unattached_arenas INTEGER, blocked_1 INTEGER, blocked_4 INTEGER,
	blocked_16 INTEGER, blocked_span INTEGER, largest_free INTEGER,
	free_runs INTEGER, trim_threshold INTEGER, mmap_threshold INTEGER,
	rss INTEGER, rss_anon INTEGER, rss_file INTEGER, rss_shmem INTEGER,
	swap INTEGER, vsz INTEGER, writable_private INTEGER, minflt INTEGER,
	majflt INTEGER, threads INTEGER, cpu_ns INTEGER, pause_us INTEGER,
	uncertain INTEGER, "limit" INTEGER,
	PRIMARY KEY (process_id, level_s, stat, at_s)
) STRICT, WITHOUT ROWID;

-- Bytes in use by size class. Only classes that changed since the bucket
-- before; each hour starts anew with all of them.
CREATE TABLE class_rollup (
	process_id INTEGER NOT NULL REFERENCES process (id) ON DELETE CASCADE,
	level_s INTEGER NOT NULL, at_s INTEGER NOT NULL,
	max_size INTEGER NOT NULL,
	min INTEGER, p10 INTEGER, median INTEGER, max INTEGER,
	chunks INTEGER,              -- in use, median
	PRIMARY KEY (process_id, level_s, at_s, max_size)
) STRICT, WITHOUT ROWID;

-- Memory outside malloc, in the same way.
CREATE TABLE mapping_rollup (
	process_id INTEGER NOT NULL REFERENCES process (id) ON DELETE CASCADE,
	level_s INTEGER NOT NULL, at_s INTEGER NOT NULL,
	kind TEXT NOT NULL, name TEXT NOT NULL,
	anonymous INTEGER, count INTEGER, -- medians
	PRIMARY KEY (process_id, level_s, at_s, kind, name)
) STRICT, WITHOUT ROWID;

-- ---- verdicts and alerts ----------------------------------------------------

CREATE TABLE verdict (
	id INTEGER PRIMARY KEY,
	process_id INTEGER NOT NULL REFERENCES process (id) ON DELETE CASCADE,
	at_ns INTEGER NOT NULL, since_ns INTEGER,
	label TEXT NOT NULL, confidence REAL,
	json TEXT NOT NULL           -- heaptide.verdict/1
) STRICT;
CREATE INDEX verdict_by_time ON verdict (process_id, at_ns);

CREATE TABLE alert (
	id TEXT PRIMARY KEY, rule TEXT NOT NULL, target TEXT NOT NULL,
	process_key TEXT NOT NULL, process_id INTEGER,
	severity TEXT NOT NULL,
	state TEXT NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
	pending_ns INTEGER NOT NULL, firing_ns INTEGER, resolved_ns INTEGER,
	seen_ns INTEGER NOT NULL, value REAL,
	summary TEXT NOT NULL, evidence TEXT NOT NULL
) STRICT;

CREATE TABLE delivery (
	alert_id TEXT NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
	state TEXT NOT NULL, sink TEXT NOT NULL, queued_ns INTEGER NOT NULL,
	attempts INTEGER NOT NULL DEFAULT 0, delivered_ns INTEGER, error TEXT,
	PRIMARY KEY (alert_id, state, sink)
) STRICT;

CREATE TABLE silence (
	id INTEGER PRIMARY KEY, rule TEXT NOT NULL, target TEXT NOT NULL,
	from_ns INTEGER NOT NULL, until_ns INTEGER NOT NULL,
	author TEXT NOT NULL, comment TEXT NOT NULL -- rule, target: globs
) STRICT;

-- ---- details of a sample: one table a record -------------------------------

-- The libc that serves malloc, how it was found and which layout fits.
CREATE TABLE libc (
	sample_id INTEGER PRIMARY KEY REFERENCES sample (id) ON DELETE CASCADE,
	version TEXT, build_id TEXT, path TEXT, layout TEXT, located TEXT,
	allocator TEXT, layout_name TEXT, safe_linking INTEGER
) STRICT;

-- How the sample was taken and what it cost the process.
CREATE TABLE stop (
	sample_id INTEGER PRIMARY KEY REFERENCES sample (id) ON DELETE CASCADE,
	mode TEXT, pause_us INTEGER, attempts INTEGER, threads INTEGER,
	uncertain_bytes INTEGER, walk_us INTEGER, bytes_read INTEGER,
	inside_malloc INTEGER
) STRICT;

-- The process as the kernel counts it.
CREATE TABLE memory (
	sample_id INTEGER PRIMARY KEY REFERENCES sample (id) ON DELETE CASCADE,
	vsz INTEGER, rss INTEGER, pss INTEGER, uss INTEGER, swap INTEGER,
	writable_private INTEGER, rss_anon INTEGER, rss_file INTEGER,
	rss_shmem INTEGER, minflt INTEGER, majflt INTEGER, threads INTEGER
) STRICT;

-- What the process may still reach.
CREATE TABLE limits (
	sample_id INTEGER PRIMARY KEY REFERENCES sample (id) ON DELETE CASCADE,
	cgroup_max INTEGER, cgroup_used INTEGER, rlimit_as INTEGER,
	rlimit_data INTEGER, mem_total INTEGER, mem_available INTEGER,
	swap_free INTEGER, cpus INTEGER
) STRICT;

-- malloc's own parameters, mp_.
CREATE TABLE params (
	sample_id INTEGER PRIMARY KEY REFERENCES sample (id) ON DELETE CASCADE,
	mmap_threshold INTEGER, trim_threshold INTEGER, top_pad INTEGER,
	n_mmaps INTEGER, mmapped_mem INTEGER, max_n_mmaps INTEGER,
	n_mmaps_max INTEGER, no_dyn_threshold INTEGER, arena_max INTEGER,
	arena_test INTEGER, tcache_count INTEGER, tcache_max_bytes INTEGER,
	sbrk_base INTEGER, thp_pagesize INTEGER, hp_pagesize INTEGER
) STRICT;

-- Sums over all arenas.
CREATE TABLE totals (
	sample_id INTEGER PRIMARY KEY REFERENCES sample (id) ON DELETE CASCADE,
	arenas INTEGER, heaps INTEGER, system INTEGER, max_system INTEGER,
	in_use INTEGER, in_use_chunks INTEGER, free INTEGER, tcache INTEGER,
	fastbin INTEGER, unsorted INTEGER, small INTEGER, large INTEGER,
	last_remainder INTEGER, top INTEGER, overhead INTEGER,
	mmapped INTEGER, mmapped_chunks INTEGER, retained INTEGER,
	trimmable INTEGER, pinned INTEGER, tcache_chunks INTEGER,
	fastbin_chunks INTEGER, binned_chunks INTEGER,
	heap_resident INTEGER, mmapped_resident INTEGER,
	non_malloc_anon INTEGER, resident_free INTEGER,
	used_pages_resident INTEGER, free_swapped INTEGER,
	arenas_holding INTEGER, non_main_free_resident INTEGER,
	unattached_arenas INTEGER
) STRICT;

-- Shares are 0..1, holes are free runs by size.
CREATE TABLE fragmentation (
	sample_id INTEGER PRIMARY KEY REFERENCES sample (id) ON DELETE CASCADE,
	external REAL, retained_ratio REAL, largest_free INTEGER,
	free_runs INTEGER, page_utilisation REAL, unusable_median REAL,
	unusable_p95 REAL, stuck_ratio REAL, peak_overhead REAL,
	holes_lt_4k INTEGER, holes_4k_64k INTEGER, holes_64k_1m INTEGER,
	holes_ge_1m INTEGER, holes_lt_4k_count INTEGER,
	holes_4k_64k_count INTEGER, holes_64k_1m_count INTEGER,
	holes_ge_1m_count INTEGER
) STRICT;

-- Main arena: what would join the top if the chunks above went.
CREATE TABLE blocked (
	sample_id INTEGER PRIMARY KEY REFERENCES sample (id) ON DELETE CASCADE,
	chunks_1 INTEGER, chunks_4 INTEGER, chunks_16 INTEGER,
	span_64k INTEGER, span_64k_chunks INTEGER
) STRICT;

-- Why each resident byte is there; all causes of a sample sum to memory.rss.
CREATE TABLE rss_cause (
	sample_id INTEGER NOT NULL REFERENCES sample (id) ON DELETE CASCADE,
	cause TEXT NOT NULL, bytes INTEGER, gone INTEGER,
	PRIMARY KEY (sample_id, cause)
) STRICT, WITHOUT ROWID;

-- arena 0 is the main arena.
CREATE TABLE arena (
	sample_id INTEGER NOT NULL REFERENCES sample (id) ON DELETE CASCADE,
	arena INTEGER NOT NULL, kind TEXT, address INTEGER, system INTEGER,
	max_system INTEGER, in_use INTEGER, in_use_chunks INTEGER,
	free INTEGER, tcache INTEGER, fastbin INTEGER, unsorted INTEGER,
	small INTEGER, large INTEGER, top INTEGER, overhead INTEGER,
	last_remainder INTEGER, resident INTEGER, retained INTEGER,
	resident_free INTEGER, trimmable INTEGER, pinned INTEGER,
	attached_threads INTEGER, uncertain_bytes INTEGER,
	contiguous INTEGER, space INTEGER, pin_address INTEGER,
	pin_size INTEGER, pin_holds INTEGER, gone INTEGER,
	PRIMARY KEY (sample_id, arena)
) STRICT, WITHOUT ROWID;

-- heap_info segments; the main arena's segments too.
CREATE TABLE heap (
	sample_id INTEGER NOT NULL REFERENCES sample (id) ON DELETE CASCADE,
	arena INTEGER, address INTEGER NOT NULL, size INTEGER,
	resident INTEGER, gone INTEGER, PRIMARY KEY (sample_id, address)
) STRICT, WITHOUT ROWID;

-- Bins that hold chunks. bin: fastbinsY index, or as bin_at() counts.
CREATE TABLE bin (
	sample_id INTEGER NOT NULL REFERENCES sample (id) ON DELETE CASCADE,
	arena INTEGER NOT NULL, kind TEXT NOT NULL, bin INTEGER NOT NULL,
	min_size INTEGER, max_size INTEGER, chunks INTEGER, bytes INTEGER,
	gone INTEGER, PRIMARY KEY (sample_id, arena, kind, bin)
) STRICT, WITHOUT ROWID;

-- Threads with their arena and cache.
CREATE TABLE thread (
	sample_id INTEGER NOT NULL REFERENCES sample (id) ON DELETE CASCADE,
	tid INTEGER NOT NULL, arena INTEGER, tcache_chunks INTEGER,
	tcache_bytes INTEGER, gone INTEGER, PRIMARY KEY (sample_id, tid)
) STRICT, WITHOUT ROWID;

-- Chunks by size; max_size 0 stands for mmapped chunks.
CREATE TABLE size_class (
	sample_id INTEGER NOT NULL REFERENCES sample (id) ON DELETE CASCADE,
	max_size INTEGER NOT NULL, in_use_chunks INTEGER,
	in_use_bytes INTEGER, free_chunks INTEGER, free_bytes INTEGER,
	gone INTEGER, PRIMARY KEY (sample_id, max_size)
) STRICT, WITHOUT ROWID;

-- Memory outside malloc, by kind and name.
CREATE TABLE mapping (
	sample_id INTEGER NOT NULL REFERENCES sample (id) ON DELETE CASCADE,
	kind TEXT NOT NULL, name TEXT NOT NULL, count INTEGER, size INTEGER,
	resident INTEGER, anonymous INTEGER, common_size INTEGER,
	gone INTEGER, PRIMARY KEY (sample_id, kind, name)
) STRICT, WITHOUT ROWID;

-- What was missing or odd.
CREATE TABLE warning (
	sample_id INTEGER NOT NULL REFERENCES sample (id) ON DELETE CASCADE,
	text TEXT NOT NULL, gone INTEGER, PRIMARY KEY (sample_id, text)
) STRICT, WITHOUT ROWID;

-- What cannot be true in a sound heap.
CREATE TABLE finding (
	sample_id INTEGER NOT NULL REFERENCES sample (id) ON DELETE CASCADE,
	code TEXT NOT NULL, address INTEGER NOT NULL, arena INTEGER,
	text TEXT NOT NULL, gone INTEGER,
	PRIMARY KEY (sample_id, code, address, text)
) STRICT, WITHOUT ROWID;

