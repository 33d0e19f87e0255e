#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How long the agent keeps a processor at one go while it measures a process that
# runs: as long may a thread of that process wait for it. By the kernel's own account
# (sched_switch), so that it is true on a busy machine, too. Needs root and tracefs.
# BENCH_HEAPS (MiB) chooses the rows.
set -euo pipefail
trace=/sys/kernel/tracing/instances/heaptide-runs
agent=$(mktemp -d)/ht-runs # a name that no other process has
trap 'rmdir "$trace" 2>/dev/null; rm -rf "${agent%/*}"' EXIT
cp "$HT_BUILD/heaptide-agent" "$agent"
mkdir "$trace"
echo 16384 >"$trace/buffer_size_kb"
echo 'prev_comm == "ht-runs" || next_comm == "ht-runs"' >"$trace/events/sched/sched_switch/filter"

# runs: microseconds from each switch to the agent until the next from it.
runs() {
	sed -nE -e 's/.* ([0-9.]+): sched_switch: prev_comm=ht-runs prev_pid=([0-9]+) .*/- \2 \1/p' \
		-e 's/.* ([0-9.]+): sched_switch: .* next_comm=ht-runs next_pid=([0-9]+) .*/+ \2 \1/p' "$trace/trace" |
		awk '$1 == "+" { from[$2] = $3 } $1 == "-" && $2 in from {
			printf "%.0f\n", 1e6 * ($3 - from[$2]); delete from[$2] }' |
		sort -n
}

echo "## How long the agent keeps a processor at one go"
echo
printf '| heap | threads | mode | runs | us: median / p99 / largest | over 1 ms |\n| --- | --- | --- | --- | --- | --- |\n'
for heap in ${BENCH_HEAPS:-1 64 1024}; do
	for threads in 1 64; do
		echo >"$trace/trace"
		echo 1 >"$trace/events/sched/sched_switch/enable"
		"$HT_BUILD/bench/pause_bench" "$agent" "$heap" "$threads" none 20 >/dev/null
		echo 0 >"$trace/events/sched/sched_switch/enable"
		runs | awk -v h="$heap" -v t="$threads" '{ v[NR] = $1; over += $1 > 1000 } END {
			printf "| %s MiB | %s | none | %d | %d / %d / %d | %d |\n", h, t, NR,
				v[int((NR + 1) / 2)], v[int(NR * 0.99 + 0.99)], v[NR], over }'
	done
done
