#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 240 s
# heaptided looks what chunks are where a target's configuration says so; the history
# knows which type grew, and verdict, alert, diff and page tell; of any other process
# there is nothing.
# shellcheck disable=SC2016,SC2154 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"

heaptide=$HT_BUILD/heaptide
g++ -O1 -o "$HT_TMP/ht-grows" "$HT_TOP/tests/targets/labelled/sessions.cc"
for name in ht-rests ht-none ht-held; do
	cp "$HT_TMP/ht-grows" "$HT_TMP/$name"
done
daemon_config
daemon_leaks
for name in ht-grows ht-rests ht-none ht-held; do
	printf '[target %s]\nname = %s\nexe = %s\n' "$name" "$name" "$HT_TMP/$name" >>"$conf"
	[ "$name" = ht-none ] || printf 'types = on\ntypes_every = 1s\n' >>"$conf"
done
for line in 'types = on' 'types_every = 1s'; do
	printf '[defaults]\n%s\n' "$line" >"$HT_TMP/bad.conf"
	"$HT_BUILD/heaptided" --check -c "$HT_TMP/bad.conf" 2>>"$HT_TMP/bad"
done
is "they are no defaults" "$(grep -c 'bad.conf:2: .*types' "$HT_TMP/bad")" 2

daemon_start
for name in grows rests none held; do
	bytes=()
	[ "$name" = rests ] || bytes=(100000)
	start "$HT_TMP/ht-$name" "${bytes[@]}" >/dev/null
	eval "$name=$started"
done
start gdb -nx -batch -p "$held" -ex continue # of such a one no copy is made
looks() { sql "select count(*) from type_look l join process p on p.id = l.process_id where p.pid = $1"; }
growth() { "$heaptide" verdict "$1" --db "$db" --json | jq -r '.grown_type.text // "-"'; }

ok "it is looked again and again" poll 60 eval '[ "$(looks "$grows")" -ge 8 ] && [ "$(looks "$rests")" -ge 4 ]'
is "the types add up to what is in use, at each look" "$(sql "select count(*) from (select l.bytes - l.unknown_bytes - l.other_bytes - sum(u.bytes) d, l.chunks - l.unknown_chunks - l.other_chunks - sum(u.chunks) c from type_look l join type_use u on u.look_id = l.id group by l.id) where d != 0 or c != 0")" 0
is "a class is told as its source calls it" "$(sql "select distinct type || '|' || kind || '|' || module from types_now where pid = $grows and type = 'Session'")" "Session|class|ht-grows"
is "of the class that rests no byte came" "$(sql "select count(distinct u.bytes) from type_use u join type t on t.id = u.type_id join type_look l on l.id = u.look_id join process p on p.id = l.process_id where p.pid = $grows and t.name like '%Route'")" 1

ok "the verdict tells which type grew" poll 40 eval 'growth ht-grows | grep -qE "^.Session. \(class, ht-grows\) grew by .*, (all|9[0-9] %) of the growth of in use"'
text=$(growth ht-grows)
note "$text"
ok "in words, too" grep -q '^  type .*Session' <<<"$("$heaptide" verdict ht-grows --db "$db")"
ok "the alert has it as evidence" poll 40 eval 'sql "select evidence from alert where rule = '"'early'"' and target = '"'ht-grows'"'" | grep -q "^type: .Session. (class"'
is "where nothing grows no type does" "$(growth ht-rests)" "-"

"$heaptide" diff ht-grows --db "$db" >"$HT_TMP/diff"
note "$(grep -A4 'By type' "$HT_TMP/diff")"
ok "the first type of diff is the one that grew" grep -qE '^Session +class +ht-grows ' <(grep -A3 'By type' "$HT_TMP/diff")
"$heaptide" diff ht-grows --db "$db" --json >"$HT_TMP/diff.json"
ok "diff is as its schema says" python3 "$HT_TOP/tests/lib/schema.py" "$HT_TOP/docs/schema" "$HT_TMP/diff.json"
is "its change is chunks times their size" "$(jq '.types.list[0] | .name == "Session" and .change == 1008 * .chunks and .change == .to - .from' "$HT_TMP/diff.json")" true
"$heaptide" diff ht-rests --with ht-grows --db "$db" --json >"$HT_TMP/with.json"
ok "two processes are compared by type" python3 "$HT_TOP/tests/lib/schema.py" "$HT_TOP/docs/schema" "$HT_TMP/with.json"
is "what one has more of comes first" "$(jq -r '.types.list[0] | .name + (if .change > 0 then " more" else "" end)' "$HT_TMP/with.json")" "Session more"
"$heaptide" types ht-grows --db "$db" --json >"$HT_TMP/course.json"
ok "the course is as its schema says" python3 "$HT_TOP/tests/lib/schema.py" "$HT_TOP/docs/schema" "$HT_TMP/course.json"
is "it has each look, and what a type had in each" "$(jq '(.times | length) as $n | $n >= 3 and all(.types[]; (.bytes | length) == $n)' "$HT_TMP/course.json")" true
is "all that was in use, to the byte, at each look" "$(jq '[range(.times | length) as $i | ([.types[].bytes[$i] // 0] | add) + .unknown_bytes[$i] + .other_bytes[$i] == .bytes[$i]] | all' "$HT_TMP/course.json")" true
is "and the type that grows" "$(jq '[.types[] | select(.name == "Session") | .bytes | .[-1] > .[0]] | all and length == 1' "$HT_TMP/course.json")" true
"$heaptide" types ht-grows --db "$db" --since 1h >"$HT_TMP/course"
ok "in words, too" grep -qE '^Session +class +ht-grows ' "$HT_TMP/course"
"$heaptide" types ht-grows --db "$db" --until "$(jq -r '.times[1]' "$HT_TMP/course.json")" --json >"$HT_TMP/until.json"
is "--until ends it" "$(jq '.times | length' "$HT_TMP/until.json")" 2
refuse "of who was never looked at there is none" "$heaptide" types ht-none --db "$db"
ok "with the reason" eval '"$heaptide" types ht-none --db "$db" 2>&1 | grep -q "types = on"'
refuse "a core file has no history" "$heaptide" types --core core --since 1h
"$heaptide" report ht-grows --db "$db" -o "$HT_TMP/page.html"
ok "the page has what it needs to draw it" grep -q '"name": *"Session"' "$HT_TMP/page.html"

is "of who is not configured there is no look" "$(looks "$none")" 0
is "and diff has none" "$("$heaptide" diff ht-none --db "$db" --json | jq .types)" null
is "and no type" "$(growth ht-none)" "-"
refusals() { sql "select count(*) from events where kind = 'types_refused' and pid = $held"; }
ok "where no copy can be made that is told" poll 30 eval '[ "$(refusals)" = 1 ]'
samples() { sql "select count(*) from sample s join process p on p.id = s.process_id where p.pid = $held"; }
n=$(samples)
ok "it is measured on" poll 20 eval '[ "$(samples)" -gt $((n + 4)) ]'
is "that is no failure, and told once" "$(sql "select count(*) from events where kind = 'failed' and pid = $held")$(refusals)" 01
plan
