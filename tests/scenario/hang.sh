#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A page of the process that never comes: whoever reads it would hang in the kernel,
# and could not call it off. It is not in memory, so it is not read. And: heaptided
# killed while its agent holds a process.
# Limit: 120 s
# shellcheck disable=SC2016,SC2034 # eval expands what is quoted here
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
heaptide=$HT_BUILD/heaptide
cd "$HT_TMP" || exit 1

# target COMMAND...: started with an input that stays open; sets $pid once it is
# ready.
target() {
	rm -f in out && mkfifo in
	start sh -c 'exec 0<>in "$@" >out' sh "$@"
	ready 20 grep -qs ready out
	pid=$started
}

free() { # no thread of it is stopped or traced
	local state
	for state in /proc/"$pid"/task/*/stat; do
		[[ $(sed 's/.*) \(.\).*/\1/' "$state") == [RSD] ]] || return 1
	done
}

held() { grep -qs '^State:.t' /proc/"$pid"/task/*/status; }

counts() { grep '^[0-9]' out; } # beside them "ready" and "signal"
count() { # how far the process has counted
	local lines
	lines=$(counts | wc -l)
	echo count >in
	poll 20 eval "[ \$(counts | wc -l) -gt $lines ]"
	counts | tail -n 1
}

counts_on() {
	local before
	before=$(count)
	poll 20 eval '[ "$(count)" -gt "$before" ]'
}

# answers MODE OPTION...: the page is not read, so that nothing waits; what malloc
# keeps on it is uncertain, the rest is measured.
answers() {
	local begin=$SECONDS status
	"$heaptide" explain "$pid" --json --timeout 30s --mode "$@" >answer
	status=$?
	# 6: zeros where a chunk's header should be are told, with their address
	ok "$1: there is an answer" [ $((status == 0 || status == 6)) = 1 ]
	between "$1: the page was not waited for" $((SECONDS - begin)) 0 20
	between "$1: what lies on it is uncertain" \
		"$(jq .stop.uncertain_bytes answer)" 1 8192
	between "$1: the rest is in use" \
		"$(jq .totals.in_use answer)" 980000 1100000
	ok "$1: the process is free" poll 20 free
	ok "$1: and runs" counts_on
}

target "$HT_BUILD/targets/hanging"
answers none
answers bounded --max-pause 1s
answers exact
"$heaptide" explain "$pid" --mode snapshot >answer 2>&1
ok "snapshot: a fork could wait for ever: it is refused, and said why" \
	grep -q "userfaultfd" answer
ok "snapshot: the process is free" poll 20 free
ok "snapshot: and runs" counts_on
stop_started

# heaptided is killed while its agent holds the process, for the time of a walk of
# a large heap, a signal for the process on its way.
target "$HT_BUILD/targets/hanging" 400000
daemon_config
cat >>"$conf" <<CONF
[target hanging]
name = hanging
exe = $HT_BUILD/targets/hanging
mode = exact
timeout = 20s
CONF
daemon_start
ok "heaptided holds the process" poll 30 held
kill -USR1 "$pid"
daemon_stop KILL
ok "heaptided killed, the process is free" poll 20 free
ok "and runs" counts_on
ok "the signal came" poll 20 grep -q signal out
is "once" "$(grep -c signal out)" 1
plan
