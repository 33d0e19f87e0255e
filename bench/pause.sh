#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The pause as the measured process sees it: the longest gap between two
# readings of the clock by a pinned thread of it, while a sample is taken, and as
# long without: what the machine does to it anyway. agent: its processor time for
# one sample.
# BENCH_HEAPS (MiB) and BENCH_THREADS choose the rows, BENCH_SAMPLES how many
# samples of a small heap. Some ten minutes as a whole.
set -euo pipefail
heaps=${BENCH_HEAPS:-1 64 1024 4096}
threads=${BENCH_THREADS:-1 8 64 128 512}
samples=${BENCH_SAMPLES:-200}
# shellcheck source=bench/lib.sh disable=SC1091
. "$(dirname "$0")/lib.sh"

# Share of processor time that the host took from this machine since its start.
stolen() { awk '/^cpu / { for (i = 2; i <= NF; i++) all += $i; print $9, all }' /proc/stat; }
read -r stolen_before all_before < <(stolen)

echo "## The pause by the size of the heap"
echo
echo "fork: the process forks itself; told is the time of the call."
echo
table
for heap in $heaps; do
	row "$heap" 8 none "$(times "$samples" "$heap")"
	row "$heap" 8 bounded "$(times "$samples" "$heap")"
	row "$heap" 64 bounded "$(times "$samples" "$heap")"
	row "$heap" 8 exact "$(times 40 "$heap")"
	row "$heap" 8 fork 15
	fork=$told
	row "$heap" 8 snapshot "$(times 40 "$heap")"
	[ -z "$fork" ] || [ -z "$told" ] ||
		awk -v h="$heap" -v gap="$median" -v told="$told" -v f="$fork" 'BEGIN {
			printf "| %s MiB | 8 | snapshot / call of fork | %.2f x | | %.2f x | |\n",
				h, gap / f, told / f }'
	[ "$heap" -gt 1024 ] || row "$heap" 8 gcore 1
done
echo
echo "## The pause by the number of threads, 64 MiB"
echo
table
for n in $threads; do
	row 64 "$n" none $((samples / 4))
	row 64 "$n" bounded "$samples"
	row 64 "$n" exact 20
	row 64 "$n" snapshot 20
done
echo
echo "## How long mmap and munmap of a page take meanwhile"
echo
table
for heap in $heaps; do
	for mode in none bounded; do
		row "$heap" 8 map-$mode "$(times "$samples" "$heap")"
	done
done
echo
echo "## How late a thread wakes, how long another waits for its answer"
echo
table
for heap in $heaps; do
	for mode in wake-none answer-none wake-bounded answer-bounded; do
		row "$heap" 8 $mode "$(times "$samples" "$heap")"
	done
done
echo
echo "## What is lost by a sample each second"
echo
echo "auto: a walk or a light look, as the daemon chooses for 1 % of a processor."
echo
printf '| heap | busy threads | sample | lost | anyway | agent, ms |\n| --- | --- | --- | --- | --- | --- |\n'
for heap in 1 64; do
	for n in 1 "$(nproc)"; do
		for mode in "" -none -auto; do
			pause_bench "$heap" "$n" "throughput$mode" 150 | awk -v h="$heap" -v n="$n" -v m="${mode#-}" '
				{ printf "| %s MiB | %s | %s | %.2f ± %.2f %% | %.2f ± %.2f %% | %.1f |\n", h, n,
				  m == "" ? "bounded" : m == "none" ? "walk" : m,
				  $1 / 100, $2 / 100, $3 / 100, $4 / 100, $5 / 1000 }'
		done
	done
done
stolen | awk -v s="$stolen_before" -v a="$all_before" '{
	printf "\nThe host took %.1f %% of the processor time from this machine meanwhile.\n",
		100 * ($1 - s) / ($2 - a) }'
