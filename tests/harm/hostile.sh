#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 180 s
# Processes that lead a reader astray (targets/hostile.c): each is answered in time,
# left as it was, its sums close, and no look at one in the default mode says of
# what it only may be that it is damaged. What is damaged is told where it is held.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
cd "$HT_TMP" || exit 1
mkfifo in
exec 7<>in
mkdir files

begin() { # KIND: sets pid
	: >out
	start sh -c 'exec "$0" "$@" <in >out' "$HT_BUILD/targets/hostile" "$1" files
	pid=$started
	poll 30 grep -q ready out
}

look() { # HOW...: sets ended
	timeout 60 "$HT_BUILD/heaptide" explain --json "$@" "$pid" >look 2>err
	ended=$?
}

findings() { jq -r '[.findings[].code] | unique | join(" ")' look; }
off() { jq '[.arenas[] | .system - .in_use - .free - .overhead | fabs] | add' look; }
told() { jq .stop.uncertain_bytes look; }
closes() { [ "$(off)" -le "$(told)" ] && [ "$(told)" -le "$(jq .totals.system look)" ]; }
answered() { [ "$ended" = 0 ] || { [ "$ended" = 6 ] && [ -n "$(findings)" ]; }; }
runs_free() { ! grep -qE '^State:\s*[tT]' "/proc/$pid/status"; }

# at_rest KIND: both ways of the default mode. Where every thread sleeps all the time what
# is damaged may be told.
at_rest() {
	local name=$1 how
	for how in full light; do
		look --look $how
		ok "$name, $how: it is answered" answered
		ok "$name, $how: its sums close, or what is uncertain is told" closes
	done
}

# damaged KIND FINDING: and where all its threads stand.
damaged() {
	begin "$1"
	at_rest "$1"
	look --mode exact
	is "$1, exact: it is damaged" "$ended" 6
	ok "$1, exact: $2 says so" grep -qw "$2" <(findings)
	ok "$1: it runs on" runs_free
	stop_started
}

# usual KIND: beside it a heap like any other.
usual() {
	begin "$1"
	at_rest "$1"
	is "$1: what is in use is found" "$(jq '.totals.in_use > 208000 and .totals.in_use < 300000' look)" true
	look --mode exact
	is "$1, exact: it is answered" "$ended" 0
	is "$1, exact: nothing is said to be damaged" "$(findings)" ""
	[ "$1" = vfork ] || # whose parent may run at any time
		is "$1, exact: no thread is said to have run" "$(jq -r '.warnings[]' look | grep 'and ran')" ""
	ok "$1: no control character of it is passed on" control_free
	ok "$1: it runs on" runs_free
	stop_started
}

control_free() {
	"$HT_BUILD/heaptide" explain "$pid" >text 2>&1
	[ -s text ] && ! LC_ALL=C grep -q $'[\001-\010\013-\037]' text && [ "$(grep -c '^y' text)" = 0 ]
}

for kind in loop self wild size empty arena; do
	damaged "heap-$kind" heap_chain
done
for kind in self loop wild; do
	damaged "cache-$kind" tcache
	begin "cache-$kind"
	look
	is "cache-$kind: where every thread sleeps it is told in the default mode, too" \
		"$ended $(findings | grep -ow tcache)" "6 tcache"
	stop_started
done
for kind in arenas names fifo files maps vfork; do
	usual $kind
done
plan
