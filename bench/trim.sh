#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # lib.sh
# trim.sh: malloc_trim(0) called by heaptide in a thread of the process, beside the
# same call by the process itself, on the same heap filled anew: how long it takes,
# and the longest time that another thread waited for the arena. Best of three.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

least() { printf '%s\n' "$@" | sort -n | head -n 1; }

ask() { # LINE: the answer
	local answer
	echo "$1" >&"${GAP[1]}"
	read -r answer <&"${GAP[0]}"
	echo "$answer"
}

row() { # MIB
	local own=() own_gap=() ours=() our_gap=() stopped=() ready
	coproc GAP { exec "$HT_BUILD/bench/trimgap" "$1"; }
	read -r ready <&"${GAP[0]}"
	[ "$ready" = ready ]
	for _ in 1 2 3; do
		ask gap >/dev/null
		own+=("$(ask own)")
		own_gap+=("$(ask gap)")
		ask refill >/dev/null
		ask gap >/dev/null
		"$HT_BUILD/heaptide" trim "$GAP_PID" --yes --max-hold 1min --json >"$work/trim.json"
		our_gap+=("$(ask gap)")
		ours+=("$(jq .took_us "$work/trim.json")")
		stopped+=("$(jq .stopped_us "$work/trim.json")")
		ask refill >/dev/null
	done
	awk -v m="$1" -v a="$(least "${own[@]}")" -v b="$(least "${own_gap[@]}")" \
		-v c="$(least "${ours[@]}")" -v d="$(least "${our_gap[@]}")" \
		-v s="$(least "${stopped[@]}")" 'BEGIN {
		printf "| %d | %.1f | %.1f | %.1f | %.1f | %.2f x | %.2f |\n",
			m, a / 1e3, b / 1e3, c / 1e3, d / 1e3, c / a, s / 1e3 }'
	kill "$GAP_PID"
	wait "$GAP_PID" 2>/dev/null || true
}

echo '## malloc_trim(0) by heaptide against by the process itself'
echo
echo '| heap MiB | own call ms | longest gap ms | heaptide: call ms | longest gap ms | call | thread stopped ms |'
echo '| ---: | ---: | ---: | ---: | ---: | ---: | ---: |'
for mib in ${TRIM_MIB:-20 100 400}; do
	row "$mib"
done
