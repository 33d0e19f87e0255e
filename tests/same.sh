#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# same.sh BEFORE [AFTER]: what users, scripts and scrapers see of two builds, on the
# same recorded material: byte by byte, or as names alone where figures are of the
# moment. BEFORE, AFTER: folders of a build (AFTER: build). Status 1: something
# differs, and what is shown. make same BEFORE=COMMIT builds that commit for it.
#
# A command for whoever moves code and means to change nothing; no test, for what
# two builds have in common is no promise of either.
set -u
before=$(realpath "${1:?a folder of a build}")
after=$(realpath "${2:-build}")
work=$(mktemp -d)
started=()
cleanup() {
	for pid in "${started[@]}"; do kill "$pid" 2>/dev/null; done
	rm -rf "$work"
}
[ -n "${HT_KEEP-}" ] || trap cleanup EXIT
export COLUMNS=100 LC_ALL=C.UTF-8 TZ=UTC
unset HEAPTIDE_DB HEAPTIDE_SOCKET HEAPTIDE_AGENT
cases=0 differing=0

# How long an answer took is of the moment.
moment='s/"[a-z_]*_us": [0-9]*/"us"/; s/, [0-9.]*[mu]\?s in all/, in all/; s/"made_at":"[^"]*"/"made_at"/'

# held NAME [FILTER]: $work/NAME.before and .after are the same, both through FILTER.
held() {
	local side
	cases=$((cases + 1))
	for side in before after; do
		sed "s|${!side}|BUILD|g; $moment" "$work/$1.$side" | eval "${2:-cat}" >"$work/$side"
	done
	cmp -s "$work/before" "$work/after" && return
	differing=$((differing + 1))
	echo "differs: $1"
	diff "$work/before" "$work/after" | cut -c1-300 | head -20
}
# both NAME COMMAND...: standard output, standard error, status. BUILD in it is the
# folder of the one and of the other.
both() {
	local name=$1 side
	shift
	for side in before after; do
		"${@//BUILD/${!side}}" >"$work/$name.$side" 2>"$work/err" </dev/null
		echo "status $?" >>"$work/$name.$side"
		cat "$work/err" >>"$work/$name.$side"
	done
	held "$name" "${filter-}"
}

# --- material: two processes, a database of them, their core files ------------
live() {
	"$@" >"$work/out.${#started[@]}" &
	started+=($!)
}
cp "$before"/targets/{planted,grower} "$work"
live "$work/planted"
planted=$!
live "$work/grower" cache 4000
grower=$!
for _ in {1..100}; do
	grep -q ready "$work/out.0" && grep -q ready "$work/out.1" && break
	sleep 0.1
done
db=$work/h.db
{
	"$before/heaptide" record -o "$db" -i 250ms -d 15s "$grower" &&
		"$before/heaptide" record -o "$db" -i 1s -d 5s "$planted" &&
		gcore -o "$work/core" "$planted" "$grower"
} >"$work/made" 2>&1 || {
	cat "$work/made"
	exit 1
}

# --- without a process: help, keys, completion, errors -------------------------
mapfile -t commands < <("$before/heaptide" --help | sed -n 's/^  \([a-z]\+\) .*/\1/p')
both help BUILD/heaptide --help
both daemon_help BUILD/heaptided --help
both daemon_keys BUILD/heaptided --keys
both daemon_check BUILD/heaptided --check -c packaging/heaptided.conf
both agent_help BUILD/heaptide-agent --help
for command in "${commands[@]}"; do
	both "help_$command" BUILD/heaptide "$command" --help
	both "nothing_$command" BUILD/heaptide "$command" --db /nowhere
	both "wrong_$command" BUILD/heaptide "$command" --mode=neither --since=never 1 2 3 4
done
for shell in bash zsh fish; do both "completion_$shell" BUILD/heaptide completion "$shell"; done

