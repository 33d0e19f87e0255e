#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What heaptided tells its service manager, read from a socket of the test's
# own: ready, alive, reloading, stopping, in this order.
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"

told=$HT_TMP/told
python3 - "$HT_TMP/notify" "$told" <<'PY' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
with open(sys.argv[2], "w", buffering=1) as out:
    while True:
        out.write(s.recv(4096).decode() + "\n")
PY
tap_started+=("$!")
ok "a manager listens" poll 10 test -S "$HT_TMP/notify"
tells() { grep -q "^$1" "$told"; }
# heard MARK: until the manager has read all that was sent before the mark
heard() {
	python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(sys.argv[2].encode(), sys.argv[1])' \
		"$HT_TMP/notify" "MARK=$1"
	poll 10 tells "MARK=$1"
}
line() { grep -n -m 1 "^$1" "$told" | cut -d: -f1; }

daemon_config
export NOTIFY_SOCKET=$HT_TMP/notify WATCHDOG_USEC=1000000
daemon_start
ok "it says when it is ready" poll 10 tells READY=1
is "and then answers" "$(field "$(ask status)" ok)" true
ok "it says again and again that it lives" poll 20 eval '[ $(grep -c ^WATCHDOG=1 "$told") -ge 3 ]'
kill -STOP "$daemon"
poll 10 grep -q '^State:.T' "/proc/$daemon/status"
heard stopped
before=$(grep -c ^WATCHDOG=1 "$told")
sleep 1.5 # longer than two of its pings
heard still
is "stopped, it does not" "$(grep -c ^WATCHDOG=1 "$told")" "$before"
kill -CONT "$daemon"
ready_count() { grep -c ^READY=1 "$told"; }
ready=$(ready_count)
kill -HUP "$daemon"
ok "it says that it reloads" poll 10 tells RELOADING=1
ok "with the time" tells MONOTONIC_USEC=[1-9]
ok "and that it is ready again" poll 10 eval "[ \$(ready_count) -gt $ready ]"
echo nonsense >>"$conf"
ready=$(ready_count)
kill -HUP "$daemon"
ok "after a file with an error, too" poll 10 eval "[ \$(ready_count) -gt $ready ]"
daemon_stop
heard end
ok "it says that it stops" tells STOPPING=1
ok "in that order" test "$(line READY)" -lt "$(line RELOADING)" -a "$(line RELOADING)" -lt "$(line STOPPING)"
plan
