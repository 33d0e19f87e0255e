#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# day.sh: a day of heaptided beside memcached, PostgreSQL, nginx and a web service in
# Python, with the load of a day, compressed to DAY_SECONDS (1200: 50 s an hour). Ends
# with the section of docs/experiments.md, which takes the place of the one before.
# OUT keeps the database, what was printed and the logs; root's, for PostgreSQL has a
# user of its own. day.sh page: the section again, from OUT. DAY_LEAK=BYTES: each message
# from a socket costs so much that nobody frees, and the page stays as it is.
# day.sh traces: what tests/unit/test_days judges, from OUT (after `make tools`).
# shellcheck disable=SC2016 # back quotes are markdown
set -euo pipefail
cd "$(dirname "$0")/../.."
export HT_TOP=$PWD HT_BUILD=${HT_BUILD:-$PWD/build} HT_TMP=${OUT:-$(mktemp -d)}
heaptide=$HT_BUILD/heaptide
day=tests/experiments/day
page=docs/experiments.md
seconds=${DAY_SECONDS:-1200}
hour=$(awk "BEGIN { print $seconds / 24 }")
mkdir -p "$HT_TMP"
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
# shellcheck source=tests/lib/daemon.sh
. tests/lib/daemon.sh
# shellcheck source=tests/lib/services.sh
. tests/lib/services.sh
targets=(memcached postgres nginx web)

leak_planted() {
	local to
	[ -n "${DAY_LEAK:-}" ] || return 0
	to=$(mktemp -d /var/tmp/heaptide-leak.XXXXXX) # within reach of its user
	chmod 755 "$to"
	cc -O1 -shared -fPIC -o "$to/leak.so" "$day/leak.c" -ldl
	wrapped=(env "LD_PRELOAD=$to/leak.so" "LEAK_BYTES=$DAY_LEAK")
}

services_start() {
	leak_planted
	memcached_start
	web_start "$hour"
	postgres_start
	nginx_start
}

daemon_of_the_day() {
	daemon_config
	sed -i 's/^evaluate = .*/evaluate = 10s/; s/^interval = .*/interval = 1s/' "$conf"
	cat >>"$conf" <<-CONF
		[target memcached]
		pid = $memcached
		[target nginx]
		pid = $nginx
		[target web]
		pid = $web
		[target postgres]
		cmdline = heaptide-day-$$
		max_processes = 16
	CONF
	daemon_start
}

sorts() {
	cat >"$HT_TMP/sort.sql" <<-'SQL'
		\set n random(100, 40000)
		SELECT count(*) FROM (SELECT aid, filler FROM pgbench_accounts WHERE aid < :n
			ORDER BY filler, bid, aid OFFSET 0) AS sorted;
		SELECT length(string_agg(filler, '')) FROM pgbench_accounts WHERE aid < :n / 4;
	SQL
}

# The sessions that stay, and those that come with the load of each hour.
queries() {
	sorts
	"$postgres_bin/pgbench" "${sql[@]}" -n -c 2 -T "$seconds" -R 2 -f "$HT_TMP/sort.sql" postgres &
	local at load
	while read -r at load; do
		echo "hour $at, load $load"
		[ "$at" != 2 ] || "$postgres_bin/psql" "${sql[@]}" -q -c 'VACUUM FULL' postgres &
		timeout "$hour" "$postgres_bin/pgbench" "${sql[@]}" -n -c "$(awk "BEGIN { print int(1 + 7 * $load) }")" \
			-T "${hour%.*}" -R "$(awk "BEGIN { print int(1 + 30 * $load) }")" postgres || true
	done
	wait
}

run_day() {
	trap stop_started EXIT
	services_start
	daemon_of_the_day
	/usr/bin/python3 "$day/load.py" "$seconds" "$nginx_port" "$memcached_port" \
		2>"$HT_TMP/load.err" | queries >"$HT_TMP/queries.log" 2>&1
	cost
	cut -d' ' -f1 /proc/loadavg >"$HT_TMP/load"
	# shellcheck disable=SC2119 # no signal of its own
	daemon_stop || true
	stop_started || true
	trap - EXIT
	rm -rf "$pg"
}

ticks_of() { awk '{ n += $14 + $15 } END { print n + 0 }' "$@"; }

cost() {
	metrics >"$HT_TMP/metrics"
	local stat="/proc/$daemon/stat" agents
	agents=$(pgrep -P "$daemon" | sed 's,.*,/proc/&/stat,')
	# shellcheck disable=SC2086 # paths without blanks
	awk -v s="$seconds" -v hz="$(getconf CLK_TCK)" -v own="$(ticks_of "$stat")" \
		-v here="$(ticks_of $agents)" '{
		printf "The daemon took %.2f %% of a processor, its agents %.2f %%",
			own * 100 / hz / s, (here + $16 + $17) * 100 / hz / s }' "$stat" >"$HT_TMP/cost"
}

