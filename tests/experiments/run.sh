#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh: makes docs/experiments.md from live runs of the workloads named in
# experiments.tsv: each is recorded by the real agent, judged, looked at once
# more while it holds still, and then calls malloc_trim(0) itself.
# JOBS (4) run at the same time; OUT keeps logs and databases. About 3 minutes.
# shellcheck disable=SC2016 # back quotes are markdown
set -euo pipefail
cd "$(dirname "$0")/../.."
heaptide=${HT_BUILD:-build}/heaptide
table=tests/experiments/experiments.tsv
page=docs/experiments.md
out=${OUT:-$(mktemp -d)}
export WL_LOGS=$out
mkdir -p "$out"

names() { awk -F'\t' '!/^#/ { print $1 }' "$table"; }
field() { awk -F'\t' -v n="$1" -v f="$2" '$1 == n { print $f }' "$table"; }

wait_for() { # PID LOG EVENT
	until grep -q "\"ev\":\"$3\"" "$2"; do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.2
	done
}

observe() {
	local name=$1 pid log recorder
	read -r pid log < <(tests/workloads/run.sh start "$name" --walk --linger 8)
	ln -sf "$log" "$out/$name.log"
	env --default-signal=INT "$heaptide" record "$pid" -i 0.5s -o "$out/$name.db" >"$out/$name.record" 2>&1 &
	recorder=$!
	wait_for "$pid" "$log" truth
	kill -INT "$recorder"
	wait "$recorder" || true
	"$heaptide" explain "$pid" --json >"$out/$name.json"
	"$heaptide" verdict "$pid" --db "$out/$name.db" >"$out/$name.txt"
	wait_for "$pid" "$log" trim
}

sizes() { # of the workload's own log: RSS at the start, the most, at the end
	jq -rs --arg title "$1" '
		def mib: (. / 1024 * 10 | round / 10 | tostring) + " MiB";
		(map(select(.rss_kb)) | "RSS " + (first.rss_kb | mib) + " at the start, "
			+ (map(.rss_kb) | max | mib) + " at most, " + (last.rss_kb | mib) + " at the end")
		+ (map(select(.ev == "trim")) | if length > 0
			then "; malloc_trim(0) then returned " + (first.returned_kb | mib) else "" end)' "$out/$1.log"
}

section() {
	local name=$1
	printf '\n## %s\n\n' "$(field "$name" 2)"
	printf 'Belief: %s.\\\n' "$(field "$name" 3)"
	printf 'Found: %s\n\n' "$(field "$name" 4)"
	printf '%s (workload `%s`). heaptide, before the trim: trimmable %s.\n\n' "$(sizes "$name")" "$name" \
		"$(jq -r '.totals.trimmable / 1048576 * 10 | round / 10 | tostring + " MiB"' "$out/$name.json")"
	printf '```\n'
	sed -E 's/, pid [0-9]+//; s/(heaptide [a-z]+) [0-9]+/\1 PID/' "$out/$name.txt"
	printf '```\n'
	jq -r 'if (.advice | length) > 0 then "\nFrom one look (`heaptide explain`):\n" else empty end,
		(.advice[]? | "- " + .code + ": " + (.text | gsub("heaptide trim [0-9]+"; "heaptide trim PID")))' "$out/$name.json"
}

export -f observe wait_for
export heaptide out
names | xargs -P "${JOBS:-4}" -I{} bash -c 'observe {}'
{
	printf '# Experiments\n\n'
	printf 'What is said about malloc and memory that does not come back, and what heaptide sees. '
	printf 'Made by `tests/experiments/run.sh` from live runs on glibc %s, %s cores.\n' \
		"$(ldd --version | sed -n '1s/.* //p')" "$(nproc)"
	names | while read -r name; do section "$name"; done
} >"$page.new"
mv "$page.new" "$page"
