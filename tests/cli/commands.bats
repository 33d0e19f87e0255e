#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# Each command on a real process: data on stdout, talk on stderr, sums that
# close, and nothing on a pipe that only a terminal understands.

load common

# 300 KiB of small chunks in use, 4 MiB freed below a chunk in use.
setup_file() {
	cd "$BATS_FILE_TMPDIR"
	gcc -x c -O1 -w -fno-builtin -o holder - <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void)
{
	char *freed[64];

	for (int i = 0; i < 300; i++)
		memset(malloc(1000), 1, 1000);
	for (int i = 0; i < 64; i++)
		freed[i] = memset(malloc(65536), 1, 65536);
	memset(malloc(100), 1, 100);
	for (int i = 0; i < 64; i++)
		free(freed[i]);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
C
	./holder >ready 2>&1 3>&- &
	echo $! >pid
	until grep -q ready ready; do sleep 0.05; done
	"$HT_BUILD/heaptide" record "$(cat pid)" -o r.db -i 300ms -d 6s
}

teardown_file() {
	kill -KILL "$(cat "$BATS_FILE_TMPDIR/pid")"
}

setup() {
	cd "$BATS_TEST_TMPDIR"
	pid=$(cat "$BATS_FILE_TMPDIR/pid")
	db=$BATS_FILE_TMPDIR/r.db
}

no_escapes() { ! grep -q $'\033' "$1"; }

