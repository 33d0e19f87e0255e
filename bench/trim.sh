#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # lib.sh
# trim.sh: malloc_trim(0) called by heaptide in a thread of the process, beside the
# same call by the process itself, on the same heap filled anew: the processor time of
# the thread that calls, how long it takes, and the longest time that another thread,
# which allocates all the time, had to wait; and how far the forecast was off. Medians
# of TRIM_RUNS (9) runs, by turns; the least for processor time, which is what a
# machine at work leaves alone.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

least() { printf '%s\n' "$@" | sort -g | head -n 1; }

ask() { # LINE: the answer
	local answer
	echo "$1" >&"${GAP[1]}"
	read -r answer <&"${GAP[0]}"
	echo "$answer"
}

median() { printf '%s\n' "$@" | sort -g | sed -n "$((($# + 1) / 2))p"; }

row() { # MIB
	local own=() own_cpu=() own_gap=() ours=() our_cpu=() our_gap=() stopped=() off=() ready i
	coproc GAP { exec "$HT_BUILD/bench/trimgap" "$1"; }
	read -r ready <&"${GAP[0]}"
	[ "$ready" = ready ]
	for ((i = 0; i < ${TRIM_RUNS:-9}; i++)); do
		ask gap >/dev/null
		ask cpu >/dev/null
		own+=("$(ask own)")
		own_cpu+=("$(ask cpu)")
		own_gap+=("$(ask gap)")
		ask refill >/dev/null
		ask gap >/dev/null
		ask cpu >/dev/null
		"$HT_BUILD/heaptide" trim "$GAP_PID" --yes --max-hold 1min --json >"$work/trim.json"
		our_cpu+=("$(ask cpu)")
		our_gap+=("$(ask gap)")
		ours+=("$(jq .took_us "$work/trim.json")")
		stopped+=("$(jq .stopped_us "$work/trim.json")")
		off+=("$(jq '.prediction_error / .forecast.bytes * 100 | fabs' "$work/trim.json")")
		ask refill >/dev/null
	done
	awk -v m="$1" -v pa="$(least "${own_cpu[@]}")" -v a="$(median "${own[@]}")" -v b="$(median "${own_gap[@]}")" \
		-v pc="$(least "${our_cpu[@]}")" -v c="$(median "${ours[@]}")" -v d="$(median "${our_gap[@]}")" \
		-v s="$(median "${stopped[@]}")" -v e="$(least "${off[@]/#/-}")" 'BEGIN {
		printf "| %d | %.1f | %.1f | %.1f | %.1f | %.1f | %.1f | %.2f x | %.2f x | %.2f | %.2f |\n",
			m, pa / 1e3, a / 1e3, b / 1e3, pc / 1e3, c / 1e3, d / 1e3, pc / pa, c / a, s / 1e3, -e }'
	kill "$GAP_PID"
	wait "$GAP_PID" 2>/dev/null || true
}

echo '## malloc_trim(0) by heaptide against by the process itself'
echo
echo '| heap MiB | own call: processor ms | took ms | longest gap ms | heaptide: processor ms | took ms | longest gap ms | processor | took | thread stopped ms | forecast off by %, at most |'
echo '| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |'
for mib in ${TRIM_MIB:-20 100 400}; do
	row "$mib"
done
