#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 240 s
# What malloc's own counters say of a running process is found, or is uncertain, with its size and a warning; it never
# stands as somebody else's memory. LOOKS (6) of each mode that lets it run, at blocks that mremap widens meanwhile.
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

looks=${LOOKS:-6}

# Whole: all that malloc counts was found, the rest of the process is small. Told: what is missing is in uncertain_bytes.
judge='
def whole: .totals.mmapped_chunks == .params.n_mmaps and .totals.mmapped == .params.mmapped_mem
	and .totals.non_malloc_anon < 1048576;
def told: .stop.uncertain_bytes >= (.params.mmapped_mem - .totals.mmapped | fabs)
	and any(.warnings[]; test("mmapped chunks were found"));
if whole then "whole" elif told then "told" else
	"silent: \([.totals.mmapped_chunks, .totals.mmapped, .params.mmapped_mem, .totals.non_malloc_anon])" end'

look() { # MODE PID
	timeout 120 "$HT_BUILD/heaptide" explain --json --mode "$1" "$2" | jq -r "$judge"
}

# all_looks NAME PID WHOLE: at least so many are whole, and none is silent.
all_looks() {
	local mode i
	for mode in none bounded; do
		for ((i = 0; i < looks; i++)); do look "$mode" "$2"; done >"$HT_TMP/looks"
		is "$1, $mode: no look is silent" "$(grep -cv '^whole$\|^told$' "$HT_TMP/looks")" 0
		between "$1, $mode: what malloc has mapped is found" "$(grep -c '^whole$' "$HT_TMP/looks")" "$3" "$looks"
	done
}

begin() { # KIND...
	start "$HT_BUILD/targets/relog" "$@" >"$HT_TMP/relog"
	poll 10 grep -q ready "$HT_TMP/relog"
}

begin one
all_looks "one log" "$started" $((looks - 1))
ok "it is recorded" timeout 120 "$HT_BUILD/heaptide" record -d 15s -i 250ms -o "$HT_TMP/db" "$started"
is "and is a leak, of malloc's memory" "$("$HT_BUILD/heaptide" verdict --db "$HT_TMP/db" --json "$started" | jq -r .verdict)" LEAK
stop_started
begin many
all_looks "twenty logs" "$started" $((looks / 2))
stop_started
for alignment in 64 4096 65536; do
	begin aligned "$alignment"
	all_looks "a log aligned to $alignment" "$started" $((looks / 2))
	stop_started
done
begin heap
all_looks "heaps that grow" "$started" $((looks - 1))
stop_started
begin offbrk
all_looks "a main heap off brk that grows" "$started" $((looks - 1))
stop_started
plan