@test "usage lists every command, and so does each command's help" {
	"$heaptide" --help >help
	while read -r name; do
		"$heaptide" "$name" --help >one
		grep -q "^Usage: heaptide $name" one
	done < <(sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' help)
	[ "$(grep -c '^  [a-z]' help)" -ge 15 ]
}

@test "wrong usage is status 2 and names the word" {
	run "$heaptide" explian 1
	[ "$status" -eq 2 ]
	[[ $output == *"did you mean 'explain'"* ]]
	run "$heaptide" explain --no-such-option 1
	[ "$status" -eq 2 ]
	run "$heaptide" explain 1 2
	[ "$status" -eq 2 ]
	run "$heaptide"
	[ "$status" -eq 2 ]
}

@test "a limit that no measurement can keep is wrong usage" {
	for limit in "--max-pause 2m" "--max-pause 99d" "--timeout 1us" "--timeout 2h"; do
		status=0
		# shellcheck disable=SC2086 # two words
		"$heaptide" explain $$ $limit 2>err || status=$?
		cat err
		[ "$status" -eq 2 ]
		grep -q -- "^heaptide explain: ${limit% *} takes .* to " err
	done
	"$heaptide" explain $$ --max-pause 1m --timeout 1h >/dev/null
}

@test "explain prints JSON whose sums close to the byte" {
	"$heaptide" explain "$pid" --json >out
	jq -e '.schema == "heaptide.snapshot/1" and .pid == '"$pid" out
	jq -e '([.rss_breakdown[].bytes] | add) == .process.rss' out
	jq -e '.arenas[] | .system == .in_use + .free + .overhead' out
	jq -e '.totals.trimmable > 3500000 and .totals.in_use > 300000' out
}

@test "PSS is not worth a wait longer than --max-pause, unless it is asked for" {
	"$heaptide" explain "$pid" --json >out
	jq -e '.process.uss > 1000000 and .process.uss <= .process.pss' out
	"$heaptide" explain "$pid" --json --max-pause 10us >out
	jq -e '.process.pss == null and .process.uss == null' out
	jq -e '[.warnings[] | select(test("PSS"))] | length == 1' out
	"$heaptide" explain "$pid" --json --max-pause 10us --pss >out
	jq -e '.process.uss > 1000000' out
}

@test "explain answers in its first line and uses no escapes in a pipe" {
	"$heaptide" explain "$pid" >out
	head -n 1 out | grep -q "^holder, pid $pid: .* resident"
	grep -q "malloc_trim(0) would return" out
	grep -q "^RSS by cause" out
	no_escapes out
}

@test "how it was measured fits the terminal" {
	for columns in 60 80; do
		COLUMNS=$columns "$heaptide" explain $$ --ascii | sed -n '/^How it was measured/,$p' >how
		cat how
		grep -q "^  at 20.*, mode none, no thread" how
		tr -s ' \n' ' ' <how | grep -q "in all.* glibc .*; layout by .*, found by "
		awk -v width=$columns 'length > width { bad = 1 } END { exit bad }' how
	done
}

@test "a core file gives the arenas that the process had" {
	gcore -o core "$pid" >/dev/null 2>&1
	"$heaptide" explain "$pid" --mode exact --json >live
	"$heaptide" explain --core "core.$pid" --json >dead
	[ "$(jq -c '.totals | [.in_use, .free, .top, .system]' dead)" = \
		"$(jq -c '.totals | [.in_use, .free, .top, .system]' live)" ]
	jq -e '.process.rss == null and .totals.trimmable == null' dead
	jq -e '[.unknown[].reason] == ["core", "core"]' dead
	jq -e '[.unknown[].names] | join(" ") | split(" ") as $names
		| ["process.rss", "limits.cgroup_max", "totals.trimmable"] - $names == []' dead
	"$heaptide" explain --core "core.$pid" | head -n 1 | grep -q "core file"
}

@test "explain --bytes prints the figures that --json has" {
	"$heaptide" explain "$pid" --json >json
	"$heaptide" explain "$pid" --bytes >text
	grep -q "$(jq .totals.in_use json)" text
}

@test "the parts agree with the whole" {
	"$heaptide" explain "$pid" --mode exact --json >whole
	"$heaptide" arenas "$pid" --mode exact --json >arenas
	[ "$(jq '.arenas[0].in_use' arenas)" = "$(jq '.arenas[0].in_use' whole)" ]
	"$heaptide" bins "$pid" --mode exact --json >bins
	[ "$(jq '[.bins[] | select(.kind == "large") | .bytes] | add // 0' bins)" = \
		"$(jq .totals.large whole)" ]
	"$heaptide" classes "$pid" --mode exact --json >classes
	[ "$(jq '[.classes[] | select(.max_size != 0) | .in_use_bytes] | add' classes)" = \
		"$(jq .totals.in_use whole)" ]
	"$heaptide" trim "$pid" --mode exact --json >trim
	[ "$(jq .trimmable trim)" = "$(jq .totals.trimmable whole)" ]
}

@test "trim tells what it would do, and does it when told to" {
	start "$HT_BUILD/targets/keeper" small
	poll 10 grep -q ready out
	"$heaptide" trim "$pid" --json >before
	jq -e '.done == false and .refused == null and .rss_after == null' before
	jq -e '.forecast.bytes == .trimmable and .forecast.bytes > 8000000' before
	jq -e '.forecast.hold_us > 0 and .forecast.machine_bytes == .forecast.bytes' before
	"$heaptide" trim "$pid" --yes --max-hold 1min --json >done
	jq -e '.done and .refused == null and .thread == .pid' done
	jq -e '.returned == .rss_before - .rss_after' done
	jq -e '.prediction_error >= -16384 and .prediction_error <= 16384' done
	jq -e '(.per_arena | length) == 1 and .per_arena[0].returned > 8000000' done
	"$heaptide" explain "$pid" --json | jq -e '.totals.trimmable < 4096'
}

@test "trim --yes says why not, and that nothing was called" {
	start "$HT_BUILD/targets/keeper" small
	poll 10 grep -q ready out
	fails 16 "--max-hold" "$heaptide" trim "$pid" --yes --max-hold 1us
	"$heaptide" trim "$pid" --yes --max-hold 1us --json >refused || true
	jq -e '.done == false and .refused == "hold" and .thread == null' refused
	"$heaptide" trim "$pid" | grep -q "^Nothing was called"
}

@test "a static program is trimmed by its symbols, and refused without them" {
	gcc -O1 -w -fno-builtin -static -Wl,--eh-frame-hdr -o static_one -x c - <<-'C'
		#include <malloc.h>
		#include <stdlib.h>
		#include <string.h>
		#include <unistd.h>
		static char *keep[4000];
		int main(void)
		{
			mallopt(M_MMAP_THRESHOLD, 1 << 20);
			for (int i = 0; i < 4000; i++)
				keep[i] = memset(malloc(2000), 1, 2000);
			for (int i = 0; i < 4000; i++)
				if (i % 32)
					free(keep[i]);
			write(1, "ready\n", 6);
			for (;;)
				pause();
		}
	C
	strip -o static_stripped static_one
	start ./static_one
	poll 10 grep -q ready out
	"$heaptide" trim "$pid" --yes --max-hold 1min --json >done
	jq -e '.done and .returned > 4000000' done
	rm out
	start ./static_stripped
	poll 10 grep -q ready out
	fails 16 "no symbol tells where it is" "$heaptide" trim "$pid" --yes --max-hold 1min
	kill -0 "$pid"
}

@test "trim --arena-tops says why not, and what to set instead" {
	start "$HT_BUILD/targets/keeper" small
	poll 10 grep -q ready out
	fails 16 "glibc.malloc.trim_threshold=131072" "$heaptide" trim "$pid" --arena-tops
	"$heaptide" trim "$pid" --arena-tops --yes --json >tops || [ $? = 16 ]
	jq -e '.done == false and .refused == "arena_tops" and .trimmable > 8000000' tops
	jq -e '.why | test("trim_threshold \\([0-9.]+ [KM]iB\\) on")' tops
	"$heaptide" explain "$pid" --json | jq -e '.totals.trimmable > 8000000'
}

@test "--arena leaves one arena, one that is not there is told" {
	"$heaptide" arenas "$pid" --arena 0 --json | jq -e '.arenas | length == 1'
	fails 2 "there is no arena 7" "$heaptide" bins "$pid" --arena 7
}

@test "a process without an arena has none to choose from" {
	program musl musl-gcc <<-'C'
	#include <unistd.h>
	int main(void) { for (;;) pause(); }
	C
	start ./musl
	"$heaptide" record "$pid" -o m.db -i 200ms -d 1s
	fails 15 "there is no arena 0: none was measured" \
		"$heaptide" arenas "$pid" --db m.db --since 1h --arena 0
}

@test "a process that a signal holds is told as stopped, and as moving when it is" {
	start "$HT_BUILD/targets/keeper" small
	poll 10 grep -q ready out
	kill -STOP "$pid"
	poll 10 in_state "$pid" T
	for mode in none exact; do
		"$heaptide" explain "$pid" --mode $mode --json | jq -e '[.warnings[] | select(test("is stopped .by SIGSTOP"))] | length == 1'
	done
	in_state "$pid" T
	kill -CONT "$pid"
	poll 10 in_state "$pid" S
	"$heaptide" explain "$pid" --json | jq -e '[.warnings[] | select(test("is stopped"))] == []'
}

@test "times stand in one zone, the reader's, and are read back" {
	COLUMNS=200 TZ=America/New_York "$heaptide" trend "$pid" --db "$db" -m rss >text
	at=$(sed -n '1s/.* to \(20[^ ]*-0[45]:00\)$/\1/p' text)
	[ -n "$at" ] || { cat text; false; }
	# The axis says which zone its times are of; without a date they were any.
	grep -qE "^ +${at: -6} +[0-9]{2}:[0-9]{2}:[0-9]{2} " text
	TZ=UTC "$heaptide" trend "$pid" --db "$db" -m rss | grep -qE "^ +UTC +[0-9]{2}:[0-9]{2}:[0-9]{2} "
	since=$(TZ=America/New_York date -d "$at" '+%Y-%m-%d %H:%M:%S') # bare: the reader's zone
	TZ=America/New_York "$heaptide" trend "$pid" --db "$db" --since "$since" -m rss --json >from
	jq -e --arg at "$(date -ud "$at" +%Y-%m-%dT%H:%M:%S)" '.from >= $at' from
	"$heaptide" arenas "$pid" --db "$db" --at "$at" --json >there
	[ "$(date -d "$(jq -r .taken_at there)" +%s%3N)" -eq "$(date -d "$at" +%s%3N)" ]
	printed=$(TZ=America/New_York "$heaptide" arenas "$pid" --db "$db" --at "$at" | sed -n '1s/.* at //p')
	[[ $printed == *-0[45]:00 ]]
	[ "$(date -d "$printed" +%s%3N)" -eq "$(date -d "$(jq -r .taken_at there)" +%s%3N)" ]
}

@test "CSV has a header and a value for each column" {
	"$heaptide" arenas "$pid" --csv >out
	head -n 1 out | grep -q "^index,kind,address,system"
	awk -F, 'NR == 1 { n = NF } NF != n { exit 1 }' out
	"$heaptide" trend "$pid" --db "$db" --csv -m rss,in_use >trend
	[ "$(head -n 1 trend)" = time,rss,in_use ]
	[ "$(wc -l <trend)" -ge 4 ]
}

@test "a record takes no sample twice and its parts can be read back" {
	"$heaptide" trend "$pid" --db "$db" --json >trend
	# 6 s at 300 ms: a loaded machine may miss some, none is made up.
	jq -e '.rows | length >= 3 and length <= 21' trend
	jq -e '[.rows[][0]] | . == (. | unique)' trend
	"$heaptide" arenas "$pid" --db "$db" --json >then
	"$heaptide" arenas "$pid" --json >now
	[ "$(jq '.arenas[0].in_use' then)" = "$(jq '.arenas[0].in_use' now)" ]
	"$heaptide" ls --db "$db" --json | jq -e ".processes[0].pid == $pid"
}

@test "a record that could not look as often as it was asked to says so" {
	"$heaptide" record "$pid" -o often.db -i 1ms -d 1s 2>err
	# A look takes more than 1 ms, so some that were due fell into one.
	grep -E '; [0-9]+ more were due, but a look took [0-9.]+m?s on average' err
	"$heaptide" record "$pid" -o often.db -i 30s -d 1s 2>err
	! grep 'more were due' err
}

@test "a verdict says nothing twice" {
	"$heaptide" verdict "$pid" --db "$db" >out
	[ "$(grep -cE 'samples (in|over) ' out)" = 1 ]
	[ "$(grep -c 'limit .* reached' out)" -le 1 ]
	"$heaptide" verdict "$pid" --db "$db" --json | jq -e '[.evidence[] | select(startswith("judged on"))] | length == 1'
}

@test "a pin that lies free in a thread's cache is told as that, with whose it is" {
	program cached gcc -fno-builtin <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void)
{
	static char *kept[4000];

	for (int i = 0; i < 4000; i++)
		kept[i] = memset(malloc(1000), 1, 1000);
	for (int i = 3999; i >= 0; i--) /* the highest seven stay in the cache */
		free(kept[i]);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
C
	start ./cached
	poll 10 grep -q ready out
	"$heaptide" explain "$pid" --json >look
	address=$(jq -r '.arenas[0].pin.address' look)
	jq -e --argjson pid "$pid" '.arenas[0] | .pin_cached_by == $pid and .pinned > 3e6' look
	"$heaptide" explain "$pid" --full | tr -s '\n ' ' ' >words
	grep -q "The pin a chunk of 1008 B that lies free in the cache of thread $pid at $address (arena 0) keeps 3.8 MiB" words
	# The one that is in use is not.
	"$heaptide" explain "$(cat "$BATS_FILE_TMPDIR/pid")" --full | tr -s '\n ' ' ' >words
	grep -qE "The pin a chunk of [0-9.]+ K?i?B in use at 0x[0-9a-f]+ \(arena 0\) keeps 4.0 MiB" words
}

@test "trend draws dots where the locale has them, ASCII on request" {
	LC_ALL=C.UTF-8 "$heaptide" trend "$pid" --db "$db" -m rss >out
	grep -q "│" out
	LC_ALL=C.UTF-8 "$heaptide" trend "$pid" --db "$db" -m rss --ascii >out
	grep -q '|\*' out
	[ "$(grep -c "│" out)" -eq 0 ]
}

@test "trend without -m shows RSS, in use, retained, top and fragmentation" {
	"$heaptide" trend "$pid" --db "$db" --ascii >out
	grep -E '^[a-z_]+  .* at the end' out | sed 's/ .*//' >names
	[ "$(xargs <names)" = "rss in_use retained top external" ]
	grep -q '^external  [0-9.]* % at the end' out
	grep -qE '^pin: the same [0-9]+-byte chunk at 0x[0-9a-f]+ has held 4.0 MiB' out
	"$heaptide" verdict "$pid" --db "$db" --json >verdict
	jq -e '.pin | .holds > 4e6 and .least <= .holds and .holds <= .most and .since < .seen' verdict
	"$heaptide" trend "$pid" --db "$db" --json >trend
	jq -e '.schema == "heaptide.series/1" and (.metrics | map(.unit)) ==
		["bytes", "bytes", "bytes", "bytes", "ratio"]' trend
	jq -e '.rows | all(length == 6)' trend
}

@test "what a look says of fragmentation, its history says too" {
	"$heaptide" explain "$pid" --json >whole
	"$heaptide" trend "$pid" --db "$db" --json -m external,holes_ge_1m_count \
		>trend
	jq -e --slurpfile now whole '.rows[-1][1:] == ($now[0].fragmentation |
		[.external, .holes_ge_1m_count])' trend
	"$heaptide" export "$pid" --db "$db" -f openmetrics -m retained_ratio >om
	grep -q '^heaptide_retained_ratio{.*} 0\.' om
	"$heaptide" ls --db "$db" --sort holes_ge_1m --json >list
	[ "$(jq '.processes[0].holes_ge_1m' list)" = "$(jq .fragmentation.holes_ge_1m whole)" ]
	fails 2 "no metric 'size'" "$heaptide" ls --db "$db" --sort size
}

