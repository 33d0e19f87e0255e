#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # heap_pid, seconds: lib.sh
# walk.sh: the whole walk beside merely reading the same bytes, by heap size.
# Both are the best of three on the same process, with two threads each, by the clock and in
# processor time; what is read are the pages that are there. WALK_CHUNKS chooses the rows of one arena.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

sizes=${WALK_CHUNKS:-8000 80000 800000 8000000 10000000 32000000}

row() { # CHUNKS THREADS
	local bytes read_s read_cpu chunks walk_s peak walk_cpu
	heap_start -n "$1" -t "$2"
	read -r bytes read_s read_cpu < <("$HT_BUILD/bench/readbench" "$heap_pid" 3)
	read -r bytes chunks walk_s peak walk_cpu < <("$HT_BUILD/bench/walk_bench" "$heap_pid" 3)
	awk -v b="$bytes" -v c="$chunks" -v t="$2" -v r="$read_s" -v w="$walk_s" -v p="$peak" \
		-v rc="$read_cpu" -v wc="$walk_cpu" 'BEGIN {
		printf "| %.1f | %d | %d | %.1f | %.1f | %.2f x | %.1f | %.1f | %.2f x | %.1f | %.1f |\n",
			b / 1048576, c, t ? t : 1, r * 1e3, w * 1e3, w / r, rc * 1e3, wc * 1e3, wc / rc,
			c / w / 1e6, p / 1024 }'
	heap_stop
}

echo '## The whole walk against merely reading'
echo
echo '| resident MiB | chunks | arenas | read ms | walk ms | ratio | read, processor ms | walk, processor ms | ratio | million chunks/s | peak MiB |'
echo '| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |'
for chunks in $sizes; do
	row "$chunks" 0
done
row 10000000 9
