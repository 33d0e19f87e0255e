#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 900 s
# gcc's path analyzer over the rooms that read hostile input.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

analyze() { # FILE...
	local file status=0
	for file; do
		gcc -std=gnu17 -D_GNU_SOURCE -I. '-DHT_VERSION="0"' '-DHT_LIBEXECDIR="/"' \
			-O2 -fanalyzer -Werror -c -o /dev/null "$file" || status=1
	done
	return "$status"
}

for room in common schema analysis agent daemon cli; do
	mapfile -t files < <(git ls-files -- "$room/*.c")
	ok "gcc -fanalyzer finds nothing in $room" analyze "${files[@]}"
done
plan
