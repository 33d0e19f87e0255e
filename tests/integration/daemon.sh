#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# heaptided with real agents and real processes: finding, measuring, recording,
# reload, control, metrics, and what hostile clients can do. Where root runs this,
# it is as installed (a user of its own, an agent with two capabilities); root
# alone starts it, stops an agent, and looks at what is of other users.
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"
# shellcheck source=tests/lib/installed.sh
. "$HT_TOP/tests/lib/installed.sh"
daemon_as_installed

cat >"$HT_TMP/bad.conf" <<EOT
[daemon]
colour = red
EOT
daemon_config
sed -i 's/^timeout = .*/timeout = 10s/' "$conf" # an agent will hang
watch_sleepers ht-sleeper

ok "a good configuration is said to be so" \
	grep -q "configuration OK: 1 target," <("$HT_BUILD/heaptided" --check -c "$conf")
out=$("$HT_BUILD/heaptided" --check -c "$HT_TMP/bad.conf" 2>&1)
is "a bad one exits with the status of a configuration error" $? 17
ok "and is told by file and line" grep -q "bad.conf:2: .*colour" <<<"$out"
refuse "a bad one is not run with" "$HT_BUILD/heaptided" -c "$HT_TMP/bad.conf"
"$HT_BUILD/heaptided" -k | awk '{print $2}' | sort -u >"$HT_TMP/keys"
missing=
while read -r key; do
	grep -q "^\.It Ic $key\b" "$HT_TOP/docs/man/heaptided.conf.5" || missing="$missing $key"
done <"$HT_TMP/keys"
is "every key is in the manual page" "$missing" ""
ok "the shipped configuration is right" "$HT_BUILD/heaptided" --check -c "$HT_TOP/packaging/heaptided.conf"

daemon_start
[ "$(id -u)" != 0 ] || is "it has the installed user and no capability" \
	"$(sed -n 's/^\(Uid\|CapPrm\|CapEff\):\t\([0-9a-f]*\).*/\2/p' "/proc/$daemon/status" | paste -sd' ')" \
	"$heaptide_id 0000000000000000 0000000000000000"
is "it starts without a process to watch" "$(field "$(ask status)" result processes)" 0
begun=$(date +%s%N)
start "$HT_TMP/ht-sleeper" 300
one=$started
ok "a process is found" poll 10 watched "$one"
took_ms=$((($(date +%s%N) - begun) / 1000000))
note "found after $took_ms ms"
ok "it is measured" poll 20 measured "$one"
ok "its figures are in /metrics" test "$(metric "heaptide_rss_bytes.*pid=\"$one\"")" -gt 0
is "a probe is told that it is healthy" "$(curl -s -w ' %{http_code}' "http://127.0.0.1:$port/-/healthy" | paste -sd' ')" "healthy  200"
metrics >"$HT_TMP/scrape"
is "causes add up to the resident set" \
	"$(grep "^heaptide_resident_bytes.*pid=\"$one\"" "$HT_TMP/scrape" | awk '{s += $2} END {print s}')" \
	"$(grep "^heaptide_rss_bytes.*pid=\"$one\"" "$HT_TMP/scrape" | sed 's/.* //')"
ok "OpenMetrics is spoken to those who ask" grep -q '^# EOF' \
	<(curl -s -H 'Accept: application/openmetrics-text; version=1.0.0' "http://127.0.0.1:$port/metrics")

answer=$(ask sample target '"sleepers"')
is "a sample that is asked for is taken and stored" "$(field "$answer" ok)" true
id=$(field "$answer" result process_id)
between "it is in the database when the answer comes" \
	"$(sql "select count(*) from sample where process_id = ${id:-0}")" 1 100000
is "ls shows the process" "$(field "$(ask ls)" result targets 0 pid)" "$one"
is "a target that is not there is said so" "$(field "$(ask sample target '"nope"')" error code)" nodata

start "$HT_TMP/ht-sleeper" 301
two=$started
ok "watch: a second target by pid" \
	test "$(field "$(ask watch target '"other"' name '"no-such-comm"')" ok)" = true
is "a name that is taken is refused" \
	"$(field "$(ask watch target '"sleepers"' pid "$two")" error code)" refused
is "a wrong selector is explained" \
	"$(field "$(ask watch target '"x"' cmdline '"("')" error code)" config
is "a target of the file cannot be unwatched" \
	"$(field "$(ask unwatch target '"sleepers"')" error code)" refused
is "what was watched can be unwatched" "$(field "$(ask unwatch target '"other"')" ok)" true

# A watch of a process is of that life, after a restart, too.
cp /bin/sleep "$HT_TMP/ht-watched"
start "$HT_TMP/ht-watched" 302
three=$started
is "a process is watched by its pid" "$(field "$(ask watch target '"life"' pid "$three")" ok)" true
ok "it is measured" poll 20 measured "$three"
is "what is kept of it has its life" "$(sed -n 's/^start_ticks = //p' "$HT_TMP/watches.conf")" \
	"$(awk '{print $22}' "/proc/$three/stat")"
