#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Limit: 180 s
# map --against: a real process that takes heaps and mappings and gives heaps
# back, recorded; what is told is held against the map of each moment, and
# against what the program did.

load common

# moment: waits for a sample after now, then for the end of a second; prints it.
moment() {
	local now second
	now=$(date +%s%N)
	poll 20 sample_after "$now" || return 1
	second=$(($(date +%s) + 1))
	poll 5 later_than "$second" || return 1
	echo "$second"
}
sample_after() {
	[ "$(sqlite3 -readonly m.db "select max(at_ns) > $1 from sample" 2>&1)" = 1 ] 2>&-
}
later_than() { [ "$(date +%s)" -gt "$1" ]; }

# "grow": a thread takes 100 MiB in its own arena, and 16 MiB are mapped;
# "give": the thread frees all. All the time 8 MiB lie free below one chunk.
setup_file() {
	cd "$BATS_FILE_TMPDIR" || return 1
	program mapper gcc -fno-builtin -pthread <<'C'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#define N 1700
static char *block[N];
static pthread_barrier_t done;
static void *run(void *unused)
{
	for (int i = 0; i < N; i++)
		block[i] = memset(malloc(60000), 1, 60000);
	pthread_barrier_wait(&done);
	pthread_barrier_wait(&done);
	for (int i = N - 1; i >= 0; i--)
		free(block[i]);
	pthread_barrier_wait(&done);
	pause();
	return unused;
}
int main(void)
{
	char *hole[2000], word[16];
	pthread_t thread;
	for (int i = 0; i < 2000; i++)
		hole[i] = memset(malloc(4000), 1, 4000);
	memset(malloc(100), 1, 100);
	for (int i = 0; i < 2000; i++)
		free(hole[i]);
	pthread_barrier_init(&done, NULL, 2);
	write(1, "ready\n", 6);
	read(0, word, 5);
	pthread_create(&thread, NULL, run, NULL);
	memset(mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1, 16 << 20);
	pthread_barrier_wait(&done);
	write(1, "grown\n", 6);
	read(0, word, 5);
	pthread_barrier_wait(&done);
	pthread_barrier_wait(&done);
	write(1, "given\n", 6);
	for (;;)
		pause();
}
C
	mkfifo in
	exec 9<>in
	./mapper <in >said 2>&1 3>&- 9>&- &
	echo $! >pid
	"$HT_BUILD/heaptide" record $! -o m.db -i 250ms >record 2>&1 3>&- 9>&- &
	recorder=$!
	poll 10 grep -q ready said
	moment >before
	echo grow >&9
	poll 20 grep -q grown said
	moment >grown
	echo give >&9
	poll 20 grep -q given said
	moment >given
	kill -TERM "$recorder"
	wait "$recorder" || true
	exec 9>&-
}

teardown_file() {
	kill -KILL "$(cat "$BATS_FILE_TMPDIR/pid")"
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	dir=$BATS_FILE_TMPDIR
	db=$dir/m.db
	pid=$(cat "$dir/pid")
	before=@$(cat "$dir/before") grown=@$(cat "$dir/grown") given=@$(cat "$dir/given")
}

# agrees DIFF TIME1 TIME2: its heaps are those of the two maps, and nothing else
# differs in them.
agrees() {
	"$heaptide" map "$pid" --db "$db" --at "$2" --json >first
	"$heaptide" map "$pid" --db "$db" --at "$3" --json >second
	jq -n --slurpfile f first --slurpfile s second '
		def keyed: map({key: .address, value: {size, resident}}) | from_entries;
		($f[0].heaps | keyed) as $x | ($s[0].heaps | keyed) as $y |
		[($x + $y | keys[]) as $k | {address: $k, from: $x[$k], to: $y[$k]}] |
		{changed: map(select(.from != .to)) | sort_by(.address),
		 same: map(select(.from == .to)) | length,
		 from: [$x[].resident] | add, to: [$y[].resident] | add}' >wanted
	jq '.heaps | {changed: [.changed[] | {address, from, to}] | sort_by(.address),
		same, from: .from.resident, to: .to.resident}' "$1" >got
	diff wanted got
	jq -e '.heaps | .change == .to.resident - .from.resident and
		([.changed[] | .change] | add) == .change' "$1"
}

