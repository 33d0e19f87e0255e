#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# heaptided sees which call stacks make a leak where a target's configuration says so,
# within its budget, tells it wherever the leak is told, and looks at nobody else;
# where it has no right to that, it says so.
# shellcheck disable=SC2016,SC2154 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"
needs uprobes root

daemon_config
daemon_leaks ht-asked ht-left ht-barred
sed -i '/^name = ht-[ab]/a who = on-leak\nwho_for = 12s\nwho_budget = 0.5%' "$conf"
for line in 'who = always' 'who_for = 1s' 'who_budget = 50%'; do
	printf '[target x]\nname = x\n%s\n' "$line" >"$HT_TMP/bad.conf"
	ok "'$line' is refused" eval \
		'! "$HT_BUILD/heaptided" --check -c "$HT_TMP/bad.conf" 2>"$HT_TMP/bad" && grep -q "bad.conf:3: .*who" "$HT_TMP/bad"'
done
printf '[defaults]\nwho = on-leak\n' >"$HT_TMP/bad.conf"
ok "it is no default" eval '! "$HT_BUILD/heaptided" --check -c "$HT_TMP/bad.conf" 2>/dev/null'

# Root, in the bounds that heaptided.conf(5) says: four capabilities.
# shellcheck disable=SC2054 # the commas are setpriv's
daemon_as=(setpriv --inh-caps=-all --bounding-set=-all,+sys_ptrace,+dac_read_search,+bpf,+perfmon)
daemon_start
is "nobody can have it done by the control socket" \
	"$(field "$(ask watch target '"x"' name '"x"' who '"on-leak"')" ok)" false
for name in ht-asked ht-left; do
	start "$HT_TMP/$name" 3000
	eval "${name#ht-}=$started"
done
events() { sql "select count(*) from events where kind = '$1' and pid = $2"; }
evidence() { sql "select evidence from alert where rule = 'early' and state = 'firing' and target = '$1'"; }
who() { "$HT_BUILD/heaptide" status --socket "$sock" --json | jq ".who.$1"; }

ok "while it looks, the status says at whom" poll 60 eval '[ "$(who pid)" = "$asked" ]'
ok "who makes what leaks is an event" poll 60 eval '[ "$(events who "$asked")" = 1 ]'
text=$(sql "select text from events where kind = 'who' and pid = $asked")
note "$text"
ok "in words: the call stack, and what became of its chunks" grep -qE \
	'^`.*(append_audit|main)`.*, [0-9]+ of [0-9]+ chunks alive after [0-9.]+s, [0-9]+ % of the growth' <<<"$text"
ok "the journal says so" grep -q "pid $asked: who: .*chunks alive" "$log"
ok "the alert has it as evidence" poll 30 eval 'evidence ht-asked | grep -q "^made by: .*chunks alive"'
verdict=$("$HT_BUILD/heaptide" verdict ht-asked --db "$db")
note "$verdict"
ok "and the verdict a line" grep -q '^  made by *`' <<<"$verdict"
"$HT_BUILD/heaptide" verdict ht-asked --db "$db" --json >"$HT_TMP/verdict.json"
is "also for a program" "$(jq -r .made_by.text "$HT_TMP/verdict.json")" "$text"
ok "as its schema says" python3 "$HT_TOP/tests/lib/schema.py" "$HT_TOP/docs/schema" "$HT_TMP/verdict.json"
is "the page has it" "$("$HT_BUILD/heaptide" report ht-asked --db "$db" --json | jq -r .verdict.made_by.text)" "$text"
is "the database keeps its stacks: the first is the one that is told" \
	"$(sql "select '\`' || replace(site, ' < ', '\` < \`') || '\`' from sites_now where pid = $asked limit 1")" \
	"$(sed 's/ (.*//; s/, [0-9]* of .*//' <<<"$text")"
is "with the figures that are told" \
	"$(sql "select old_alive || ' of ' || old_samples from site join who on who.id = who_id where rank = 0")" \
	"$(grep -oE '[0-9]+ of [0-9]+' <<<"$text" | head -n 1)"
ok "and each frame, to the outermost" test \
	"$(sql "select group_concat(function, ' ') from (select f.function from stack_frame f join sites_now n using (stack_id) where n.pid = $asked and n.leaking order by n.stack_id, depth)" | grep -c "main.*_start")" = 1
"$HT_BUILD/heaptide" report ht-asked --db "$db" --json >"$HT_TMP/page.json"
is "the page has the sites" "$(jq -r '.sites.list[0].name' "$HT_TMP/page.json")" \
	"$(sql "select site from sites_now where pid = $asked limit 1")"
