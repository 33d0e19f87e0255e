#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 300 s
# A database that opens but is damaged inside: the statement that meets the
# damage ends recording, once and for all, until another file is there.
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"

daemon_config
watch_sleepers ht-torn
start "$HT_TMP/ht-torn" 600
target=$started
daemon_start
store_up() { [ "$(metric heaptide_store_up)" = "$1" ]; }
lost() { metric heaptide_store_lost_samples_total; }
stored() { [ "$(metric heaptide_store_samples_total)" -gt 2 ]; }
ok "it records" poll 30 stored
daemon_stop

# One page of many: the root of the roll-ups. Verdicts read it, samples do not:
# they could be written on and on.
page=$(sqlite3 "$db" "select rootpage from sqlite_schema where name = 'rollup'")
size=$(sqlite3 "$db" 'pragma page_size')
head -c "$size" /dev/zero | tr '\0' '\377' |
	dd of="$db" bs="$size" seek=$((page - 1)) conv=notrunc 2>/dev/null
: >"$log"
daemon_start
ok "a statement that meets damage stops recording" poll 30 store_up 0
sum=$(sha256sum <"$db")
ok "it is told what to do" logged 'damaged; keep a copy'
refuse "status says so" test "$(field "$(ask status)" result trouble)" = null
ok "measuring goes on" more_samples
n=$(lost)
# longer than the first two times it would open a file that was only busy
ok "what is lost is counted" poll 30 eval "[ \$(lost) -ge $((n + 14)) ]"
ok "it did not go on with the damaged file meanwhile" store_up 0
is "which is as it was" "$(sha256sum <"$db")" "$sum"
is "and told once" "$(grep -c 'recording stops' "$log")" 1
refuse "nor did it seem to work again" logged 'works again,'
rm -f "$db" "$db-wal" "$db-shm"
ok "with a new file in its place it records" poll 70 store_up 1
daemon_stop
is_sound "which is sound"
plan
