#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Limit: 180 s
# diff of two windows, two lives and two processes: each figure is held against
# the samples in the database, reckoned once more by SQL and jq.

load common

# One program twice, one after the other: 4 MB a second, then 3 KB.
setup_file() {
	cd "$BATS_FILE_TMPDIR" || return 1
	mkfifo ready
	for bytes in 40000 24; do
		"$HT_BUILD/targets/grower" leak "$bytes" >ready 2>&1 3>&- &
		grep -qm 1 ready <ready
		"$HT_BUILD/heaptide" record $! -o lives.db -i 250ms -d 5s
		kill -KILL $!
	done
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return 1
	db=$BATS_FILE_TMPDIR/lives.db
}

sql() { sqlite3 -readonly "$db" "$@"; }

# taken PROCESS [FROM_NS TO_NS]: every metric of each sample, as JSON.
taken() {
	sqlite3 -readonly -json "$db" "select * from sample where process_id = $1
		and at_ns between ${2:-0} and ${3:-9223372036854775807}"
}

# The totals that a diff of two lists of samples must tell, in the form of its
# own, and how many it must leave out.
cat_reckoning() {
	cat <<'JQ'
def spread: map(values) | sort | length as $n |
	if $n == 0 then {median: null, p10: null, p90: null} else
	{median: .[($n - 1) / 2 | floor], p10: .[($n - 1) / 10 | floor],
	 p90: .[((9 * $n + 9) / 10 | floor) - 1]} end;
def within($x): $x >= .p10 and $x <= .p90;
def verdict: if .from.median == .to.median then "same"
	elif .from.median == null or .to.median == null then "told"
	elif (.unit == "ratio" and (.to.median - .from.median | fabs) < 0.001)
		or .from.median as $x | .to | within($x) then "noise"
	elif .to.median as $x | .from | within($x) then "noise"
	else "told" end;
[$metrics[] | . as $m | {name: $m.name, unit: $m.unit,
	from: ($from | map(.[$m.name]) | spread),
	to: ($to | map(.[$m.name]) | spread)} | . + {verdict: verdict}] as $all |
{totals: [$all[] | select(.verdict == "told") | {name, unit,
	from, to, change: (if .from.median == null or .to.median == null
		then null else .to.median - .from.median end)}] | sort_by(.name),
 noise: [$all[] | select(.verdict == "noise")] | length}
JQ
}

# agrees DIFF FROM TO: what is told of the totals is what the samples say.
agrees() {
	"$heaptide" trend x -m help | awk '/^[a-z]/ { print $1, $2 }' |
		grep -vE '^(minflt|majflt|cpu_ns|limit|pause_us) ' |
		jq -R 'split(" ") | {name: .[0], unit: .[1]}' | jq -s . >metrics
	[ "$(jq length metrics)" -gt 60 ]
	jq -n --argjson metrics "$(cat metrics)" --slurpfile f "$2" \
		--slurpfile t "$3" '$f[0] as $from | $t[0] as $to | '"$(cat_reckoning)" >wanted
	jq '{totals: (.totals | sort_by(.name)), noise: .noise.totals}' "$1" >got
	# SQLite prints 15 digits of a ratio.
	jq -en --slurpfile a wanted --slurpfile b got '
		def leaves: [paths(type != "object" and type != "array") as $p |
			[$p, getpath($p)]];
		($a[0] | leaves) as $x | ($b[0] | leaves) as $y |
		($x | map(.[0])) == ($y | map(.[0])) and
		([$x, $y] | transpose | all(.[0][1] as $v | .[1][1] as $w |
			$v == $w or (($v | type) == "number" and ($w | type) == "number"
			and ($v - $w | fabs) < 1e-9 * ([1, ($v | fabs)] | max))))' ||
		{ diff wanted got; false; }
}

# told DIFF NAME: the change of one total.
told() {
	jq --arg name "$2" '.totals[] | select(.name == $name) | .change' "$1"
}

