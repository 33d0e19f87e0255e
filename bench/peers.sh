#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One process with BENCH_CHUNKS (10 million) chunks, 70 % in use: what it costs
# to know its heap, by heaptide and by what a Debian package gives. The pause is
# what the process itself notices: gaps above 3 ms of a 0.1 ms ticker in it.
set -euo pipefail
. "$HT_TOP/bench/lib.sh"
chunks=${BENCH_CHUNKS:-10000000}

# row NAME COMMAND...: time, the pause that the process saw, memory, result size.
row() {
	local name=$1 before after
	shift
	before=$(wc -l <"$work/ticks")
	measure "$@"
	sleep 0.3 # poll: the ticker notices a gap when it ends
	after=$(awk -v n="$before" 'NR > n { s += $3 } END { printf "%.0f", s }' "$work/ticks")
	[ "$name" != "$base_name" ] || base=$seconds
	printf '| %s | %.2f s | %s | %s | %s |\n' "$name" "$seconds" \
		"$([ "$after" -gt 0 ] && echo "$after ms" || echo "< 3 ms")" \
		"$((peak_kb / 1024)) MiB" "$(ratio "$seconds" "$base")"
}

base_name='heaptide explain --json'
for threads in 0 8; do
	heap_start -n "$chunks" -t $threads -T "$work/ticks" -m
	echo "## A heap of $chunks chunks in $((threads ? threads + 1 : 1)) arenas: peers"
	echo
	echo "| what | time | pause seen by the process | its own memory | against heaptide |"
	echo "| --- | --- | --- | --- | --- |"
	row "$base_name" "$HT_BUILD/heaptide" explain "$heap_pid" --json
	row "heaptide explain --json --mode exact" "$HT_BUILD/heaptide" explain "$heap_pid" --json --mode exact
	row "gcore (gdb $(gdb --version | sed -n '1s/.* //p')): a core file, nothing known yet" \
		gcore -o "$work/core" "$heap_pid"
	rm -f "$work"/core.*
	sed -n '/in-process/{s/.*mallinfo2 \([0-9.]*\) s, malloc_info \([0-9.]*\) s.*/\1 \2/p;q}' \
		"$work/heapgen.err" | while read -r mallinfo info; do
		for call in "mallinfo2() $mallinfo" "malloc_info(3) $info"; do
			printf '| %s, called in the process | %.2f s | as long, in each malloc of the arena | 0 | %s |\n' \
				"${call% *}" "${call##* }" "$(ratio "${call##* }" "$base")"
		done
	done
	heap_stop
	echo
done
