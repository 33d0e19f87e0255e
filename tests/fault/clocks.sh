#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# heaptided while clocks do what clocks do: the wall clock is set back and
# forward and to 1970, the machine sleeps, it is itself stopped. Its clocks, and
# its agents', are the test's own (tests/targets/clocks.c).
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"

clocks=$HT_TMP/clocks
head -c 4096 /dev/zero >"$clocks"
set_clocks() { # WALL-SECONDS ASLEEP-SECONDS
	python3 -c 'import struct, sys
with open(sys.argv[1], "r+b") as f:
    f.write(struct.pack("<qq", *(int(a) * 10**9 for a in sys.argv[2:4])))' "$clocks" "$@"
}
daemon_config
cat >"$HT_TMP/heaptide-agent" <<AGENT
#!/bin/sh
LD_PRELOAD=$HT_BUILD/targets/clocks HT_CLOCKS=$clocks exec $HT_BUILD/heaptide-agent "\$@"
AGENT
chmod +x "$HT_TMP/heaptide-agent"
sed -i "s:^store = .*:&\nagent = $HT_TMP/heaptide-agent:" "$conf"
watch_sleepers ht-clocks
start "$HT_TMP/ht-clocks" 600
target=$started
daemon_env=("LD_PRELOAD=$HT_BUILD/targets/clocks" "HT_CLOCKS=$clocks")
daemon_start
# goes_on WHAT: it measures, records, and nothing fires
goes_on() {
	local rows
	rows=$(sql 'select max(id) from sample')
	ok "$1: measuring goes on" more_samples
	ok "$1: so does recording" poll 20 eval "[ \$(sql 'select max(id) from sample') -gt $((rows + 3)) ]"
	is "$1: no alert" "$(sql 'select count(*) from alert')" 0
}
event() { [ "$(sql "select count(*) from event where kind = '$1'")" -ge "$2" ]; }
newest() { sql 'select max(at_ns) / 1000000000 from sample where id > (select max(id) - 3 from sample)'; }

ok "it measures" poll 30 measured "$target"
goes_on "with clocks that go"
is "nothing is said of clocks" "$(sql "select count(*) from event where kind in ('clock', 'suspend')")" 0

set_clocks -3600 0
ok "a clock set back by an hour is told" poll 20 event clock 1
ok "and logged" poll 10 logged 'the wall clock was set back by'
goes_on "set back"
near "samples have the time of the clock" "$(newest)" "$(($(date +%s) - 3600))" 60

set_clocks 0 0
ok "set right again, it is told" poll 20 event clock 2
goes_on "set right"

slept=$SECONDS
n=$(samples)
set_clocks 0 7200
ok "two hours of sleep are told" poll 20 event suspend 1
ok "and logged" poll 10 logged 'the machine was suspended for'
goes_on "after the sleep"
between "no sample is made up for" "$(samples)" "$n" $((n + (SECONDS - slept + 1) * 3))
is "the trend shows the gap" "$("$HT_BUILD/heaptide" trend "$target" --db "$db" --json --metric rss | jq '[.rows[][0]] | length > 3')" true

set_clocks "$((1000 - $(date +%s)))" 7200
ok "a clock that starts at 1970 is told" poll 20 event clock 3
goes_on "in 1970"

set_clocks 0 7200
goes_on "in the present"
ok "a verdict can be asked for" "$HT_BUILD/heaptide" verdict "$target" --db "$db" --json

# Longer than the five intervals without a sample that the rule "unmeasured" allows.
kill -STOP "$daemon"
ok "the daemon itself is stopped" poll 10 eval 'grep -q "^State:.T" "/proc/$daemon/status"'
begun=$SECONDS
gone_by() { [ $((SECONDS - begun)) -ge "$1" ]; }
ok "for longer than its rules wait for a sample" poll 20 gone_by 5
kill -CONT "$daemon"
goes_on "after its own stop"

daemon_stop
is_sound "the database is sound"
plan
