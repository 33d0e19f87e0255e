#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 180 s
# Whoever stops heaptide cannot stop the process that it measures: Ctrl-Z, agent
# and parent together, a frozen cgroup of theirs. By default nothing is held in
# the first place; in the modes that hold, what is held is let go within a
# second, although neither agent nor parent runs an instruction more.
# HT_HARM_TRIES: stops of each kind (4).
# shellcheck disable=SC2016 # eval expands what is quoted here
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
tries=${HT_HARM_TRIES:-4}
v1=/sys/fs/cgroup/freezer/heaptide-$$
v2=$HT_TMP/v2/heaptide-$$
agent=
cd "$HT_TMP" || exit 1

start "$HT_BUILD/targets/churn" 2 50000 >/dev/null
pid=$started

states() { sed 's/.*) \(.\).*/\1/' /proc/"$pid"/task/*/stat 2>/dev/null; }
held() { states | grep -q t; }
runs() { ! states | grep -q '[tT]' && grep -q '^TracerPid:.0$' "/proc/$pid/status"; }
agent_of() { tr -d ' ' <"/proc/$1/task/$1/children"; }
is_stopped() { grep -q '^State:.T' "/proc/$1/status"; }

# begin MODE [COMMAND...]: records in a process group of its own, as a shell
# with job control has it; sets $parent and $agent.
begin() {
	local mode=$1
	shift
	set -m
	start "$@" "$HT_BUILD/heaptide" record "$pid" --mode "$mode" -i 5ms \
		-o "$HT_TMP/record" >out 2>&1
	set +m
	parent=$started
	poll 10 eval 'agent=$(agent_of $parent) && [ -n "$agent" ]'
	[ "$mode" != exact ] || poll 10 held
}

finish() { # the parent, whatever became of it
	{
		kill -CONT "$parent" "$agent"
		kill -KILL "$parent"
		wait "$parent"
	} 2>/dev/null
	rm -f record*
}

sigstop_to_both() { kill -STOP "$parent" "$agent"; }
undo_sigstop_to_both() { :; }
ctrl_z() {
	kill -TSTP -- "-$parent"
	poll 5 is_stopped "$parent"
}
undo_ctrl_z() { :; }
freezer_of_v2() {
	mkdir -p "$v2"
	echo "$agent" >"$v2/cgroup.procs"
	echo "$parent" >"$v2/cgroup.procs"
	echo 1 >"$v2/cgroup.freeze"
}
undo_freezer_of_v2() {
	echo 0 >"$v2/cgroup.freeze"
	finish
	poll 5 rmdir "$v2"
}

# survives MODE HOW: stops us at one instant after the other, most of which lie
# in a hold where the mode is exact.
survives() {
	local i caught=0 stuck=0 within=1
	# The agent runs on and ends its look first, in many short holds.
	[ "$2" != ctrl_z ] || within=5
	for ((i = 0; i < tries; i++)); do
		begin "$1"
		sleep "0.0$((RANDOM % 90 + 10))"
		"$2" 2>/dev/null
		! held || caught=$((caught + 1))
		poll "$within" runs || stuck=$((stuck + 1))
		"undo_$2"
		finish
		poll 1 runs || stuck=$((stuck + 1))
	done
	note "$1, $2: $tries stops, the process was held at $caught of them"
	is "$1: the process runs on, whatever comes of us ($2)" "$stuck" 0
	[ "$1" != none ] || is "none: the process is never held ($2)" "$caught" 0
}

mkdir -p "$HT_TMP/v2"
ok "the cgroups of v2 are to be had" mount -t cgroup2 none "$HT_TMP/v2"
for mode in none bounded exact; do
	for how in sigstop_to_both ctrl_z freezer_of_v2; do
		survives "$mode" "$how"
	done
done
umount "$HT_TMP/v2"

# The freezer of v1 lets nobody be killed: the agent leaves it, where it may.
# There is none where only v2 is mounted.
if mkdir "$v1" 2>/dev/null; then
	for mode in none bounded exact; do
		begin "$mode" sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' \
			"$v1"
		echo FROZEN >"$v1/freezer.state"
		ok "$mode: the process runs on while a v1 freezer holds us" \
			poll 2 runs
		echo THAWED >"$v1/freezer.state"
		finish
	done
	poll 5 rmdir "$v1"
fi

ok "the process runs" runs
plan
