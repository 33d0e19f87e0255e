#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What it takes to say what holds a chunk, what is leaked, what chunks are: of the
# generator's heap, beside the walk of a copy alone, and beside the copy of memory
# that others begin with.
set -euo pipefail
# shellcheck source=bench/lib.sh
. "$HT_TOP/bench/lib.sh"
heaptide=$HT_BUILD/heaptide
chunks=${CHUNKS:-10000000}

row() { # NAME COMMAND...
	local name=$1
	shift
	if measure "$@"; then
		printf '| %s | %.1f | %.2f | %d |\n' "$name" "$seconds" "$processor" $((peak_kb / 1024))
	else
		printf '| %s | refused, or failed | | |\n' "$name"
	fi
}
least() { awk -v a="$1" -v b="$2" 'BEGIN { print a < b ? a : b }'; }
# Types and the walk alone, in turns: of each the least, so that what else runs counts less.
beside_walk() {
	local walk=1e9 types=1e9 _
	for _ in 1 2 3; do
		measure "$heaptide" explain "$heap_pid" --mode snapshot
		walk=$(least "$walk" "$processor")
		measure "$heaptide" types "$heap_pid"
		types=$(least "$types" "$processor")
	done
	printf '| types beside the walk alone, least of three each | | %s | |\n' "$(ratio "$types" "$walk")"
}
# The check alone: the process's malloc is LeakSanitizer's from the start, and it stands
# still for as long.
row_lsan() { # HEAPGEN-OPTION...
	local lsan took used
	lsan=$(gcc -print-file-name=liblsan.so)
	[ -e "$lsan" ] || return 0
	LD_PRELOAD=$lsan LSAN_OPTIONS=exitcode=0 heap_start -L -n "$chunks" "$@" || return 0
	read -r took used < <(sed -n 's/^lsan: //p' "$work/heapgen.err")
	printf '| LeakSanitizer (gcc %s), in the process and instead of its malloc | %s | %s | |\n' \
		"$(gcc -dumpversion)" "$took" "$used"
	heap_stop
}
bench() { # ARENAS HEAPGEN-OPTION...
	printf '## What holds a chunk: %s chunks in %s arenas\n\n' "$chunks" "$1"
	printf '| command | s | of a processor | MB |\n| --- | --- | --- | --- |\n'
	heap_start -n "$chunks" "${@:2}"
	row "explain --mode snapshot (the walk alone)" "$heaptide" explain "$heap_pid" --mode snapshot
	row leaks "$heaptide" leaks "$heap_pid"
	row "owners --size 128" "$heaptide" owners "$heap_pid" --size 128
	row "owners (the largest eight)" "$heaptide" owners "$heap_pid"
	row "owners --leaks --size 128 (both answers)" "$heaptide" owners "$heap_pid" --size 128 --leaks
	row "owners --leaks (both, the largest eight)" "$heaptide" owners "$heap_pid" --leaks
	row types "$heaptide" types "$heap_pid"
	beside_walk
	row "leaks --max-memory 128M" "$heaptide" leaks "$heap_pid" --max-memory 128M --timeout 10m
	row "gcore (no question answered yet)" gcore -o "$work/core" "$heap_pid"
	rm -f "$work"/core*
	heap_stop
	row_lsan "${@:2}"
	echo
}
bench 1
bench 9 -t 8
