#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 400 s
# Alone: timings of alerts
# End to end with real Prometheus and Alertmanager on loopback: a leak is
# scraped, fires in Prometheus and in the daemon, reaches Alertmanager and is
# resolved when the process ends; a grown pool fires "unreturned" and no leak; a
# stable process fires nothing at all. The daemon is the installed one: of another user
# than what it measures.
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"
# shellcheck source=tests/lib/installed.sh
. "$HT_TOP/tests/lib/installed.sh"
needs root
export WL_LOGS=$HT_TMP/wl

am_port=$(free_port)
prom_port=$(free_port)
daemon_config
linger=12$port # seconds; no other program on this machine has that argument
# Rules as shipped, but for levels and times of a test's size.
cat >>"$conf" <<EOT
[target leak]
name = leak_slow_churn
cmdline = linger $linger
[target pool]
name = seed3_malloc
cmdline = linger $linger
[target stable]
name = cpp_patterns
cmdline = linger $linger
[rule leak]
minimum = 1M
condition = rising >= 25s
keep_firing_for = 0
confidence = 0.6
evaluations = 10
[rule exhaustion]
enabled = no
[rule exhaustion_soon]
enabled = no
[rule near_limit]
enabled = no
[rule unreturned]
minimum = 1M
condition = trough(trimmable, 5s) >= max(16M, 30% of anon)
for = 3s
[rule outside_malloc]
minimum = 1M
condition = rising >= 25s
[sink journal]
type = journal
[sink am]
type = alertmanager
url = http://127.0.0.1:$am_port
repeat = 2s
[sink counter]
type = command
command = $HT_TMP/count
EOT
cat >"$HT_TMP/count" <<EOT
#!/bin/sh
cat >>$HT_TMP/notices
EOT
chmod +x "$HT_TMP/count"
cat >"$HT_TMP/am.yml" <<EOT
route: {receiver: none, group_wait: 1s, group_interval: 1s}
receivers: [{name: none}]
EOT
sed 's/^\( *for\): 10m/\1: 25s/; s/^\( *for\): [0-9]*m/\1: 2s/; s/keep_firing_for: 10m/keep_firing_for: 0s/; s/\[10m\]/[5s]/g; s/268435456/16777216/g; s/confidence{verdict="LEAK"} >= 0.8/confidence{verdict="LEAK"} >= 0.6/' \
	"$HT_TOP/packaging/prometheus/heaptide.rules.yml" >"$HT_TMP/rules.yml"
cat >"$HT_TMP/prom.yml" <<EOT
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:$am_port']}]}]}
scrape_configs:
  - {job_name: heaptide, static_configs: [{targets: ['127.0.0.1:$port']}]}
EOT
ok "the rules are sound" promtool check rules "$HT_TMP/rules.yml"
ok "the shipped rules pass their tests" promtool test rules "$HT_TOP/packaging/prometheus/heaptide.rules.test.yml"

workload() {
	read -r pid _ < <("$HT_TOP/tests/workloads/run.sh" start "$@" 2>>"$HT_TMP/wl.err")
	tap_started+=("$pid")
}

installed
chown "$heaptide_id" "$HT_TMP"
daemon_dir=$there
as_heaptide
daemon_as=("${as[@]}")
daemon_start
start prometheus-alertmanager --config.file="$HT_TMP/am.yml" --storage.path="$HT_TMP/am" \
	--web.listen-address="127.0.0.1:$am_port" --cluster.listen-address= 2>"$HT_TMP/am.log"
start prometheus --config.file="$HT_TMP/prom.yml" --storage.tsdb.path="$HT_TMP/tsdb" \
	--web.listen-address="127.0.0.1:$prom_port" 2>"$HT_TMP/prom.log"
prometheus=$started
ok "Alertmanager is ready" poll 30 curl -fsS "http://127.0.0.1:$am_port/-/ready"
ok "Prometheus is ready" poll 30 curl -fsS "http://127.0.0.1:$prom_port/-/ready"

