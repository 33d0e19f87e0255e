#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# heaptided with DAEMON_TARGETS (100) processes every DAEMON_INTERVAL (10s), and others on the
# machine that make it 1,000 at least, for DAEMON_SECONDS (60), watched by heaptide; the first
# DAEMON_WARM (45) seconds do not count. Processor time is what the scheduler counted, of the
# daemon and of its agents apart. Of a thousand: DAEMON_TARGETS=1000 bench/run.sh daemon
set -euo pipefail
cd "$(dirname "$0")/.."
build=${HT_BUILD:-$PWD/build}
targets=${DAEMON_TARGETS:-100} interval=${DAEMON_INTERVAL:-10s} warm=${DAEMON_WARM:-45}
others=$((targets < 1000 ? 1000 - targets : 0))
dir=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait 2>/dev/null; rm -rf "$dir"' EXIT
port=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
cp /bin/sleep "$dir/ht-bench-idle"
cat >"$dir/conf" <<CONF
[daemon]
store = $dir/db
control = $dir/sock
watches = $dir/watches
metrics = 127.0.0.1:$port
[target idle]
name = ht-bench-idle
interval = $interval
max_processes = $((targets + 100))
CONF
for _ in $(seq "$targets"); do "$dir/ht-bench-idle" 1000 & pids+=($!); done
for _ in $(seq "$others"); do sleep 1000 & pids+=($!); done
"$build/heaptided" -c "$dir/conf" 2>"$dir/log" &
daemon=$!
pids=("$daemon" "${pids[@]}")

run_ns() { { cat "${@/%//schedstat}" 2>/dev/null || true; } | awk '{ s += $1 } END { print s + 0 }'; } # one that ended says nothing
metric() { curl -s "http://127.0.0.1:$port/metrics" | awk -v m="$1" '$1 == m {print $2}'; }
stored() { awk -v n="$(metric heaptide_store_samples_total)" 'BEGIN { printf "%d", n }'; }
seconds=${DAEMON_SECONDS:-60}
private_kib() { { cat "/proc/$1/smaps_rollup" 2>/dev/null || true; } | awk '/^Private/ {s += $2} END {print s + 0}'; }
sleep "$warm" # agents started, layouts known
mapfile -t agents < <(pgrep -P "$daemon" -x heaptide-agent | sed 's|^|/proc/|')
samples_from=$(stored)
from=$(run_ns "/proc/$daemon")
agents_from=$(run_ns "${agents[@]}")
begun=$(date +%s%N)
"$build/heaptide" record "$daemon" -o "$dir/self.db" --interval "$((seconds < 200 ? 1000 : seconds * 5))ms" \
	--duration "${seconds}s" >/dev/null 2>&1
to=$(run_ns "/proc/$daemon")
agents_to=$(run_ns "${agents[@]}")
took=$(($(date +%s%N) - begun))
samples=$(($(stored) - samples_from))
load=$(cut -d' ' -f1 /proc/loadavg)
share() { awk -v a="$1" -v b="$2" -v t="$took" 'BEGIN { printf "%.2f %%", (b - a) * 100 / t }'; }
each() { awk -v a="$1" -v b="$2" -v n="$samples" 'BEGIN { printf "%.0f us", (b - a) / 1e3 / n }'; }
scrape=$(curl -s -o /dev/null -w '%{time_total} s, %{size_download} bytes' "http://127.0.0.1:$port/metrics")
private=$(for agent in "${agents[@]}"; do private_kib "${agent#/proc/}"; done | sort -n)
verdict=$("$build/heaptide" verdict "$daemon" --db "$dir/self.db" --json)
cat <<TABLE
## The daemon at $targets processes every $interval, $((targets + others)) processes on the machine

| | |
| --- | --- |
| watched for | $seconds s, $samples samples, load $load at the end |
| the daemon's processor time, of one core | $(share "$from" "$to"), $(each "$from" "$to") a sample |
| that of its ${#agents[@]} agents together | $(share "$agents_from" "$agents_to"), $(each "$agents_from" "$agents_to") a sample |
| its resident set | $(awk -v b="$(metric heaptide_self_resident_bytes)" 'BEGIN {printf "%.1f MiB", b / 1048576}') |
| heaptide's verdict on it | $(jq -r '.verdict + ": " + .evidence[0]' <<<"$verdict") |
| one look for new processes | $(metric heaptide_scan_duration_seconds) s |
| one verdict with all rules | $(metric heaptide_judge_duration_seconds) s |
| a scrape | $scrape |
| an idle agent, private: median and largest | $(sed -n "$((($(wc -l <<<"$private") + 1) / 2))p" <<<"$private") and $(tail -n 1 <<<"$private") KiB |
| worst lag of the loop | $(metric heaptide_loop_lag_max_seconds) s |
TABLE
