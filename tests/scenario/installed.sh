#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 240 s
# Alone: timings of alerts
# The installed daemon (a user of its own, an agent with two capabilities, the
# unit's bounding set) and ten services of five other users, at rest: all that it
# records and publishes is what root sees of each, to the byte; and the rules for
# what malloc keeps fire for them, through Prometheus and Alertmanager too.
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
needs root
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"
# shellcheck source=tests/lib/installed.sh
. "$HT_TOP/tests/lib/installed.sh"

make -s "BUILD=$HT_BUILD" "$HT_BUILD/targets/"{retaining,waiting} || exit 1
installed
cp "$HT_BUILD/targets/"{retaining,waiting} "$HT_TMP"
daemon_config
sed -i 's/^stop_cap = .*/&\nlook = full/' "$conf" # no cheaper look, as root's is none
am_port=$(free_port)
prom_port=$(free_port)

# service NAME PROGRAM...: of the next of five users
services=()
declare -A pid_of
service() {
	as_user $((65521 + ${#services[@]} % 5))
	start "${as[@]}" "$HT_TMP/$2" "${@:3}" >"$HT_TMP/ready.$1"
	services+=("$1")
	pid_of[$1]=$started
	printf '[target %s]\npid = %s\n' "$1" "$started" >>"$conf"
}
service unreturned retaining trimmable 48
service stuck retaining stuck 48
service arenas retaining arenas 60
service held retaining held 24
service waiting waiting
service unreturned2 retaining trimmable 16
service stuck2 retaining stuck 16
service arenas2 retaining arenas 20
service held2 retaining held 8
service waiting2 waiting
all_ready() {
	local name
	for name in "${services[@]}"; do
		grep -q ready "$HT_TMP/ready.$name" || return 1
	done
}
ok "ten services of five users stand" poll 30 all_ready

# Rules as shipped, but for levels and times of a test's size.
cat >>"$conf" <<CONF
[rule unreturned]
minimum = 1M
condition = trough(trimmable, 3s) >= max(8M, 30% of anon)
for = 1s
[rule stuck]
minimum = 1M
condition = stuck >= max(8M, 30% of anon) and in_use_arena < 50% of used_pages_resident
for = 1s
[rule arenas]
minimum = 1M
for = 1s
[sink am]
type = alertmanager
url = http://127.0.0.1:$am_port
repeat = 2s
CONF
cat >"$HT_TMP/am.yml" <<CONF
route: {receiver: none, group_wait: 1s, group_interval: 1s}
receivers: [{name: none}]
CONF
sed 's/^\( *for\): [0-9]*m/\1: 2s/; s/\[10m\]/[5s]/g; s/268435456/8388608/g' \
	"$HT_TOP/packaging/prometheus/heaptide.rules.yml" >"$HT_TMP/rules.yml"
cat >"$HT_TMP/prom.yml" <<CONF
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:$am_port']}]}]}
scrape_configs:
  - {job_name: heaptide, static_configs: [{targets: ['127.0.0.1:$port']}]}
CONF
start prometheus-alertmanager --config.file="$HT_TMP/am.yml" --storage.path="$HT_TMP/am" \
	--web.listen-address="127.0.0.1:$am_port" --cluster.listen-address= 2>"$HT_TMP/am.log"
start prometheus --config.file="$HT_TMP/prom.yml" --storage.tsdb.path="$HT_TMP/tsdb" \
	--web.listen-address="127.0.0.1:$prom_port" 2>"$HT_TMP/prom.log"

chown "$heaptide_id" "$HT_TMP"
daemon_dir=$there
as_heaptide
daemon_as=("${as[@]}")
daemon_start
is "the daemon holds no capability" "$(sed -n 's/^Cap\(Prm\|Eff\|Inh\|Amb\):\t//p' "/proc/$daemon/status" | sort -u)" 0000000000000000

# --- to the byte
all_measured() {
	local name
	for name in "${services[@]}"; do
		measured "${pid_of[$name]}" || return 1
	done
}
ok "all ten are measured" poll 60 all_measured
# Every metric of a sample, but for what differs from look to look.
columns=$(sqlite3 -readonly "$db" "select group_concat(name) from pragma_table_info('sample') where name not in
	('id', 'process_id', 'base_id', 'at_ns', 'cpu_ns', 'pause_us', 'limit', 'detail', 'lists')")
recorded() { # DATABASE PID
	sqlite3 -readonly -cmd '.timeout 5000' -line "$1" "select $columns from sample
		where process_id = (select max(id) from process where pid = $2) order by id desc limit 1"
}
# as_root_has_it NAME: all that is published and recorded of it is what root sees;
# $HT_TMP/differ is what is not. Asked again where something is: this machine may take
# pages of programs away meanwhile.
as_root_has_it() {
	local pid=${pid_of[$1]} root=$HT_TMP/root
	echo "no look" >"$HT_TMP/differ"
	metrics >"$HT_TMP/scrape"
	"$there/heaptide" explain "$pid" --json >"$root.json" &&
		"$there/heaptide" record "$pid" --interval 100ms --duration 300ms -o "$root.db" || return 1
	published "$1" "$HT_TMP/scrape" >"$HT_TMP/published"
	expected "$root.json" >"$HT_TMP/expected"
	recorded "$db" "$pid" >"$HT_TMP/recorded"
	recorded "$root.db" "$pid" >"$HT_TMP/by_root"
	test -s "$HT_TMP/published" && test -s "$HT_TMP/recorded" && jq -e '[.unknown[] | select(.reason != "cgroup")] == []' "$root.json" || return 1
	{ diff "$HT_TMP/published" "$HT_TMP/expected" && diff "$HT_TMP/recorded" "$HT_TMP/by_root"; } >"$HT_TMP/differ"
}
for name in "${services[@]}"; do
	poll 10 as_root_has_it "$name"
	is "$name: all that is published and recorded is root's" "$(cat "$HT_TMP/differ")" ""
done
can cgroups "nothing is unknown" && is "nothing is unknown" "$(grep -c '^heaptide_unknown_figures{' "$HT_TMP/scrape")" 0

# --- the rules
prometheus="http://127.0.0.1:$prom_port/api/v1"
# received RULE ISSUER: Alertmanager has it of the target of that name, from the
# daemon (this machine) or from Prometheus (who scraped that port)
received() {
	curl -fsS "http://127.0.0.1:$am_port/api/v2/alerts?active=true" |
		jq -e --arg name "Heaptide${1^}" --arg target "$1" --arg issuer "$2" '[.[].labels
			| select(.alertname == $name and .target == $target and .instance == $issuer)] | length > 0'
}
for rule in unreturned stuck arenas; do
	ok "$rule fires in the daemon, and Alertmanager has it" poll 60 received $rule "$(uname -n)"
	ok "$rule fires in Prometheus, and Alertmanager has it" poll 60 received $rule "127.0.0.1:$port"
done
is "and none for those that hold what they have" "$(curl -fsS "$prometheus/alerts" |
	jq -r '.data.alerts[].labels | select(.target | startswith("held")) | .alertname')" ""
daemon_stop
plan
