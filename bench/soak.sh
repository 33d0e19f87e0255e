#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# soak.sh [HOURS] (3): heaptided with a few programs at work, some that sleep and some that come
# and go, a sample each 2 s, a history that is forgotten after two hours, as soon as one can be,
# and people who ask: what it holds must not grow. `bench/run.sh` runs it only when it
# is named (SOAK_HOURS then). The first tenth is start-up; the slope is that of
# the rest, by least squares. SOAK_DIR keeps the series (soak.tsv) and the log.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${HT_BUILD:-$PWD/build}
seconds=$(awk -v h="${1:-${SOAK_HOURS:-3}}" 'BEGIN { printf "%d", h * 3600 }')
dir=${SOAK_DIR:-$(mktemp -d)}
mkdir -p "$dir"
pids=()
end_all() {
	kill "${pids[@]}" 2>/dev/null || true
	wait 2>/dev/null || true
	[ -n "${SOAK_DIR:-}" ] || rm -rf "$dir"
}
trap end_all EXIT
port=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
cp /bin/sleep "$dir/ht-soak-idle"
cp "$build/bench/atwork" "$dir/ht-soak-work"
cat >"$dir/conf" <<CONF
[daemon]
store = $dir/db
control = $dir/sock
watches = $dir/watches
metrics = 127.0.0.1:$port
ui = on
keep_raw = 10m
keep_minute = 20m
keep_10min = 30m
keep_hour = 1h
[defaults]
interval = 2s
[target idle]
name = ht-soak-idle
[target atwork]
name = ht-soak-work
CONF
for _ in 1 2 3; do "$dir/ht-soak-work" 8 0.5 >"$dir/ready" & pids+=($!); done
for _ in $(seq 5); do "$dir/ht-soak-idle" $((seconds * 2 + 600)) & pids+=($!); done
"$build/heaptided" -c "$dir/conf" 2>"$dir/log" &
daemon=$!
pids=("$daemon" "${pids[@]}")

come_and_go() {
	while "$dir/ht-soak-idle" 20; do :; done
}
come_and_go & pids+=($!)
ask() {
	while sleep 15; do
		curl -s "http://127.0.0.1:$port/" "http://127.0.0.1:$port/api/targets"
		"$build/heaptide" status --control "$dir/sock"
		"$build/heaptide" verdict "${pids[1]}" --db "$dir/db"
	done >"$dir/asked" 2>&1
}

page() { curl -s "http://127.0.0.1:$port/metrics" >"$dir/page" || : >"$dir/page"; }
metric() { awk -v m="$1" '{ name = $1; sub(/\{.*/, "", name) } name == m { s += $2 } END { printf "%.6g", s }' "$dir/page"; }
descriptors() { find "${@/%//fd}" -mindepth 1 2>/dev/null | wc -l; }
private_kib() { cat "${@/%//smaps_rollup}" 2>/dev/null | awk '/^Private/ { s += $2 } END { print s + 0 }'; }
run_ms() { awk '{ printf "%d", $1 / 1e6 }' "/proc/$1/schedstat"; }
ask & pids+=($!)
"$build/heaptide" record "$daemon" -o "$dir/self.db" --interval "$((seconds * 4))ms" \
	--duration "$((seconds - 2))s" >"$dir/self.log" 2>&1 & pids+=($!)

begun=$SECONDS
: >"$dir/soak.tsv"
while [ $((SECONDS - begun)) -lt "$seconds" ]; do
	sleep $((seconds > 12000 ? 60 : seconds / 200 + 1))
	kill -0 "$daemon"
	mapfile -t agents < <(pgrep -P "$daemon" | sed 's|^|/proc/|')
	page
	printf '%s\t' "$((SECONDS - begun))" "$(private_kib "/proc/$daemon")" "$(descriptors "/proc/$daemon")" \
		"${#agents[@]}" "$(private_kib "${agents[@]}")" "$(descriptors "${agents[@]}")" \
		"$(($(cat "$dir"/db "$dir"/db-wal 2>/dev/null | wc -c) / 1024))" \
		"$(metric heaptide_loop_lag_seconds)" "$(metric heaptide_store_samples_total)" >>"$dir/soak.tsv"
	printf '%s\n' "$(run_ms "$daemon")" >>"$dir/soak.tsv"
done
verdict=$("$build/heaptide" verdict "$daemon" --db "$dir/self.db" --json |
	jq -r '.verdict + " " + (.confidence | tostring) + ": " + .evidence[0]') || verdict=unknown
lag_max=$(metric heaptide_loop_lag_max_seconds)
lost=$(metric heaptide_store_lost_samples_total)
errors=$(grep -c -i 'error\|warn' "$dir/log" || true)

printf '## A soak of %s hours\n\n' "$(awk -v s="$seconds" 'BEGIN { printf "%.2f", s / 3600 }')"
python3 - "$dir/soak.tsv" <<'PY'
import sys
rows = [[float(x) for x in line.split("\t")] for line in open(sys.argv[1])]
at = [r[0] / 3600 for r in rows]
first = next(i for i, t in enumerate(at) if t >= at[-1] / 10)
names = ["the daemon's private memory, KiB", "its descriptors", "agents", "their private memory together, KiB",
         "their descriptors", "database and journal, KiB", "lag of the loop, s"]
print("| what | after a tenth | half | the end | lowest and highest since | slope an hour |")
print("| --- | --- | --- | --- | --- | --- |")
for k, name in enumerate(names, 1):
    y = [r[k] for r in rows[first:]]
    t = at[first:]
    mt, my = sum(t) / len(t), sum(y) / len(y)
    slope = sum((a - mt) * (b - my) for a, b in zip(t, y)) / (sum((a - mt) ** 2 for a in t) or 1)
    show = lambda v: "%.3f" % v if k == 7 else "%.0f" % v
    print("| %s | %s | %s | %s | %s, %s | %+.3g |" % (name, show(y[0]), show(y[len(y) // 2]), show(y[-1]),
                                                   show(min(y)), show(max(y)), slope))
last, start = rows[-1], rows[first]
print("\n%.0f samples stored; the daemon took %.2f %% of a processor." % (
    last[8], (last[9] - start[9]) / 10 / (last[0] - start[0])))
PY
printf '%s\n' "Longest lag $lag_max s, samples lost $lost, warnings and errors in its log $errors." \
	"heaptide's verdict on it: $verdict; load $(cut -d' ' -f1 /proc/loadavg) at the end."
