#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 300 s
# A backup is moved over the database while heaptided writes it. SQLite finds a journal
# by its name: that of the file before must not be played into the one that came.
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"
heaptide=$HT_BUILD/heaptide

# of FILE: its processes, by name, as the file has them without what lies beside it
of() { sqlite3 "file:$1?immutable=1" "select group_concat(comm) from (select distinct comm from process order by comm)"; }
sound() { is "$1" "$(sqlite3 "file:$2?immutable=1" 'pragma integrity_check')" ok; }
store_up() { [ "$(metric heaptide_store_up)" = "$1" ]; }
stored() { [ "$(metric heaptide_store_samples_total)" -gt "$1" ]; }
journal() { [ -s "$db-wal" ]; }
# held: how many files of that name the daemon has open
held() { find "/proc/$daemon/fd" -lname "$1*" | wc -l; }

# read_on: somebody has a state of the file open ($reader, asked by descriptor 7), while
# the daemon records on.
read_on() {
	local n
	sqlite3 -readonly "$db" <"$HT_TMP/ask" >"$HT_TMP/read" 2>&1 &
	reader=$!
	exec 7>"$HT_TMP/ask"
	echo "begin; select count(*) > 0 from sample;" >&7
	ok "a reader has an older state" poll 10 grep -qx 1 "$HT_TMP/read"
	n=$(metric heaptide_store_samples_total)
	ok "beside which it records on" poll 30 stored "$((n + 2))"
}

# The backup: of another process, and older.
cp /bin/sleep "$HT_TMP/ht-older"
start "$HT_TMP/ht-older" 600
"$heaptide" record "$started" -o "$HT_TMP/older.db" -i 100ms -d 2s >/dev/null 2>&1
is "there is a backup, one file" "$(echo "$HT_TMP"/older.db*)" "$HT_TMP/older.db"
backup() { cp "$HT_TMP/older.db" "$HT_TMP/backup.db"; }

daemon_config
watch_sleepers ht-newer
start "$HT_TMP/ht-newer" 600
target=$started
daemon_start
ok "it records" poll 30 stored 4
ok "and has a journal" journal

# --- moved over the file ---
backup
ln "$db" "$HT_TMP/before.db"
mv "$HT_TMP/backup.db" "$db"
ok "a reader is told what the file has that came" eval '"$heaptide" ls --db "$db" >"$HT_TMP/said" && grep -q ht-older "$HT_TMP/said"'
ok "it was noticed" poll 20 logged 'moved or removed while in use'
n=$(metric heaptide_store_samples_total)
ok "it records again" poll 70 stored "$((n + 2))"
daemon_stop
sound "the file that came is sound" "$db"
is "it has what it had, and what was recorded since" "$(of "$db")" ht-newer,ht-older
sound "so is the one of before, wherever it is" "$HT_TMP/before.db"
is "which has all that was committed to it" "$(of "$HT_TMP/before.db")" ht-newer
is "nothing is left beside either" "$(ls "$db"-* "$HT_TMP"/before.db-* 2>&-)" ""

# --- while somebody reads the file of before: its journal cannot be given back ---
rm "$db" "$HT_TMP/before.db"
: >"$log"
daemon_start
ok "anew: it records" poll 30 stored 4
mkfifo "$HT_TMP/ask"
read_on
before=$(stat -c %i "$db-wal")
backup
mv "$HT_TMP/backup.db" "$db"
ended=0
"$heaptide" ls --db "$db" >"$HT_TMP/said" 2>&1 || ended=$?
older_or_refused() {
	grep -q ht-older "$HT_TMP/said" ||
		{ [ "$ended" -ne 0 ] && grep -q "in the place of another file" "$HT_TMP/said"; }
}
ok "whoever reads now is told of the file that came, or that he cannot be" older_or_refused
refuse "and never of the one of before" grep -q ht-newer "$HT_TMP/said"
ok "it records again" poll 70 eval 'logged "works again" && store_up 1'
ok "it is said what became of the journal" logged "was another file's, put away as $db-wal.old"
is "which is that very file" "$(stat -c %i "$db-wal.old")" "$before"
is "the one of before is held no longer" "$(held "$db-wal.old")" 0
echo ".quit" >&7
exec 7>&-
wait "$reader"
ok "samples come to the file that came" poll 30 eval '[ "$(sql "select count(*) > 3 from sample join process on process.id = process_id where comm = '\''ht-newer'\''")" = 1 ]'
daemon_stop
sound "it is sound" "$db"
is "and has both" "$(of "$db")" ht-newer,ht-older

# --- moved away and back while the daemon could not write: the journal is its own ---
rm -f "$db"*
: >"$log"
daemon_start
ok "once more: it records" poll 30 stored 4
read_on
samples=$(sql "select count(*) from sample")
mv "$db" "$HT_TMP/away.db"
mkdir "$db"
ok "a file that was moved away is noticed" poll 20 store_up 0
rmdir "$db"
mv "$HT_TMP/away.db" "$db"
ok "moved back it is gone on with" poll 70 store_up 1
is "its journal was not put away" "$(ls "$db"-wal.old* 2>&-)" ""
ok "no sample is lost of it" test "$(sql "select count(*) from sample")" -ge "$samples"
echo ".quit" >&7
exec 7>&-
wait "$reader"
daemon_stop
sound "it is sound" "$db"

# --- whoever writes and does not see it: nobody else reads or writes there ---
rm -f "$db"*
daemon_start
ok "a last time: it records" poll 30 stored 4
kill -STOP "$daemon"
backup
mv "$HT_TMP/backup.db" "$db"
sum=$(sha256sum <"$db")
refuse "who would read is refused" "$heaptide" ls --db "$db"
"$heaptide" ls --db "$db" >"$HT_TMP/said" 2>&1
ok "and told who has the journal" grep -q "process $daemon has open still (wait until the other has ended, or name another file)" "$HT_TMP/said"
is "the file is as it came" "$(sha256sum <"$db")" "$sum"
kill -CONT "$daemon"
ok "when the writer sees it, he is told" poll 20 eval '"$heaptide" ls --db "$db" | grep -q ht-older'
daemon_stop
sound "all is sound" "$db"

# --- a record of one's own ---
start "$heaptide" record "$target" -o "$HT_TMP/own.db" -i 100ms -d 10m 2>"$HT_TMP/err"
ok "a record is made" poll 20 eval '[ "$(sqlite3 -readonly "$HT_TMP/own.db" "select count(*) > 3 from sample")" = 1 ]'
backup
sum=$(sha256sum <"$HT_TMP/backup.db")
mv "$HT_TMP/backup.db" "$HT_TMP/own.db"
wait "$started"
is "another file in its place ends it" $? 14
ok "which is told" grep -q "own.db was moved or removed while in use" "$HT_TMP/err"
is "the file that came is as it was" "$(sha256sum <"$HT_TMP/own.db")" "$sum"
is "with nothing beside it" "$(ls "$HT_TMP"/own.db-* 2>&-)" ""
plan
