# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # started: set by tap.sh
# A heaptided for one test: its files in $HT_TMP, its port free. Source tap.sh
# first. daemon_config writes what is common; append sections to $conf.

conf=$HT_TMP/d.conf
sock=$HT_TMP/d.sock
db=$HT_TMP/d.db
log=$HT_TMP/d.log
port=0

free_port() {
	python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'
}

daemon_config() {
	port=$(free_port)
	cat >"$conf" <<-CONF
		[daemon]
		store = $db
		control = $sock
		watches = $HT_TMP/watches.conf
		metrics = 127.0.0.1:$port
		evaluate = 500ms
		scan = 500ms
		[defaults]
		interval = 500ms
		stop_cap = 1%
		timeout = 1s
	CONF
}

daemon_start() {
	start "$HT_BUILD/heaptided" -c "$conf" 2>>"$log"
	daemon=$started
	poll 10 test -S "$sock"
}

daemon_stop() { # [SIGNAL]
	kill -"${1:-TERM}" "$daemon" 2>/dev/null
	poll 10 not_there "$daemon"
	wait "$daemon" 2>/dev/null
}

not_there() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"; }

# ask COMMAND [KEY VALUE-AS-JSON]...: the daemon's answer, one line of JSON
ask() {
	python3 - "$sock" "$@" <<-'PY'
		import json, socket, sys
		s = socket.socket(socket.AF_UNIX); s.settimeout(30); s.connect(sys.argv[1])
		r = {"heaptide": 1, "command": sys.argv[2]}
		for k, v in zip(sys.argv[3::2], sys.argv[4::2]): r[k] = json.loads(v)
		s.sendall(json.dumps(r).encode() + b"\n")
		f = s.makefile(); print(f.readline().rstrip())
	PY
}

# field JSON-LINE PATH...: one value of it
field() {
	python3 -c 'import json,sys
v=json.loads(sys.argv[1])
for k in sys.argv[2:]:
    v=v[int(k)] if isinstance(v,list) else v[k]
print(json.dumps(v) if not isinstance(v,str) else v)' "$@" 2>/dev/null
}

metrics() { curl -sS --max-time 10 "http://127.0.0.1:$port/metrics"; }
# metric PATTERN: the value of the first line that matches
metric() { metrics | grep -E "^$1" | head -n 1 | sed 's/.* //'; }
measured() { # PID: it has at least one sample
	metrics | grep -q "^heaptide_samples_total{.*pid=\"$1\"} [1-9]"
}
watched() { metrics | grep -q "^heaptide_process_info{.*pid=\"$1\""; }
logged() { grep -q "$@" "$log"; }
