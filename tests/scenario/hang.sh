#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A page of the process that never comes: whoever reads it hangs in the kernel,
# and cannot call it off. The process runs on all the same, and it is said why
# there is no answer. And: heaptided killed while its agent holds it.
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

# hangs MODE OPTION...: the sample ends long before the measurement's own limit
# of 30 s, with a reason, and the process is let go.
hangs() {
	local begin=$SECONDS status
	"$heaptide" explain "$pid" --timeout 30s --mode "$@" >answer 2>&1
	status=$?
	ok "$1: there is no answer, and it is said why" \
		grep -q "its own alarm" answer
	ok "$1: the status tells, too" [ $status -ne 0 ]
	between "$1: the read did not hold the process for long" \
		$((SECONDS - begin)) 0 20
	ok "$1: the process is free" poll 20 free
	ok "$1: and runs" counts_on
}

target "$HT_BUILD/targets/hanging"
hangs bounded --max-pause 1s
hangs exact
"$heaptide" explain "$pid" --mode snapshot >answer 2>&1
ok "snapshot: the copy has no such page: it is said where" \
	grep -q "damaged at 0x" answer
ok "snapshot: the process is free" poll 20 free
ok "snapshot: and runs" counts_on

# heaptided is killed while its agent hangs in the midst of a stop, a signal for
# the process on its way.
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
