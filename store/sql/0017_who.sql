-- SPDX-License-Identifier: Apache-2.0
-- Whose call stacks make a leak (who = on-leak): a row of `who` each time it was
-- asked, its sites, and their stacks, each of which is kept once.
CREATE TABLE stack (
	id INTEGER PRIMARY KEY,
	hash INTEGER NOT NULL, -- of its frames
	name TEXT NOT NULL,    -- its innermost functions
	UNIQUE (hash, name)
) STRICT;

-- Frames, innermost (0) first; those that were inlined have rows of their own.
CREATE TABLE stack_frame (
	stack_id INTEGER NOT NULL REFERENCES stack (id) ON DELETE CASCADE,
	depth INTEGER NOT NULL,
	function TEXT, -- as the linker knows it
	module TEXT, "offset" INTEGER, within INTEGER,
	file TEXT, line INTEGER, inlined INTEGER,
	PRIMARY KEY (stack_id, depth)
) STRICT, WITHOUT ROWID;

CREATE TABLE who (
	id INTEGER PRIMARY KEY,
	process_id INTEGER NOT NULL REFERENCES process (id) ON DELETE CASCADE,
	at_ns INTEGER NOT NULL,
	max_size INTEGER, -- the class of chunks that was asked about; NULL: all
	way TEXT NOT NULL, windows INTEGER, armed_us INTEGER, hits INTEGER,
	samples INTEGER, lost INTEGER, followed_us INTEGER,
	growth REAL -- bytes a second
) STRICT;
CREATE INDEX who_by_time ON who (process_id, at_ns);

-- What became of the chunks that a stack was seen to ask for.
CREATE TABLE site (
	who_id INTEGER NOT NULL REFERENCES who (id) ON DELETE CASCADE,
	rank INTEGER NOT NULL, -- 0: what leaks most
	stack_id INTEGER NOT NULL REFERENCES stack (id),
	samples INTEGER, alive INTEGER, freed INTEGER, unknown INTEGER,
	moved INTEGER, bytes INTEGER, alive_bytes INTEGER, min_size INTEGER,
	max_size INTEGER, old_samples INTEGER, old_alive INTEGER,
	old_freed INTEGER, whole INTEGER, growing INTEGER,
	survival REAL, survival_low REAL, survival_high REAL,
	bytes_per_s REAL, share_of_growth REAL,
	leaking INTEGER, -- NULL: not sure
	confidence REAL,
	PRIMARY KEY (who_id, rank)
) STRICT, WITHOUT ROWID;
CREATE INDEX site_by_stack ON site (stack_id);

-- The newest answer of each process.
CREATE VIEW sites_now AS
SELECT w.process_id, p.target, p.comm, p.pid,
	strftime('%Y-%m-%d %H:%M:%S', w.at_ns / 1000000000, 'unixepoch')
		AS asked_at,
	k.name AS site, s.leaking, round(s.bytes_per_s) AS bytes_per_s,
	round(s.share_of_growth, 3) AS share_of_growth, s.samples, s.alive,
	s.freed, s.unknown, round(s.survival, 3) AS survival, s.stack_id
FROM who w JOIN process p ON p.id = w.process_id
JOIN site s ON s.who_id = w.id JOIN stack k ON k.id = s.stack_id
WHERE w.id = (SELECT o.id FROM who o WHERE o.process_id = w.process_id
	ORDER BY o.at_ns DESC, o.id DESC LIMIT 1)
ORDER BY w.process_id, s.rank;
