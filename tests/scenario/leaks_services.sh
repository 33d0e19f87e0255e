#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 240 s
# Of real services, each with some work done, leaks says what another marking says.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/marked.sh
. "$HT_TOP/tests/lib/marked.sh"
needs root
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh" # free_port
# shellcheck source=tests/lib/services.sh
. "$HT_TOP/tests/lib/services.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
cd "$HT_TMP" || exit 1

at_rest() { # PID: all its threads wait
	! grep -q running /proc/"$1"/task/*/syscall
}

port=$(free_port)
mkdir nginx
cat >nginx.conf <<CONF
pid $PWD/nginx/pid; error_log stderr; daemon off; user root; worker_processes 1;
events {}
http { access_log off; client_body_temp_path nginx; proxy_temp_path nginx;
fastcgi_temp_path nginx; uwsgi_temp_path nginx; scgi_temp_path nginx;
server { listen 127.0.0.1:$port; location / { root $HT_TOP/docs; } } }
CONF
start nginx -p "$PWD/nginx" -c "$PWD/nginx.conf"
poll 10 listens "$port"
for _ in {1..100}; do
	curl -sS -o page "http://127.0.0.1:$port/guide.md"
done
worker=$(pgrep -P "$started" | head -n 1)
ok "nginx is at rest" poll 20 at_rest "$worker"
marked nginx "$worker"
stop_started

port=$(free_port)
start memcached -l 127.0.0.1 -p "$port" -u root -m 64 -t 4
poll 10 listens "$port"
memcached_fill "$port"
ok "memcached is at rest" poll 20 at_rest "$started"
marked memcached "$started"
stop_started

# C++ on malloc: classes, maps, vectors of its own and of the standard library.
port=$(free_port)
cat >server.js <<'JS'
const kept = [];
require("http").createServer((q, r) => { kept.push(Buffer.alloc(9000, 1)); r.end("x"); })
	.listen(+process.argv[2], "127.0.0.1");
JS
start node server.js "$port"
poll 20 listens "$port"
for _ in {1..50}; do
	curl -sS -o page "http://127.0.0.1:$port/"
done
ok "node is at rest" poll 20 at_rest "$started"
marked node "$started"
stop_started
plan