ok "with their frames" jq -e '.sites.list[0].frames | any(.function == "main")' "$HT_TMP/page.json"
# A diff is of two samples: the answer may be younger than the last of them.
diff_tells() {
	"$HT_BUILD/heaptide" diff ht-asked --db "$db" --json >"$HT_TMP/diff.json" &&
		jq -e '.sites[0] | .from.bytes_per_s == null and .to.bytes_per_s > 0 and .to.leaking' "$HT_TMP/diff.json"
}
ok "diff: it is not known before it was asked, and is after" eval \
	'poll 20 diff_tells || { jq -c ".sites[:3]" "$HT_TMP/diff.json"; false; }'
"$HT_BUILD/heaptide" diff ht-asked 1h..now 1h..now --db "$db" --json >"$HT_TMP/windows.json"
ok "diff of a window with itself: by as much" \
	jq -e '.sites[0] | .from.bytes_per_s > 0 and .change == 0 and (.name | test(" < "))' "$HT_TMP/windows.json"
ok "in words, too" eval \
	'"$HT_BUILD/heaptide" diff ht-asked --db "$db" | grep -A1 "^call stack" | grep -E "<.*\? .*[0-9]+ of [0-9]+"'
ok "all as their schemas say" python3 "$HT_TOP/tests/lib/schema.py" "$HT_TOP/docs/schema" "$HT_TMP/page.json" "$HT_TMP/diff.json" "$HT_TMP/windows.json"
is "the status counts it" "$(who runs)" 1
ok "what it cost is within the budget" jq -e '. > 0 and . <= 0.006' <<<"$(who lost_share)"
ok "so do the metrics" eval \
	'curl -s "http://127.0.0.1:$port/metrics" | awk "/^heaptide_who_(runs|lost_ratio)/ { n += \$2 > 0 } END { exit n != 2 }"'
ok "the other one leaks, too" poll 30 eval 'evidence ht-left | grep -q .'
is "who makes it is not told there" "$(evidence ht-left | grep -c "^made by: ")" 0
is "but nobody looked" "$(events who "$left")$(events who_refused "$left")" 00
is "and no answer is made up" "$("$HT_BUILD/heaptide" verdict ht-left --db "$db" --json | jq .made_by)" null
# Those of this daemon's agents, and those that nobody's agent looks after: other tests
# have their own.
probes() {
	local probe agent
	for probe in $(pgrep -x heaptide-probe); do
		agent=$(ps -o ppid= -p "$probe")
		[ "$(ps -o comm= -p "$agent")" = heaptide-agent ] &&
			[ "$(ps -o ppid= -p "$agent")" -ne "$daemon" ] || echo "$probe"
	done
}
for pid in "$asked" "$left"; do
	ok "it runs on, with malloc as it was" eval 'kill -0 "$pid" && [ -z "$(probes)" ]'
done
daemon_stop

# With those of the shipped unit: calls cannot be seen, page faults perhaps.
# shellcheck disable=SC2054
daemon_as=(setpriv --inh-caps=-all --bounding-set=-all,+sys_ptrace,+dac_read_search)
daemon_start
if can page_faults_for_all "without the right to see calls it is told who takes new pages"; then
	start "$HT_TMP/ht-barred" 3000
	barred=$started
	ok "without the right to see calls it is told who takes new pages" \
		poll 60 eval '[ "$(events who "$barred")" = 1 ]'
	text=$(sql "select text from events where kind = 'who' and pid = $barred")
	note "$text"
	ok "that it is not known who keeps them, and whose stacks they are" grep -qE \
		'^not known; first to write to new pages of the heap, in [0-9.]+s: `.*`.*, [0-9]+ % of them' <<<"$text"
	ok "and why" grep -q "pid $barred: who_growth: calls of malloc cannot be seen here: .*CAP_BPF and CAP_PERFMON" "$log"
	is "nobody is said to leak, in the database either" \
		"$(sql "select way || count(leaking) from who join site on who.id = who_id where process_id = (select id from process where pid = $barred)")" growth0
	ok "what it cost is within the budget" jq -e '. > 0 and . <= 0.006' <<<"$(who lost_share)"
	ok "the alert's evidence says no more than that" \
		poll 30 eval '[ "$(evidence ht-barred | grep -c "^made by: not known; ")" = 1 ]'
	ok "it runs on" kill -0 "$barred"
	kill "$barred"
fi
daemon_stop

# And where nothing can be seen.
mkdir "$HT_TMP/unequipped"
cp "$HT_BUILD/heaptided" "$HT_BUILD/heaptide-agent" "$HT_TMP/unequipped"
daemon_dir=$HT_TMP/unequipped
daemon_start
start "$HT_TMP/ht-barred" 3000
barred=$started
ok "where nothing can be seen that is told" poll 60 eval '[ "$(events who_refused "$barred")" = 1 ]'
ok "with the reason" grep -q "pid $barred: who_refused: .*no heaptide-probe" "$log"
is "that is no failure to measure" "$(events failed "$barred")" 0
ok "the status counts it, too" test "$(who refused)" -ge 1
plan