@test "trend and export calculate, units are checked" {
	"$heaptide" trend "$pid" --db "$db" --json \
		-m 'retained / heap_resident, max(free - top, 0), free, top' >calc
	jq -e '(.metrics | map(.unit)) == ["ratio", "bytes", "bytes", "bytes"]' calc
	jq -e '.rows | all(.[2] == .[3] - .[4])' calc
	"$heaptide" export "$pid" --db "$db" -f csv -m 'free - top,rss' >csv
	[ "$(head -n 1 csv)" = "time,free - top,rss" ]
	[ "$(tail -n 1 csv | cut -d, -f 2)" = "$(jq '.rows[-1][2]' calc)" ]
	"$heaptide" trend "$pid" --db "$db" -m 'retained / heap_resident' >out
	grep -qF ' % at the end' out
	fails 2 "cannot be added to" "$heaptide" trend "$pid" --db "$db" -m rss+heaps
	fails 2 "no metric 'nosuch'" "$heaptide" trend "$pid" --db "$db" -m nosuch
}

@test "bins, arenas, classes and threads have a course" {
	"$heaptide" bins "$pid" --db "$db" --json >now
	"$heaptide" bins "$pid" --db "$db" --since 1h --json >course
	jq -e '.schema == "heaptide.bins_series/1" and .step_s == null' course
	jq -e '.times as $t | .bins | all((.bytes | length) == ($t | length))' course
	jq -e --slurpfile now now '[.bins[] | {kind, index, b: .bytes[-1]}] |
		sort == ([$now[0].bins[] | {kind, index, b: .bytes}] | sort)' course
	"$heaptide" bins "$pid" --db "$db" --since 1h --csv --bin unsorted >csv
	[ "$(head -n 1 csv)" = time,kind,index,min_size,max_size,bytes,chunks ]
	awk -F, 'NR > 1 && $2 != "\"unsorted\"" { exit 1 }' csv
	"$heaptide" arenas "$pid" --db "$db" --since 1h --json |
		jq -e '.arenas[0] | .index == 0 and .top[-1] > 0 and .heaps[-1] >= 1'
	"$heaptide" classes "$pid" --db "$db" --since 1h --json |
		jq -e '[.classes[] | select(.max_size == 1008) | .in_use_chunks[-1]]
			== [300]'
	"$heaptide" threads "$pid" --db "$db" --since 1h --json |
		jq -e --argjson pid "$pid" '.threads[0].tid == $pid'
	COLUMNS=60 "$heaptide" classes "$pid" --db "$db" --since 1h --ascii >map
	no_escapes map
	awk 'NR > 1 && length > 60 { exit 1 }' map
	grep -q 'at the end' <("$heaptide" arenas "$pid" --db "$db" --since 1h -a 0)
	fails 2 "no bin: fast, unsorted" "$heaptide" bins "$pid" --db "$db" \
		--since 1h --bin tiny
	fails 2 "there is no arena 7" "$heaptide" bins "$pid" --db "$db" \
		--since 1h --arena 7
	fails 2 "add --since" "$heaptide" bins "$pid" --db "$db" --bin small
}

