#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # lib.sh
# who.sh: what `heaptide who` costs a program that allocates all the time: processor
# time of an operation, a stretch with it against the mean of the two stretches without
# it around it. WHO_ROUNDS (15) stretches of WHO_SECONDS (8).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
rounds=${WHO_ROUNDS:-15}
seconds=${WHO_SECONDS:-8}

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

row() { # NAME WORK
	local before with after ratios=()
	coproc LOOP { exec "$HT_BUILD/bench/mallocloop" "$2"; }
	sleep 1
	before=$(stretch sleep "$seconds")
	for _ in $(seq "$rounds"); do
		with=$(stretch "$HT_BUILD/heaptide" who "$LOOP_PID" -d "${seconds}s")
		after=$(stretch sleep "$seconds")
		ratios+=("$(awk -v w="$with" -v a="$before" -v b="$after" \
			'BEGIN { printf "%.5f\n", w / ((a + b) / 2) }')")
		before=$after
	done
	printf '%s\n' "${ratios[@]}" | sort -n | awk -v name="$1" -v ns="$before" '{ v[NR] = $1 } END {
		printf "| %s | %.2f | %.4f x | %.4f to %.4f |\n", name, ns / 1e3,
			v[int((NR + 1) / 2)], v[int((NR + 3) / 4)], v[int((3 * NR + 3) / 4)] }'
	kill "$LOOP_PID"
	wait "$LOOP_PID" 2>/dev/null || true
}

echo '## What heaptide who costs a program that allocates all the time'
echo
echo '| program | us an operation | with who, median | middle half |'
echo '| --- | ---: | ---: | ---: |'
row 'malloc and free alone' 0
row 'with other work' 4000