daemon_stop
daemon_start
ok "after a restart it is watched again" poll 20 measured "$three"
refuse "and what was kept was understood" grep watches "$log"
is "it can be unwatched" "$(field "$(ask unwatch target '"life"')" ok)" true

kill -9 "$one"
ok "its end is noticed" poll 5 eval "! watched $one"
ok "and recorded" poll 5 eval "[ \$(sql \"select count(*) from event where kind = 'ended'\") -ge 1 ]"

ok "the second process is measured" poll 20 measured "$two"
printf '[rule mine]\ncondition = rss > 1\n' >>"$conf"
kill -HUP "$daemon"
ok "SIGHUP reads the configuration again" poll 5 logged "read again: 1 targets"
ok "and measuring goes on" more_samples "$two"
echo "colour = red" >>"$conf"
kill -HUP "$daemon"
ok "a bad configuration is told" poll 5 logged "old configuration stays"
ok "and shown" poll 5 eval "[ \$(metric heaptide_config_reload_successful) = 0 ]"
sed -i '$d' "$conf"

# More of a target than max_processes: told once, not left out in silence.
cp "$conf" "$conf.few"
cp /bin/sleep "$HT_TMP/ht-few"
printf '[target few]\nname = ht-few\nexe = %s\nmax_processes = 1\n' "$HT_TMP/ht-few" >>"$conf"
start "$HT_TMP/ht-few" 600
few=$started
start "$HT_TMP/ht-few" 600
kill -HUP "$daemon"
ok "one too many of a target is told" poll 20 logged "max_processes is 1 target=few"
ok "and counted" poll 5 eval '[ "$(metric heaptide_processes_over_max_total)" -gt 0 ]'
kill "$few" "$started"
ok "both end" poll 10 eval '! watched "$few" && ! watched "$started"'
is "it is told once" "$(grep -c 'max_processes is 1 target=few' "$log")" 1
cp "$conf.few" "$conf"
kill -HUP "$daemon"
ok "that target is gone again" poll 5 eval '[ "$(grep -c "read again: 1 targets" "$log")" -ge 2 ]'

# An agent that hangs is killed at its deadline; the process runs on.
ok "one agent is left, that of the second process" \
	poll 20 eval '[ "$(pgrep -c -P "$daemon" -x heaptide-agent)" = 1 ]'
agent=$(pgrep -P "$daemon" -x heaptide-agent)
kill -STOP "$agent"
ok "an agent that hangs is killed at its deadline" \
	poll 20 eval "[ \$(metric heaptide_agents_killed_total) -ge 1 ]"
ok "and reaped" poll 5 eval "! test -e /proc/$agent"
ok "another takes its place" more_samples "$two"
is "the reason is counted" "$(metric "heaptide_sample_failures_total.*pid=\"$two\",reason=\"timeout\"")" 1
ok "and the process runs on" kill -0 "$two"

# Hostile clients.
python3 - "$port" "$sock" <<'PY'
import os, socket, sys, time
port, path = int(sys.argv[1]), sys.argv[2]
held = []
for i in range(300):
    s = socket.socket(); s.setblocking(False)
    try: s.connect(("127.0.0.1", port))
    except BlockingIOError: pass
    held.append(s)
for s in held:
    try: s.send(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
    except OSError: pass
for i in range(50):
    s = socket.socket(); s.settimeout(2)
    try: s.connect(("127.0.0.1", port)); s.sendall(os.urandom(4096))
    except OSError: pass
    s.close()
for i in range(40):
    s = socket.socket(socket.AF_UNIX); s.settimeout(2)
    try:
        s.connect(path); s.sendall(os.urandom(2000) + b"\n" + b"{" * 70000)
    except OSError: pass
    held.append(s)
time.sleep(1)
PY
ok "slow and garbage clients do not keep others from /metrics" poll 15 metrics
ok "nor from the control socket" poll 15 eval "[ \"\$(field \"\$(ask status)\" ok)\" = true ]"
ok "nor do they stop the measuring" more_samples "$two"

refuse "the daemon's binary does not import ptrace or read foreign memory" \
	sh -c 'nm -D "$1" | grep -E " (ptrace|process_vm_readv)(@|$)"' sh "$HT_BUILD/heaptided"
chmod 711 "$HT_TMP"
refuse "a stranger may not use the control socket" \
	setpriv --reuid=65534 --regid=65534 --clear-groups python3 -c "
import socket,sys
s=socket.socket(socket.AF_UNIX); s.connect('$sock'); s.sendall(b'{\"heaptide\":1,\"command\":\"status\"}\n')
sys.exit(0 if s.recv(10) else 1)"

ending() { grep -c "ending: signal 15" "$log"; }
before=$(ending)
daemon_stop
is "it ends at once when told to" "$(ending)" $((before + 1))

is_sound "the database is sound"
is "a verdict is recorded as the CLI tells it" \
	"$(sql "select json from verdict order by at_ns desc limit 1" | jq -c keys_unsorted)" \
	"$("$HT_BUILD/heaptide" verdict "$two" --db "$db" --json | jq -c keys_unsorted)"
refuse "the control socket is gone" test -e "$sock"
stop_started
plan