@test "a verdict of six seconds is too little, with the schema of the contract" {
	"$heaptide" verdict "$pid" --db "$db" --json >out
	jq -e '.schema == "heaptide.verdict/1" and (.evidence | type) == "array"
		and (.verdict | type) == "string" and .samples > 0' out
	"$heaptide" verdict "$pid" --db "$db" >text
	grep -q "holder, pid $pid" text
}

@test "diff of a moment with itself says that nothing changed" {
	"$heaptide" diff "$pid" now now --db "$db" --json >out 2>stderr
	jq -e '.totals == [] and .bins == [] and .size_classes == []' out
	grep -q "both times mean one sample" stderr
}

@test "export streams every sample in three formats" {
	n=$("$heaptide" trend "$pid" --db "$db" --json | jq '.rows | length')
	"$heaptide" export "$pid" --db "$db" >nd
	[ "$(wc -l <nd)" -eq "$n" ]
	jq -e .rss nd
	"$heaptide" export "$pid" --db "$db" -f csv -m rss >csv
	[ "$(wc -l <csv)" -eq $((n + 1)) ]
	"$heaptide" export "$pid" --db "$db" -f openmetrics -m rss,pause_us >om
	[ "$(grep -c '^heaptide_rss_bytes{' om)" -eq "$n" ]
	grep -q '^# TYPE heaptide_pause_seconds gauge' om
	[ "$(tail -n 1 om)" = "# EOF" ]
}

