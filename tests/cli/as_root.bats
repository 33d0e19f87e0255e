#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# What takes root to set up: another user, and a disk that fills.

load common

rounds=$HT_BUILD/targets/rounds

@test "a process of another user is told by its pid" {
	needs root
	start sleep 60
	publish
	fails 4 "$pid" "${nobody[@]}" "$public/heaptide" explain "$pid"
}

@test "where this folder cannot be written to the record has one of its own" {
	needs root
	needs own_traced
	publish "$rounds"
	mkdir "$public/tmp" "$public/sealed"
	chmod 0777 "$public/tmp"
	target "${nobody[@]}" "$public/rounds" over 0
	poll 10 eval '[ "$(stat -c %u "/proc/$target")" -eq 65534 ]'
	poll 10 grep -q rounds "/proc/$target/comm"
	cd "$public/sealed"
	TMPDIR=$public/tmp "${nobody[@]}" "$public/heaptide" diagnose "$target" -d 1s --json >"$BATS_TEST_TMPDIR/out"
	file=$(jq -r .record.file "$BATS_TEST_TMPDIR/out")
	[[ $file == "$public"/tmp/heaptide-*/record.db ]]
	[ "$(stat -c %a "${file%/*}")" -eq 700 ]
	[ -s "$file" ]
	[ -z "$(ls)" ]
}

@test "on a disk that fills the answer is given with what there is, and the command runs on" {
	needs root
	target "$rounds" over 0
	mkdir disk
	cat >on_disk.sh <<-'S'
		mount -t tmpfs -o size=600k tmpfs disk && cd disk || exit 99
		shift
		"$@"
	S
	status=0
	timeout 200 unshare --mount --propagation private bash on_disk.sh - \
		"$heaptide" diagnose "$target" -d 1h -i 50ms >out 2>err || status=$?
	cat out err
	[ "$status" -eq 14 ]
	grep -q "^[A-Z_]* (0\.[0-9]*, [a-z]*)  rounds, pid $target, [0-9]* samples" out
	tr -s ' \n' ' ' <out | grep -q "samples, it could not go on; all"
	grep -q "the disk is full (make room on that disk" err
	unshare --mount --propagation private bash on_disk.sh - \
		"$heaptide" diagnose "$target" -d 1h -i 50ms --json >out 2>err || true
	jq -e '.record.end == "failed" and .record.samples == .verdict.samples' out
	cat >until_full <<-S
		#!/bin/bash
		# Outlives its record, by what that says on its standard error.
		$(declare -f poll)
		poll 25 grep -q "disk is full" "$BATS_TEST_TMPDIR/err" && echo whole && exit \$1
	S
	chmod +x until_full
	for code in 0 5; do
		status=0
		unshare --mount --propagation private bash on_disk.sh - "$heaptide" record \
			-i 20ms -o r.db -- "$BATS_TEST_TMPDIR/until_full" "$code" >out 2>err || status=$?
		cat out err
		[ "$status" -eq $((code ? code : 14)) ]
		grep -q whole out
		grep -q "the disk is full: the command, pid [0-9]*, runs on" err
	done
}

@test "who may not look is told so, and no file is left" {
	needs root
	needs others_seen
	publish
	mkdir -m 777 "$public/open"
	target "$rounds" over 0
	cd "$public/open"
	status=0
	"${nobody[@]}" "$public/heaptide" diagnose "$target" -d 5s 2>"$BATS_TEST_TMPDIR/err" || status=$?
	[ "$status" -eq 4 ]
	grep -q "^heaptide: may not trace process $target (rounds): .*(run as root, or .*)" "$BATS_TEST_TMPDIR/err"
	[ -z "$(ls)" ]
}
