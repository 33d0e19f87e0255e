#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 60 s
# A process that another tracer holds, stopped or running: the default mode needs no
# tracer's place and says the same as without; the modes that stop threads refuse,
# with the tracer's name.
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

needs root
heaptide=$HT_BUILD/heaptide
figures() { "$heaptide" explain "$1" --json 2>/dev/null | jq -c '[.totals.in_use, .totals.free, .totals.system, (.findings | length)]'; }
lets_go() { grep -q "^TracerPid:[^0-9]*0$" "/proc/$1/status"; }
stands() { grep -q '^State:[^A-Za-z]*t' "/proc/$1/status"; }

start sleep 300
pid=$started
poll 10 grep -qx sleep "/proc/$pid/comm" # exec is past
before=$(figures "$pid")

debugger() { exec gdb -q -nx -p "$pid" -batch -ex 'shell exec sleep 300' >"$HT_TMP/gdb" 2>&1; }
start debugger
gdb=$started
ok "a debugger stops it" poll 20 stands "$pid"
is "by default it is measured as without" "$(figures "$pid")" "$before"
is "no thread was stopped for it" "$("$heaptide" explain "$pid" --json | jq -c '[.stop.threads, .stop.pause_us]')" "[0,0]"
for mode in exact snapshot; do
	refuse "$mode: refused" "$heaptide" explain "$pid" --mode "$mode"
	ok "$mode: it names the tracer" grep -q 'is traced by process .*gdb' <("$heaptide" explain "$pid" --mode "$mode" 2>&1)
done
is "bounded: read without a stop, and said" \
	"$("$heaptide" explain "$pid" --mode bounded --json | jq '[.warnings[] | select(test("not stopped: .*gdb"))] | length')" 1
ok "doctor tells, and finds it can be measured" "$heaptide" doctor "$pid"
ok "it is stopped as before" stands "$pid"
pkill -KILL -P "$gdb" # its shell
ok "the debugger ends" poll 10 not_running "$gdb"
ok "and lets it go" poll 10 lets_go "$pid"
plan