@test "two windows of a growing process: medians and spreads of its samples" {
	middle=$(sql 'select (min(at_ns) + max(at_ns)) / 2 / 1000000000
		from sample where process_id = 1')
	"$heaptide" diff '#1' "..@$middle" "@$middle.." --db "$db" --json >out
	taken 1 0 "${middle}000000000" >first
	taken 1 "${middle}000000000" >second
	[ "$(jq length first)" -ge 1 ]
	[ "$(jq length second)" -ge 1 ]
	agrees out first second
	[ "$(told out in_use)" -gt 0 ]
	jq -e '.schema == "heaptide.window_diff/1" and .from.process == 1 and
		.to.process == 1 and .from.step_s == null' out
	[ "$(jq .from.rows out)" = "$(jq length first)" ]
	[ "$(jq .to.rows out)" = "$(jq length second)" ]
	# Blocks of 40000 bytes, one chunk size, one arena: all that grew.
	grown=$(told out in_use)
	jq -e --argjson grown "$grown" '.size_classes | length == 1 and
		.[0].change == $grown and .[0].chunks * 40016 == $grown' out
	jq -e --argjson grown "$grown" '.arenas | length == 1 and
		.[0].change == $grown and (.[0] | has("chunks") | not)' out
}

@test "two windows of one time differ in nothing, and that is said" {
	"$heaptide" diff '#1' .. .. --db "$db" --json >out
	jq -e '[.totals, .size_classes, .bins, .arenas] | all(. == [])' out
	jq -e '.noise | [.totals, .size_classes, .bins, .arenas] == [0, 0, 0, 0]' out
	"$heaptide" diff '#1' .. .. --db "$db" | grep -qx "nothing differs"
}

@test "two lives of one program: before and after it was started again" {
	"$heaptide" diff grower --life -1 --life 0 --db "$db" --json >out
	taken 1 >first
	taken 2 >second
	agrees out first second
	jq -e '.from.process == 1 and .to.process == 2 and .from.pid != .to.pid' out
	[ "$(told out in_use)" -lt 0 ]
	jq -e '.size_classes | map(select(.name == "32 B")) | .[0].change > 0' out
	# Addresses of two processes have nothing to do with each other.
	jq -e '.arenas | map(.name) == ["0"]' out
	"$heaptide" diff grower --life 0 --life -1 --db "$db" --json >turned
	[ "$(told turned in_use)" -eq $((-$(told out in_use))) ]
	"$heaptide" diff '#1' --with '#2' --db "$db" --json >named
	[ "$(jq -S 'del(.from, .to)' named)" = "$(jq -S 'del(.from, .to)' out)" ]
}

@test "what people read is what programs read" {
	"$heaptide" diff grower --life -1 --life 0 --db "$db" --json >json
	COLUMNS=200 "$heaptide" diff grower --life -1 --life 0 --db "$db" --bytes >text
	for key in from.median from.p10 to.median to.p90; do
		jq -r ".totals[] | select(.name == \"in_use\") | .$key" json >figure
		grep '^in_use ' text | grep -qwFf figure
	done
	grep -q "^then: grower, pid $(jq .from.pid json), .*, $(jq .from.rows json) samples$" text
	grep -q "left out, as no more than noise: $(jq '[.noise[]] | add' json) figure" text
	# Units stand once in a cell, and no escape sequence in a pipe.
	"$heaptide" diff grower --life -1 --life 0 --db "$db" >text
	grep -qE '^<= 40960 B +[0-9.]+ MiB +[0-9.]+\.\.[0-9.]+ ' text
	! grep -q $'\033' text
}

has_of() { # COUNT PROCESS
	[ "$(sql "select count(*) from sample where process_id = $2" 2>&1)" -ge "$1" ] 2>&-
}

@test "two processes at one time, recorded by the daemon" {
	HT_TMP=$PWD
	# shellcheck source=tests/lib/daemon.sh
	. "$HT_TOP/tests/lib/daemon.sh"
	daemon_config
	sed -i 's/^evaluate = .*/&\ndetail = 1s/' "$conf"
	cp "$HT_BUILD/targets/grower" ht-grower
	printf '[target growers]\nname = ht-grower\nexe = %s\n' "$PWD/ht-grower" >>"$conf"
	start ./ht-grower leak 40000
	large=$pid
	start ./ht-grower leak 24
	small=$pid
	start "$HT_BUILD/heaptided" -c "$conf"
	poll 30 has_of 8 1 && poll 30 has_of 8 2
	kill "$pid"
	wait "$pid"
	kill "$large" "$small"
	id=$(sql "select id from process where pid = $large")
	"$heaptide" diff "$large" --with "$small" --db "$db" --json >out
	taken "$id" >first
	taken $((3 - id)) >second
	agrees out first second
	[ "$(told out in_use)" -lt 0 ]
	# One window is meant for both.
	from=$(sql 'select max(at) / 1000000000 + 1 from (select min(at_ns) at
		from sample group by process_id)')
	"$heaptide" diff "$large" "@$from.." --with "$small" --db "$db" --json >out
	taken "$id" "${from}000000000" >first
	taken $((3 - id)) "${from}000000000" >second
	agrees out first second
	# They ran side by side: neither is an earlier life of the other.
	fails 15 "there is no life -1 of ht-grower: the only one is 0 (#" \
		"$heaptide" diff growers --life -1 --life 0 --db "$db"
}

@test "a life that is not recorded is told with those that are" {
	fails 15 "there is no life -2 of grower: 0 (#2, from 20" \
		"$heaptide" diff grower --life -2 --life 0 --db "$db"
	grep -q 'Z on) to -1 (#1, from 20.*Z on) are (' stderr
	fails 15 "there is no life -1 of grower: the only one is 0 (#1, from 20" \
		"$heaptide" diff '#1' --life 0 --life -1 --db "$db"
	fails 15 "nothing recorded for nosuch" \
		"$heaptide" diff grower --with nosuch --db "$db"
}

@test "a window without samples is told with the time that is recorded" {
	first=$(sql 'select strftime("%Y-%m-%dT%H:%M", min(at_ns) / 1000000000,
		"unixepoch") from sample where process_id = 2')
	fails 15 "no sample of grower, pid $(sql 'select pid from process where
		id = 2'), in 9d..8d: its record goes from $first" \
		"$heaptide" diff grower 9d..8d 1h.. --db "$db"
	fails 15 ", in @1..@2: its record" "$heaptide" diff '#1' .. @1..@2 --db "$db"
	fails 2 "'now..1h' ends before it begins" \
		"$heaptide" diff grower now..1h .. --db "$db"
	fails 2 "'1h' is no window FROM..TO" "$heaptide" diff grower 1h.. 1h --db "$db"
	fails 2 "'..then' is no window" "$heaptide" diff grower .. ..then --db "$db"
}

@test "two sides that are one are told, and what to do instead" {
	for wrong in '1h..' '--life 0 --life 0' '--with #2'; do
		# shellcheck disable=SC2086 # words
		fails 2 "give two windows" "$heaptide" diff grower $wrong --db "$db"
	done
}

@test "--life goes twice, and not beside --with" {
	for wrong in '--life -1' '--life -1 --life 0 --life 0'; do
		# shellcheck disable=SC2086 # words
		run "$heaptide" diff grower $wrong --db "$db"
		[ "$status" -eq 2 ]
		[[ $output == *"--life is given twice"*"--life -1 --life 0"* ]]
	done
	run "$heaptide" diff grower --life -1 --life 0 --with '#1' --db "$db"
	[ "$status" -eq 2 ]
	[[ $output == *"choose one"* ]]
	run "$heaptide" diff grower --life 1 --life 0 --db "$db"
	[ "$status" -eq 2 ]
	[[ $output == *"'1' is no LIFE"* ]]
}

@test "few samples: that noise cannot be known is told, beside the figures" {
	at=$(sql 'select printf("%.6f", at_ns / 1e9) from sample where process_id = 1
		order by at_ns limit 1 offset 2')
	"$heaptide" diff '#1' "..@$at" .. --db "$db" --json >out 2>stderr
	[ "$(jq .from.rows out)" -lt 5 ]
	grep -q "^heaptide: the first window has $(jq .from.rows out) row" stderr
	grep -q "too few to know what is noise" stderr
}
