#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # heap_pid, seconds: lib.sh
# walk.sh: the whole walk beside merely reading the same bytes, by heap size.
# Both are the best of three, taken in turn on the same process.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

sizes=${WALK_CHUNKS:-8000 80000 800000 8000000 10000000 32000000}

row() { # CHUNKS THREADS
	local bytes read_s chunks walk_s peak
	heap_start -n "$1" -t "$2"
	read -r bytes read_s < <("$HT_BUILD/bench/readbench" "$heap_pid" 3)
	read -r bytes chunks walk_s peak < <("$HT_BUILD/bench/walk_bench" "$heap_pid" 3)
	awk -v b="$bytes" -v c="$chunks" -v t="$2" -v r="$read_s" -v w="$walk_s" -v p="$peak" 'BEGIN {
		printf "| %.1f | %d | %d | %.1f | %.1f | %.2f x | %.1f | %.1f |\n",
			b / 1048576, c, t ? t : 1, r * 1e3, w * 1e3, w / r, c / w / 1e6, p / 1024 }'
	heap_stop
}

echo '## The whole walk against merely reading'
echo
echo '| heap MiB | chunks | arenas | read ms | walk ms | ratio | million chunks/s | peak MiB |'
echo '| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |'
for chunks in $sizes; do
	row "$chunks" 0
done
row 10000000 9
