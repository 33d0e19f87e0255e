# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Several programs, each of a kind, asked at the same time who allocates what stays.
# Source tap.sh first; heaptide: the program. pids: of each kind the process.
declare -A pids

# ask TIME KIND...: answers to KIND.json, what else is said to KIND.err.
ask() {
	local time=$1 kind asked=()
	shift
	for kind; do
		"$heaptide" who "${pids[$kind]}" -d "$time" --json >"$kind.json" 2>"$kind.err" &
		asked+=($!)
	done
	wait "${asked[@]}"
}