@test "report is one page that needs nothing else" {
	"$heaptide" report "$pid" --db "$db" -o page.html
	grep -q "<svg" page.html
	grep -q "RSS by cause" page.html
	[ "$(grep -cE '(src|href)=' page.html)" -eq 0 ]
	[ "$(grep -c '<polygon' page.html)" -eq 6 ]
	grep -q "<figcaption>Fragmentation" page.html
	"$heaptide" report "$pid" --db "$db" -o - | cmp -n 500 - page.html
}

@test "report --all is an index, and in a folder one with a page of each target" {
	"$heaptide" report --all --db "$db"
	grep -q '"schema":"heaptide.page_index/1"' heaptide-all.html
	"$heaptide" report --all --db "$db" -o all/
	"$heaptide" report --all --db "$db" --json >index
	[ "$(jq -r '.targets | length' index)" -eq "$(find all -name 'target-*.html' | wc -l)" ]
	while read -r id; do
		grep -q "\"page\":\"target-$id.html\"" all/index.html
		grep -q '"schema":"heaptide.page/1"' "all/target-$id.html"
	done < <(jq -r '.targets[].process_id' index)
	fails 2 "name a TARGET, or --all" "$heaptide" report --db "$db"
	fails 2 "no TARGET goes with it" "$heaptide" report "$pid" --all --db "$db"
	fails 11 "make none/all/" "$heaptide" report --all --db "$db" -o none/all/
}

