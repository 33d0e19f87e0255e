#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 90 s
# heaptided asks who holds the chunks of a leak where a target's configuration says
# so, tells it wherever the leak is told, and does nothing of the kind for any other.
# shellcheck disable=SC2016,SC2154 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"

daemon_config
daemon_leaks ht-asked ht-left ht-traced
sed -i '/^name = ht-[at]/a owners = yes' "$conf"
cat >>"$conf" <<-CONF
	[rule ratio]
	condition = trough(retained / heap_resident, 3s) >= 10%
	for = 1s
	minimum = 1M
	[rule scattered]
	condition = external >= 0.01%
	for = 1s
	minimum = 1M
CONF
for key in interval owners; do
	printf '[defaults]\n%s = yes\n' "$key" >"$HT_TMP/bad.conf"
	"$HT_BUILD/heaptided" --check -c "$HT_TMP/bad.conf" 2>>"$HT_TMP/bad"
done
ok "it is no default" grep -q "bad.conf:2: .*owners" "$HT_TMP/bad"

daemon_start
is "nobody can have it done by the control socket" \
	"$(field "$(ask watch target '"x"' name '"x"' owners '"yes"')" ok)" false
for name in ht-asked ht-left ht-traced; do
	start "$HT_TMP/$name" 3000
	eval "${name#ht-}=$started"
done
start gdb -nx -batch -p "$traced" -ex continue # of such a one no copy is made
events() { sql "select count(*) from events where kind = '$1' and pid = $2"; }
evidence() { sql "select evidence from alert where rule = 'early' and state = 'firing' and target = '$1'"; }

for rule in ratio scattered; do
	ok "a rule over fragmentation fires: $rule" poll 60 grep -q "alert firing: ht-asked: $rule" "$log"
done
ok "who holds what leaks is an event" poll 60 eval '[ "$(events owners "$asked")" = 1 ]'
text=$(sql "select text from events where kind = 'owners' and pid = $asked")
note "$text"
ok "in words, with the variable's name" grep -qE '^(9[0-9]|100) % of .* chunks .*: .*list.*, by audit_log \(static, ht-asked\)' <<<"$text"
ok "the journal says so" grep -q "pid $asked: owners: .*audit_log" "$log"
ok "the alert has it as evidence" poll 30 eval 'evidence ht-asked | grep -q "^held: .*audit_log"'
verdict=$("$HT_BUILD/heaptide" verdict ht-asked --db "$db")
note "$verdict"
ok "and the verdict a line" grep -q '^  who .*%' <<<"$verdict"
is "also for a program" "$("$HT_BUILD/heaptide" verdict ht-asked --db "$db" --json | jq -r .held_by.text)" "$text"
ok "the other one leaks, too" poll 30 eval 'evidence ht-left | grep -q .'
is "who holds it is not told there" "$(evidence ht-left | grep -c "^held: ")" 0
is "but nobody asked who holds it" "$(events owners "$left")$(events owners_refused "$left")" 00
is "and no answer is made up" "$("$HT_BUILD/heaptide" verdict ht-left --db "$db" --json | jq .held_by)" null
ok "where no copy can be made that is told" poll 30 eval '[ "$(events owners_refused "$traced")" = 1 ]'
ok "with its reason" grep -q "pid $traced: owners_refused: .*gdb" "$log"
samples() { sql "select count(*) from sample s join process p on p.id = s.process_id where p.pid = $1"; }
for pid in "$asked" "$traced"; do
	n=$(samples "$pid")
	ok "it is measured on" poll 20 eval '[ "$(samples "$pid")" -gt $((n + 4)) ]'
done
is "that is no failure" "$(events failed "$traced")" 0
is "and asked once" "$(events owners "$asked")$(events owners_refused "$traced")" 11
plan
