#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # lib.sh
# who.sh: what `heaptide who` costs a program that allocates all the time: processor
# time of an operation, a stretch with it against the mean of the two stretches without
# it around it. WHO_ROUNDS (5) stretches of WHO_SECONDS (4). Then the same beside what
# a Debian package gives, and how soon a rare leak is named: WHO_PEER_ROUNDS (3),
# WHO_LEAK_RUNS (2). Some nine minutes in
# all; by 15 8 5 it is an hour, and less is noise.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
rounds=${WHO_ROUNDS:-5}
seconds=${WHO_SECONDS:-4}

mark() { # operations, processor time
	echo >&"${LOOP[1]}"
	read -r operations cpu <&"${LOOP[0]}"
}

# stretch COMMAND...: nanoseconds an operation while it runs
stretch() {
	local operations cpu before_operations before_cpu
	mark
	before_operations=$operations before_cpu=$cpu
	"$@" >"$work/said" 2>&1 || true
	mark
	awk -v n=$((operations - before_operations)) -v t=$((cpu - before_cpu)) \
		'BEGIN { printf "%.4f\n", t / n }'
}

row() { # NAME WORK [OPTION...]
	local name=$1 work_of=$2 before with after ratios=()
	shift 2
	coproc LOOP { exec "$HT_BUILD/bench/mallocloop" "$work_of"; }
	sleep 1
	before=$(stretch sleep "$seconds")
	for _ in $(seq "$rounds"); do
		with=$(stretch "$HT_BUILD/heaptide" who "$LOOP_PID" -d "${seconds}s" "$@")
		after=$(stretch sleep "$seconds")
		ratios+=("$(awk -v w="$with" -v a="$before" -v b="$after" \
			'BEGIN { printf "%.5f\n", w / ((a + b) / 2) }')")
		before=$after
	done
	printf '%s\n' "${ratios[@]}" | sort -n | awk -v name="$name" -v ns="$before" '{ v[NR] = $1 } END {
		printf "| %s | %.2f | %.4f x | %.4f to %.4f |\n", name, ns / 1e3,
			v[int((NR + 1) / 2)], v[int((NR + 3) / 4)], v[int((3 * NR + 3) / 4)] }'
	kill "$LOOP_PID"
	wait "$LOOP_PID" 2>/dev/null || true
}

echo '## What heaptide who costs a program that allocates all the time'
echo
printf 'A breakpoint and its signal cost %s us on this machine: what a call that is seen pays is some of that.\n\n' \
	"$("$HT_BUILD/bench/mallocloop" trap)"
echo '| program | us an operation | with who, median | middle half |'
echo '| --- | ---: | ---: | ---: |'
row 'malloc and free alone' 0
row 'with other work' 4000
row 'malloc and free alone, by growth' 0 --way growth
row 'first writes to pages alone, by growth' pages --way growth

# --- peers ------------------------------------------------------------------------------

# cost COMMAND...: nanoseconds an operation of a loop that ends, run by the command
cost() {
	"$@" "$HT_BUILD/bench/mallocloop" 0 "$operations" 2>/dev/null |
		awk 'NF == 2 && $1 ~ /^[0-9]+$/ { printf "%.3f\n", $2 / $1 }'
}

# with_who COMMAND...: the same, looked at by heaptide who all the while
# shellcheck disable=SC2317 # by peer
with_who() {
	"$@" & # not a subshell: the loop itself
	"$HT_BUILD/heaptide" who $! -d 600s >/dev/null 2>&1 &
	wait -n
	wait
}

peer() { # NAME COMMAND...
	local name=$1 before with after ratios=()
	shift
	before=$(cost env)
	for _ in $(seq "${WHO_PEER_ROUNDS:-3}"); do
		with=$(cost "$@")
		after=$(cost env)
		ratios+=("$(awk -v w="$with" -v a="$before" -v b="$after" \
			'BEGIN { printf "%.4f\n", w / ((a + b) / 2) }')")
		before=$after
	done
	printf '%s\n' "${ratios[@]}" | sort -n | awk -v name="$name" '{ v[NR] = $1 } END {
		printf "| %s | %.3f x | %.3f to %.3f |\n", name, v[int((NR + 1) / 2)], v[1], v[NR] }'
}

echo
echo '## The same against what sees every call'
echo
echo '| by what | processor time of an operation, median | from, to |'
echo '| --- | ---: | ---: |'
operations=300000000
peer 'heaptide who, on the running process' with_who
operations=3000000
if command -v heaptrack >/dev/null; then
	peer 'heaptrack, from the start' env -C "$work" heaptrack
fi
if command -v valgrind >/dev/null; then
	peer 'valgrind --tool=massif, from the start' \
		valgrind -q --tool=massif --massif-out-file="$work/massif"
fi

# --- how soon ---------------------------------------------------------------------------

rare() { # RATE EVERY: named in a minute, of how many
	local named=0 alive=() loop
	for _ in $(seq "${WHO_LEAK_RUNS:-2}"); do
		"$HT_BUILD/targets/makers" paced "$1" "$2" >/dev/null &
		loop=$!
		"$HT_BUILD/heaptide" who "$loop" -d 60s --json >"$work/who.json" 2>/dev/null || true
		kill "$loop"
		wait "$loop" 2>/dev/null || true
		! jq -e '[.sites[] | select(.leaking) | .frames[0].function] == ["culprit"]' \
			"$work/who.json" >/dev/null || named=$((named + 1))
		alive+=("$(jq '[.sites[] | select(.frames[0].function == "culprit") | .alive] | add // 0' "$work/who.json")")
	done
	printf '| %s | 1 in %s | %s of %s | %s |\n' "$1" "$2" "$named" "${WHO_LEAK_RUNS:-2}" "${alive[*]}"
}

echo
echo '## Leaks that are named within a minute, and nobody else'
echo
echo '| calls a second | stays | named | of its chunks seen, alive |'
echo '| ---: | ---: | ---: | --- |'
rare 1000 100
rare 50000 1000
