#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The pause as the measured process sees it: the longest gap between two
# readings of the clock by a pinned thread of it, while a sample is taken.
# BENCH_HEAPS (MiB) and BENCH_THREADS choose the rows.
set -euo pipefail
heaps=${BENCH_HEAPS:-1 64 1024 4096}
threads=${BENCH_THREADS:-1 8 64 512}
agent=$HT_BUILD/heaptide-agent

# row HEAP THREADS MODE SAMPLES
row() {
	local figures
	if ! figures=$("$HT_BUILD/bench/pause_bench" "$agent" "$1" "$2" "$3" "$4" 2>&1); then
		printf '| %s MiB | %s | %s | %s | | | |\n' "$1" "$2" "$3" "$figures"
		return
	fi
	# shellcheck disable=SC2086 # four figures
	printf '| %s MiB | %s | %s | %s | %s | %s | %s |\n' "$1" "$2" "$3" $figures
}

table() {
	printf '| heap | threads | mode | median us | p99 us | largest us | reported us, median |\n'
	printf '| --- | --- | --- | --- | --- | --- | --- |\n'
}

echo "## The pause by the size of the heap, 8 threads"
echo
table
for heap in $heaps; do
	for mode in unsampled none bounded; do
		row "$heap" 8 "$mode" 100
	done
	for mode in exact snapshot fork; do
		row "$heap" 8 "$mode" 10
	done
	row "$heap" 8 gcore 1
done
echo
echo "## The pause by the number of threads, 64 MiB"
echo
table
for n in $threads; do
	for mode in unsampled bounded exact; do
		row 64 "$n" "$mode" 50
	done
done
