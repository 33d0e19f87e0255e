#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 540 s
# Alone: its verdicts rest on samples taken in time
# live.sh [SET [NAME...]]: the labelled workloads of tests/workloads, run live.
#
# Each is recorded every half second by the real agent until its log says
# "truth"; then judged from the record, and measured once more while it holds
# still, until it is told to call malloc_trim(0) itself. Scored against what the program
# says of itself: its label, its own walk of its heap, and the RSS that its own
# malloc_trim(0) gave back. LIVE_JOBS (8) run at the same time.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

set_name=${1:-open}
workloads=$HT_TOP/tests/workloads
heaptide=$HT_BUILD/heaptide
export TAP_POLL=0.25 # beside eight workloads, on few cores
export WL_LOGS=$HT_TMP/logs
page_kb=4
trim_tolerance_kb=$((4 * page_kb))

names() {
	if [ $# -gt 1 ]; then
		printf '%s\n' "${@:2}"
	else
		awk -F'\t' -v s="$1" '!/^#/ && $1 == s { print $2 }' "$workloads/MANIFEST.tsv"
	fi
}

says() { grep -q "\"ev\":\"$1\"" "$2"; }

# observe NAME: one workload from its start to its end; files in $HT_TMP/NAME.*
observe() {
	local name=$1 out=$HT_TMP/$1 pid log recorder
	read -r pid log < <("$workloads/run.sh" start "$name" --walk --linger 120)
	ln -s "$log" "$out.log"
	env --default-signal=INT "$heaptide" record "$pid" -i 0.5s -o "$out.db" \
		>"$out.record" 2>&1 &
	recorder=$!
	poll 150 says truth "$log"
	kill -INT "$recorder"
	wait "$recorder"
	echo $? >"$out.status"
	"$heaptide" explain "$pid" --json >"$out.json" 2>"$out.explain"
	"$heaptide" verdict "$pid" --json --db "$out.db" >"$out.verdict" 2>"$out.err"
	kill -TERM "$pid" # holds still no longer
	poll 60 says trim "$log"
}

logged() { # NAME EVENT FILTER
	grep "\"ev\":\"$2\"" "$HT_TMP/$1.log" | tail -n 1 | jq -r "$3"
}

tally() { # NAME: label, strict, accepted, forbidden
	local name=$1 got want accept forbid
	got=$(jq -r .verdict "$HT_TMP/$name.verdict" 2>/dev/null)
	want=$(logged "$name" truth .label)
	accept=$(logged "$name" truth '.accept | join(" ")')
	forbid=$(logged "$name" truth '.forbid | join(" ")')
	count=$((count + 1))
	[ "$got" != "$want" ] || strict=$((strict + 1))
	case " $forbid " in *" $got "*) forbidden+=("$name:$got") ;; esac
	case " $accept " in
	*" ${got:-none} "*) tap_result 0 "$name: $got" ;;
	*)
		tap_result 1 "$name: judged ${got:-nothing}, accepted would be: $accept"
		note "$(cat "$HT_TMP/$name.err" "$HT_TMP/$name.record" | tail -n 5)"
		note "$(jq -c '.evidence' "$HT_TMP/$name.verdict" 2>/dev/null | cut -c 1-800)"
		;;
	esac
}

held() { # NAME FILTER: a number of the snapshot taken while it held still
	jq -r "$2" "$HT_TMP/$1.json" 2>/dev/null
}

score() { # NAME
	local name=$1 used
	is "$name: recording ends cleanly" "$(cat "$HT_TMP/$name.status")" 0
	tally "$name"
	used=$(logged "$name" truth .walk.used_b)
	near "$name: in use is the program's own walk" "$(held "$name" .totals.in_use)" \
		"$used" $((used / 200 + 64))
	near "$name: trimmable (KB) is what malloc_trim(0) gave back" \
		"$(held "$name" '.totals.trimmable / 1024 | floor')" \
		"$(logged "$name" trim .returned_kb)" "$trim_tolerance_kb"
	same "$name: the causes add up to RSS" \
		"$(held "$name" '[.rss_breakdown[].bytes] | add')" "$(held "$name" .process.rss)"
	same "$name: every arena adds up" "$(held "$name" '[.arenas[]
		| select(.system == .in_use + .free + .overhead)] | length')" \
		"$(held "$name" .totals.arenas)"
}

ok "the workloads build" make -s -C "$workloads" all
mapfile -t all < <(names "$set_name" "${@:2}")
ok "there are workloads in the set $set_name" test ${#all[@]} -gt 0
running=0
for name in "${all[@]}"; do
	[ $running -lt "${LIVE_JOBS:-8}" ] || {
		wait -n
		running=$((running - 1))
	}
	observe "$name" &
	running=$((running + 1))
done
wait

count=0
strict=0
forbidden=()
for name in "${all[@]}"; do
	score "$name"
done
note "strict $strict of $count; forbidden: ${forbidden[*]:-none}"
ok "at least 95 of 100 labels are right to the letter ($strict of $count)" \
	test $((strict * 100)) -ge $((count * 95))
is "no label is forbidden" "${forbidden[*]}" ""
plan
