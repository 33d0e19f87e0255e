#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 300 s
# Alone: what a sample costs is measured
# Some minutes of a hundred processes, ten times as fast as in earnest: what the
# daemon and its agents cost, and heaptide watching heaptided all the while. Where
# root runs this, the daemon is as installed (a user of its own, agents with two
# capabilities) and the processes are another user's.
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"
# shellcheck source=tests/lib/installed.sh
. "$HT_TOP/tests/lib/installed.sh"
daemon_as_installed
[ "$(id -u)" != 0 ] || as_user 65533

processes=100
watched_s=${SOAK_SECONDS:-90}
cp /bin/sleep "$HT_TMP/ht-soak"
daemon_config
sed -i 's/^evaluate = .*/evaluate = 6s/; s/^scan = .*/scan = 1s/; s/^interval = .*/interval = 1s/' "$conf"
cat >>"$conf" <<CONF
[target idle]
name = ht-soak
max_processes = $processes
CONF
for _ in $(seq $processes); do start "${as[@]}" "$HT_TMP/ht-soak" 1000; done
daemon_start
[ "$(id -u)" != 0 ] || is "the daemon has the installed user and no capability" \
	"$(sed -n 's/^\(Uid\|CapPrm\|CapEff\):\t\([0-9a-f]*\).*/\2/p' "/proc/$daemon/status" | paste -sd' ')" \
	"$heaptide_id 0000000000000000 0000000000000000"

samples() { metrics | awk '/^heaptide_samples_total/ { n += $2 } END { print n + 0 }'; }
all_measured() { [ "$(metrics | grep -c '^heaptide_samples_total{.*} [1-9]')" = "$processes" ]; }
ticks() { awk '{ print $14 + $15 }' "/proc/$daemon/stat"; }
private_kb() { awk '/^Private/ { s += $2 } END { print s }' "/proc/$1/smaps_rollup"; }
ok "all $processes processes are measured" poll 90 all_measured
# What a sample costs is told for the machine of docs/bench.md, which needs 240 ms
# for this work; one that is slower, or has another at its cores, may cost more.
reference_ms=240
# shellcheck disable=SC2016 # perl's variables
work_ms() { perl -e 'my $s = 0; $s += $_ % 7 for 1 .. 5_000_000; printf "%d", 1000 * (times)[0]'; }
sleep 60 # first roll of everything: layouts, judgements, the cache of the database

work=$(work_ms)
from=$(ticks)
samples_from=$(samples)
begun=$(date +%s%N)
ok "heaptide watches heaptided for $watched_s s" timeout "$((watched_s + 60))" \
	"$HT_BUILD/heaptide" record "$daemon" -o "$HT_TMP/self.db" --interval 500ms --duration "${watched_s}s"
took_ms=$((($(date +%s%N) - begun) / 1000000))
cpu_ms=$((($(ticks) - from) * 1000 / $(getconf CLK_TCK)))
n=$(($(samples) - samples_from))
work=$(((work + $(work_ms)) / 2))
[ $work -gt $reference_ms ] || work=$reference_ms
note "$n samples in $took_ms ms, $cpu_ms ms of processor time, $(awk "BEGIN { printf \"%.2f\", $cpu_ms / $n }") ms a sample, $work ms for the reference's $reference_ms"
ok "it keeps up: three of four samples that were due on this busy machine" \
	test "$n" -ge $((took_ms * processes * 3 / 4000))
# 10 samples a second at intervals of 10 s: 1 % of a core is 1 ms a sample. Beside
# other tests its caches are not its own (0.7 ms alone, 1.0 at a load of 15): half as
# much again is no failure; bench/daemon.sh has the figure of a machine at rest.
ok "a sample costs the daemon 1 ms, 1.5 at most beside others: 1 % of a core at 10 s" \
	test $((cpu_ms * reference_ms * 2)) -le $((n * work * 3))
between "the daemon holds 32 MiB at most" "$(metric heaptide_self_resident_bytes)" 1 $((32 << 20))
most=$(for agent in $(pgrep -P "$daemon" -x heaptide-agent); do private_kb "$agent"; done | sort -n | tail -n 1)
ok "an agent stays with each process" poll 20 eval '[ "$(pgrep -c -P "$daemon" -x heaptide-agent)" = $processes ]'
between "none of them holds 2 MiB of its own, in KiB" "${most:-unknown}" 1 2048
verdict=$("$HT_BUILD/heaptide" verdict "$daemon" --db "$HT_TMP/self.db" --json)
is "its verdict on itself" "$(jq -r .verdict <<<"$verdict")" STABLE
note "$(jq -r '.evidence[]' <<<"$verdict")"
is "nothing was lost" "$(metric heaptide_store_lost_samples_total)" 0
daemon_stop
is_sound "the database is sound"
plan