@test "record -- COMMAND ends with the command's status" {
	start "$heaptide" record -o c.db -i 100ms -- sh -c \
		'until [ -e over ]; do sleep 0.05; done; exit 7'
	poll 10 has_samples c.db
	touch over
	status=0
	wait "$pid" || status=$?
	cat out
	[ "$status" -eq 7 ]
	grep "the process ended" out
}

@test "record -- COMMAND ends as a shell does, however short the command was" {
	while read -r wanted command; do
		status=0
		"$heaptide" record -o short.db -- sh -c "$command" 2>err || status=$?
		[ "$status" -eq "$wanted" ] || { echo "$command: $status"; cat err; return 1; }
		grep -q "^heaptide: .*the process ended\|^heaptide: no sample of pid" err
		rm -f short.db*
	done <<-'C'
		0 exit 0
		3 exit 3
		15 exit 15
		137 kill -KILL $$
		143 kill -TERM $$
		139 ulimit -c 0; kill -SEGV $$
	C
	fails 127 "No such file" "$heaptide" record -o short.db -- ./nosuch
	[ ! -e short.db ]
	mkdir folder
	fails 126 "Permission denied" "$heaptide" record -o short.db -- ./folder
	grep -q "check the command's name" stderr
}

@test "a signal to record is passed on, and what the command makes of it is the status" {
	start "$heaptide" record -o c.db -i 100ms -- sh -c \
		'trap "exit 9" TERM; until [ -e over ]; do sleep 0.05; done'
	recorder=$pid
	poll 10 has_samples c.db
	kill -TERM "$recorder"
	status=0
	wait "$recorder" || status=$?
	[ "$status" -eq 9 ]
	grep "stopped by a signal; [0-9]* samples\? of sh, pid" out
}

