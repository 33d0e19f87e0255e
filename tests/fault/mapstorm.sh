#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 240 s
# Processes whose threads map, protect, widen and unmap at full speed, looked at in
# every mode: no look fails for its mappings. LOOKS (32) in all; the long form is
#     LOOKS=2000 PATIENCE=40 tests/run tests/fault/mapstorm.sh
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

modes=(none bounded exact snapshot)
kinds=(prf prfs prfm rrmm)
each=$((${LOOKS:-32} / ${#modes[@]} / ${#kinds[@]}))

# A thread that is always inside malloc is what exact and snapshot refuse; that
# there was no time in the stop is said, too. Neither is a matter of mappings.
look() { # MODE PID
	local out status
	out=$(timeout 120 "$HT_BUILD/heaptide" explain --json --mode "$1" "$2" 2>&1)
	status=$?
	case $status in
	0) jq -e '.process.rss > 0' >/dev/null <<<"$out" || { echo "no RSS: $out" && return 1; } ;;
	8 | 9) [[ $1 = exact || $1 = snapshot ]] && ! grep -i mapping <<<"$out" ;;
	*) echo "mode $1: status $status: $out" && return 1 ;;
	esac
}

looks() { # MODE PID
	local i
	for ((i = 0; i < each; i++)); do
		look "$1" "$2" || return 1
	done
	echo "$i looks"
}

for kind in "${kinds[@]}"; do
	start "$HT_BUILD/targets/mapstorm" "$kind" >"$HT_TMP/$kind"
	target=$started
	poll 10 grep -q ready "$HT_TMP/$kind"
	for mode in "${modes[@]}"; do
		ok "$kind, $mode: $each looks, none failed for its mappings" looks "$mode" "$target"
	done
	ok "$kind: the process runs on" kill -0 "$target"
	stop_started
done
plan
