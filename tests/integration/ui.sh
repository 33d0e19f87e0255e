#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 180 s
# The page, live: what it shows and to whom, and what it does to the daemon when
# clients are many, slow or hostile, and the history is locked, gone or emptied.
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"
heaptide=$HT_BUILD/heaptide
cp "$HT_BUILD/targets/keeper" "$HT_TMP/ht-shown"

daemon_config
daemon_page "name = ht-shown" "exe = $HT_TMP/ht-shown"
check() { "$HT_BUILD/heaptided" -n -c "$1"; }
told() { # WHAT SED-SCRIPT TEXT: --check of a configuration changed so says it
	sed "$2" "$conf" >"$HT_TMP/other.conf"
	check "$HT_TMP/other.conf" >"$HT_TMP/said" 2>&1
	ok "$1" grep -q "$3" "$HT_TMP/said"
}
told "at an address that others reach it is refused" "s/^metrics = .*/metrics = 0.0.0.0:$port/" \
	"ui: others reach 0.0.0.0:$port and would see all targets"
told "unless that is what was meant" "s/^metrics = .*/metrics = 0.0.0.0:$port/; s/^ui = on/ui = anywhere/" "configuration OK"
told "without a listener there is none" "s/^metrics = .*/metrics = none/" "ui: the page is served where /metrics is"
told "it is off, on or anywhere" "s/^ui = on/ui = yes/" "'yes' is none of: off, on, anywhere"

start "$HT_TMP/ht-shown" small >"$HT_TMP/out"
target=$started
ready 20 grep -q ready "$HT_TMP/out"
daemon_start
url=http://127.0.0.1:$port
get() { curl -sS --max-time 40 "$@"; }
status() { get -o /dev/null -w '%{http_code}' "$@"; }
id() { sql "select id from process where pid = $target"; }
ok "it is measured" poll 20 measured "$target"
ok "and recorded" poll 20 eval '[ -n "$(id)" ]'
id=$(id)

get -i "$url/" >"$HT_TMP/list"
ok "the list is a page" grep -q '<title>heaptide: targets</title>' "$HT_TMP/list"
for header in "Content-Security-Policy: default-src 'none'; script-src 'sha256-[^']*'; style-src 'sha256-[^']*'; connect-src 'self';.*frame-ancestors 'none'" \
	'X-Content-Type-Options: nosniff' 'X-Frame-Options: DENY' 'Referrer-Policy: no-referrer' \
	'Cache-Control: no-store' 'Cross-Origin-Resource-Policy: same-origin'; do
	ok "with ${header%%:*}" grep -q "^$header" "$HT_TMP/list"
done
is "without a cookie, and nothing unsafe" "$(grep -ciE '^set-cookie|unsafe-' "$HT_TMP/list")" 0
is "a target's page names it" "$(get "$url/p/$id" | grep -o '<title>[^<]*')" "<title>shown, pid $target: heaptide"

get "$url/index.json" >"$HT_TMP/index"
get "$url/p/$id.json" >"$HT_TMP/page"
ok "both documents are what their schemas say" \
	python3 "$HT_TOP/tests/lib/schema.py" "$HT_TOP/docs/schema" "$HT_TMP/index" "$HT_TMP/page"
"$heaptide" ls --db "$db" --json >"$HT_TMP/ls"
figures() { jq -S "$1[] | select(.pid == $target) | {target, pid, comm, in_use, retained}" "$2"; }
is "the list has the figures of ls" "$(figures .targets "$HT_TMP/index")" "$(figures .processes "$HT_TMP/ls")"
is "and the way to its page" "$(jq -r ".targets[] | select(.pid == $target).page" "$HT_TMP/index")" "p/$id"
newest() { get "$url/p/$id.json" | jq -r '.times_s[-1]'; }
# shellcheck disable=SC2034 # used below
before=$(newest)
ok "whoever follows it gets what was measured since" poll 20 eval '[ "$(newest)" != "$before" ]'
alerts() { get "$url/index.json" | jq -c '[.alerts[] | select(.rule == "always") | [.rule, .target, .state]]'; }
ok "an alert appears" poll 20 eval '[ "$(alerts)" = "[[\"always\",\"shown\",\"firing\"]]" ]'
ok "its level is kept beside its value, as a sink is told both" \
	test "$("$heaptide" alerts --db "$db" --json | jq -c '.alerts[] | select(.rule == "always") | .level == 1 and .value > 1' | sort -u)" = true
silences() { get "$url/index.json" | jq -c '[.silences[] | [.rule, .target, .comment]]'; }
is "no silence runs" "$(silences)" "[]"
"$heaptide" silence always shown 1h 'known <b>' --socket "$sock" >/dev/null
ok "one appears" poll 20 eval '[ "$(silences)" = "[[\"always\",\"shown\",\"known <b>\"]]" ]'

