# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# days DB ID: gives the process ID thirty days of roll-ups before its first sample, as a
# daemon keeps them: of a minute, of ten, of an hour; the metrics of that sample, with in
# use that rises and memory kept that comes and goes; the size classes by the hour.

days() {
	local db=$1 id=$2 columns level stat
	columns=$(sqlite3 -readonly "$db" "select group_concat('\"' || name || '\"') from pragma_table_info('rollup')
		where name in (select name from pragma_table_info('sample')) and name not in ('process_id', 'lists')")
	{
		echo 'BEGIN;'
		echo "CREATE TEMP TABLE one AS SELECT * FROM sample WHERE process_id = $id ORDER BY at_ns LIMIT 1;"
		echo "CREATE TEMP TABLE span AS SELECT at_ns / 1000000000 / 3600 * 3600 AS end_s, 30 * 86400 AS all_s FROM one;"
		echo 'CREATE TEMP TABLE n AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 43200) SELECT n FROM c;'
		for level in 60 600 3600; do
			for stat in median min max; do
				echo "INSERT INTO rollup (process_id, level_s, at_s, stat, samples, lists, $columns)
					SELECT $id, $level, end_s - n * $level, '$stat', $level / 10, 0, $columns FROM n, span, one WHERE n * $level <= all_s;"
			done
		done
		echo "UPDATE rollup SET in_use = in_use + (all_s - end_s + at_s) * 20 + at_s / 60 * 7919 % 300000,
			rss = rss + (all_s - end_s + at_s) * 20 + at_s / 60 * 7919 % 300000, retained = retained + at_s / 60 * 104729 % 700000
			FROM span WHERE process_id = $id;"
		echo "INSERT INTO class_rollup (process_id, level_s, at_s, max_size, median, chunks)
			SELECT $id, 3600, end_s - n * 3600, max_size, c.in_use_bytes + (720 - n) * 1000, c.in_use_chunks
			FROM n, span, one, size_class c WHERE sample_id = one.base_id AND c.in_use_bytes > 0 AND n <= 720;"
		echo "UPDATE process SET first_ns = first_ns - 30 * 86400 * 1000000000, samples = samples + 259200,
			raw_from_ns = (SELECT at_ns FROM one), rolled_s = (SELECT end_s FROM span) WHERE id = $id;"
		echo 'COMMIT;'
	} | sqlite3 "$db"
}