# Of a target of several processes the one that was seen long and held much.
process_of() {
	sqlite3 -readonly "$db" "SELECT '#' || p.id FROM process p JOIN sample s ON s.process_id = p.id
		WHERE p.target = '$1' GROUP BY p.id ORDER BY count(*) * max(in_use) DESC LIMIT 1"
}

samples_of() { sqlite3 -readonly "$db" "SELECT count(*) FROM sample WHERE process_id = ${1#?}"; }

printed() { # COLUMNS COMMAND TARGET [ARGUMENT...]
	COLUMNS=$1 LC_ALL=C.UTF-8 "$heaptide" "$2" "$(process_of "$3")" --db "$db" --since 1d "${@:4}"
}

# Nine moments of the record.
course() {
	"$heaptide" trend "$(process_of "$1")" --db "$db" --since 1d --json \
		-m rss,in_use,retained,top,external,retained_ratio,page_utilisation,unusable_p95,largest_free |
		jq -r --argjson hour "$hour" 'def seconds: sub("[.][0-9]+Z$"; "Z") | fromdate;
		def mib: if . == null then "?" else (. / 1048576 * 10 | round / 10 | tostring) end;
		def share: if . == null then "?" else (. * 1000 | round / 1000 | tostring) end;
		.rows as $r | ($r | length) as $n | [range(9) | . * ($n - 1) / 8 | floor] | unique
		| "| hour | RSS | in use | retained | top | external | retained ratio | page utilisation | unusable (p95) | largest free run |",
		  "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
		  (.[] | $r[.] as $x | "| \((($x[0] | seconds) - ($r[0][0] | seconds)) / $hour | round) | \([$x[1:5][] | mib] | join(" | ")) | \([$x[5:9][] | share] | join(" | ")) | \($x[9] | mib) |")'
}

# What the heat maps say to who looks at them, of the day that the page has.
notes() {
	case $1 in
	memcached) cat <<-'TEXT' ;;
		It takes pages of 1 MiB for its slabs and gives none back: two steps, the second when large values come
		at noon. Nothing of it is free in malloc, so there is one bin to show, with a chunk that comes and goes.
	TEXT
	postgres) cat <<-'TEXT' ;;
		A session that sorts. Each query makes some MiB and frees them: they join the top, and stay there or go
		back, as M_TRIM_THRESHOLD has it. The bins keep some KiB from the first queries on, whatever the load is.
	TEXT
	nginx) cat <<-'TEXT' ;;
		Pools of one request, freed as a whole: its bins rest all day, at the peak as at night.
	TEXT
	web) cat <<-'TEXT' ;;
		At two in the night the report leaves a top of 4.7 MiB, which the first sessions of the morning use up.
		Sessions come and go in another order than they were made in, so holes of 3 to 100 KB spread over the large
		bins as the load grows, and stay when it falls at night: in use goes back to 6 MiB, RSS does not. The dark
		end of the unsorted bin is what the last sessions freed and no request has sorted yet.
	TEXT
	esac
}

section() {
	printf '## A day of services\n\n'
	printf 'memcached, PostgreSQL, nginx and a web service in Python for %s s with the load of a day (%s s an hour), heaptided beside them: made by `tests/experiments/day.sh` on a machine with other work (load %s at the end).\n%s: %s samples of %s processes, one a second of each where the machine had time for it.\n' \
		"$seconds" "$hour" "$(cat "$HT_TMP/load")" "$(cat "$HT_TMP/cost")" \
		"$(sqlite3 -readonly "$db" 'SELECT count(*) FROM sample')" \
		"$(sqlite3 -readonly "$db" 'SELECT count(*) FROM process')"
	local target
	for target in "${targets[@]}"; do
		printf '\n### %s\n\n%s samples.\n\n' "$target" "$(samples_of "$(process_of "$target")")"
		course "$target"
		printf '\n```\n'
		printed 80 bins "$target" | sed -E 's/, pid [0-9]+//'
		printf '```\n\n'
		notes "$target"
	done
}

# What people see, at two widths, for whoever wants to look.
looks() {
	local target columns what
	for target in "${targets[@]}"; do
		for columns in 80 200; do
			for what in bins arenas classes threads trend verdict; do
				printed "$columns" "$what" "$target" >"$HT_TMP/$target.$what.$columns" 2>&1 || true
			done
		done
	done
}

traces() {
	local target
	for target in "${targets[@]}"; do
		[ "${DAY_LEAK:+$target}" != nginx ] || continue # nothing is planted there
		"$HT_BUILD/tools/day_trace" "$db" "$(process_of "$target" | tr -d '#')" 6 \
			>"tests/days/$target${DAY_LEAK:+_leak}.csv"
	done
}

case ${1:-} in
traces) traces && exit ;;
page) ;;
*) run_day ;;
esac
[ -z "${DAY_LEAK:-}" ] || exit 0
looks
{
	sed '/^## A day of services$/,$d' "$page"
	section
} >"$page.new"
mv "$page.new" "$page"