# Who may look.
is "a foreign name for this machine is refused" "$(status -H 'Host: evil.example' "$url/index.json")" 403
is "so is none" "$(status -0 -H 'Host:' "$url/index.json")" 403
for host in localhost "localhost:$port" 127.0.0.1 '[::1]:1' 127.9.9.9:80; do
	is "$host is this machine's own" "$(status -H "Host: $host" "$url/")" 200
done
is "who came by a foreign name is told nothing" "$(get -H 'Host: evil.example' "$url/p/$id.json" | grep -c ht-shown)" 0
for method in POST PUT DELETE OPTIONS; do
	is "$method is refused" "$(status -X $method "$url/")" 405
done
is "HEAD has no body" "$(get -I "$url/p/$id" | tail -n 1 | tr -d '\r\n')" ""
for path in /p/ /p/0 /p/01 /p/-1 /p/x "/p/$id.jsonx" "/p/$id/" "/p/$id/../$id.json" /p/%2e%2e/index.json /..%2f..%2fetc/passwd \
	//etc/passwd /index.json/ /p/99999999999999999999.json '/p/%ff%fe' '/p/1;.json' /index.html; do
	is "$path is nothing" "$(status --path-as-is "$url$path")" 404
done
is "a process that was never recorded has no document" "$(status "$url/p/424242.json")" 404

# Ten that ask as fast as they can, for all there is, while it is measured.
clients=()
hammer() {
	local n
	for ((n = 0; n < 10; n++)); do
		timeout 100 bash -c 'while [ ! -e "$1" ]; do
			curl -s --max-time 40 -o /dev/null "$2/p/$3.json" "$2/" "$2/index.json" "$2/p/$((RANDOM % 40 + 2)).json"
		done' hammer "$HT_TMP/enough" "$url" "$id" >/dev/null &
		clients+=($!)
	done
}
count() { # samples within 3 s
	local from
	from=$(samples)
	sleep 3
	echo $(($(samples) - from))
}
quiet=$(count)
hammer
busy=$(count)
touch "$HT_TMP/enough"
wait "${clients[@]}"
note "samples in 3 s: $quiet, with ten clients $busy"
ok "with ten clients as many samples are taken" test $((busy * 4)) -ge $((quiet * 3))
is "and no gap is recorded" "$(sql "select count(*) from event where kind = 'gap'")" 0

python3 - "$port" <<'PY'
import os, socket, sys, time
port, held = int(sys.argv[1]), []
def client(data):
    s = socket.socket(); s.settimeout(2)
    try: s.connect(("127.0.0.1", port)); s.sendall(data)
    except OSError: pass
    return s
for i in range(100): # they never read, never end
    held.append(client(b"GET /p/%d.json HTTP/1.1\r\nHost: localhost\r\n\r\n" % (i + 1)))
for i in range(30):
    held.append(client(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "))
for i in range(30):
    client(b"GET /" + b"p/" * 9000 + b" HTTP/1.1\r\n\r\n").close()
    client(b"GET /p/1.json HTTP/1.1\r\nHost: " + b"a" * 20000 + b"\r\n\r\n").close()
    client(b"GET /p/1.json HTTP/1.1\r\nHost: localhost\r\n\r\n").close() # gone before the answer
    client(os.urandom(3000)).close()
time.sleep(1)
PY
ok "slow and hostile clients keep nobody from /metrics" poll 20 metrics
ok "nor from the page" poll 30 eval '[ "$(status "$url/p/$id.json")" = 200 ]'
ok "nor do they stop the measuring" more_samples

# The worst moments of a history.
{ printf '%s\n' '.timeout 20000' 'BEGIN IMMEDIATE;' '.print held'; poll 30 test -e "$HT_TMP/free"; } | sqlite3 -bail "$db" >"$HT_TMP/locked" 2>&1 &
locker=$!
ok "another writer holds the history" poll 30 grep -q held "$HT_TMP/locked"
ok "the page is served all the same" poll 20 eval '[ "$(status "$url/p/$id.json")" = 200 ]'
ok "and nothing can be written" poll 20 grep -q "recording stops until it works again" "$log"
# shellcheck disable=SC2154 # daemon_start sets it
agent=$(pgrep -P "$daemon" heaptide-agent | head -n 1)
looking() { [ "$("$heaptide" status --socket "$sock" --json | jq .agents.measuring)" = 1 ]; }
kill -STOP "$agent"
ok "a look is under way" poll 10 looking
kill "$target"
ok "the end of a target is seen" poll 10 grep -q "pid $target ended" "$log"
kill -CONT "$agent" 2>/dev/null
touch "$HT_TMP/free"
wait $locker
ended() { get "$url/p/$id.json" | jq -e '.ended_at != null'; }
ok "a target that ended while it was followed is told as ended" poll 60 ended
is "its page is there" "$(status "$url/p/$id")" 200
rm -f "$db" "$db-wal" "$db-shm"
lost() { case $(status "$url/p/$id.json") in 404 | 503) ;; *) return 1 ;; esac; }
ok "a history that is gone is told, not made up" poll 20 lost
ok "and /metrics goes on" metrics

