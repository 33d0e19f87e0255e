#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# What the installed agent, of a user of its own and with two capabilities, sees
# of other users' processes: all that root sees, and nothing that is not a
# process's. No thread that sleeps is stopped for it.
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/installed.sh
. "$HT_TOP/tests/lib/installed.sh"

make -s "BUILD=$HT_BUILD" "$HT_BUILD/targets/"{large_heap,waiting} || exit 1
installed
other=65533

# look WHO ARGUMENT...: a snapshot by root or by heaptide, in $HT_TMP/WHO.json
look() {
	local who=$1
	shift
	as=()
	[ "$who" = root ] || as_heaptide
	"${as[@]}" "$there/heaptide" explain --json "$@" >"$HT_TMP/$who.json"
}
field() { jq -r "$2" "$HT_TMP/$1.json"; }
# both NAME ARGUMENT...: what the two see is the same
both() {
	local name=$1
	shift
	ok "$name: root measures it" look root "$@"
	ok "$name: so does heaptide" look heaptide "$@"
	is "$name: every figure is the same" "$(figures "$HT_TMP/heaptide.json")" "$(figures "$HT_TMP/root.json")"
	ok "$name: what is freed and resident is known" test "$(field heaptide .totals.retained)" -gt 0
}

# A program, and its folder, that nobody but its user may read.
mkdir "$HT_TMP/private"
cp "$HT_BUILD/targets/large_heap" "$HT_TMP/private/large"
chmod 755 "$HT_TMP/signals"
cp "$HT_BUILD/targets/waiting" "$HT_TMP"
chown -R "$other" "$HT_TMP/private"
chmod 700 "$HT_TMP/private"

as_user "$other"
start "${as[@]}" "$HT_TMP/private/large" 20000 3 3000 >"$HT_TMP/ready"
large=$started
ok "a process of another user stands" poll 20 grep -q ready "$HT_TMP/ready"
for mode in bounded exact snapshot none; do
	both "$mode" "$large" --mode "$mode"
done
is "the program in a private folder is read" "$(field heaptide .libc.located)" symbol

chmod 111 "$HT_TMP/private/large"
as_user "$other"
start "${as[@]}" "$HT_TMP/private/large" 5000 1 1000 >"$HT_TMP/ready2"
ok "a process of an executable that nobody may read stands" poll 20 grep -q ready "$HT_TMP/ready2"
both "an executable of mode 0111" "$started"

# Threads asleep in a call that could notice a stop are not stopped.
as_user "$other"
start "${as[@]}" "$HT_TMP/waiting" >"$HT_TMP/said"
sleeper=$started
poll 10 grep -q '^232 ' "/proc/$sleeper/syscall"
ok "a thread in epoll_wait is measured" look heaptide "$sleeper" --mode bounded
is "and not stopped for it" "$(field heaptide '.stop.threads, .stop.pause_us')" $'0\n0'

# Without the right to see what a thread sleeps in, none is stopped at all.
narrow() {
	as_heaptide dac_read_search
	"${as[@]}" "$there/heaptide" explain --json "$@" >"$HT_TMP/narrow.json"
}
ok "without CAP_DAC_READ_SEARCH the agent still starts" narrow "$sleeper" --mode bounded
is "and stops nobody" "$(field narrow '.stop.threads')" 0
ok "it says why" grep -q "not stopped: .*syscall.*CAP_DAC_READ_SEARCH" "$HT_TMP/narrow.json"
ok "and why residency is unknown" grep -q "resident is unknown: .*pagemap.*CAP_DAC_READ_SEARCH" "$HT_TMP/narrow.json"
is "which is null" "$(field narrow .totals.retained)" null
refuse "an exact look, which must stop it, is refused" narrow "$sleeper" --mode exact
is "the sleeper noticed nothing" "$(cat "$HT_TMP/said")" ready

# Copies of snapshot mode end with each sample, whoever's they are.
members() { pgrep -c -f "^$HT_TMP/private/large 20000"; }
stop_one() { kill -INT "$started" && wait "$started"; }
mkdir "$HT_TMP/db"
chown "$heaptide_id" "$HT_TMP/db"
as_heaptide
start "${as[@]}" "$there/heaptide" record "$large" --mode snapshot --interval 100ms -o "$HT_TMP/db/rec.db" 2>"$HT_TMP/record.log"
recorded() { sqlite3 -readonly "$HT_TMP/db/rec.db" 'select count(*) from sample'; }
ok "snapshots are recorded" poll 20 eval '[ "$(recorded)" -ge 6 ]'
between "no copy of the process is left by them" "$(members)" 1 2
stop_one
is "and none at the end" "$(members)" 1

# What a person names is opened with the person's own rights.
gcore -o "$HT_TMP/core" "$large" >/dev/null 2>&1
core=$HT_TMP/core.$large
chmod 600 "$core"
ok "a core file of root's is read by root" "$there/heaptide" explain --core "$core" --exe "$HT_TMP/private/large"
as_heaptide
refuse "and not by a member of the group" "${as[@]}" "$there/heaptide" explain --core "$core"
ok "for that is what its mode says" grep -q "Permission denied" \
	<("${as[@]}" "$there/heaptide" explain --core "$core" 2>&1)
as_user 65531
refuse "who is not of the group has no agent" "${as[@]}" "$there/heaptide" explain "$large"
plan