# --- of core files: agent, wire, sentences, JSON -------------------------------
for core in "$work"/core.*; do
	name=core_${core##*.}
	for form in "" --json --full; do
		both "$name$form" BUILD/heaptide explain --core "$core" ${form:+$form}
		both "leaks_$name$form" BUILD/heaptide leaks --core "$core" ${form:+$form}
	done
	# one's agent, the other's heaptide: the wire
	for side in before after; do
		other=$after
		[ $side = after ] && other=$before
		HEAPTIDE_AGENT=$other/heaptide-agent "${!side}/heaptide" explain --core "$core" --json \
			>"$work/wire_$name.$side" 2>&1
	done
	held "wire_$name"
done

# --- of the database ------------------------------------------------------------
until=$(date -u -d '+1 hour' +%FT%TZ)
for pid in "$grower" "$planted"; do
	for command in bins arenas classes threads map; do
		for form in "" --json; do
			both "${command}_$pid$form" BUILD/heaptide "$command" --db "$db" --at now "$pid" ${form:+$form}
		done
	done
	for command in bins arenas classes threads; do
		both "${command}_series_$pid" BUILD/heaptide "$command" --db "$db" --since 1h --json "$pid"
	done
	for form in "" --json --csv; do both "trend_$pid$form" BUILD/heaptide trend --db "$db" --until "$until" "$pid" ${form:+$form}; done
	for form in "" --json; do both "verdict_$pid$form" BUILD/heaptide verdict --db "$db" "$pid" ${form:+$form}; done
	both "diff_$pid" BUILD/heaptide diff --db "$db" --json "$pid" 8s now
	for format in ndjson csv openmetrics; do
		both "export_${pid}_$format" BUILD/heaptide export --db "$db" --format "$format" "$pid"
	done
	both "report_$pid" BUILD/heaptide report --db "$db" --output /dev/stdout "$pid"
done
filter="sed 's/ [0-9a-z.]* ago/ ago/'" both ls BUILD/heaptide ls --db "$db"
filter="grep -v taken_at" both ls_json BUILD/heaptide ls --db "$db" --json
both rules BUILD/heaptide alerts --db "$db" --test "in_use > 1M" --since 1h "$grower"
for side in before after; do
	"${!side}/heaptide" record -o "$work/$side.db" -i 1s -d 2s "$planted" >/dev/null 2>&1
	sqlite3 "$work/$side.db" .schema >"$work/sql.$side" 2>&1
done
held sql
for folder in tests/workloads/traces/*; do
	both "traces_${folder##*/}" BUILD/tools/rates -v -t "$folder"
done

# --- of a daemon: the same names, types, labels, keys ---------------------------
daemon() { # SIDE
	local dir=${!1} conf=$work/d.conf sock=$work/$1.sock at=$work/$1.metrics daemon form
	printf '%s\n' '[daemon]' "store = $work/$1.d.db" "control = $sock" "metrics = unix:$at" \
		"watches = $work/watches.conf" 'evaluate = 500ms' 'scan = 500ms' 'metrics_bins = yes' \
		'[defaults]' 'interval = 500ms' '[target grower]' "pid = $grower" \
		'[target planted]' "pid = $planted" >"$conf"
	"$dir/heaptided" -c "$conf" 2>"$work/$1.log" &
	daemon=$!
	started+=("$daemon")
	for _ in {1..120}; do
		curl -sf --unix-socket "$at" http://d/metrics >"$work/now" 2>/dev/null
		grep -q '^heaptide_verdict_confidence{' "$work/now" &&
			grep -q '^heaptide_rss_bytes{target="planted"' "$work/now" && break
		sleep 0.25
	done
	for form in text/plain application/openmetrics-text; do
		curl -sf --unix-socket "$at" -H "Accept: $form" http://d/metrics
	done >"$work/metrics.$1"
	for form in status silences; do
		"$dir/heaptide" "$form" --socket "$sock" --json >"$work/control_$form.$1" 2>&1
	done
	cp "$work/$1.log" "$work/log.$1"
	kill "$daemon"
	wait "$daemon" 2>/dev/null
}
daemon before
daemon after
held metrics "grep -v 'verdict=\|state=\|reason=' | sed 's/ [-+.0-9eNaInf]*\$//' | sort -u"
# What is of the moment even of a process that does nothing: times, what a machine and others have
# left and share, how often and how long it was looked at.
for side in before after; do cp "$work/metrics.$side" "$work/values.$side"; done
held values "grep 'target=\"planted\"' |
	grep -vE '^heaptide_(cpu_seconds|limit|pss|pause|gap|sample|last_sample|interval|stop_ratio|verdict|time_to|next|judged|slope)'"
[ "$(grep -c 'target="planted"' "$work/values.after")" -gt 100 ] || {
	echo "of planted there are no values"
	differing=$((differing + 1))
}
for form in status silences; do
	held "control_$form" "jq -c '[paths | map(if type == \"number\" then 0 else . end)] | unique'"
done
held log "sed 's/[0-9][0-9.]*/N/g; s/before\|after/SIDE/g'"

echo "$cases compared, $differing differ"
[ "$cases" -gt 100 ] && [ "$differing" = 0 ]
