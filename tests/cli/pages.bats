#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# Which stretches of a heap are held, free and returned: of a program that holds the first
# and the last third of its heap, frees the middle, and trims it.

load common

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	program thirds gcc -fno-builtin <<'C'
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define N 4000
static char *block[3][N];
int main(void)
{
	sigset_t set;
	int got;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int third = 0; third < 3; third++)
		for (int i = 0; i < N; i++)
			block[third][i] = memset(malloc(4000), 1, 4000);
	for (int i = 0; i < N; i++)
		free(block[1][i]);
	write(1, "freed\n", 6);
	sigwait(&set, &got);
	malloc_trim(0);
	write(1, "trimmed\n", 8);
	for (;;)
		pause();
}
C
	target ./thirds
	poll 20 grep -q freed target.out
}

# thirds FILE: of the 11 stretches amid each third, what is held and free, each once
thirds() {
	jq -r '.heaps[0].pages | [[3, 14], [19, 30], [35, 46]] as $spans | . as $text | $spans |
		map([range(.[0]; .[1]) | $text[. * 2:. * 2 + 2]] | unique | join("+")) | join(" ")' "$1"
}

# as_resident FILE: all stretches together are what is resident, to a stretch's rounding
as_resident() {
	jq -e '.heaps[] | .size as $size | .resident as $resident |
		(.pages | explode | map(if . > 96 then . - 87 else . - 48 end) |
			map(if . == 0 or . == 15 then . / 15 else (. - 0.5) / 14 end) | add / 48 * $size) as $sum |
		($sum - $resident) / $size | . < 0.05 and . > -0.05' "$1"
}

@test "a map says which stretches of a heap are held, free and returned" {
	"$heaptide" map "$target" --json >freed
	thirds freed
	[ "$(thirds freed)" = "f0 0f f0" ]
	as_resident freed
	kill -USR1 "$target"
	poll 20 grep -q trimmed target.out
	"$heaptide" map "$target" --json >trimmed
	[ "$(thirds trimmed)" = "f0 00 f0" ]
	as_resident trimmed
}

@test "a record keeps it, and a terminal shows it" {
	"$heaptide" record "$target" -o r.db -d 1s -i 200ms
	"$heaptide" map "$target" --db r.db --at now --json >kept
	[ "$(thirds kept)" = "f0 0f f0" ]
	COLUMNS=120 "$heaptide" map "$target" --db r.db --at now --ascii >out
	grep -E '#{6,}-{6,}#{6,}' out
	COLUMNS=60 "$heaptide" map "$target" --ascii >narrow
	awk 'length > 60 { exit 1 }' narrow
	"$heaptide" report "$target" --db r.db -o page.html
	grep -q '"pages":"f0' page.html
}
