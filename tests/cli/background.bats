#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Limit: 180 s
# record and check of a command that goes into the background.

load common

leaves=$HT_BUILD/targets/leaves

count() { # SQL: in the record c.db
	sqlite3 -readonly c.db "$1" 2>/dev/null || echo 0
}
few_dead() { [ "$(ps --ppid "$recorder" -o stat= | grep -c '^Z')" -le 3 ]; }

# record HOW: leaves as HOW in the background of the record c.db
record() {
	start "$heaptide" record -i 100ms -o c.db -- "$leaves" over 7 "$1"
	recorder=$pid
}
ended() { # sets $status
	status=0
	wait "$recorder" || status=$?
	cat out
}

teardown() {
	touch over
	end_started
	pgrep -f "^$leaves over" | xargs -r kill -KILL
}

@test "a command that forks and ends is followed, and the one that stays has the status" {
	# More than once: who ends while it is looked for must not be lost.
	for how in once twice twice twice twice twice twice; do
		rm -f over c.db*
		record $how
		poll 20 has_samples c.db 3
		grep -q "the command went into the background as pid [0-9]*: recorded" out
		touch over
		ended
		[ "$status" -eq 7 ]
		grep -q "the process ended; [0-9]* samples of leaves, pid " out
		last=$(sed -n 's/.*samples of leaves, pid \([0-9]*\),.*/\1/p' out)
		[ "$(count "select count(*) from process where pid = $last")" -eq 1 ]
		"$heaptide" verdict "$last" --db c.db >/dev/null
	done
}

@test "a signal to record reaches the one that went into the background" {
	record twice
	poll 20 has_samples c.db 3
	kill -TERM "$recorder"
	ended
	[ "$status" -eq 143 ]
	grep -q "stopped by a signal" out
	[ "$(pgrep -c -f "^$leaves over")" -eq 0 ]
}

@test "check judges the one that went into the background, and ends it when the time is up" {
	rm -f over
	start "$heaptide" check -i 100ms -o c.db --max-growth 1KiB -d 12s -- "$leaves" over 7 twice
	recorder=$pid
	ended
	[ "$status" -eq 19 ]
	grep -q "max-growth missed: in use grew by" out
	poll 10 eval '[ "$(pgrep -c -f "^$leaves over")" -eq 0 ]'
}

@test "a command that failed is not followed" {
	record badly
	ended
	[ "$status" -eq 3 ]
}

@test "other programs that stay are told and not waited for" {
	record renamed
	ended
	[ "$status" -eq 0 ]
	grep -q "the command left 1 process in the background, not recorded: other, pid [0-9]*" out
	rm -f c.db*
	start "$heaptide" record -i 100ms -o c.db -- sh -c 'sleep 1000 & sleep 1001 & exit 5'
	recorder=$pid
	ended
	[ "$status" -eq 5 ]
	start "$heaptide" record -i 100ms -o c.db -- sh -c 'sleep 1000 & sleep 1001 & exit 0'
	recorder=$pid
	ended
	[ "$status" -eq 0 ]
	grep -q "left 2 processes in the background, not recorded: sleep, pid [0-9]*, ..." out
	pgrep -fx 'sleep 100[01]' | xargs -r kill
}

@test "a command that leaves nothing behind is not said to" {
	for _ in 1 2 3; do
		rm -f c.db* over
		start "$heaptide" record -i 100ms -o c.db -- sh -c 'until [ -e over ]; do sleep 0.05; done'
		recorder=$pid
		poll 20 has_samples c.db 2
		touch over
		ended
		[ "$status" -eq 0 ]
		grep -q "the process ended; .* samples of sh, pid" out
		[ "$(grep -c background out)" -eq 0 ]
	done
}

@test "what a command orphans is waited for when it ends" {
	for mode in none snapshot; do
		rm -f over c.db*
		start "$heaptide" record -i 100ms --mode $mode -o c.db -- "$leaves" over 0 orphans
		recorder=$pid
		poll 40 has_samples c.db 20
		# Some may have ended since the last sample; without a wait they
		# would only ever be more.
		poll 20 few_dead
		touch over
		ended
		[ "$status" -eq 0 ]
	done
}