# received NAME TARGET: Alertmanager has such an alert, not resolved
received() {
	curl -fsS "http://127.0.0.1:$am_port/api/v2/alerts?active=true" | python3 -c '
import json,sys,datetime
now=datetime.datetime.now(datetime.timezone.utc).isoformat()
sys.exit(0 if any(a["labels"]["alertname"]==sys.argv[1] and a["labels"]["target"]==sys.argv[2] and (len(sys.argv)<4 or sys.argv[3] in json.dumps(a)) for a in json.load(sys.stdin)) else 1)' "$@"
}
fires() { # in Prometheus
	curl -fsS "http://127.0.0.1:$prom_port/api/v1/alerts" | python3 -c '
import json,sys
sys.exit(0 if any(a["labels"]["alertname"]==sys.argv[1] and a["labels"]["target"]==sys.argv[2] and a["state"]=="firing" for a in json.load(sys.stdin)["data"]["alerts"]) else 1)' "$@"
}
# notices RULE TARGET STATE: how many the command was given
notices() {
	python3 -c '
import json,sys
try: lines=open(sys.argv[1]).read().splitlines()
except OSError: lines=[]
print(sum(1 for l in lines for a in [json.loads(l)] if (a["rule"],a["target"],a["state"])==tuple(sys.argv[2:5])))' "$HT_TMP/notices" "$@"
}
workload cpp_patterns --pace 4 --linger "$linger"
stable=$pid
workload leak_slow_churn --pace 2 --linger "$linger"
leak=$pid
# 500 MB within seconds, watched from its begin: it loads, it does not leak.
workload seed3_exp3 --linger "$linger" --no-trim
pool=$pid
note "stable $stable, pool $pool, leak $leak"

ok "all three are measured" poll 60 eval "measured $stable && measured $pool && measured $leak"
[ $tap_failed -eq 0 ] || { note "$(cat "$log")" "$(metrics | grep -E 'samples|failures')"; plan; }
ok "promtool finds nothing wrong with /metrics" promtool check metrics < <(metrics)
"$HT_BUILD/heaptide" explain "$prometheus" --json >"$HT_TMP/prometheus.json"
ok "Prometheus is itself measured: a Go program, named with its version" \
	jq -e '[.warnings[] | select(test("a Go program \\([0-9]+\\.[0-9]"))] | length == 1' "$HT_TMP/prometheus.json"
ok "and its heap is outside malloc" \
	jq -e '.totals.in_use as $in_use | [.rss_breakdown[] | select(.cause == "anon_other").bytes]
		| add > 10 * $in_use' "$HT_TMP/prometheus.json"
ok "Prometheus scrapes it" poll 30 eval "curl -fsS 'http://127.0.0.1:$prom_port/api/v1/query?query=heaptide_rss_bytes' | grep -q '\"$leak\"'"
ok "the grown pool fires unreturned memory in the daemon" poll 60 eval "[ \$(notices unreturned pool firing) -ge 1 ]"
ok "Alertmanager has it from the daemon" poll 20 received HeaptideUnreturned pool '"job": "heaptide"'
ok "it fires in Prometheus" poll 60 fires HeaptideUnreturned pool
ok "the leak fires in the daemon" poll 150 eval "[ \$(notices leak leak firing) -ge 1 ]"
ok "Alertmanager received it" poll 20 received HeaptideLeak leak
ok "it fires in Prometheus" poll 60 fires HeaptideLeak leak

kill -9 "$leak"
ok "the leak is resolved when its process ends" poll 30 eval "[ \$(notices leak leak resolved) -ge 1 ]"
ok "Alertmanager holds it no longer" poll 60 eval "! received HeaptideLeak leak"
is "the daemon told of the leak once" "$(notices leak leak firing)" 1
is "and of its end once" "$(notices leak leak resolved)" 1
is "the pool was never called a leak" "$(notices leak pool firing)" 0
is "nor by Prometheus, while it grew either" "$(curl -fsS -G "http://127.0.0.1:$prom_port/api/v1/query" --data-urlencode \
	'query=count_over_time(ALERTS{alertname="HeaptideLeak",target="pool",alertstate="firing"}[10m])' | field "$(cat)" data result)" "[]"
note "of the stable process: $(grep '"target": *"stable"' "$HT_TMP/notices" | head -c 1500)"
is "nothing was said of the stable process" "$(grep -c '"target": *"stable"' "$HT_TMP/notices")" 0
refuse "nor by Prometheus" fires HeaptideLeak stable
stop_started
plan
