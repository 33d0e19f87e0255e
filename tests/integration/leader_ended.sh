#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 60 s
# A process whose main thread has ended while another goes on: its leader is a
# zombie, whose files in /proc are empty and root's. It is measured all the same,
# by root and by its own user without any right, in each mode.
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/installed.sh
. "$HT_TOP/tests/lib/installed.sh"

needs root
make -s "BUILD=$HT_BUILD" "$HT_BUILD/targets/leader_ended" || exit 1
chmod 711 "$HT_TMP"
cp "$HT_BUILD/heaptide" "$HT_BUILD/heaptide-agent" "$HT_BUILD/targets/leader_ended" "$HT_TMP"
as_user 65533

start "${as[@]}" "$HT_TMP/leader_ended" >"$HT_TMP/ready"
pid=$started
ok "it stands" poll 20 grep -q ready "$HT_TMP/ready"
ok "its leader is a zombie" poll 10 grep -q '^State:.Z' "/proc/$pid/status"
declare -A lacking=([snapshot]="copy: totals.trimmable_private")
for mode in none bounded exact snapshot; do
	ok "$mode: root measures it" "$HT_TMP/heaptide" explain "$pid" --mode "$mode" --json
	"$HT_TMP/heaptide" explain "$pid" --mode "$mode" --json >"$HT_TMP/root.json"
	"${as[@]}" "$HT_TMP/heaptide" explain "$pid" --mode "$mode" --json >"$HT_TMP/own.json"
	is "$mode: its own user sees the same" \
		"$(figures "$HT_TMP/own.json")" "$(figures "$HT_TMP/root.json")"
	can cgroups "$mode: nothing is unknown but what a copy cannot tell" && is "$mode: nothing is unknown but what a copy cannot tell" \
		"$(jq -r '.unknown[] | .reason + ": " + (.names | tostring)' "$HT_TMP/own.json")" "${lacking[$mode]-}"
	between "$mode: what is freed is found" "$(jq .totals.free "$HT_TMP/own.json")" 2900000 3200000
	between "$mode: and resident" "$(jq .totals.retained "$HT_TMP/own.json")" 2500000 3200000
done
ok "doctor says what it is" grep -q "pid $pid, its main thread has ended" <("$HT_TMP/heaptide" doctor "$pid")

start "$HT_TMP/leader_ended" userfault >"$HT_TMP/ready2"
ok "one with a page under userfaultfd stands" poll 20 grep -q ready "$HT_TMP/ready2"
refuse "it is not copied" "$HT_TMP/heaptide" explain "$started" --mode snapshot
ok "it says why" grep -q userfaultfd <("$HT_TMP/heaptide" explain "$started" --mode snapshot 2>&1)
ok "both go on" kill -0 "$pid" "$started"
stop_started
plan
