#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 900 s
# gcc's path analyzer over the rooms that read hostile input.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

# gcc 12 does not know reallocarray, nor memory reached by index: what it says of
# leaks, double frees and unset values was looked at and is wrong; the
# sanitizers' word on these counts (sanitizers.sh).
off=(-Wno-analyzer-malloc-leak -Wno-analyzer-double-free
	-Wno-analyzer-use-of-uninitialized-value)

analyze() { # FILE...
	local file status=0
	for file; do
		gcc -std=gnu17 -D_GNU_SOURCE -I. '-DHT_VERSION="0"' '-DHT_LIBEXECDIR="/"' \
			"-DHT_PAGE_MADE=\"$HT_BUILD/page\"" \
			-O2 -fanalyzer -Werror "${off[@]}" -c -o /dev/null "$file" || status=1
	done
	return "$status"
}

for room in common schema link store analysis page agent probe daemon cli; do
	mapfile -t files < <(git ls-files -- "$room/*.c")
	ok "gcc -fanalyzer finds nothing in $room" analyze "${files[@]}"
done
plan
