#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# heaptided gives memory of a process back where its target's rule says so, tells
# what came of it, and does nothing of the kind for any other.
# shellcheck disable=SC2016,SC2034,SC2119,SC2154 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"

daemon_config
for name in ht-trimmed ht-refused ht-left; do
	cp "$HT_BUILD/targets/keeper" "$HT_TMP/$name"
	printf '[target %s]\nname = %s\nexe = %s\n' "$name" "$name" "$HT_TMP/$name" >>"$conf"
	case $name in
	ht-trimmed) echo 'trim = when trimmable > 4M for 1s, at most every 1h, hold 10s' ;;
	ht-refused) echo 'trim = when trimmable > 4M for 1s, at most every 1h, hold 1us' ;;
	*) ;;
	esac >>"$conf"
done
cat >"$HT_TMP/bad.conf" <<EOT
[target x]
name = x
trim = when rss > 4M
EOT
out=$("$HT_BUILD/heaptided" --check -c "$HT_TMP/bad.conf" 2>&1)
is "what is no rule is a configuration error" $? 17
ok "and told by its line" grep -q "bad.conf:3: .*when trimmable >" <<<"$out"

daemon_start
is "nobody can have it done by the control socket" \
	"$(field "$(ask watch target '"x"' name '"x"' trim '"when trimmable > 4M"')" ok)" false
for name in ht-trimmed ht-refused ht-left; do
	start "$HT_TMP/$name" small
	eval "${name#ht-}=$started"
done
events() { sql "select count(*) from events where kind = '$1' and pid = $2"; }
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

ok "a process with a rule gives its memory back" poll 30 eval '[ "$(events trim "$trimmed")" = 1 ]'
between "its resident set is small now (KB)" "$(rss "$trimmed")" 1000 8000
ok "the journal says so" grep -q "pid $trimmed: trim: returned .* MiB (forecast" "$log"
ok "/metrics counts it" poll 5 eval '[ "$(metric "heaptide_trims_total.*pid=\"$trimmed\"")" = 1 ]'
between "and the bytes" "$(metric "heaptide_trim_returned_bytes_total.*pid=\"$trimmed\"")" 8000000 20000000
ok "a refusal is told, too" poll 30 eval '[ "$(events trim_refused "$refused")" = 1 ]'
ok "with its reason" grep -q "pid $refused: trim_refused: .*--max-hold" "$log"
between "and nothing was done (KB)" "$(rss "$refused")" 12000 30000
ok "others are measured as ever" poll 10 measured "$left"
is "and keep what they have" "$(events trim "$left")$(events trim_refused "$left")" 00
between "all of it (KB)" "$(rss "$left")" 12000 30000

# A daemon that starts anew knows what it had found out: of one more process the
# database has it that it was not worth it, an hour ago.
daemon_stop
ok "the report lists what was done" \
	jq -e '[.events[] | select(.kind == "trim")][0].text | test("returned .* MiB")' \
	<("$HT_BUILD/heaptide" report "$trimmed" --db "$db" --json)
cp "$HT_BUILD/targets/keeper" "$HT_TMP/ht-paused"
printf '[target ht-paused]\nname = ht-paused\nexe = %s\ntrim = when trimmable > 16M for 1h\n' \
	"$HT_TMP/ht-paused" >>"$conf"
start "$HT_TMP/ht-paused" small
paused=$started
daemon_start
ok "one more is measured" poll 10 measured "$paused"
daemon_stop
sed -i 's/when trimmable > 16M for 1h/when trimmable > 4M for 1s, at most every 1m, hold 10s/' "$conf"
sqlite3 -cmd '.timeout 5000' "$db" "insert into event (process_id, at_ns, kind, text)
	select id, (unixepoch() - 3600) * 1000000000, 'trim_judged', 'returned 1.2 GiB, 700.0 MiB faulted back within 10 min: not worth it, paused for a day'
	from process where pid = $paused"
start "$HT_TMP/ht-trimmed" small
another=$started
daemon_start
ok "a pause outlives the daemon that made it" \
	poll 10 grep -q "pid $paused: trim: paused for another 2[23]h" "$log"
ok "/metrics says that it is paused" poll 5 eval '[ "$(metric "heaptide_trim_paused.*pid=\"$paused\"")" = 1 ]'
ok "others go on" poll 30 eval '[ "$(events trim "$another")" = 1 ]'
seen=$(sql "select count(*) from sample join process on process.id = process_id where pid = $paused")
ok "many samples later" poll 30 eval \
	'[ "$(sql "select count(*) from sample join process on process.id = process_id where pid = $paused")" -gt $((seen + 6)) ]'
ok "others are not" poll 5 eval '[ "$(metric "heaptide_trim_paused.*pid=\"$another\"")" = 0 ]'
is "nothing was asked of it" "$(events trim "$paused")$(events trim_refused "$paused")" 00
is "nor a second time, within the hour, of the first" "$(events trim "$trimmed")" 1
plan
