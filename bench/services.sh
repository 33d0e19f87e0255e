#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # services.sh, lib.sh
# services.sh: what clients of real services see of looks in the default mode, one each
# 20 ms: stretches with a record and without one in turn. A ratio is of a stretch with
# it to the mean of its two neighbours without; the noise is the same of stretches
# without, one to the mean of its neighbours. SERVICES_SECONDS (4) of each stretch,
# SERVICES_ROUNDS (5). Root's, for PostgreSQL has a user of its own.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
export HT_TMP=$work
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"
# shellcheck source=tests/lib/services.sh
. "$HT_TOP/tests/lib/services.sh"
trap 'services_end; rm -rf "$work"' EXIT
rounds=${SERVICES_ROUNDS:-5}
seconds=${SERVICES_SECONDS:-4}
looks=0

# As services_client.py prints it, of a session of PostgreSQL.
postgres_client() {
	rm -f "$work"/transactions.*
	"$postgres_bin/pgbench" "${sql[@]}" -n -c 1 -T "$seconds" -l --log-prefix="$work/transactions" \
		postgres >"$work/pgbench" 2>"$work/pgbench.err"
	sort -n -k 3 "$work"/transactions.* | awk -v s="$seconds" -v wrong="$(wc -l <"$work/pgbench.err")" \
		'{ t[NR] = $3 } END { print NR / s, t[int(NR * .99)], wrong }'
}

client() {
	case $1 in
	postgres) postgres_client ;;
	*) /usr/bin/python3 bench/services_client.py "$1" "$(port_of "$1")" "$seconds" ;;
	esac
}

port_of() { local name=$1_port && echo "${!name}"; }

session() { pgrep -f "postgres: heaptide-day-$$: postgres postgres"; }

# A session of PostgreSQL is there while its client is.
target_of() {
	[ "$1" = postgres ] || { echo "${!1}" && return; }
	poll 10 session && session | head -n 1
}

# stretch NAME [record]: sets figures
stretch() {
	client "$1" >"$work/figures" &
	local asking=$!
	if [ "${2:-}" ]; then
		rm -f "$work"/looks.db*
		"$HT_BUILD/heaptide" record "$(target_of "$1")" -i 20ms -d "${seconds}s" -o "$work/looks.db" \
			>"$work/record" 2>&1 || true
		looks=$((looks + $(sqlite3 "$work/looks.db" 'SELECT count(*) FROM sample' || echo 0)))
	fi
	wait "$asking"
	read -r per_s p99 wrong <"$work/figures"
}

# Of rows "with?, per_s, p99": ratios to the neighbours, as "median (quarter to quarter)".
ratios() { # COLUMN WITH
	awk -v c="$1" -v with="$2" '{ w[NR] = $1; v[NR] = $c } END {
		gap = with ? 1 : 2
		for (i = 1 + gap; i + gap <= NR; i++)
			if (w[i] == with)
				printf "%.4f\n", v[i] / ((v[i - gap] + v[i + gap]) / 2) }' "$work/rows" | sort -n |
		awk '{ r[NR] = $1 } END { printf "%.3f (%.3f to %.3f)", r[int((NR + 1) / 2)], r[int((NR + 3) / 4)], r[int((3 * NR + 1) / 4)] }'
}

row() { # NAME
	local wrong_with=0 wrong_without=0
	looks=0
	: >"$work/rows"
	stretch "$1" # warm
	for round in $(seq "$((rounds + 1))"); do
		stretch "$1"
		wrong_without=$((wrong_without + wrong))
		echo "0 $per_s $p99" >>"$work/rows"
		[ "$round" -le "$rounds" ] || break
		stretch "$1" record
		wrong_with=$((wrong_with + wrong))
		echo "1 $per_s $p99" >>"$work/rows"
	done
	printf '| %s | %s | %s, %s | %s | %s | %s | %s |\n' "$1" "$looks" "$wrong_with" "$wrong_without" \
		"$(ratios 2 1)" "$(ratios 2 0)" "$(ratios 3 1)" "$(ratios 3 0)"
}

printf '## What clients see of looks each 20 ms\n\n'
if [ -z "$postgres_bin" ] || ! type memcached nginx >/dev/null 2>&1 || [ "$(id -u)" != 0 ]; then
	echo 'Needs root, memcached, nginx and PostgreSQL.'
	exit
fi
printf '%s stretches of %s s of each; ratios: median (middle half).\n\n' "$rounds" "$seconds"
printf '| service | looks | answers wrong or lost: with, without | requests a second | the noise of it | p99 | the noise of it |\n'
printf '| --- | ---: | --- | --- | --- | --- | --- |\n'
memcached_start
web_start 50
postgres_start
nginx_start
for name in ${SERVICES:-memcached nginx postgres web}; do
	row "$name"
done
