# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# For bench scripts: a process with a big heap, and measuring a command.
work=$(mktemp -d)
heap_pid=
trap 'heap_stop; rm -rf "$work"' EXIT

# heap_start OPTIONS...: bench/heapgen with a heap as asked; sets heap_pid.
heap_start() {
	: >"$work/ticks"
	"$HT_BUILD/bench/heapgen" "$@" >"$work/heapgen.out" 2>"$work/heapgen.err" &
	heap_pid=$!
	until grep -q READY "$work/heapgen.out"; do
		kill -0 "$heap_pid" || return 1
		sleep 0.1
	done
}

heap_stop() {
	[ -z "$heap_pid" ] || kill "$heap_pid" 2>/dev/null || true
	[ -z "$heap_pid" ] || wait "$heap_pid" 2>/dev/null || true
	heap_pid=
}

# measure COMMAND...: sets seconds (wall), processor (user and system seconds) and
# peak_kb (largest of its processes).
measure() {
	local figures
	figures=$(/usr/bin/python3 - "$@" <<'PY'
import resource, subprocess, sys, time
start = time.monotonic()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.monotonic() - start, used.ru_utime + used.ru_stime, used.ru_maxrss)
PY
	)
	read -r seconds processor peak_kb <<<"$figures"
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f x", a / b }'; }

# --- what a process notices of samples (pause_bench) ------------------------

pause_bench() { "$HT_BUILD/bench/pause_bench" "$HT_BUILD/heaptide-agent" "$@" 2>&1; }

# row HEAP THREADS MODE SAMPLES: sets median and told.
row() {
	local figures cost
	median='' told=''
	if ! figures=$(pause_bench "$1" "$2" "$3" "$4"); then
		printf '| %s MiB | %s | %s | %s | | | |\n' "$1" "$2" "$3" "$figures"
		return
	fi
	read -r median p99 largest without without99 longest told told_most cost <<<"$figures"
	printf '| %s MiB | %s | %s | %s / %s / %s | %s / %s / %s | %s / %s | %s |\n' "$1" "$2" "$3" \
		"$median" "$p99" "$largest" "$without" "$without99" "$longest" "$told" "$told_most" \
		"$(awk -v us="$cost" 'BEGIN { printf "%.1f", us / 1000 }')"
}

# times N HEAP: fewer samples where one takes seconds.
times() {
	local n=$(($1 * 64 / ($2 < 64 ? 64 : $2)))
	echo $((n < 5 ? 5 : n))
}

table() {
	printf '| heap | threads | mode | gap, us: median / p99 / largest | as long without | told, us: median / largest | agent, ms |\n'
	printf '| --- | --- | --- | --- | --- | --- | --- |\n'
}
