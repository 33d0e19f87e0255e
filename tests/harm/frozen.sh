#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 180 s
# A process that a freezer of control groups holds, v2's or v1's: whatever is
# asked for, a look at it ends in time with an answer, or with the reason why
# there is none; frozen in the midst of a look it is not held by us when that
# has ended, and thawed it runs on with all that its registers held.
# HT_HARM_TRIES: times that each is frozen in the midst of looks (4).
# shellcheck disable=SC2016 # eval expands what is quoted here
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/harm.sh
. "$HT_TOP/tests/lib/harm.sh"
needs root
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
tries=${HT_HARM_TRIES:-4}
cd "$HT_TMP" || exit 1
mkdir v2
ok "the cgroups of v2 are to be had" mount -t cgroup2 none v2
group_v2=$HT_TMP/v2/heaptide-$$
group_v1=/sys/fs/cgroup/freezer/heaptide-$$
mkdir "$group_v2"
kinds=v2
# There is no freezer of v1 where only v2 is mounted.
mkdir "$group_v1" 2>/dev/null && kinds="v2 v1"

start "$HT_BUILD/targets/churn" 2 2000 >/dev/null
churn=$started
mkfifo ask
exec 3<>ask
start sh -c 'exec "$0" <ask >registers' "$HT_BUILD/targets/registers"
registers=$started

enter() { # KIND: both programs
	local group=group_$1
	echo "$churn" >"${!group}/cgroup.procs"
	echo "$registers" >"${!group}/cgroup.procs"
}
freeze_v2() {
	echo 1 >"$group_v2/cgroup.freeze"
	poll 5 grep -q "frozen 1" "$group_v2/cgroup.events"
}
thaw_v2() { echo 0 >"$group_v2/cgroup.freeze"; }
freeze_v1() {
	echo FROZEN >"$group_v1/freezer.state"
	poll 5 grep -q FROZEN "$group_v1/freezer.state"
}
thaw_v1() { echo THAWED >"$group_v1/freezer.state"; }

# --- frozen before the look ---------------------------------------------------

# look KIND MODE PID: sets $ended.
look() {
	"freeze_$1"
	timeout 250 "$HT_BUILD/heaptide" explain "$3" --mode "$2" \
		--timeout 120s >out 2>err
	ended=$?
	is_free "$3" || ended="held, after $ended"
	"thaw_$1"
}

# is_told MODE: an answer, or that it is frozen. (v2 lets threads be stopped: a
# stop of all may be had, unless it was frozen inside malloc.)
is_told() {
	echo "status $ended: $(head -c 200 err)"
	case $ended in
	0) grep -q "RSS by cause" out ;;
	16) [ "$1" != none ] && [ "$1" != bounded ] && grep -q "is frozen" err ;;
	*) false ;;
	esac
}

for kind in $kinds; do
	enter "$kind"
	for mode in none bounded exact snapshot; do
		for pid in $churn $registers; do
			look "$kind" "$mode" "$pid"
			ok "$kind, $mode: a look at a frozen process ends with an answer or says that it is frozen" \
				is_told "$mode"
			ok "$kind, $mode: thawed after the look it runs on" \
				runs_on "$pid"
		done
	done
	is "$kind, snapshot: no copy is asked for of a process that runs nothing" \
		"$ended" 16
	ok "$kind: its registers are as they were" is_intact
	"freeze_$kind"
	"$HT_BUILD/heaptide" trim "$churn" --yes >out 2>&1
	ok "$kind: a trim of a frozen process says that it is frozen" \
		grep -q "is frozen" out
	ok "$kind: nor does a trim hold it" is_free "$churn"
	"thaw_$kind"
	ok "$kind: thawed after the trim it runs on" runs_on "$churn"
done

# --- frozen in the midst of looks ---------------------------------------------

# amid KIND MODE PID: sets $bad, what went wrong.
amid() {
	local i
	bad=
	for ((i = 0; i < tries; i++)); do
		rm -f record*
		start "$HT_BUILD/heaptide" record "$3" --mode "$2" -i 5ms \
			-o record >out 2>&1
		poll 10 eval '[ -s record ]'
		sleep "0.0$((RANDOM % 90 + 10))" # at any instant of a look
		"freeze_$1" || bad+=" not frozen"
		kill "$started" 2>/dev/null
		poll 10 not_running "$started" || bad+=" endless"
		poll 2 is_free "$3" || bad+=" held"
		"thaw_$1"
		runs_on "$3" || bad+=" still"
		wait "$started"
	done
}

for kind in $kinds; do
	enter "$kind"
	for mode in none bounded exact snapshot; do
		for pid in $churn $registers; do
			amid "$kind" "$mode" "$pid"
			is "$kind, $mode: frozen in the midst of looks it is let go, and runs on when thawed" \
				"$bad" ""
		done
	done
	ok "$kind: its registers are as they were after all of them" is_intact
done

for pid in $churn $registers; do
	echo "$pid" >"$HT_TMP/v2/cgroup.procs"
	[ "$kinds" = v2 ] || echo "$pid" >/sys/fs/cgroup/freezer/cgroup.procs
done
poll 5 rmdir "$group_v2"
[ "$kinds" = v2 ] || poll 5 rmdir "$group_v1"
umount v2
plan
