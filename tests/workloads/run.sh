#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Reference harness: builds and starts a labelled workload by name and prints its pid.
#   run.sh list [open|heldout]             names, labels, descriptions
#   run.sh start NAME [workload options]   builds, starts in the background, prints "PID LOGFILE"
#   run.sh truth LOGFILE                   prints "LABEL accept,.. forbid,.." from a (finished or running) log
#   run.sh wait PID                        waits for the end (polls; the workload is not a child of the caller)
#   run.sh all [open|heldout] CMD...       for each workload: start it, run "CMD PID NAME LOG", wait for its end
# Workload options: --scale F  --pace F (2 = half speed)  --duration S  --seed N  --sample-ms N  --walk  --linger S  --no-trim
# Logs go to ${WL_LOGS:-${TMPDIR:-/tmp}/wl_logs}. Ground truth is in the log: "phase" lines have "now" (labels right at that moment),
# the "truth" line has the final label; the process then stays unchanged for --linger seconds (default 2), calls
# malloc_trim(0) once, prints RSS before/after ("trim" line) and exits. A sampler should stop at the "truth" line.
set -e
D=$(cd "$(dirname "$0")" && pwd); LOGS=${WL_LOGS:-${TMPDIR:-/tmp}/wl_logs}
line() { awk -F'\t' -v n="$1" '!/^#/ && $2==n' "$D/MANIFEST.tsv"; }
case "$1" in
list) awk -F'\t' -v s="$2" '!/^#/ && (s=="" || $1==s) {printf "%-8s %-20s %-20s %s\n",$1,$2,$5,$7}' "$D/MANIFEST.tsv" ;;
start)
  n=$2; shift 2; l=$(line "$n"); [ -n "$l" ] || { echo "no such workload: $n" >&2; exit 2; }
  b=$(printf '%s\n' "$l" | cut -f3); a=$(printf '%s\n' "$l" | cut -f4)
  make -s -C "$D" "bin/$b" plugins >&2
  mkdir -p "$LOGS"; log="$LOGS/$n.$$.jsonl"
  setsid "$D/bin/$b" $a "$@" >"$log" 2>"$log.err" </dev/null &
  p=$!; i=0; while [ ! -s "$log" ] && kill -0 $p 2>/dev/null && [ $i -lt 3000 ]; do sleep 0.02; i=$((i+1)); done
  rp=$(sed -n '1s/.*"pid":\([0-9]*\).*/\1/p' "$log"); echo "${rp:-$p} $log" ;;
truth) sed -n '/"ev":"start"/s/.*"label":"\([A-Z_]*\)","accept":\[\([^]]*\)\],"forbid":\[\([^]]*\)\].*/\1 \2 \3/p' "$2" | tr -d '"' ;;
wait) while kill -0 "$2" 2>/dev/null; do case $(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$2/status" 2>/dev/null) in Z|X|x|'') break;; esac; sleep 0.1; done ;;
all)
  s=$2; shift 2
  awk -F'\t' -v s="$s" '!/^#/ && (s=="all" || $1==s) {print $2}' "$D/MANIFEST.tsv" | while read -r n; do
    set -- "$@"; r=$("$D/run.sh" start "$n"); p=${r%% *}; "$@" "$p" "$n" "${r#* }" </dev/null || true; "$D/run.sh" wait "$p"; done ;;
*) sed -n '2,13p' "$0"; exit 2 ;;
esac
