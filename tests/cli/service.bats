#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# A service of several processes: each is shown, and their sum; what is of one
# process wants to know which. And the screen of `top`, in a real terminal.

load common

# A parent with 12 MiB and two children that share them; one of these leaks.
setup_file() {
	cd "$BATS_FILE_TMPDIR"
	gcc -x c -O1 -w -fno-builtin -o ht-service - <<'C'
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void)
{
	for (int i = 0; i < 4000; i++)
		memset(malloc(3000), 1, 3000);
	for (int i = 0; i < 2; i++) {
		if (fork())
			continue;
		for (; i == 0; usleep(50000))
			memset(malloc(20000), 1, 20000);
	}
	for (;;)
		pause();
}
C
	(exec ./ht-service >/dev/null 2>&1 3>&-) &
	parent=$!
	for _ in {1..400}; do
		[ "$(pgrep -P $parent | wc -l)" = 2 ] && break
		sleep 0.05
	done
	recorders=()
	for one in $parent $(pgrep -P $parent); do
		"$HT_BUILD/heaptide" record "$one" -o s.db -i 100ms -d 7s >/dev/null 2>&1 3>&- &
		recorders+=($!)
	done
	wait "${recorders[@]}"
	pgrep -P $parent >children
	echo $parent >parent
}

teardown_file() {
	xargs kill -KILL <"$BATS_FILE_TMPDIR/children"
	xargs kill -KILL <"$BATS_FILE_TMPDIR/parent"
}

setup() {
	cd "$BATS_FILE_TMPDIR"
	db=$PWD/s.db
	leaks=$(head -n 1 children)
	parent=$(cat parent)
}

teardown() {
	tmux -S tmux.top kill-server 2>/dev/null || true
}

@test "a verdict on a service has a line for each process, the sum, and the evidence of the worst" {
	"$heaptide" verdict ht-service --db "$db" >out
	[ "$(grep -cE '^ *[0-9]+ (LEAK|STABLE)' out)" = 3 ]
	grep -qE "^ *$leaks LEAK +\+.*/h" out
	[ "$(grep -cE '^ *[0-9]+ LEAK' out)" = 1 ]
	grep -qE '^ *sum .* MiB .* MiB' out
	grep -q '^ht-service, 3 processes: RSS ' out
	grep -qE "^LEAK .*ht-service, pid $leaks," out
}

@test "its JSON is the worst's, with the members and the kernel's sum of PSS" {
	"$heaptide" verdict ht-service --db "$db" --json >out
	python3 "$HT_TOP/tests/lib/schema.py" "$HT_TOP/docs/schema" out
	jq -e --argjson pid "$leaks" '.verdict == "LEAK" and .pid == $pid and .family.processes == 3
		and (.family.members | map(.pid) | length) == 3 and .family.members[0].pid == $pid
		and .family.pss_known == 3
		and .family.pss == ([.family.members[].pss] | add) and .family.pss < .family.rss * 7 / 10' out
	"$heaptide" verdict "$parent" --db "$db" --json | jq -e '.family == null and .verdict == "STABLE"'
	"$heaptide" ls --db "$db" --json >list
	python3 "$HT_TOP/tests/lib/schema.py" "$HT_TOP/docs/schema" list
	jq -e --argjson pid "$leaks" '[.processes[] | select(.verdict == "LEAK") | .pid] == [$pid]' list
	jq -e --slurpfile v out '[.processes[] | .family.pss] | unique == [$v[0].family.pss]' list
}

@test "one of a service that misses what a build asks for fails it" {
	fails 19 "verdict: LEAK" "$heaptide" verdict ht-service --db "$db" --fail-on LEAK
	"$heaptide" verdict "$parent" --db "$db" --fail-on LEAK >out
}

@test "its trend is the sum, of ratios the highest" {
	"$heaptide" trend ht-service --db "$db" -m in_use,external,pss >out
	[ "$(grep -cE '^ *[0-9]+ (LEAK|STABLE)' out)" = 3 ]
	sum=$("$heaptide" ls --db "$db" --json | jq '[.processes[].in_use] | add')
	"$heaptide" trend ht-service --db "$db" -m in_use --bytes >exact
	[ "$(sed -n 's/^in_use  sum of 3 processes: \([0-9]*\) at the end.*/\1/p' exact)" = "$sum" ]
	grep -q '^external  highest of 3 processes: ' out
	grep -q '^pss  sum of 3 processes: ' out
}

