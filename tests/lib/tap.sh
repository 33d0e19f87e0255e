# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# TAP for shell tests. Source it, then:
#   ok NAME COMMAND...      passes when the command does; its output is shown if not
#   refuse NAME COMMAND...  passes when the command runs, and fails
#   is NAME GOT WANTED      passes when both are the same text
#   same NAME GOT WANTED    passes when both are the same number (unknown never is)
#   near NAME GOT WANTED TOLERANCE   numbers, |GOT - WANTED| <= TOLERANCE
#   between NAME GOT LOW HIGH        numbers, both ends included
#   can FACT NAME           true where this machine has the FACT of machine.sh; else
#                           NAME is told as skipped:  can run32 "x" && ok "x" ./x
#   needs FACT...           the rest of the file wants them all, or is told as skipped
#   poll SECONDS COMMAND... until the command succeeds; fails at the limit, which
#                           is PATIENCE (4) times what is ample on a quiet machine
#   ready SECONDS COMMAND...   as poll; fails at once when what start() started last
#                           has ended: a program that cannot run is not waited for
#   stop_started            ends what start() started
#   start COMMAND...        in the background; sets $started, remembered for the end
#   plan                    last line of every script: prints 1..N, sets the exit status

tap_count=0
tap_failed=0
tap_started=()
tap_lib=$(cd "${BASH_SOURCE[0]%/*}" && pwd)

tap_result() { # STATUS NAME
	tap_count=$((tap_count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tap_count - $2"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $2"
	fi
}

note() { printf '%s\n' "$*" | sed 's/^/# /'; }

ok() {
	local name=$1 output status
	shift
	output=$("$@" 2>&1)
	status=$?
	tap_result $status "$name"
	[ $status -eq 0 ] || note "$(printf '%s\n' "status $status of: $*" "$output" | tail -n 40)"
}

refuse() {
	local name=$1 output status
	shift
	output=$("$@" 2>&1)
	status=$?
	case $status in
	0 | 126 | 127) tap_result 1 "$name" && note "status $status of: $*" "$output" ;;
	*) tap_result 0 "$name" ;;
	esac
}

is() {
	[ "$2" = "$3" ]
	tap_result $? "$1"
	[ "$2" = "$3" ] || note "got: $2"$'\n'"wanted: $3"
}

same() { near "$1" "$2" "$3" 0; }

near() {
	awk -v a="$2" -v b="$3" -v t="$4" 'BEGIN {
		if (a !~ /^-?[0-9.]+$/ || b !~ /^-?[0-9.]+$/) exit 1
		d = a - b; if (d < 0) d = -d; exit d > t }'
	local status=$?
	tap_result $status "$1"
	[ $status -eq 0 ] || note "got $2, wanted $3 +- $4"
}

between() {
	awk -v a="$2" -v b="$3" -v c="$4" 'BEGIN {
		if (a !~ /^-?[0-9.]+$/ || b !~ /^-?[0-9.]+$/ || c !~ /^-?[0-9.]+$/) exit 1
		exit a < b || a > c }'
	local status=$?
	tap_result $status "$1"
	[ $status -eq 0 ] || note "got $2, wanted $3 to $4"
}

can() {
	local why status
	why=$("$tap_lib/machine.sh" "$1" 2>&1 </dev/null)
	status=$?
	case $status in
	0) return 0 ;;
	1) tap_result 0 "$2 # SKIP $why" ;;
	*) tap_result 1 "$2" && note "$why" ;;
	esac
	return 1
}

needs() {
	local fact
	for fact; do
		can "$fact" "the rest of the file" || plan
	done
}

ready() {
	local seconds=$1 awaited=$started
	shift
	poll "$seconds" true_or_gone "$@"
	"$@" >/dev/null 2>&1
}
true_or_gone() { "$@" || not_running "$awaited"; }

poll() {
	local until=$((SECONDS + $1 * ${PATIENCE:-4}))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $until ] || return 1
		sleep "${TAP_POLL:-0.05}"
	done
}

start() {
	"$@" &
	started=$!
	tap_started+=("$started")
}

# All are told to end before the first is waited for: one may hold another's end up.
stop_started() {
	local pid
	for pid in "${tap_started[@]}"; do
		kill -CONT "$pid"
		kill "$pid"
	done 2>/dev/null
	for pid in "${tap_started[@]}"; do
		poll 1 not_running "$pid" || kill -KILL "$pid"
		wait "$pid"
	done 2>/dev/null
	tap_started=()
}

# not_running PID: it ended, or waits to be reaped. The kernel's letters differ by case:
# t (stopped by a tracer) is a process that runs on.
not_running() {
	case $(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) in
	'' | Z | X | x) return 0 ;;
	esac
	return 1
}

plan() {
	stop_started
	echo "1..$tap_count"
	[ $tap_failed -eq 0 ]
	exit
}
