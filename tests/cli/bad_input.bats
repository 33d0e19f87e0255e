#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Limit: 180 s
# What cannot be measured is told: what failed, on what, why, what to do.

load common

holder='#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void)
{
	for (int i = 0; i < 1000; i++)
		memset(malloc(1000), 1, 1000);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}'

teardown_file() {
	rm -rf /tmp/heaptide-test.??????
}

ready() { grep -q ready out; }

# The process's figures are there, those of the heap are null.
heap_is_null() { # JSON
	jq -e '.process.rss > 0 and .totals.in_use == null and
		.totals.retained == null and .arenas == []' "$1"
}

@test "no such pid" {
	fails 3 "4194304" "$heaptide" explain 4194304
}

@test "no process of that name" {
	fails 3 "no process is named 'no-such-program'" \
		"$heaptide" explain no-such-program
}

@test "a name that several processes have lists their pids" {
	cp "$(command -v sleep)" napper-twice
	start ./napper-twice 60
	first=$pid
	start ./napper-twice 60
	poll 5 grep -q napper-twice "/proc/$pid/comm"
	poll 5 grep -q napper-twice "/proc/$first/comm"
	fails 2 "$pid" "$heaptide" explain napper-twice
	grep -q " $first" stderr
}

@test "a word that is no pid and no time is refused as usage" {
	fails 2 "'99999999999' is no pid" "$heaptide" explain 99999999999
	local word
	for word in sometime 99999999999999d 9999-12-31 -9e99 18:00x; do
		run "$heaptide" trend web "--since=$word"
		[ "$status" -eq 2 ]
		[[ $output == *"--since: '$word' is no TIME"* ]]
	done
}

@test "a zombie has ended" {
	program parent gcc <<'C'
#include <stdio.h>
#include <unistd.h>
int main(void)
{
	int child = fork();

	if (!child)
		return 0;
	printf("%d\n", child);
	fflush(stdout);
	for (;;)
		pause();
}
C
	start ./parent
	poll 5 grep -q . out
	zombie=$(cat out)
	poll 5 in_state "$zombie" Z
	fails 3 "zombie" "$heaptide" explain "$zombie"
}

@test "one already traced, by a mode that stops threads: the tracer is named" {
	start sleep 60
	traced=$pid
	start gdb -nx -batch -p "$traced" -ex 'shell exec sleep 60'
	tracer=$pid
	poll 20 grep -qE "^TracerPid:[[:space:]]+[1-9]" "/proc/$traced/status"
	fails 5 "gdb" "$heaptide" explain "$traced" --mode exact
	grep -q "$tracer" stderr
}

@test "a static musl process: said, the process's figures are given" {
	program holder musl-gcc -static <<<"$holder"
	start ./holder
	poll 5 ready
	fails 7 "holder" "$heaptide" explain "$pid" --json
	heap_is_null stdout
}

@test "a Go process: said, the process's figures are given" {
	cp "$HT_BUILD/targets/go" gopher
	mkfifo in
	start sh -c 'exec ./gopher 0<>in'
	poll 5 ready
	fails 7 "gopher" "$heaptide" explain "$pid" --json
	heap_is_null stdout
}

other_allocator() { # NAME LIBRARY
	local library
	library=$(ldconfig -p | sed -n "s#.*$2.* => ##p" | head -n 1)
	[ -n "$library" ]
	program holder gcc <<<"$holder"
	start env LD_PRELOAD="$library" ./holder
	poll 5 ready
	fails 7 "$1" "$heaptide" explain "$pid" --json
	heap_is_null stdout
	jq -e --arg name "$1" '.libc.allocator | contains($name)' stdout
	fails 7 "$1" "$heaptide" trim "$pid" --yes --json
	jq -e '.done == false and .refused == "allocator" and .trimmable == null' stdout
}

@test "jemalloc in front is named" {
	other_allocator jemalloc libjemalloc.so.2
}

@test "tcmalloc in front is named" {
	other_allocator tcmalloc libtcmalloc_minimal.so.4
}

@test "mimalloc in front is named" {
	local path=(/usr/lib/x86_64-linux-gnu/libmimalloc.so.[0-9]) # 2, 3
	other_allocator mimalloc "${path[0]##*/}"
}

@test "a process that ends while it is recorded ends the record" {
	start sleep 60
	recorded=$pid
	start "$heaptide" record "$recorded" -o r.db -i 200ms
	poll 10 has_samples r.db
	kill "$recorded"
	wait "$pid"
	grep "the process ended" out
}

@test "no database: where it was looked for, and how to make one" {
	fails 14 "nowhere.db" "$heaptide" ls --db nowhere.db
	HEAPTIDE_DB=$PWD/none.db fails 14 "heaptide record" "$heaptide" ls
}

@test "a file that is no database is left as it is" {
	echo "not a database at all, but text" >notes.txt
	fails 14 "notes.txt" "$heaptide" ls --db notes.txt
	status=0
	start sleep 60
	fails 14 "notes.txt" "$heaptide" record "$pid" -o notes.txt
	[ "$(cat notes.txt)" = "not a database at all, but text" ]
}

@test "no daemon is said with what to do" {
	fails 18 "$PWD/none.sock" "$heaptide" status --socket "$PWD/none.sock"
}

@test "a command that does not exist is not recorded" {
	fails 127 "no-such-command" "$heaptide" record -o r.db -- no-such-command
}
