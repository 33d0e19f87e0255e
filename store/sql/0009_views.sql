-- SPDX-License-Identifier: Apache-2.0
-- Views of the course of fragmentation, tops, bins, arenas, classes, thread
-- caches and pins. Of an hour: the median, and where it says so the lowest and
-- highest of its samples.

CREATE VIEW fragmentation_1h AS
SELECT m.process_id, strftime('%Y-%m-%d %H:%M:%S', m.at_s, 'unixepoch') AS at,
	m.samples, ifnull(n.external, m.external) AS external_min, m.external,
	ifnull(x.external, m.external) AS external_max,
	m.retained_ratio, m.page_utilisation, m.stuck_ratio,
	m.unusable_median, m.unusable_p95, m.peak_overhead,
	m.largest_free, m.free_runs, m.holes_lt_4k, m.holes_4k_64k,
	m.holes_64k_1m, m.holes_ge_1m, m.holes_lt_4k_count,
	m.holes_4k_64k_count, m.holes_64k_1m_count, m.holes_ge_1m_count
FROM rollup m
LEFT JOIN rollup n ON n.process_id = m.process_id AND n.level_s = m.level_s
	AND n.at_s = m.at_s AND n.stat = 'min'
LEFT JOIN rollup x ON x.process_id = m.process_id AND x.level_s = m.level_s
	AND x.at_s = m.at_s AND x.stat = 'max'
WHERE m.stat = 'median' AND m.level_s = 3600;

CREATE VIEW tops_1h AS
SELECT m.process_id, strftime('%Y-%m-%d %H:%M:%S', m.at_s, 'unixepoch') AS at,
	m.samples, ifnull(n.top, m.top) AS top_min, m.top,
	ifnull(x.top, m.top) AS top_max,
	ifnull(n.tops_kept, m.tops_kept) AS tops_kept_min, m.tops_kept,
	ifnull(x.tops_kept, m.tops_kept) AS tops_kept_max, m.pinned,
	m.retained, m.trimmable
FROM rollup m
LEFT JOIN rollup n ON n.process_id = m.process_id AND n.level_s = m.level_s
	AND n.at_s = m.at_s AND n.stat = 'min'
LEFT JOIN rollup x ON x.process_id = m.process_id AND x.level_s = m.level_s
	AND x.at_s = m.at_s AND x.stat = 'max'
WHERE m.stat = 'median' AND m.level_s = 3600;

-- Every bin that held anything in that hour; arena NULL: all together.
CREATE VIEW bins_1h AS
SELECT b.process_id, strftime('%Y-%m-%d %H:%M:%S', b.at_s, 'unixepoch') AS at,
	CASE b.arena WHEN 0 THEN NULL ELSE printf('0x%x', b.arena) END AS arena,
	CASE b.kind WHEN 0 THEN 'fast' WHEN 1 THEN 'unsorted' WHEN 2 THEN
		'small' ELSE 'large' END AS kind, b.bin,
	z.min_size, z.max_size,
	ifnull(b.bytes_min, b.bytes) AS bytes_min, b.bytes,
	ifnull(b.bytes_max, b.bytes) AS bytes_max,
	ifnull(b.chunks_min, b.chunks) AS chunks_min, b.chunks,
	ifnull(b.chunks_max, b.chunks) AS chunks_max
FROM bin_rollup b
LEFT JOIN bin_size z ON z.process_id = b.process_id AND z.kind = b.kind
	AND z.bin = b.bin
WHERE b.level_s = 3600;

CREATE VIEW arenas_1h AS
SELECT process_id, strftime('%Y-%m-%d %H:%M:%S', at_s, 'unixepoch') AS at,
	printf('0x%x', address) AS address, system, in_use, free,
	ifnull(top_min, top) AS top_min, top, ifnull(top_max, top) AS top_max,
	trimmable, retained, heaps
FROM arena_rollup WHERE level_s = 3600;

-- max_size 0: mmapped chunks, which are never free.
CREATE VIEW classes_1h AS
SELECT c.process_id, strftime('%Y-%m-%d %H:%M:%S', c.at_s, 'unixepoch') AS at,
	c.max_size, c.median AS in_use_bytes, c.chunks AS in_use_chunks,
	f.bytes AS free_bytes, f.chunks AS free_chunks
FROM class_rollup c
LEFT JOIN free_class_rollup f ON f.process_id = c.process_id
	AND f.level_s = c.level_s AND f.at_s = c.at_s
	AND f.max_size = c.max_size
WHERE c.level_s = 3600;

CREATE VIEW threads_1h AS
SELECT process_id, strftime('%Y-%m-%d %H:%M:%S', at_s, 'unixepoch') AS at,
	tid, ifnull(tcache_bytes_min, tcache_bytes) AS tcache_bytes_min,
	tcache_bytes, ifnull(tcache_bytes_max, tcache_bytes) AS tcache_bytes_max,
	tcache_chunks
FROM thread_rollup WHERE level_s = 3600;

-- Chunks that held memory below a top, and how much they held, as far back as
-- samples with their arenas are kept: all of six hours, then one an hour.
CREATE VIEW pins AS
SELECT s.process_id, p.target, p.comm, p.pid,
	printf('0x%x', a.address) AS arena,
	printf('0x%x', a.pin_address) AS address, a.pin_size AS size,
	strftime('%Y-%m-%d %H:%M:%S', min(s.at_ns) / 1000000000, 'unixepoch')
		AS first_seen,
	strftime('%Y-%m-%d %H:%M:%S', max(s.at_ns) / 1000000000, 'unixepoch')
		AS last_seen,
	round((max(s.at_ns) - min(s.at_ns)) / 3600e9, 2) AS hours,
	count(*) AS samples, min(a.pin_holds) AS holds_min,
	max(a.pin_holds) AS holds_max
FROM arena a JOIN sample s ON s.id = a.sample_id
JOIN process p ON p.id = s.process_id
WHERE a.pin_address IS NOT NULL AND a.gone IS NULL
GROUP BY s.process_id, a.address, a.pin_address, a.pin_size
ORDER BY max(s.at_ns) DESC, max(a.pin_holds) DESC;
