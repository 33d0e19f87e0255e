#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 240 s
# Looking makes nothing resident: the page tables of a process are the same, page for page, before and after LOOKS (5)
# looks of each mode, at heaps of which most was never touched and at some of which the rest is swapped out. The long
# form is
#     LOOKS=100 PATIENCE=20 tests/run tests/fault/untouched.sh
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

looks=${LOOKS:-5}
counts() { "$HT_BUILD/targets/pagecount" "$1"; }
swap=$HT_TMP/swap
have_swap() { tail -n +2 /proc/swaps | grep -q .; }
without_swap() { [ ! -e "$swap" ] || swapoff "$swap"; }
trap without_swap EXIT

swap_of() { awk '/VmSwap/ { print $2 }' "/proc/$1/status"; }

make_swap() {
	dd if=/dev/zero of="$swap" bs=1M count=64 status=none && chmod 600 "$swap" && mkswap -q "$swap" && swapon "$swap"
}

look() { # MODE PID
	timeout 120 "$HT_BUILD/heaptide" explain --json --mode "$1" "$2" >"$HT_TMP/look" || return 1
	jq -e '.findings == []' "$HT_TMP/look"
}

# all_modes NAME PID
all_modes() {
	local mode i before
	for mode in none bounded exact snapshot; do
		before=$(counts "$2")
		for ((i = 0; i < looks; i++)); do
			look "$mode" "$2" >/dev/null || break
		done
		same "$1, $mode: $looks looks, each whole and without a finding" "$i" "$looks"
		is "$1, $mode: what was untouched still is" "$(counts "$2")" "$before"
	done
}

start "$HT_BUILD/targets/untouched" >"$HT_TMP/untouched"
poll 10 grep -q ready "$HT_TMP/untouched"
all_modes "never touched" "$started"
stop_started

swapped_heap() {
	local swapped
	ok "there is swap" eval 'have_swap || make_swap'
	start "$HT_BUILD/targets/untouched" swapped >"$HT_TMP/swapped"
	poll 10 grep -q ready "$HT_TMP/swapped"
	swapped=$(swap_of "$started")
	between "some of it is swapped out" "$swapped" 1000 100000
	all_modes "swapped out" "$started"
	ok "what was not read is uncertain, and said" \
		jq -e '.stop.uncertain_bytes > 0 and any(.warnings[]; test("swapped out"))' "$HT_TMP/look"
	same "nothing of it was brought back" "$(swap_of "$started")" "$swapped"
	stop_started
}
can swap "a swapped heap" && swapped_heap

# Somebody else's bytes amid the heap, and around them pages that nobody touched.
cat >"$HT_TMP/gap.c" <<'C'
#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>
static void *volatile kept;
int main(void)
{
	for (int i = 0; i < 60; i++) {
		kept = malloc(60000);
		if (i % 20 == 10)
			kept = sbrk(5008);
	}
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
C
gcc -O1 -o "$HT_TMP/gap" "$HT_TMP/gap.c"
start "$HT_TMP/gap" >"$HT_TMP/gap.out"
poll 10 grep -q ready "$HT_TMP/gap.out"
all_modes "gaps in brk" "$started"
stop_started
plan
