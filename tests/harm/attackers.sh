#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 300 s
# Processes that mean to hold, fill or mislead who looks at them (targets/attacker.c): each
# command answers within its limit, takes no more memory than it may, passes on no control
# character, and leaves the process running.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
cd "$HT_TMP" || exit 1
mkfifo in
exec 7<>in
heaptide=$HT_BUILD/heaptide

begin() { # KIND: its program is a copy, which it may do away with
	mkdir "$1"
	cp "$HT_BUILD/targets/attacker" "$1/attacker"
	: >out
	start sh -c 'exec "$0" "$@" <in >out' "$PWD/$1/attacker" "$1" "$1"
	poll 60 grep -q ready out
	pid=$started
}

# Memory of each process that it starts is limited (its address space; tables are reserved).
look() { # COMMAND...: sets ended
	(
		ulimit -v 4000000
		timeout 60 "$heaptide" "$@"
	) >look 2>err </dev/null
	ended=$?
}
answers() { [ "$ended" = 0 ] || [ "$ended" = 6 ]; }
control_free() { ! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' look err; }
closes() {
	jq -e '([.arenas[] | .system - .in_use - .free - .overhead | fabs] | add)
		<= .stop.uncertain_bytes' look
}
runs_on() { ! grep -qE '^State:[[:space:]]*[tTZX]' "/proc/$pid/status"; }

attack() { # KIND
	local kind=$1 command
	begin "$kind"
	for command in "explain" "explain --look light" "map" "threads" "types" "leaks" "owners" \
		"doctor"; do
		# shellcheck disable=SC2086 # words
		look $command "$pid"
		ok "$kind, $command: it is answered" answers
		ok "$kind, $command: no control character is passed on" control_free
	done
	for command in "none" "exact"; do
		look explain --json --mode $command "$pid"
		ok "$kind, $command: it is answered" answers
		ok "$kind, $command: its sums close, or what is uncertain is told" closes
	done
	look record -i 200ms -d 1s -o "$kind.db" "$pid"
	ok "$kind, record: it is answered" answers
	look verdict --db "$kind.db" "$pid"
	ok "$kind, verdict: no control character is passed on" control_free
	ok "$kind: it runs on" runs_on
	stop_started
}

for kind in churn ring heaps ring-long sparse fifo storm threads deep circle lists undumpable; do
	attack $kind
done
plan
