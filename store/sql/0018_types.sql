-- SPDX-License-Identifier: Apache-2.0
-- What the chunks in use are (types = on): a row of `type_look` each time it was
-- looked, and one of `type_use` for each of its largest types, whose names are
-- kept once. bytes = those of its types + other_bytes + unknown_bytes.
CREATE TABLE type (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL, -- in words
	kind TEXT NOT NULL, -- what told it
	module TEXT NOT NULL, -- where its vtable or static is; '': in none
	UNIQUE (name, kind, module)
) STRICT;

CREATE TABLE type_look (
	id INTEGER PRIMARY KEY,
	process_id INTEGER NOT NULL REFERENCES process (id) ON DELETE CASCADE,
	at_ns INTEGER NOT NULL,
	chunks INTEGER, bytes INTEGER,		      -- all that are in use
	unknown_chunks INTEGER, unknown_bytes INTEGER, -- whose type is not known
	other_types INTEGER, -- for which there was no room
	other_chunks INTEGER, other_bytes INTEGER
) STRICT;
CREATE INDEX type_look_by_time ON type_look (process_id, at_ns);

CREATE TABLE type_use (
	look_id INTEGER NOT NULL REFERENCES type_look (id) ON DELETE CASCADE,
	type_id INTEGER NOT NULL REFERENCES type (id),
	chunks INTEGER, bytes INTEGER,
	PRIMARY KEY (look_id, type_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX type_use_by_type ON type_use (type_id);

-- The newest look at each process.
CREATE VIEW types_now AS
SELECT l.process_id, p.target, p.comm, p.pid,
	strftime('%Y-%m-%d %H:%M:%S', l.at_ns / 1000000000, 'unixepoch')
		AS looked_at,
	t.name AS type, t.kind, t.module, u.chunks, u.bytes,
	round(1.0 * u.bytes / l.bytes, 3) AS share
FROM type_look l JOIN process p ON p.id = l.process_id
JOIN type_use u ON u.look_id = l.id JOIN type t ON t.id = u.type_id
WHERE l.id = (SELECT o.id FROM type_look o WHERE o.process_id = l.process_id
	ORDER BY o.at_ns DESC, o.id DESC LIMIT 1)
ORDER BY l.process_id, u.bytes DESC;
