#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# heaptide doctor: the last lines are the verdict.

load common

doctor() { # ARGUMENT...: sets $status; out
	status=0
	"$@" >out 2>err || status=$?
	cat out err
}

verdict() { sed '1,/^$/d' out; }

@test "where all is there it is ready, and says what to type" {
	doctor "$heaptide" doctor
	[ "$status" -eq 0 ]
	verdict | grep -q "^ready: heaptide diagnose PID"
	"$heaptide" doctor --json | jq -e '.ready and .to_do == []'
}

@test "it says by which way calls of malloc can be seen here, or why by none" {
	"$heaptide" doctor --json >out
	[ "$(jq '[.checks[] | select(.check == "who")] | length' out)" -eq 1 ]
	needs uprobes
	jq -e '.checks[] | select(.check == "who") | .grade == "ok" and (.found | test("session|uprobe_multi|perf"))' out
	needs root
	publish
	install -m 755 "$(dirname "$heaptide")/heaptide-probe" "$public"
	doctor "${nobody[@]}" "$public/heaptide" doctor
	grep -A 3 "^note  *who " out | tr -s ' \n' ' ' | grep -q "CAP_BPF and CAP_PERFMON"
}

@test "what is missing is listed at the end, a line each, with what mends it" {
	doctor "$heaptide" doctor 4194304 --db nosuch.db
	[ "$status" -eq 11 ]
	verdict >last
	[ "$(sed -n 1p last)" = "not ready, to do:" ]
	grep -q "^  1\. process: name a process that runs" last
	grep -q "^  2\. database: name a database with --db" last
	[ "$(grep -c '^  [0-9]' last)" -eq 2 ]
	"$heaptide" doctor 4194304 --db nosuch.db --json >out || true
	jq -e '(.ready | not) and (.to_do | length == 2)
		and ([.checks[] | select(.grade == "missing")] | length == 2)' out
}

@test "an agent that this user may not run is no agent that is missing" {
	needs root
	publish
	chmod 750 "$public/heaptide-agent"
	doctor "${nobody[@]}" "$public/heaptide" doctor
	[ "$status" -eq 11 ]
	verdict | grep -q "^  1\. agent: be root, or a member of the group"
	fails 4 "user 65534 may not run it" "${nobody[@]}" "$public/heaptide" explain $$
	rm "$public/heaptide-agent"
	fails 11 "no heaptide-agent" "${nobody[@]}" "$public/heaptide" explain $$
}

@test "another user's process: the one command that does it" {
	needs root
	needs others_seen
	publish
	start sleep 1000
	doctor "${nobody[@]}" "$public/heaptide" doctor "$pid"
	[ "$status" -eq 11 ]
	verdict | grep -q "^  1\. measurement: sudo heaptide diagnose $pid\$"
}

@test "a process of another allocator is said to be one" {
	start env LD_PRELOAD="$(ldconfig -p | sed -n 's/.*libjemalloc.so.2 .*x86-64.*=> //p' | head -n 1)" sleep 1000
	poll 10 grep -q jemalloc "/proc/$pid/maps"
	poll 10 grep -q sleep "/proc/$pid/comm"
	doctor "$heaptide" doctor "$pid"
	[ "$status" -eq 11 ]
	verdict | tr -s ' \n' ' ' | grep -q "malloc: the process figures are right all the same"
}

@test "a hint names the process that was given, and sends nobody to the command that runs" {
	export HEAPTIDE_DB=$PWD/nosuch.db
	fails 14 "(name a database with --db, or make one: 'heaptide record web-1 -o FILE.db')" "$heaptide" verdict web-1
	fails 14 "make one: 'heaptide record PID -o FILE.db')" "$heaptide" verdict 'web *' # would have to be quoted
	doctor "$heaptide" doctor $$
	grep -q -- "-> heaptide record $$ -o FILE.db" out
	[ "$(grep -cw PID out)" -eq 0 ]
	[ "$(grep -c "'heaptide doctor" out)" -eq 0 ]
	start sleep 1000
	"$heaptide" record "$pid" -o some.db -i 100ms -d 300ms
	cp some.db none.db
	sqlite3 none.db "pragma foreign_keys = off; delete from process"
	fails 15 "nothing is recorded in none.db ('heaptide record PID" "$heaptide" ls --db none.db
	[ "$(grep -c "'heaptide ls'" stderr)" -eq 0 ]
	"$heaptide" top --db none.db >stdout 2>stderr
	grep -q "nothing was looked at within the last hour in none.db" stderr
	[ ! -s stdout ]
	"$heaptide" top --db some.db 2>stderr | grep -q sleep
	[ ! -s stderr ]
	needs root
	publish
	chmod o+r "$public"/*
	doctor "${nobody[@]}" "$public/heaptide" doctor "$pid"
	verdict >last
	[ "$(grep -c "'heaptide doctor" last)" -eq 0 ]
	fails 4 "'heaptide doctor $pid' says what is missing" "${nobody[@]}" "$public/heaptide" explain "$pid"
}

@test "a hostile name is inert" {
	program hostile gcc <<-'C'
		#include <sys/prctl.h>
		#include <unistd.h>
		int main(void)
		{
			prctl(PR_SET_NAME, "\033[31m\a\rroot");
			for (;;)
				pause();
		}
	C
	start ./hostile
	poll 10 grep -q root "/proc/$pid/comm"
	doctor "$heaptide" doctor "$pid"
	grep -q "^ok *process  *.x1b.31m.*root, pid $pid" out
	[ "$(cat out err | LC_ALL=C grep -c "$(printf '[\001-\010\013-\037\177]')")" -eq 0 ]
}
