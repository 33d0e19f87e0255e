#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 180 s
# Real Debian programs on glibc's malloc: the sums close, the process figures
# are the kernel's on a stopped process, and trimmable is what malloc_trim(0)
# gives back where the program can be told to call it.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

needs root
heaptide=$HT_BUILD/heaptide
python=/usr/bin/python3
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh" # free_port
# shellcheck source=tests/lib/services.sh
. "$HT_TOP/tests/lib/services.sh"

explain() { "$heaptide" explain "$1" --json; }
field() { jq -r "$1" "$json"; }

# smaps PID KEY: bytes, summed over every mapping.
smaps() { awk -v k="$2:" '$1 == k { s += $2 } END { printf "%d", s * 1024 }' "/proc/$1/smaps"; }

stopped() { grep -q '^State:.*T (stopped)' "/proc/$1/status"; }

# sums NAME: the two sums of every snapshot.
sums() {
	same "$1: the causes add up to RSS" \
		"$(field '[.rss_breakdown[].bytes] | add')" "$(field .process.rss)"
	same "$1: in use, free and overhead add up to the system bytes" \
		"$(field '.totals | .in_use + .free + .overhead')" "$(field .totals.system)"
	same "$1: every arena adds up" "$(field '[.arenas[]
		| select(.system == .in_use + .free + .overhead)] | length')" \
		"$(field .totals.arenas)"
}

# measure NAME PID: everything that must hold for any process.
measure() {
	local name=$1 pid=$2
	json=$HT_TMP/$name.json
	kill -STOP "$pid"
	poll 5 stopped "$pid"
	explain "$pid" >"$json" 2>"$HT_TMP/$name.err"
	is "$name is explained" $? 0
	[ ! -s "$HT_TMP/$name.err" ] || note "$(cat "$HT_TMP/$name.err")"
	ok "$name is left stopped, as its owner stopped it" stopped "$pid"
	is "$name: allocator" "$(field .libc.allocator)" glibc
	same "$name: RSS is smaps' Rss" "$(field .process.rss)" "$(smaps "$pid" Rss)"
	# Who else maps the same library pages changes by the moment, heaptide itself
	# first: clean pages of files may be counted or not, nothing else may differ.
	local clean
	clean=$(($(smaps "$pid" Shared_Clean) + $(smaps "$pid" Private_Clean)))
	local pss=$(($(rollup "$pid" Pss) - $(rollup "$pid" Pss_File)))
	between "$name: PSS is smaps_rollup's, but for shared file pages" \
		"$(field .process.pss)" "$pss" $((pss + clean))
	local dirty
	dirty=$(smaps "$pid" Private_Dirty)
	between "$name: USS is smaps' private pages, but for shared file pages" \
		"$(field .process.uss)" "$dirty" $((dirty + clean))
	same "$name: writable-private is pmap -d's (K)" \
		"$(field '.process.writable_private / 1024')" \
		"$(pmap -d "$pid" | sed -n 's/.*writeable\/private: *\([0-9]*\)K.*/\1/p')"
	sums "$name"
	ok "$name: chunks are in use" test "$(field .totals.in_use_chunks)" -gt 10
	kill -CONT "$pid"
	ok "$name runs on" poll 5 runs_on "$pid"
}

# pss is summed in fractions of a byte over all mappings: rollup, not smaps.
rollup() { awk -v k="$2:" '$1 == k { printf "%d", $2 * 1024 }' "/proc/$1/smaps_rollup"; }
runs_on() { grep -qE '^State:.*[RSD] \(' "/proc/$1/status"; }

# python3 with glibc's malloc for everything; calls malloc_trim(0) on SIGUSR1.
cat >"$HT_TMP/holder.py" <<'PY'
import ctypes, os, signal, sys
libc = ctypes.CDLL(None)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
kept = [os.urandom(20 + i % 3000) for i in range(60000)]
kept = [block for i, block in enumerate(kept) if i % 64 < 16]
libc.malloc_trim  # resolved now, not between the measurements
with open(sys.argv[1], "w") as ready:
    ready.write("ready")
while True:
    signal.sigwait([signal.SIGUSR1])
    libc.malloc_trim(0)
    os.mkdir(sys.argv[1] + ".trimmed")
PY
start env PYTHONMALLOC=malloc "$python" "$HT_TMP/holder.py" "$HT_TMP/ready"
poll 20 test -s "$HT_TMP/ready"
measure python3 "$started"
trimmable=$(field .totals.trimmable)
before=$(rollup "$started" Anonymous)
kill -USR1 "$started"
ok "python3 calls malloc_trim(0)" poll 20 test -d "$HT_TMP/ready.trimmed"
near "python3: trimmable is what malloc_trim(0) gives back" "$trimmable" \
	$((before - $(rollup "$started" Anonymous))) 16384
ok "python3: there was something to trim" test "$trimmable" -gt 1000000

port=$(free_port)
mkdir -p "$HT_TMP/nginx"
cat >"$HT_TMP/nginx.conf" <<CONF
pid $HT_TMP/nginx/pid; error_log stderr; daemon off; user root; worker_processes 1;
events {}
http { access_log off; client_body_temp_path $HT_TMP/nginx; proxy_temp_path $HT_TMP/nginx;
fastcgi_temp_path $HT_TMP/nginx; uwsgi_temp_path $HT_TMP/nginx; scgi_temp_path $HT_TMP/nginx;
server { listen 127.0.0.1:$port; location / { root $HT_TOP/docs; } } }
CONF
start nginx -p "$HT_TMP/nginx" -c "$HT_TMP/nginx.conf"
poll 10 listens "$port"
for _ in {1..200}; do # answered to the end: then it is at rest
	curl -sS -o "$HT_TMP/page" "http://127.0.0.1:$port/guide.md"
done
measure nginx "$(pgrep -P "$started" | head -n 1)"

port=$(free_port)
start memcached -l 127.0.0.1 -p "$port" -u root -m 64 -t 4
poll 10 listens "$port"
memcached_fill "$port"
measure memcached "$started"

mkfifo "$HT_TMP/sql"
exec 7<>"$HT_TMP/sql" # read-write: an open for one side alone would wait
start bash -c "exec sqlite3 :memory: <$HT_TMP/sql"
cat >&7 <<SQL
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
  INSERT INTO t SELECT i, hex(randomblob(50)) FROM n;
DELETE FROM t WHERE a % 3 = 0;
.shell touch $HT_TMP/sql.done
SQL
poll 20 test -e "$HT_TMP/sql.done"
measure sqlite3 "$started"
exec 7>&-

# shellcheck disable=SC2016 # perl's variables
start perl -e 'my %h = map { $_ => "x" x ($_ % 900) } 1 .. 100000;
	delete $h{$_ * 2} for 1 .. 50000; open my $f, ">", shift; close $f; sleep 600' \
	"$HT_TMP/perl.done"
poll 20 test -e "$HT_TMP/perl.done"
measure perl "$started"
plan
