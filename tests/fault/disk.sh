#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 400 s
# The disk of the database full for real (a tmpfs of its own), its file taken
# away, damaged, or of a newer version: recording stops and is told, measuring
# goes on, and when the trouble is over so does recording.
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
needs namespaces
if [ -z "${HT_UNSHARED:-}" ]; then
	user=()
	[ "$(id -u)" -eq 0 ] || user=(--map-root-user)
	HT_UNSHARED=1 exec unshare "${user[@]}" --mount --propagation private bash "$0"
fi
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"

mkdir "$HT_TMP/disk"
ok "a disk of 4 MB" mount -t tmpfs -o size=4M tmpfs "$HT_TMP/disk"
db=$HT_TMP/disk/d.db
daemon_config
watch_sleepers ht-disk
cat >>"$conf" <<CONF
[rule big]
condition = rss > 1
minimum = 0
CONF
start "$HT_TMP/ht-disk" 600
target=$started
daemon_start
recorded() { sql 'select max(id) from sample'; }
troubled() { field "$(ask status)" result trouble | grep -qv '^null$'; }
store_up() { [ "$(metric heaptide_store_up)" = "$1" ]; }
# told WHAT: recording stopped and is told, measuring goes on
told() {
	ok "$1: it is told in /metrics" poll 90 store_up 0
	ok "$1: and by status, with the reason" poll 30 troubled
	ok "$1: and logged" poll 10 logged -i "$2"
	ok "$1: measuring goes on" more_samples
	ok "$1: what is lost is counted" poll 20 eval '[ "$(metric heaptide_store_lost_samples_total)" -gt 0 ]'
}
# records_again WHAT
records_again() {
	local n
	ok "$1: recording goes on" poll 90 store_up 1
	ok "$1: status has no trouble" poll 30 eval '! troubled'
	n=$(recorded)
	ok "$1: samples come in" poll 20 eval "[ \$(recorded) -gt ${n:-0} ]"
}

ok "it records" poll 30 eval '[ "$(recorded)" -gt 3 ]'
before=$(recorded)
dd if=/dev/zero of="$HT_TMP/disk/filler" bs=4k 2>/dev/null
told "disk full" 'full\|no space'
rm "$HT_TMP/disk/filler"
records_again "room again"
ok "what was recorded before is there" test "$(recorded)" -gt "$before"
is_sound "the database is sound"

rm -f "$db" "$db-wal" "$db-shm"
ok "a file that is taken away is noticed and made anew" poll 90 eval '[ "$(recorded)" -ge 1 ]'
kill -0 "$daemon"
is "it was the same daemon all the time" $? 0
daemon_stop
is_sound "the new database is sound"

for kind in damaged newer; do
	if [ $kind = damaged ]; then
		head -c 65536 /dev/urandom >"$db"
		said='damaged or no database'
	else
		sqlite3 "$db" 'pragma user_version = 9999' >/dev/null
		said='version'
	fi
	: >"$log"
	daemon_start
	ok "$kind: it measures" poll 30 measured "$target"
	told "$kind" "$said"
	mv "$db" "$db.$kind"
	records_again "$kind, then moved away"
	daemon_stop
done
is_sound "the last database is sound"
plan
