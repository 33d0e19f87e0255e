# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
# Real services on free ports of 127.0.0.1, started for what is tried on them:
# NAME_start starts one and waits until it answers; it sets NAME_port. Source tap.sh
# and daemon.sh first; stop_started ends them. services_end: and their files.
# wrapped: what each is started by (memcached, web, postgres), e.g. env LD_PRELOAD=...
wrapped=()
postgres_bin=$(find /usr/lib/postgresql -maxdepth 3 -name bin 2>/dev/null | sort -V | tail -n 1)
sql=(-h 127.0.0.1 -U postgres)
pg=

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
as_postgres=(setpriv --reuid postgres --regid postgres --clear-groups)

postgres_start() {
	postgres_port=$(free_port)
	pg=$(mktemp -d /var/tmp/heaptide-day.XXXXXX) # within reach of its user
	sql+=(-p "$postgres_port")
	chown postgres "$pg"
	(cd / && "${as_postgres[@]}" "$postgres_bin/initdb" -D "$pg" -A trust --no-sync) >"$HT_TMP/initdb.log"
	start "${as_postgres[@]}" "${wrapped[@]}" "$postgres_bin/postgres" -D "$pg" -p "$postgres_port" -k "$pg" \
		-c cluster_name=heaptide-day-$$ -c work_mem=16MB -c fsync=off -c listen_addresses=127.0.0.1 \
		>"$HT_TMP/postgres.log" 2>&1
	poll 30 "$postgres_bin/pg_isready" "${sql[@]}"
	"$postgres_bin/pgbench" "${sql[@]}" -i -s 5 -q postgres 2>"$HT_TMP/pgbench.log"
}

memcached_start() {
	memcached_port=$(free_port)
	start "${wrapped[@]}" memcached -l 127.0.0.1 -p "$memcached_port" -u root -m 64 -t 4 -I 2m
	memcached=$started
	poll 10 listens "$memcached_port"
}

# Four thousand keys, read to the end: then it is at rest.
memcached_fill() { # PORT
	local i
	exec 6<>"/dev/tcp/127.0.0.1/$1"
	{
		for i in {1..4000}; do
			printf 'set key%d 0 0 100 noreply\r\n%0100d\r\n' "$i" "$i"
		done
		printf 'quit\r\n'
	} >&6
	cat <&6 # until it has read all of it, and hangs up
	exec 6>&-
}

web_start() { # SECONDS: that are an hour of its sessions
	web_port=$(free_port)
	start "${wrapped[@]}" /usr/bin/python3 "$HT_TOP/tests/experiments/day/web.py" "$web_port" "$1"
	web=$started
	poll 20 listens "$web_port"
}

# After web, which it stands before.
nginx_start() {
	nginx_port=$(free_port)
	mkdir -p "$HT_TMP/nginx"
	cat >"$HT_TMP/nginx.conf" <<-CONF
		pid $HT_TMP/nginx/pid; error_log $HT_TMP/nginx.log; daemon off; user root; worker_processes 1;
		events {}
		http { access_log off; client_body_temp_path $HT_TMP/nginx; proxy_temp_path $HT_TMP/nginx;
		fastcgi_temp_path $HT_TMP/nginx; uwsgi_temp_path $HT_TMP/nginx; scgi_temp_path $HT_TMP/nginx;
		proxy_buffers 64 16k; gzip on; gzip_types *; gzip_proxied any;
		server { listen 127.0.0.1:$nginx_port; location = /text { return 200 "0123456789abcdef"; }
		location / { proxy_pass http://127.0.0.1:$web_port; } } }
	CONF
	start nginx -p "$HT_TMP/nginx" -c "$HT_TMP/nginx.conf"
	poll 10 listens "$nginx_port"
	nginx=$(pgrep -P "$started" | head -n 1)
}

services_end() {
	stop_started || true
	[ -z "$pg" ] || rm -rf "$pg"
}
