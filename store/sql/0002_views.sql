-- SPDX-License-Identifier: Apache-2.0
-- Views with plain names for the common questions. Sizes are bytes, times UTC.

-- What each process holds now, one row a process, the newest first.
CREATE VIEW current AS
SELECT p.id AS process_id, p.target, p.comm, p.pid,
	strftime('%Y-%m-%d %H:%M:%S', s.at_ns / 1000000000, 'unixepoch')
		AS taken_at,
	s.rss, s.in_use, s.retained, s.trimmable, s.pinned, s.top,
	s.non_malloc_anon, s.mmapped, s.system, s.arenas, s.threads,
	s.pause_us, s."limit" AS memory_limit,
	strftime('%Y-%m-%d %H:%M:%S', p.ended_ns / 1000000000, 'unixepoch')
		AS ended_at
FROM process p JOIN sample s ON s.id = p.last_id
ORDER BY s.at_ns DESC;

-- How each process changed from the oldest hour that is known to now.
CREATE VIEW growth AS
SELECT p.id AS process_id, p.target, p.comm, p.pid,
	strftime('%Y-%m-%d %H:%M:%S', o.at_ns / 1000000000, 'unixepoch')
		AS since,
	round((s.at_ns - o.at_ns) / 3600e9, 2) AS hours,
	o.in_use AS in_use_then, s.in_use AS in_use_now,
	s.in_use - o.in_use AS in_use_grown,
	s.retained - o.retained AS retained_grown,
	s.non_malloc_anon - o.non_malloc_anon AS non_malloc_grown,
	s.rss - o.rss AS rss_grown,
	CASE WHEN s.at_ns > o.at_ns THEN
		CAST((s.in_use - o.in_use) / ((s.at_ns - o.at_ns) / 3600e9)
			AS INTEGER) END AS in_use_per_hour
FROM process p
JOIN sample s ON s.id = p.last_id
JOIN sample o ON o.id = (SELECT f.id FROM sample f
	WHERE f.process_id = p.id ORDER BY f.at_ns LIMIT 1)
ORDER BY in_use_grown DESC;

-- The samples whose rows together are the newest state of each process.
CREATE VIEW newest AS
SELECT s.id AS sample_id, s.process_id
FROM process p JOIN sample l ON l.id = p.last_id
JOIN sample s ON s.process_id = p.id AND s.id BETWEEN l.base_id AND l.id
WHERE l.detail > 0;

-- max(sample_id) makes SQLite take the other columns from that row.
CREATE VIEW arenas_now AS
SELECT * FROM (SELECT n.process_id, max(a.sample_id) AS sample_id, a.arena,
		a.kind, printf('0x%x', a.address) AS address, a.system,
		a.in_use, a.in_use_chunks, a.free, a.tcache, a.fastbin,
		a.unsorted, a.small, a.large, a.top, a.overhead, a.resident,
		a.retained, a.trimmable, a.pinned, a.attached_threads,
		printf('0x%x', a.pin_address) AS pin_address, a.pin_size,
		a.pin_holds, a.gone
	FROM newest n JOIN arena a USING (sample_id)
	GROUP BY n.process_id, a.arena)
WHERE gone IS NULL;

CREATE VIEW heaps_now AS
SELECT * FROM (SELECT n.process_id, max(h.sample_id) AS sample_id, h.arena,
		printf('0x%x', h.address) AS address, h.size, h.resident,
		h.gone
	FROM newest n JOIN heap h USING (sample_id)
	GROUP BY n.process_id, h.address)
WHERE gone IS NULL;

CREATE VIEW bins_now AS
SELECT * FROM (SELECT n.process_id, max(b.sample_id) AS sample_id, b.arena,
		b.kind, b.bin, b.min_size, b.max_size, b.chunks, b.bytes,
		b.gone
	FROM newest n JOIN bin b USING (sample_id)
	GROUP BY n.process_id, b.arena, b.kind, b.bin)
WHERE gone IS NULL;

