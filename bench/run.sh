#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [NAME...]: every bench/NAME.sh (all but this one, lib.sh and, unless named, soak.sh), one after the other.
# Each prints a title and a markdown table; the whole is docs/bench.md when it
# goes to BENCH_OUT. Times on a busy machine say little: compare within a table.
set -euo pipefail
cd "$(dirname "$0")/.."
export HT_TOP=$PWD HT_BUILD=${HT_BUILD:-$PWD/build}
out=${BENCH_OUT:-/dev/stdout}

machine() {
	printf '%s, %s cores, %s of memory, kernel %s, glibc %s, load %s at the start.\n' \
		"$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" \
		"$(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)" \
		"$(uname -r)" "$(ldd --version | sed -n '1s/.* //p')" "$(cut -d' ' -f1 /proc/loadavg)"
}

{
	# shellcheck disable=SC2016 # markdown
	printf '# Measurements\n\nMade by `make bench`. '
	machine
	for bench in bench/*.sh; do
		name=$(basename "$bench" .sh)
		[[ $name != run && $name != lib ]] || continue
		[[ $name != soak || " $* " == *" soak "* ]] || continue # hours
		[ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
		printf '\n'
		bash "$bench"
	done
} >"$out"