@test "heaps that came are told with their arena, and sum to what grew" {
	"$heaptide" map "$pid" --db "$db" --at "$grown" --against "$before" --json >out
	jq -e '.schema == "heaptide.map_diff/1" and .pid == '"$pid" out
	agrees out "$before" "$grown"
	jq -e '[.heaps.changed[] | select(.from == null)] | length >= 2 and
		all(.arena == 1) and ([.[].to.resident] | add) > 100000000' out
	# 16 MiB were mapped, and nothing else of that kind.
	jq -e '.mappings.changed | map(select(.kind == "anon")) |
		map(.change) == [16777216] and
		(.[0].to.size - (.[0].from.size // 0)) == 16777216' out
	jq -e '.mappings.changed | map(select(.kind == "thread_stack")) |
		map(.to.count - (.from.count // 0)) == [1]' out
}

@test "heaps that went are told, and which moment is named first is all the same" {
	"$heaptide" map "$pid" --db "$db" --at "$grown" --against "$given" --json >out
	agrees out "$grown" "$given"
	jq -e '[.heaps.changed[] | select(.to == null)] | length >= 1 and
		all(.from.resident > 0 and .change == -.from.resident)' out
	"$heaptide" map "$pid" --db "$db" --at "$given" --against "$grown" --json >turned
	cmp out turned
	# Without --at it is the newest sample.
	"$heaptide" map "$pid" --db "$db" --against "$grown" --json >newest
	[ "$(jq -c .heaps newest)" = "$(jq -c .heaps out)" ]
}

@test "the chunk that held the main arena's top all the time is told" {
	"$heaptide" map "$pid" --db "$db" --against "$before" --json >out
	jq '.pins' out
	# What the thread's start took came out of the hole below.
	jq -e '.pins[] | select(.arena == 0) | .same_chunk and .to.size == 112 and
		.from.address == .to.address and
		([.from.holds, .to.holds] | all(. > 7900000 and . < 8200000))' out
	"$heaptide" map "$pid" --db "$db" --against "$before" |
		grep -qE '^ +0 +0x[0-9a-f]+ +7\.[0-9] MiB +0x[0-9a-f]+ +7\.[0-9] MiB the same chunk$'
}

@test "--arena leaves one arena's heaps" {
	"$heaptide" map "$pid" --db "$db" --at "$grown" --against "$before" -a 1 --json >out
	jq -e '.heaps | .from == null and (.changed | all(.arena == 1)) and
		([.changed[].to.resident] | add) == .to.resident' out
	"$heaptide" map "$pid" --db "$db" --at "$grown" --against "$before" -a 0 --json >out
	jq -e '[.heaps.changed[].arena] + [.pins[].arena] | all(. == 0)' out
	fails 2 "there is no arena 7" "$heaptide" map "$pid" --db "$db" --against "$before" -a 7
}

@test "people and CSV read the figures that --json has" {
	"$heaptide" map "$pid" --db "$db" --at "$grown" --against "$before" --json >json
	"$heaptide" map "$pid" --db "$db" --at "$grown" --against "$before" --bytes >text
	"$heaptide" map "$pid" --db "$db" --at "$grown" --against "$before" --csv >csv
	jq -r '.heaps | "all heaps +\(.from.size) +\(.to.size) +\(.from.resident) +\(.to.resident) +.\(.change)"' \
		json >line
	grep -qE "^$(cat line)$" text
	jq -r '.heaps.changed[] | "\"\(.address)\",\(.arena),\(.from.size // ""),\(.to.size // ""),\(.from.resident // ""),\(.to.resident // "")"' \
		json >rows
	[ "$(head -n 1 csv)" = address,arena,size_from,size_to,resident_from,resident_to ]
	diff rows <(tail -n +2 csv)
}

@test "a moment against itself says so, and one without a record what there is" {
	"$heaptide" map "$pid" --db "$db" --at "$grown" --against "$grown" --json >out 2>stderr
	grep -q "both times mean one sample: the record goes from 20" stderr
	jq -e '.heaps.changed == [] and .mappings.changed == [] and .heaps.change == 0' out
	# Before the record: its first sample.
	"$heaptide" map "$pid" --db "$db" --against 1d --json >out
	[ "$(jq -r .from out)" != null ]
	fails 15 "nothing recorded for nosuch" "$heaptide" map nosuch --db "$db" --against 1d
	run "$heaptide" map "$pid" --db "$db" --against sometime
	[ "$status" -eq 2 ]
}
