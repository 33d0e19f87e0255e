#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# record --types looks what chunks are without a daemon; trend --by type, types and
# diff tell it. Where no copy can be made the record goes on.
# shellcheck disable=SC2016,SC2034 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
heaptide=$HT_BUILD/heaptide
cd "$HT_TMP" || exit 1

g++ -O1 -o ht-grows "$HT_TOP/tests/targets/labelled/sessions.cc"
sql() { sqlite3 -readonly "$1.db" "$2" 2>/dev/null; } # NAME QUERY
looks() { sql "$1" "select count(*) from type_look"; }
samples() { sql "$1" "select count(*) from sample"; }
refusals() { sql "$1" "select count(*) from events where kind = 'types_refused'"; }
record() { # NAME PID OPTION...
	start "$heaptide" record "$2" -o "$1.db" -n "$1" -i 200ms "${@:3}" 2>"$1.said"
}

start ./ht-grows 20000 >said
ready 20 grep -q ready said
grows=$started
record typed "$grows" --types-every 500ms
typed=$started
record plain "$grows"
plain=$started
ok "it is looked again and again" poll 60 eval '[ "$(looks typed)" -ge 4 ] && [ "$(samples plain)" -ge 4 ]'
kill -INT "$typed" "$plain"
wait "$typed" "$plain"
ok "how often is told at the end" grep -q "types at [0-9]* of them" typed.said
is "who was not asked for it is not looked at" "$(looks plain)" 0
is "and nothing is told of it" "$(grep -c 'types' plain.said)" 0

"$heaptide" trend typed --db typed.db --by type --json >trend.json
ok "the course is as its schema says" python3 "$HT_TOP/tests/lib/schema.py" "$HT_TOP/docs/schema" trend.json
is "it is that of types --since" "$(cat trend.json)" "$("$heaptide" types typed --db typed.db --json)"
"$heaptide" trend typed --db typed.db --by type --csv >trend.csv
is "CSV says what its columns are" "$(head -n 1 trend.csv)" "time,type,kind,module,chunks,bytes"
is "its lines add up to what was in use, to the byte, at each look" \
	"$(python3 -c '
import csv, collections
sums = collections.Counter()
for row in csv.DictReader(open("trend.csv")):
    sums[row["time"]] += int(row["bytes"])
print(" ".join(str(sums[time]) for time in sorted(sums)))')" \
	"$(jq -r '.bytes | map(tostring) | join(" ")' trend.json)"
is "and have each look of the class that grows" \
	"$(grep -c ',"Session","class","ht-grows",' trend.csv)" "$(jq '.times | length' trend.json)"
"$heaptide" trend typed --db typed.db --by type >trend.txt
ok "what moved most is drawn first" grep -q '^Session, class, ht-grows ' <(sed -n 3,4p trend.txt)
is "what did not move is not" "$(grep -c '^.*Route, class' trend.txt)" 0
ok "diff names it" grep -qE '^Session +class +ht-grows ' <("$heaptide" diff typed --db typed.db | grep -A3 'By type')
refuse "of who was not looked at there is no course" "$heaptide" trend plain --db plain.db --by type
ok "with the reason" eval '"$heaptide" trend plain --db plain.db --by type 2>&1 | grep -q "record --types"'
refuse "there is no course by another part" "$heaptide" trend typed --db typed.db --by arena
refuse "nor one of a metric by type" "$heaptide" trend typed --db typed.db --by type -m rss

# Of a process that somebody traces no copy is made.
start gdb -nx -batch -p "$grows" -ex continue >gdb.said 2>&1
gdb=$started
traced() { grep -qE '^TracerPid:[[:space:]]+[1-9]' "/proc/$grows/status"; }
ready 30 traced
record held "$grows" --types-every 300ms
held=$started
ok "where no copy can be made that is told" poll 40 eval '[ "$(refusals held)" = 1 ]'
n=$(samples held)
ok "and it is measured on" poll 40 eval '[ "$(samples held)" -gt $((n + 4)) ]'
kill -INT "$held"
wait "$held"
is "once" "$(refusals held)" 1
ok "and at the end, with the reason" grep -q "types at 0 of them, refused [0-9]* times, the last one: " held.said
kill "$gdb"
plan
