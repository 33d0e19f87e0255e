#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What threads of a process notice of samples in the default mode, and as long without: one
# that spins, one that sleeps to a deadline, one that waits for an answer; beside 1 to 64
# threads that allocate each millisecond, or (spin-) without a pause, so that no processor is free.
# BENCH_HEAPS (MiB) and BENCH_THREADS choose the rows, BENCH_SAMPLES how many samples
# of a small heap. A quarter of an hour as a whole; one of 4 GiB beside 64: BENCH_HEAPS=4096 BENCH_THREADS=64.
set -euo pipefail
heaps=${BENCH_HEAPS:-64 1024 4096}
threads=${BENCH_THREADS:-1 64}
samples=${BENCH_SAMPLES:-100}
# shellcheck source=bench/lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"

echo "## Gaps by heap and threads, default mode"
echo
table
for heap in $heaps; do
	for n in $threads; do
		for mode in none wake-none answer-none spin-none spin-wake-none spin-answer-none; do
			row "$heap" "$n" $mode "$(times "$samples" "$heap")"
		done
	done
done