@test "its report has each of them and the sum, and the rest of the worst" {
	"$heaptide" report ht-service --db "$db" -o page.html 2>err
	grep -q "3 processes: RSS .* PSS .*; the page has each and the sum, the rest of it is of the worst, pid $leaks (LEAK)" err
	grep -q "pid.*$leaks" page.html
	"$heaptide" report ht-service --db "$db" --json >page.json
	jq -e '.family | .processes == 3 and ([.members[].pid] | length == 3 and (unique | length) == 3)' page.json
	jq -e ".pid == $leaks and .family.members[0].pid == $leaks" page.json
	jq -e '.family | .rss == ([.members[].rss] | add)' page.json
	# At each time what each has is the sum; what was not there yet adds nothing.
	jq -e '.family | (.times_s | length) as $n | .courses | map(select(.name != "pss")) | length == 3 and
		all(.each | length == 3) and all((.sum | length) == $n) and
		all(.sum as $sum | .each as $each | all(range($n); $sum[.] == null or $sum[.] == ([$each[][.]] | map(. // 0) | add)))' page.json
	python3 "$HT_TOP/tests/lib/schema.py" "$HT_TOP/docs/schema" page.json
	"$heaptide" report "$leaks" --db "$db" --json | jq -e '.family == null'
}

@test "what is of one process names them, and takes a pid" {
	for command in "diff ht-service" "export ht-service" "bins ht-service" \
		"arenas ht-service --since 1h" "trend ht-service --json" "map ht-service --at now"; do
		fails 2 "several processes are named 'ht-service':" "$heaptide" $command --db "$db"
		grep -q "name one of them by its pid" stderr
		for one in $parent $(cat children); do grep -q " $one" stderr; done
	done
	"$heaptide" diff "$parent" --db "$db" >out
	fails 2 "several processes are named 'ht-service':" "$heaptide" explain ht-service
}

@test "a program that was started again is no service of two" {
	(exec ./ht-service >/dev/null 2>&1 3>&-) &
	first=$!
	"$heaptide" record $first -o again.db -i 50ms -d 1s >/dev/null
	kill -KILL $(pgrep -P $first) $first
	wait $first || true
	(exec ./ht-service >/dev/null 2>&1 3>&-) &
	second=$!
	"$heaptide" record $second -o again.db -i 50ms -d 1s >/dev/null
	"$heaptide" verdict ht-service --db again.db >out
	"$heaptide" ls --db again.db --json >list
	kill -KILL $(pgrep -P $second) $second
	grep -q "ht-service, pid $second," out
	[ "$(grep -c processes: out)" = 0 ]
	jq -e '[.processes[].family] == [null, null]' list
}

@test "a life that is too young to judge names the one before, which is not" {
	(exec sleep 60 >/dev/null 2>&1 3>&-) &
	first=$!
	"$heaptide" record $first -o young.db -i 50ms -d 1s >/dev/null
	kill $first
	wait $first || true
	(exec sleep 60 >/dev/null 2>&1 3>&-) &
	second=$!
	"$heaptide" record $second -o young.db -i 100ms -d 200ms >/dev/null
	kill $second
	"$heaptide" verdict sleep --db young.db >out
	grep -q "sleep, pid $second," out
	tr -s ' \n' ' ' <out | grep -q "its life before tells more, [0-9]* samples until .*: heaptide verdict '#1'"
	"$heaptide" verdict '#1' --db young.db | grep -q "sleep, pid $first,"
}

on_screen() { # TEXT
	tmux -S tmux.top capture-pane -p >screen
	grep -qE -- "$1" screen
}
no_screen() { ! tmux -S tmux.top has-session 2>/dev/null; }
keys() { tmux -S tmux.top send-keys "$@"; }

@test "top shows verdict and growth, opens one target, filters, orders and helps" {
	tmux -S tmux.top -f /dev/null new-session -d -x 120 -y 30 \
		env -u COLUMNS -u LINES TERM=tmux LC_ALL=C.UTF-8 "$heaptide" top --db "$db" 3>&-
	poll 10 on_screen "^ht-service +$leaks LEAK +\+.* [KMG]iB/h"
	[ "$(sed -n 4p screen | awk '{ print $3 }')" = LEAK ] # what to look at first
	on_screen 'ht-service, 3 processes: RSS .* PSS '
	keys Enter
	poll 10 on_screen "^ht-service, pid $leaks: LEAK \("
	on_screen '^evidence   in use'
	on_screen '^remedy  '
	on_screen '^in use  .* MiB \('
	keys Escape
	poll 10 on_screen '3 of 3 processes'
	keys '?'
	poll 10 on_screen 'Order by'
	keys Escape
	poll 10 on_screen '3 of 3 processes'
	keys / "$parent" Enter
	poll 10 on_screen '1 of 3 processes'
	on_screen "^ht-service +$parent STABLE"
	[ "$(grep -c "^ht-service  *[0-9]* " screen)" = 1 ]
	keys Escape
	poll 10 on_screen '3 of 3 processes'
	keys Down Down Enter
	poll 10 on_screen '^ht-service, pid [0-9]+: STABLE'
	keys q
	poll 10 no_screen
}

@test "top fits 60 and 80 columns: a line is a process, no figure is cut" {
	for width in 60 80; do
		tmux -S tmux.top -f /dev/null new-session -d -x $width -y 24 \
			env -u COLUMNS -u LINES TERM=tmux LC_ALL=C.UTF-8 "$heaptide" top --db "$db" 3>&-
		poll 10 on_screen "^ht-service .*LEAK.* \+[0-9.]+ [KMG]iB/h.* [0-9.]+ MiB"
		[ "$(grep -cE '^ht-service .* (LEAK|STABLE)' screen)" = 3 ]
		keys q
		poll 10 no_screen
	done
}