sed -i 's/^ui = on/ui = off/' "$conf"
kill -HUP "$daemon"
ok "a reload switches it off" poll 10 eval '[ "$(status "$url/index.json")" = 404 ]'
is "and the list is no page" "$(get "$url/" | grep -c script)" 0
sed -i 's/^ui = off/ui = on/' "$conf"
kill -HUP "$daemon"
ok "another switches it on" poll 10 eval '[ "$(status "$url/")" = 200 ] && get "$url/" | grep -q "<script"'
daemon_stop

# Without a history: what is in memory, and why there is no more.
without() { jq -e '.no_history | strings | length > 10' "$1" >/dev/null; }
memory() { # FILE: the list, which shows the target measured twice at least
	get "$url/index.json" >"$1" && jq -e ".targets[] | select(.pid == $target and .in_use > 0) |
		(.times_s | length) >= 2 and .verdict.samples >= 2" "$1" >/dev/null
}
start "$HT_TMP/ht-shown" small >"$HT_TMP/out"
target=$started
ready 20 grep -q ready "$HT_TMP/out"
head -c 65536 /dev/urandom >"$HT_TMP/no.db"
sed "s|^store = .*|store = $HT_TMP/no.db|" "$conf" >"$HT_TMP/kept.conf"
cp "$HT_TMP/kept.conf" "$conf"
daemon_start
ok "without a store the list has the figures in memory" poll 30 memory "$HT_TMP/index"
ok "and says that there is no history, and why" without "$HT_TMP/index"
page=$(jq -r ".targets[] | select(.pid == $target).page" "$HT_TMP/index")
is "its page is one by the daemon's own number" "${page%/*}" now
is "which is a page" "$(get "$url/$page" | grep -o '<title>[^<]*')" "<title>shown, pid $target: heaptide"
get "$url/$page.json" >"$HT_TMP/page"
ok "whose document says so, too" without "$HT_TMP/page"
ok "both documents without a store are what their schemas say" \
	python3 "$HT_TOP/tests/lib/schema.py" "$HT_TOP/docs/schema" "$HT_TMP/index" "$HT_TMP/page"
ok "the causes of its RSS add up to it" \
	jq -e '([.rss_by_cause[].values[-1]] | add) as $sum | .metrics[] | select(.name == "rss").values[-1] | . > 0 and . == $sum' "$HT_TMP/page"
ok "its series goes on" poll 20 eval '[ "$(get "$url/$page.json" | jq ".times_s | length")" -gt "$(jq ".times_s | length" "$HT_TMP/page")" ]'
is "a number that nobody has is nothing" "$(status "$url/now/99.json")" 404
cp "$HT_TMP/no.db" "$HT_TMP/was.db"
rm "$HT_TMP/no.db"
history() { get "$url/$page.json" | jq -e '.no_history == null' >/dev/null; }
ok "once there is a store again its page is of the history" poll 60 history
ok "and its alert fires" poll 30 eval '[ "$(alerts)" = "[[\"always\",\"shown\",\"firing\"]]" ]'
# Another file, and no database: beside the journal of the one before SQLite would read
# that one's pages from there, as long as all of them are in it.
mv "$HT_TMP/was.db" "$HT_TMP/no.db"
rm -f "$HT_TMP"/no.db-{wal,shm}
known() { get "$url/index.json" >"$HT_TMP/index" && without "$HT_TMP/index" && memory "$HT_TMP/index"; }
ok "a history that is replaced by something else: the list goes on from memory" poll 30 known
page=$(jq -r ".targets[] | select(.pid == $target).page" "$HT_TMP/index")
is "with its alert" "$(jq -c '[.alerts[].rule]' "$HT_TMP/index")" '["always"]'
ok "and so does its page" poll 20 eval 'get "$url/$page.json" >"$HT_TMP/page" && without "$HT_TMP/page"'
is "with its alert, too" "$(jq -c '[.alerts[].rule]' "$HT_TMP/page")" '["always"]'
daemon_stop

# At a Unix socket it is the group's, as the history is.
sed -i "s|^metrics = .*|metrics = unix:$HT_TMP/page.sock|" "$conf"
daemon_start
is "a Unix socket with the page is for its owner and group" "$(stat -c %a "$HT_TMP/page.sock")" 660
is "a proxy before it may use any name" \
	"$(status --unix-socket "$HT_TMP/page.sock" -H 'Host: heap.example' http://heap.example/)" 200
daemon_stop
plan
