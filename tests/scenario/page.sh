#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 600 s
# The page in Debian's Chromium: values under the pointer are the database's, zoom, names
# that switch lines off, keys, 400 px, dark; nothing is loaded, nothing that was recorded is
# run, axe finds nothing serious; with uPlot, without it, and without script. Pictures of it
# are in $HT_BUILD/results/page.
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/days.sh
. "$HT_TOP/tests/lib/days.sh"
# shellcheck source=tests/lib/browser.sh
. "$HT_TOP/tests/lib/browser.sh"
needs browser npm
cd "$HT_TMP" || exit 1
pictures=$HT_BUILD/results/page
mkdir -p "$pictures"

# A name as hostile as one can be: it ends a script, a string, a line; it is a formula and
# moves a terminal's cursor. U+2028 ends a line of script alone.
hostile=$'</script><script>window.hacked=1</script>"\'&<img src=x onerror=window.hacked=1>\u2028\e[2J=1+1'
"$HT_BUILD/sample-service" >service.out 2>&1 &
service=$!
"$HT_BUILD/heaptide" record "$service" -n "$hostile" -o made.db -i 100ms -d 12s >record.out 2>&1
ok "a service with a hostile name is recorded" test -s made.db
kill "$service"
id="#$(sqlite3 -readonly made.db 'select max(id) from process')"
# A gap, a trim, and what is not known in one row.
sqlite3 made.db "insert into event (process_id, at_ns, kind, text)
	select 1, (select at_ns from sample order by at_ns limit 1 offset 20), 'trim', '<b>' || char(27) || '[1mtrim'"
sqlite3 made.db "insert into event (process_id, at_ns, kind, text)
	select 1, last_ns, 'owners', 'a <i>list</i> by main' from process where id = 1"
report() { # PROGRAM OUT
	"$1" report "$id" --db made.db -m 'retained / heap_resident' -o "$2"
}
ok "it is a page" report "$HT_BUILD/heaptide" page.html
ok "it is a page where there is no uPlot" report "$HT_BUILD/heaptide-still" still.html
sqlite3 -json -readonly made.db "select at_ns / 1000000 as ms, in_use, retained, rss from sample
	where process_id = 1 order by at_ns" >rows.json
sqlite3 -json -readonly made.db "select printf('0x%x', address) as address from heap limit 1" >heap.json

# A hundred targets with thirty days each, by the hour: this service's figures, moved.
cp made.db many.db
sqlite3 many.db <<'SQL'
PRAGMA foreign_keys = off;
CREATE TEMP TABLE n AS WITH RECURSIVE c(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM c WHERE n < 101) SELECT n FROM c;
CREATE TEMP TABLE h AS WITH RECURSIVE c(h) AS (SELECT 1 UNION ALL SELECT h + 1 FROM c WHERE h < 720) SELECT h FROM c;
CREATE TEMP TABLE p AS SELECT * FROM process WHERE id = 1;
UPDATE p SET first_ns = last_ns - 30 * 86400 * 1000000000, raw_from_ns = last_ns, rolled_s = last_ns / 1000000000;
INSERT INTO process (id, target, boot_id, pid, start_ticks, exec, comm, exe, arch, cgroup, started_ns, first_ns, last_ns,
	samples, raw_from_ns, rolled_s)
	SELECT n, 'web-' || n, boot_id, 1000 + n, start_ticks, exec, comm, exe, arch, cgroup, started_ns, first_ns, last_ns,
		720, raw_from_ns, rolled_s FROM n, p;
INSERT INTO rollup (process_id, level_s, at_s, stat, samples, in_use, rss, retained, trimmable, non_malloc_anon, external)
	SELECT n, 3600, rolled_s - h * 3600, 'median', 360, in_use + (720 - h) * n * 100, rss, retained, s.trimmable, s.non_malloc_anon, s.external
	FROM n, h, p, (SELECT * FROM sample WHERE process_id = 1 LIMIT 1) s;
SQL
"$HT_BUILD/heaptide" verdict "$id" --db made.db --json >verdict.json
sqlite3 many.db "INSERT INTO verdict (process_id, at_ns, label, confidence, json)
	SELECT id, last_ns, 'LEAK', 0.6, CAST(readfile('verdict.json') AS TEXT) FROM process WHERE id > 1"
begin=$(date +%s%N)
ok "a hundred and one targets are one index" "$HT_BUILD/heaptide" report --all --db many.db -o all.html
note "made in $((($(date +%s%N) - begin) / 1000000)) ms, $(stat -c %s all.html) bytes"

# The same process twice: a service of two.
cp made.db family.db
columns=$(sqlite3 -readonly family.db "select group_concat('\"' || name || '\"') from pragma_table_info('sample') where name not in ('id', 'process_id', 'base_id')")
sqlite3 family.db <<SQL
CREATE TEMP TABLE p AS SELECT * FROM process WHERE id = 1;
UPDATE p SET id = 900, pid = pid + 1;
INSERT INTO process SELECT * FROM p;
INSERT INTO sample (id, process_id, base_id, $columns) SELECT id + 1000, 900, base_id + 1000, $columns FROM sample WHERE process_id = 1;
SQL
ok "a service is a page" "$HT_BUILD/heaptide" report "$hostile" --db family.db -o family.html

cp made.db month.db
ok "a process gets thirty days" days month.db "${id#\#}"
begin=$(date +%s%N)
ok "they are a page" "$HT_BUILD/heaptide" report "$id" --db month.db -o month.html
note "made in $((($(date +%s%N) - begin) / 1000000)) ms, $(stat -c %s month.html) bytes"

ok "with -o FOLDER/ each target has its page" "$HT_BUILD/heaptide" report --all --db made.db -o all/

browser_checks "$HT_TOP/tests/scenario/page.cjs" "$PWD" "$pictures"
plan
