#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Limit: 60 s
# A light look by name: the same figures, and what it does not know is null and told.

load common

setup_file() {
	cd "$BATS_FILE_TMPDIR"
	program holder gcc <<-'C'
	#include <stdlib.h>
	#include <string.h>
	#include <unistd.h>
	int main(void)
	{
		static void *p[3000];
		for (int i = 0; i < 3000; i++)
			p[i] = memset(malloc(200 + i), 1, 200 + i);
		for (int i = 0; i < 3000; i += 3)
			free(p[i]);
		for (;;)
			pause();
	}
	C
	./holder 3>&- &
	echo $! >pid
}

teardown_file() {
	kill -KILL "$(cat "$BATS_FILE_TMPDIR/pid")"
}

setup() {
	cd "$BATS_FILE_TMPDIR"
}

figures() { # LOOK
	"$HT_BUILD/heaptide" explain "$(cat pid)" --look "$1" --json
}

@test "a light look has the figures of a full one" {
	local what='[.totals.system, .totals.in_use, .totals.unsorted, .totals.small, .totals.large,
		.totals.tcache, .totals.top, .totals.retained, .totals.trimmable, .process.rss]'
	figures full | jq -c "$what" >full
	figures light | jq -c "$what" >light
	cat full light
	jq -e 'all(. != null) and .[1] > 1000000 and .[2] > 100000' full
	cmp full light
}

@test "it says what it is, and what it does not know" {
	figures light >light.json
	jq -e '.stop.look == "light" and .totals.in_use_chunks == null and (.size_classes | length) == 0' light.json
	jq -e '[.quality[] | select(.figures == "in_use")][0].how == "derived"' light.json
	jq -e '[.quality[] | select(.figures == "size_classes")][0].how == "unknown"' light.json
	jq -e '[.unknown[] | select(.reason == "cost" and (.names | contains("totals.in_use_chunks")))] | length == 1' light.json
	"$HT_BUILD/heaptide" explain "$(cat pid)" --look light | grep "a light look"
	figures full | jq -e '.stop.look == "full" and (.quality | length) == 0'
}

@test "a record is of light looks where it is told so" {
	"$HT_BUILD/heaptide" record "$(cat pid)" --look light -o light.db -i 100ms -d 1s
	[ "$(sqlite3 light.db 'SELECT DISTINCT look FROM stop')" = light ]
	[ "$(sqlite3 light.db 'SELECT count(*) FROM sample WHERE in_use_arena IS NULL OR retained IS NULL')" = 0 ]
	[ "$(sqlite3 light.db 'SELECT count(*) FROM size_class')" = 0 ]
}

@test "a record with --look auto is of light looks where a walk is dear" {
	"$HT_BUILD/targets/spacious" 300 20 >said 3>&- &
	echo $! >large
	poll 30 grep -q ready said
	"$HT_BUILD/heaptide" record "$(cat large)" --look auto -o large.db -i 300ms -d 3s
	kill -KILL "$(cat large)"
	[ "$(sqlite3 large.db 'SELECT look FROM stop ORDER BY sample_id LIMIT 1')" = full ]
	[ "$(sqlite3 large.db 'SELECT look FROM stop ORDER BY sample_id DESC LIMIT 1')" = light ]
	[ "$(sqlite3 large.db 'SELECT count(*) FROM sample WHERE in_use_arena IS NULL OR retained IS NULL')" = 0 ]
	[ "$(sqlite3 large.db 'SELECT max(in_use_arena) - min(in_use_arena) < max(in_use_arena) / 100 FROM sample')" = 1 ]
}

@test "and of walks where it is not" {
	"$HT_BUILD/heaptide" record "$(cat pid)" --look auto -o small.db -i 100ms -d 1s
	[ "$(sqlite3 small.db 'SELECT DISTINCT look FROM stop')" = full ]
}

@test "another word than full, light and auto is refused" {
	run "$HT_BUILD/heaptide" explain "$(cat pid)" --look quick
	[[ $output == *"'quick' is no LOOK"* ]]
}
