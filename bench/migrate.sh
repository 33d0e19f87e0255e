#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A year's history as an early release wrote it (version 4 of the schema), brought up
# to date by the next command that writes to it. Made rows: what a process of ten
# arenas with a sample each 10 s leaves after a year.
set -euo pipefail
# shellcheck source=bench/lib.sh disable=SC1091,SC2154
. "$(dirname "$0")/lib.sh"

# columns TABLE SKIP: its columns behind the first SKIP, and as many made figures.
columns() {
	sqlite3 "$db" "SELECT ', \"' || group_concat(name, '\", \"') || '\"' FROM pragma_table_info('$1') WHERE cid >= $2"
}
figures() {
	sqlite3 "$db" "SELECT ', ' || group_concat('random() & ' || (255 << cid % 3 * 8), ', ') FROM pragma_table_info('$1') WHERE cid >= $2"
}

# level PROCESS SECONDS DAYS: its roll-ups.
level() {
	local each="FROM n JOIN (SELECT column1 AS s FROM (VALUES ('min'), ('p10'), ('median'), ('max')))"
	cat <<-SQL
		WITH RECURSIVE n(at) AS (SELECT 1781536000 - $3 * 86400 UNION ALL SELECT at + $2 FROM n WHERE at < 1781536000)
		INSERT INTO rollup (process_id, level_s, at_s, stat, samples$(columns rollup 5)) SELECT $1, $2, at, s, $2 / 10$(figures rollup 5) $each;
		WITH RECURSIVE n(at) AS (SELECT 1781536000 - $3 * 86400 UNION ALL SELECT at + $2 FROM n WHERE at < 1781536000),
		c(size) AS (SELECT 32 UNION ALL SELECT size + 80 FROM c WHERE size < 1440)
		INSERT INTO class_rollup SELECT $1, $2, at, size, random() & 65535, random() & 65535, random() & 65535, random() & 65535, random() & 255 FROM n, c;
	SQL
}

# samples PROCESS: two days of them, those of the last six hours with details.
samples() {
	cat <<-SQL
		INSERT INTO process VALUES ($1, 'web', 'boot', 100 + $1, 7, 0, 1, 2, 3, 'web', '/usr/bin/web', 'x86_64', '/', 1000,
			1750000000000000000, 1750000000000000000, 1781536000000000000, NULL, 3150000, NULL, 1781363200000000000, 1781532000);
		WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 17279)
		INSERT INTO sample (id, process_id, at_ns, base_id, detail, lists$(columns sample 6))
		SELECT $1 * 100000 + i, $1, (1781363200 + i * 10) * 1000000000,
			$1 * 100000 + CASE WHEN i < 15120 THEN i ELSE i - i % 60 END,
			CASE WHEN i < 15120 THEN 0 WHEN i % 60 = 0 THEN 2 ELSE 1 END, 0$(figures sample 6) FROM n;
		INSERT INTO fragmentation (sample_id, external, free_runs) SELECT id, 0.5, id FROM sample WHERE detail > 0 AND process_id = $1;
		WITH RECURSIVE c(size) AS (SELECT 32 UNION ALL SELECT size + 80 FROM c WHERE size < 1440)
		INSERT INTO size_class SELECT id, size, 1, size, 1, size, NULL FROM sample, c WHERE detail > 0 AND process_id = $1;
	SQL
}

make_year() { # PROCESSES
	local file process
	rm -f "$db"*
	{
		echo 'PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = OFF; BEGIN;'
		for file in 0001_tables 0002_views 0003_stuck 0004_locked; do cat "$HT_TOP/store/sql/$file.sql"; done
		echo 'PRAGMA application_id = 1752459620; PRAGMA user_version = 4; COMMIT;'
	} | sqlite3 "$db" >"$work/out"
	# all of it before SQLite reads the first: it asks the file for its columns
	{
		echo 'PRAGMA journal_mode = OFF; BEGIN;'
		for ((process = 1; process <= $1; process++)); do
			level "$process" 60 35
			level "$process" 600 120
			level "$process" 3600 365
			samples "$process"
		done
		echo 'COMMIT; PRAGMA journal_mode = WAL;'
	} >"$work/fill.sql"
	sqlite3 "$db" <"$work/fill.sql" >"$work/out"
}

rows() {
	sqlite3 "$db" 'SELECT (SELECT count(*) FROM rollup) + (SELECT count(*) FROM class_rollup) +
		(SELECT count(*) FROM sample WHERE id < 1000000)'
}

printf '## Store: a history of an early version brought up to date\n\n'
printf '| processes, a year each | rows | MiB | a record of 0.1 s, s | the same into a new file, s | of them after |\n| --- | --- | --- | --- | --- | --- |\n'
db=$work/year.db
heap_start -n 1000
for processes in 1 4; do
	make_year "$processes"
	before=$(rows)
	size=$(stat -c %s "$db")
	measure "$HT_BUILD/heaptide" record "$heap_pid" -d 100ms -o "$db"
	took=$seconds
	measure "$HT_BUILD/heaptide" record "$heap_pid" -d 100ms -o "$work/new.db"
	printf '| %d | %d | %d | %.2f | %.2f | %d |\n' "$processes" "$before" "$((size >> 20))" "$took" "$seconds" \
		"$(($(rows) - 1))"
	rm -f "$work"/new.db*
done
heap_stop
