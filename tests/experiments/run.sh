#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh: makes docs/experiments.md from live runs of the workloads named in
# experiments.tsv: each is recorded by the real agent, judged, looked at once
# more while it holds still, and then calls malloc_trim(0) itself.
# JOBS (4) run at the same time; OUT keeps logs and databases. About 3 minutes. A
# course is what `heaptide trend` says of the record. run.sh page: the page again,
# from OUT. The day of services (day.sh) stays as it is.
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
	"$heaptide" trend "$pid" --db "$out/$name.db" --json \
		-m rss,in_use,top,pinned,external,largest_free,unusable_p95 >"$out/$name.course"
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

# Seven moments of the record: at its ends, and in between; and when a pin held most.
course() {
	jq -r 'def seconds: sub("[.][0-9]+Z$"; "Z") | fromdate;
		def mib: if . == null then "?" else (. / 1048576 * 10 | round / 10 | tostring) end;
		def share: if . == null then "?" else (. * 1000 | round / 1000 | tostring) end;
		.rows as $r | ($r | length) as $n | [range(7) | . * ($n - 1) / 6 | floor]
		+ [$r | to_entries | max_by(.value[4] // 0).key] | unique
		| "| s | RSS | in use | top | held below a pin | external | largest free run | unusable (p95) |",
		  "| --- | --- | --- | --- | --- | --- | --- | --- |",
		  (.[] | $r[.] as $x | "| \(($x[0] | seconds) - ($r[0][0] | seconds) | round) | \($x[1] | mib) | \($x[2] | mib) | \($x[3] | mib) | \($x[4] | mib) | \($x[5] | share) | \($x[6] | mib) | \($x[7] | share) |")' "$1"
}

section() {
	local name=$1
	printf '\n## %s\n\n' "$(field "$name" 2)"
	printf 'Belief: %s.\\\n' "$(field "$name" 3)"
	printf 'Found: %s\n\n' "$(field "$name" 4)"
	printf '%s (workload `%s`). heaptide, before the trim: trimmable %s.\n\n' "$(sizes "$name")" "$name" \
		"$(jq -r '.totals.trimmable / 1048576 * 10 | round / 10 | tostring + " MiB"' "$out/$name.json")"
	printf '```\n'
	sed -E "s#$PWD/##; "'s/, pid [0-9]+//; s/(heaptide [a-z]+) [0-9]+/\1 PID/' "$out/$name.txt"
	printf '```\n\nIts course, in MiB and shares (`heaptide trend`):\n\n'
	course "$out/$name.course"
	jq -r 'if (.advice | length) > 0 then "\nFrom one look (`heaptide explain`):\n" else empty end,
		(.advice[]? | "- " + .code + ": " + (.text | gsub("(?<c>heaptide [a-z]+) [0-9]+"; "\(.c) PID")))' "$out/$name.json"
}

export -f observe wait_for
export heaptide out
# built once, not by all that begin at one time
[ "${1:-}" = page ] || make -s -C tests/workloads >&2
[ "${1:-}" = page ] || names | xargs -P "${JOBS:-4}" -I{} bash -c 'observe {}'
{
	printf '# Experiments\n\n'
	printf 'What is said about malloc and memory that does not come back, and what heaptide sees. '
	printf 'Made by `tests/experiments/run.sh` from live runs on glibc %s, %s cores.\n' \
		"$(ldd --version | sed -n '1s/.* //p')" "$(nproc)"
	names | while read -r name; do section "$name"; done
	printf '\n'
	sed -n '/^## A day of services$/,$p' "$page"
} >"$page.new"
mv "$page.new" "$page"