CREATE VIEW classes_now AS
SELECT * FROM (SELECT n.process_id, max(c.sample_id) AS sample_id, c.max_size,
		c.in_use_chunks, c.in_use_bytes, c.free_chunks, c.free_bytes,
		c.gone
	FROM newest n JOIN size_class c USING (sample_id)
	GROUP BY n.process_id, c.max_size)
WHERE gone IS NULL;

CREATE VIEW threads_now AS
SELECT * FROM (SELECT n.process_id, max(t.sample_id) AS sample_id, t.tid,
		t.arena, t.tcache_chunks, t.tcache_bytes, t.gone
	FROM newest n JOIN thread t USING (sample_id)
	GROUP BY n.process_id, t.tid)
WHERE gone IS NULL;

CREATE VIEW mappings_now AS
SELECT * FROM (SELECT n.process_id, max(m.sample_id) AS sample_id, m.kind,
		m.name, m.count, m.size, m.resident, m.anonymous, m.gone
	FROM newest n JOIN mapping m USING (sample_id)
	GROUP BY n.process_id, m.kind, m.name)
WHERE gone IS NULL;

CREATE VIEW rss_now AS
SELECT * FROM (SELECT n.process_id, max(r.sample_id) AS sample_id, r.cause,
		r.bytes, r.gone
	FROM newest n JOIN rss_cause r USING (sample_id)
	GROUP BY n.process_id, r.cause)
WHERE gone IS NULL;

CREATE VIEW findings AS
SELECT s.process_id,
	strftime('%Y-%m-%d %H:%M:%S', s.at_ns / 1000000000, 'unixepoch')
		AS taken_at,
	f.code, printf('0x%x', f.address) AS address, f.arena, f.text
FROM finding f JOIN sample s ON s.id = f.sample_id
WHERE f.gone IS NULL ORDER BY s.at_ns DESC;

CREATE VIEW events AS
SELECT e.process_id, p.target, p.comm, p.pid,
	strftime('%Y-%m-%d %H:%M:%S', e.at_ns / 1000000000, 'unixepoch') AS at,
	e.kind, e.text
FROM event e LEFT JOIN process p ON p.id = e.process_id
ORDER BY e.at_ns DESC;

CREATE VIEW verdicts_now AS
SELECT v.process_id, p.target, p.comm, p.pid,
	strftime('%Y-%m-%d %H:%M:%S', max(v.at_ns) / 1000000000, 'unixepoch')
		AS judged_at,
	v.label, v.confidence
FROM verdict v JOIN process p ON p.id = v.process_id
GROUP BY v.process_id;

-- Figures over time: `SELECT * FROM trend_1h WHERE process_id = 1`.
CREATE VIEW trend AS
SELECT m.process_id, m.level_s,
	strftime('%Y-%m-%d %H:%M:%S', m.at_s, 'unixepoch') AS at, m.samples,
	ifnull(n.in_use, m.in_use) AS in_use_min, m.in_use,
	ifnull(x.in_use, m.in_use) AS in_use_max,
	ifnull(n.retained, m.retained) AS retained_min, m.retained,
	ifnull(x.retained, m.retained) AS retained_max,
	ifnull(n.rss, m.rss) AS rss_min, m.rss, ifnull(x.rss, m.rss) AS rss_max,
	m.trimmable, m.pinned, m.top, m.non_malloc_anon, m.arenas, m.threads
FROM rollup m
LEFT JOIN rollup n ON n.process_id = m.process_id AND n.level_s = m.level_s
	AND n.at_s = m.at_s AND n.stat = 'min'
LEFT JOIN rollup x ON x.process_id = m.process_id AND x.level_s = m.level_s
	AND x.at_s = m.at_s AND x.stat = 'max'
WHERE m.stat = 'median';

CREATE VIEW trend_1min AS SELECT * FROM trend WHERE level_s = 60;
CREATE VIEW trend_10min AS SELECT * FROM trend WHERE level_s = 600;
CREATE VIEW trend_1h AS SELECT * FROM trend WHERE level_s = 3600;
