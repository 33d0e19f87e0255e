#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A kernel thread has no heap: told so.

load common

@test "a kernel thread has no heap" {
	needs kernel_threads
	status=0
	"$heaptide" explain 2 >stdout 2>stderr || status=$?
	cat stderr
	[ "$status" -ne 0 ]
	grep -qi "kernel thread" stderr
}

@test "what cannot be recorded is told with the command that says why" {
	needs kernel_threads
	fails 15 "kernel thread" "$heaptide" diagnose 2 -d 1s
	grep -q "(.heaptide doctor 2. says what is in the way)" stderr
	[ ! -e heaptide-2.db ]
}