@test "Ctrl-C ends a record cleanly: the file is whole" {
	env --default-signal=INT "$heaptide" record "$pid" -o int.db -i 100ms \
		>out 2>&1 3>&- &
	recorder=$!
	poll 10 has_samples int.db
	kill -INT "$recorder"
	wait "$recorder"
	grep -q "stopped by a signal" out
	[ "$(sqlite3 int.db 'pragma integrity_check')" = ok ]
}

@test "top not on a terminal prints once" {
	"$heaptide" top --db "$db" >out
	grep -q holder out
	no_escapes out
}

@test "doctor measures this process and exits 0 when nothing is missing" {
	"$heaptide" doctor "$pid" --db "$db" >out
	grep -q "^ok *measurement" out
	grep -q "^ok *malloc *glibc" out
	tail -n 1 out | grep -q "^ready: heaptide diagnose $pid"
	"$heaptide" doctor "$pid" --db "$db" --json |
		jq -e '[.checks[] | select(.grade == "missing")] == [] and .ready and .to_do == []'
}

@test "doctor --dump-layout names the libc and holds no heap content" {
	"$heaptide" doctor "$pid" --dump-layout >dump
	grep -q "libc.so.6" dump
	grep -q "main_arena" dump
	run "$heaptide" doctor --dump-layout
	[ "$status" -eq 2 ]
}

@test "a full disk under stdout is an error" {
	fails 11 "standard output" sh -c "'$heaptide' explain $pid --json >/dev/full"
}
