-- SPDX-License-Identifier: Apache-2.0
-- Roll-ups of lists: free bytes of bins, arenas, free chunks by size, thread
-- caches. X is the median of a bucket's samples; X_min and X_max are NULL when
-- they equal it. Only what changed since the bucket before; each hour starts
-- anew with all that is not empty.

-- Bins by arena and free chunks by size are kept from 10 minutes on.

-- Which lists the samples of a bucket measured: bit 1 bins, 2 bins by arena,
-- 4 arenas, 8 free chunks by size, 16 threads. In rows with the median.
ALTER TABLE rollup ADD COLUMN lists INTEGER;

-- arena: address of its malloc_state, 0: all arenas together. kind: 0 fast, 1 unsorted, 2 small, 3 large.
CREATE TABLE bin_rollup (
	process_id INTEGER NOT NULL REFERENCES process (id) ON DELETE CASCADE,
	level_s INTEGER NOT NULL, at_s INTEGER NOT NULL,
	arena INTEGER NOT NULL, kind INTEGER NOT NULL, bin INTEGER NOT NULL,
	bytes INTEGER, bytes_min INTEGER, bytes_max INTEGER,
	chunks INTEGER, chunks_min INTEGER, chunks_max INTEGER,
	PRIMARY KEY (process_id, level_s, at_s, arena, kind, bin)
) STRICT, WITHOUT ROWID;

-- Which chunk sizes a bin takes; NULL: any, or no upper end.
CREATE TABLE bin_size (
	process_id INTEGER NOT NULL REFERENCES process (id) ON DELETE CASCADE,
	kind INTEGER NOT NULL, bin INTEGER NOT NULL,
	min_size INTEGER, max_size INTEGER,
	PRIMARY KEY (process_id, kind, bin)
) STRICT, WITHOUT ROWID;

CREATE TABLE arena_rollup (
	process_id INTEGER NOT NULL REFERENCES process (id) ON DELETE CASCADE,
	level_s INTEGER NOT NULL, at_s INTEGER NOT NULL,
	address INTEGER NOT NULL,
	system INTEGER, system_min INTEGER, system_max INTEGER,
	in_use INTEGER, in_use_min INTEGER, in_use_max INTEGER,
	free INTEGER, free_min INTEGER, free_max INTEGER,
	top INTEGER, top_min INTEGER, top_max INTEGER,
	trimmable INTEGER, trimmable_min INTEGER, trimmable_max INTEGER,
	retained INTEGER, retained_min INTEGER, retained_max INTEGER,
	heaps INTEGER, heaps_min INTEGER, heaps_max INTEGER,
	PRIMARY KEY (process_id, level_s, at_s, address)
) STRICT, WITHOUT ROWID;

CREATE TABLE free_class_rollup (
	process_id INTEGER NOT NULL REFERENCES process (id) ON DELETE CASCADE,
	level_s INTEGER NOT NULL, at_s INTEGER NOT NULL,
	max_size INTEGER NOT NULL,
	bytes INTEGER, bytes_min INTEGER, bytes_max INTEGER,
	chunks INTEGER, chunks_min INTEGER, chunks_max INTEGER,
	PRIMARY KEY (process_id, level_s, at_s, max_size)
) STRICT, WITHOUT ROWID;

CREATE TABLE thread_rollup (
	process_id INTEGER NOT NULL REFERENCES process (id) ON DELETE CASCADE,
	level_s INTEGER NOT NULL, at_s INTEGER NOT NULL,
	tid INTEGER NOT NULL,
	tcache_bytes INTEGER, tcache_bytes_min INTEGER,
	tcache_bytes_max INTEGER,
	tcache_chunks INTEGER, tcache_chunks_min INTEGER,
	tcache_chunks_max INTEGER,
	PRIMARY KEY (process_id, level_s, at_s, tid)
) STRICT, WITHOUT ROWID;
