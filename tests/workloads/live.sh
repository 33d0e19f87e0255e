#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs labelled workloads, has the real agent sample them, asks for the verdict
# when the run is over, and counts.
#   live.sh [open|own|NAME...]      rows: name, wanted, said, samples, ok | ~ (accepted) | X (wrong) | XX (forbidden)
# INTERVAL (0.7s), OUT (keeps logs, databases and verdicts there), HT_BUILD.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
bin=${HT_BUILD:-$top/build}
out=${OUT:-$(mktemp -d)}
interval=${INTERVAL:-0.7s}
mkdir -p "$out"
export WL_LOGS="$out"

names() {
	for word in "$@"; do
		case $word in
		open | own) awk -F'\t' -v s="$word" '!/^#/ && $1==s {print $2}' "$here/MANIFEST.tsv" ;;
		*) echo "$word" ;;
		esac
	done
}

one() {
	name=$1
	set -- $("$here/run.sh" start "$name" --linger 4)
	pid=$1 log=$2
	env --default-signal=INT "$bin/heaptide" record "$pid" -i "$interval" -o "$out/$name.db" >"$out/$name.record" 2>&1 &
	recorder=$!
	# the truth line ends the run: what comes after it is not judged
	until grep -q '"ev":"truth"' "$log" || ! kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
	kill -INT "$recorder" 2>/dev/null || true
	wait "$recorder" 2>/dev/null || true
	"$bin/heaptide" verdict "$pid" --db "$out/$name.db" --json >"$out/$name.json" 2>"$out/$name.err" || true
	"$bin/heaptide" verdict "$pid" --db "$out/$name.db" >"$out/$name.txt" 2>&1 || true
	row "$name" "$log"
	"$here/run.sh" wait "$pid"
}

row() {
	said=$(sed -n 's/.*"verdict": *"\([A-Z_]*\)".*/\1/p' "$out/$1.json" | head -1)
	samples=$(sed -n 's/.*"samples": *\([0-9]*\).*/\1/p' "$out/$1.json" | head -1)
	truth=$(grep '"ev":"start"' "$2")
	wanted=$(echo "$truth" | sed 's/.*"label":"\([A-Z_]*\)".*/\1/')
	accept=$(echo "$truth" | sed 's/.*"accept":\[\([^]]*\)\].*/\1/')
	forbid=$(echo "$truth" | sed 's/.*"forbid":\[\([^]]*\)\].*/\1/')
	mark=X
	case "$forbid" in *"\"$said\""*) mark=XX ;; esac
	case "$accept" in *"\"$said\""*) mark='~' ;; esac
	[ "$said" = "$wanted" ] && mark=ok
	printf '%-22s %-20s %-20s %4s %s\n' "$1" "$wanted" "${said:-none}" "${samples:-0}" "$mark"
}

[ $# -gt 0 ] || set -- open
for n in $(names "$@"); do one "$n"; done | tee "$out/rows"
awk '{n++; s+=$5=="ok"; a+=$5=="ok"||$5=="~"; f+=$5=="XX"; said+=$3=="LEAK"; is+=$2=="LEAK"; both+=$3=="LEAK"&&$2=="LEAK"}
END {printf "strict %d of %d, accepted %d, forbidden %d, LEAK precision %d/%d recall %d/%d\n", s, n, a, f, both, said, both, is; exit s < n*0.96 || f > 0}' "$out/rows"
