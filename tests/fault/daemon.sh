#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 240 s
# heaptided when things go wrong around it: killed at every state of an alert, a
# locked, a full and a damaged store, sinks that fail or hang.
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"

: >"$HT_TMP/notices"
cat >"$HT_TMP/count" <<EOT
#!/bin/sh
cat >>$HT_TMP/notices
exit \$(cat $HT_TMP/status)
EOT
chmod +x "$HT_TMP/count"
echo 0 >"$HT_TMP/status"
daemon_config
watch_sleepers ht-fault
cat >>"$conf" <<EOT
[rule big]
condition = rss > 1
minimum = 0
for = 4s
summary = test
[sink counter]
type = command
command = $HT_TMP/count
timeout = 2s
retry_max = 1s
EOT
start "$HT_TMP/ht-fault" 600
target=$started

count() { # STATE: distinct ids told of it
	jq -rs --args '[.[] | select(.rule == "big" and .state == $ARGS.positional[0]) | .id]
		| if $ARGS.positional[1] then length else unique | length end' "$@" <"$HT_TMP/notices"
}
of_first() { # STATE: notices of it for the alert that was told first
	jq -rs --arg state "$1" 'map(select(.rule == "big")) | .[0].id as $id
		| map(select(.id == $id and .state == $state)) | length' <"$HT_TMP/notices"
}
state() { sql "select state from alert where rule = 'big' order by pending_ns desc limit 1"; }
# undelivered: notices that the store does not know to be taken. A crash before
# it knows has them sent again, with the same id: at least once is the promise.
settled() { [ "$(sql 'select count(*) from delivery where delivered_ns is null')" = 0 ]; }
crash() { daemon_stop KILL; daemon_start; }

# --- kill -9 at every state: one alert, one id, told once of each state ---
daemon_start
ok "the alert becomes pending" poll 20 eval '[ "$(state)" = pending ]'
born() { sql "select id || ' ' || pending_ns from alert where rule = 'big'"; }
pending=$(born)
crash
ok "killed while pending, it fires as if nothing had been" poll 30 eval '[ "$(state)" = firing ]'
is "with the id and time of before" "$(born)" "$pending"
ok "it is told" poll 30 eval '[ "$(count firing)" = 1 ] && settled'
crash
ok "measuring goes on" more_samples
is "killed while firing, it is not told again" "$(count firing all)" 1
is "and still fires" "$(state)" firing
daemon_stop KILL
kill -9 "$target"
daemon_start
ok "its process ended while the daemon was dead: resolved" poll 30 eval '[ "$(state)" = resolved ]'
ok "and told" poll 30 eval '[ "$(count resolved)" = 1 ] && settled'
crash
echo 1 >"$HT_TMP/status" # a sink that fails, for the next one
start "$HT_TMP/ht-fault" 601
target=$started
ok "another is measured" eval 'poll 20 measured "$target" && more_samples'
is "killed after that, nothing is told again" "$(of_first firing) $(of_first resolved)" "1 1"

# --- a sink that fails: told until it takes it, and visible ---
ok "a sink that fails is shown" poll 40 eval "[ \"\$(metric 'heaptide_sink_up{sink=\"counter\"}')\" = 0 ]"
daemon_stop KILL
daemon_start
echo 0 >"$HT_TMP/status"
ok "what it did not take is sent after a crash, too" poll 30 eval '[ "$(count firing)" = 2 ] && settled'
is "always with the same id" "$(count firing)" 2
failures() { metric 'heaptide_sink_failures_total{sink="counter"}'; }
# shellcheck disable=SC2034 # asked in an eval
before=$(failures)
printf '#!/bin/sh\nsleep 100\n' >"$HT_TMP/count"
kill -9 "$target"
start "$HT_TMP/ht-fault" 602
target=$started
ok "a sink that hangs is ended" poll 30 eval '[ "$(failures)" -gt "${before:-0}" ]'
ok "and holds up nothing" poll 30 measured "$target"

# --- the store ---
python3 - "$db" "$HT_TMP/locked" <<'PY' &
import os, sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
c.execute("begin immediate"); open(sys.argv[2], "w").close()
while os.path.exists(sys.argv[2]): time.sleep(0.1)
c.rollback()
PY
locker=$!
poll 20 test -e "$HT_TMP/locked"
ok "a locked store is told" poll 20 eval '[ "$(metric heaptide_store_up)" = 0 ]'
ok "measuring goes on" more_samples
ok "what is lost is counted" poll 20 eval '[ "$(metric heaptide_store_lost_samples_total)" -gt 0 ]'
rm "$HT_TMP/locked"
wait $locker
ok "recording goes on when the lock is gone" poll 90 eval '[ "$(metric heaptide_store_up)" = 1 ]'
is_sound "the database is sound"
daemon_stop
is_sound "once more after the end"

# A damaged file and one of a newer version: recording stops, the daemon not.
for kind in damaged newer; do
	rm -f "$db"*
	if [ $kind = damaged ]; then
		head -c 8192 /dev/urandom >"$db"
	else
		sqlite3 "$db" 'pragma user_version = 9999; create table t (x)'
	fi
	sum=$(cksum <"$db")
	daemon_start
	ok "with a $kind database it runs and measures" poll 20 measured "$target"
	ok "it says that nothing is recorded ($kind)" poll 20 eval '[ "$(metric heaptide_store_up)" = 0 ]'
	ok "status says why ($kind)" poll 20 eval 'field "$(ask status)" result trouble | grep -qv "^null$"'
	daemon_stop
	is "and leaves the file alone ($kind)" "$(cksum <"$db")" "$sum"
done
stop_started
plan
