#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# Memory under userfaultfd, of which pages are absent: whoever handles their faults
# never hears of one that is ours, and what is there is neither zeros nor damage. And
# chunks with a mapping each whose header cannot be read: what they have is not told
# as somebody else's without a word.
# shellcheck disable=SC2016 # sh expands what is quoted here
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
cd "$HT_TMP" || exit 1
mkfifo in
exec 7<>in

# begin [late]: sets pid
begin() {
	start sh -c 'exec "$0" "$@" <in >out' "$HT_BUILD/targets/withheld" "$@"
	pid=$started
	poll 20 grep -q ready out
}

finish() { # NAME
	echo >&7
	poll 20 grep -q faults out
	is "$1: no fault was anybody's but its own, and nothing was changed" "$(tail -n 1 out)" "faults 0 wrong 0"
	stop_started
}

look() { timeout 60 "$HT_BUILD/heaptide" explain --json --mode "$1" "$pid" >look; }

# 49 or so pages of two heaps, and the chunks that lie on their borders.
looks() {
	begin
	for mode in none bounded exact; do
		ok "$mode: it is looked at" look "$mode"
		is "$mode: nothing of it is said to be damaged" "$(jq -c .findings look)" "[]"
		between "$mode: bytes that were not walked" "$(jq .stop.uncertain_bytes look)" 180000 600000
		between "$mode: what is in use beside them" "$(jq .totals.in_use look)" 11500000 12100000
		ok "$mode: why is said" jq -e '[.warnings[] | select(test("under userfaultfd"))] | length >= 3' look
		between "$mode: with the bytes of all absent pages" \
			"$(jq -r '.warnings[]' look | sed -n 's/ bytes were not read: their pages.*//p')" 200000 230000
	done
	refuse "snapshot: refused, for the fork might wait for the handler" look snapshot
	finish "looks"
}

rows() { sqlite3 rec "SELECT count(*) FROM $1"; }
told() { sqlite3 rec "SELECT count(*) FROM warning WHERE text LIKE '%under userfaultfd%'"; }
some() { [ "$("$@" 2>/dev/null)" -gt 0 ]; }

# An agent that has given away all rights but to read, and learns of it then.
while_recorded() {
	begin late
	start "$HT_BUILD/heaptide" record "$pid" -i 50ms -d 60s -o rec >said 2>&1
	poll 20 some rows sample
	is "before, nothing is said of userfaultfd" "$(told)" 0
	echo >&7
	poll 20 grep -q withheld out
	ok "an agent that is at it already says it" poll 30 some told
	kill -INT "$started"
	wait "$started" 2>/dev/null
	is "and no look found damage" "$(rows finding)" 0
	finish "recorded"
}

# headless KIND WANTED: chunks found, uncertain bytes, findings, warnings that say so.
headless() {
	start sh -c 'exec "$0" "$@" <in >out' "$HT_BUILD/targets/headless" "$1"
	poll 20 grep -q ready out
	for how in none exact "none --look light"; do
		# shellcheck disable=SC2086
		timeout 60 "$HT_BUILD/heaptide" explain --json --mode $how "$started" >look
		is "a header that is $1, $how: what of its chunk is told" "$(jq -c '[.totals.mmapped_chunks,
			.stop.uncertain_bytes, (.findings | length),
			([.warnings[] | select(test("1 of 2 mmapped chunks were found: 4198400 bytes are uncertain"))] | length)]' look)" "$2"
	done
	stop_started
}

headless there "[2,0,0,0]"
for kind in refused given unmapped; do
	headless $kind "[1,4198400,0,1]"
done
can userfaultfd "a header that is withheld" && headless withheld "[1,4198400,0,1]"
can userfaultfd "withheld pages" && looks && while_recorded
plan
