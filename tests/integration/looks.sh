#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 180 s
# A heap that is dear to walk is looked at lightly, at the interval that was asked for;
# a small one beside it is walked as ever, and of one with more free chunks than its
# share of a processor leaves room for the rest is estimated.
# shellcheck disable=SC2016 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"

cp "$HT_BUILD/targets/spacious" "$HT_TMP/ht-large"
cp "$HT_BUILD/targets/spacious" "$HT_TMP/ht-small"
start "$HT_TMP/ht-large" 700 200 20000 >"$HT_TMP/large"
large=$started
start "$HT_TMP/ht-small" 16 200 >"$HT_TMP/small"
cp "$HT_BUILD/targets/spacious" "$HT_TMP/ht-dense"
start "$HT_TMP/ht-dense" 400 2 >"$HT_TMP/dense"
dense=$started
ok "the heaps are built" poll 60 eval 'cat "$HT_TMP"/{large,small,dense} | [ "$(grep -c ready)" = 3 ]'
daemon_config
printf '[target %s]\nname = ht-%s\nexe = %s\ninterval = 2s\njitter = 0%%\nlook_cpu = 4%%\n' \
	large large "$HT_TMP/ht-large" small small "$HT_TMP/ht-small" dense dense "$HT_TMP/ht-dense" >>"$conf"
daemon_start
row() { # PROCESS FIELD
	ask ls | jq -r ".result.targets[] | select(.comm == \"ht-$1\") | .$2"
}
of_large="process_id = (SELECT id FROM process WHERE pid = $large)"
of_dense="process_id = (SELECT id FROM process WHERE pid = $dense)"
light() { sql "SELECT count(*) FROM stop JOIN sample ON sample.id = sample_id WHERE look = 'light' AND $of_large"; }
rounds() {
	sql "SELECT count(DISTINCT sample_id) FROM size_class JOIN sample ON sample.id = sample_id
		JOIN stop USING (sample_id) WHERE look = 'light' AND $of_large"
}

ok "looks at the large heap become light" poll 40 eval '[ "$(row large look)" = light ]'
ok "and a round of slices makes its size classes whole" poll 60 eval '[ "$(rounds)" -ge 1 ]'
facts() { find "/proc/$1/fd" -lname '/memfd:facts*' -print -quit; }
ok "what agents learned of files is there for the next" poll 20 eval '[ "$(tr -d "\0" <"$(facts "$daemon")" | wc -c)" -gt 1000 ]'
is "no agent keeps it" "$(for agent in $(pgrep -P "$daemon"); do facts "$agent"; done)" ""
is "the small one is walked" "$(row small look)" full
ok "the age of the classes is told" eval '[ "$(row large classes_age_s | cut -d. -f1)" -ge 0 ]'
ok "and what a look costs, and a walk would" eval \
	'row large "look_cpu_s > 0 and .full_look_cpu_s > 0.1" | grep -q true'
ok "metrics tell the same" eval \
	'curl -s "http://127.0.0.1:$port/metrics" | grep -q "^heaptide_light_look{target=\"large\".* 1$"'
is "what malloc keeps is exact, and of now" "$(row large 'in_use_sure | "\(.how) \(.age_s) \(.off)"')" "derived 0 0"
ok "where free chunks are many the rest is estimated" poll 60 eval '[ "$(row dense in_use_sure.how)" = estimated ]'
ok "by how much it may be off, when two walks of a place can be compared" poll 60 eval \
	'row dense in_use_sure | jq -e ".off != null and .off < 0.02 and .age_s > 0" >"$HT_TMP/off"'
is "a heap at rest stays as large" "$(sql "SELECT (max(in_use) - min(in_use)) * 50 < max(in_use)
	FROM sample WHERE $of_dense")" 1
ok "metrics tell the error" eval \
	'curl -s "http://127.0.0.1:$port/metrics" | grep -q "^heaptide_in_use_error_ratio{target=\"dense\"[^}]*} [0-9]"'
is "no light look lacks what is in use, free or retained" "$(sql "SELECT count(*) FROM sample
	JOIN stop ON sample_id = sample.id WHERE look = 'light' AND
	(in_use IS NULL OR free IS NULL OR retained IS NULL)")" 0
# What it loses is 2 MB/s and more shows in each of them.
is "what it loses shows from look to look" "$(sql "SELECT count(*) FROM (SELECT in_use - lag(in_use)
	OVER (ORDER BY sample.id) AS more FROM sample JOIN stop ON sample_id = sample.id
	WHERE look = 'light' AND $of_large) WHERE more <= 0")" 0
is "no interval was given up" "$(row large state)" ok
daemon_stop
plan
