#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# The journal sink against a real systemd-journald, in a mount namespace of its
# own: an alert's fields are read back by journalctl, and what is told while
# journald is dead arrives when it is back.
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
needs namespaces
if [ -z "${HT_IN_NAMESPACE:-}" ]; then
	user=()
	[ "$(id -u)" -eq 0 ] || user=(--map-root-user)
	HT_IN_NAMESPACE=1 exec unshare "${user[@]}" --mount --propagation private "$0" "$@"
fi
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"

ok "a /run of our own" mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal
echo 0123456789abcdef0123456789abcdef >/run/machine-id
ok "a machine id of our own" mount --bind /run/machine-id /etc/machine-id

journald_start() {
	start /lib/systemd/systemd-journald >>"$HT_TMP/journald.log" 2>&1
	journald=$started
}
# takes MARK: journald takes and shows an entry with it
takes() { echo "MESSAGE=$1" | logger --journald && journalctl -q -o cat "MESSAGE=$1" | grep -q .; }
# told STATE FIELD: that field of the newest alert in this state
told() {
	journalctl -q -o json HEAPTIDE_RULE=big HEAPTIDE_STATE="$1" | tail -n 1 | jq -r ".$2"
}
has() { [ "$(told "$1" HEAPTIDE_PID)" = "$2" ]; }
state_of() { sql "select id from alert where rule = 'big' and state = '$1'"; }

daemon_config
watch_sleepers ht-journal
cat >>"$conf" <<CONF
[rule big]
condition = rss > 1
minimum = 0
severity = critical
summary = it is big
[sink journal]
type = journal
retry_max = 1s
CONF
journald_start
ok "journald runs" poll 30 takes one
[ $tap_failed -eq 0 ] || { note "$(cat "$HT_TMP/journald.log")"; plan; }
start "$HT_TMP/ht-journal" 600
target=$started
daemon_start

ok "an alert that fires is in the journal" poll 30 has firing "$target"
is "its message" "$(told firing MESSAGE)" "alert firing: sleepers: it is big"
is "its priority" "$(told firing PRIORITY)" 2
is "its sender's name" "$(told firing SYSLOG_IDENTIFIER)" heaptided
is "its target" "$(told firing HEAPTIDE_TARGET)" sleepers
is "its severity" "$(told firing HEAPTIDE_SEVERITY)" critical
is "its id" "$(told firing HEAPTIDE_ALERT)" "$(state_of firing)"
ok "its evidence" grep -q '^rss > 1: ' <(told firing HEAPTIDE_EVIDENCE)
is "the process that told it" "$(told firing _PID)" "$daemon"

kill -KILL "$journald"
wait "$journald" 2>/dev/null
kill -9 "$target"
ok "with journald dead the sink is shown as failing" poll 30 eval '[ "$(metric "heaptide_sink_up{sink=\"journal\"}")" = 0 ]'
journald_start
ok "journald runs again" poll 30 takes two
ok "what it missed is told then" poll 30 has resolved "$target"
is "with the alert's id" "$(told resolved HEAPTIDE_ALERT)" "$(state_of resolved)"
is "and a notice's priority" "$(told resolved PRIORITY)" 5
ok "the sink works again" poll 10 eval '[ "$(metric "heaptide_sink_up{sink=\"journal\"}")" = 1 ]'
is "each was told once" "$(journalctl -q -o cat HEAPTIDE_RULE=big | wc -l)" 2

kill -KILL "$journald"
wait "$journald" 2>/dev/null
rm -f /run/systemd/journal/socket
start "$HT_TMP/ht-journal" 601
ok "where no journal is, the log has it" poll 30 logged "alert firing: sleepers: it is big rule=big id="
plan
