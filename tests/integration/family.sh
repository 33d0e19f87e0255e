#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 60 s
# A family: a parent and children that share its heap since a fork. RSS has it in
# each of them, the machine once: what ls, top and /metrics say of it is held
# against the kernel's own PSS.
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/daemon.sh
. "$HT_TOP/tests/lib/daemon.sh"
heaptide=$HT_BUILD/heaptide
cp "$HT_BUILD/targets/keeper" "$HT_TMP/ht-family"

daemon_config
sed -i 's/^scan = .*/&\ndetail = 1s/' "$conf"
cat >>"$conf" <<EOT
[target family]
name = ht-family
exe = $HT_TMP/ht-family
EOT
start "$HT_TMP/ht-family" forked 1 >"$HT_TMP/said"
parent=$started
ready 20 grep -q ready "$HT_TMP/said"
child=$(pgrep -P "$parent")
daemon_start

each() { # PID: its PSS is in /metrics
	test -n "$(metric "heaptide_pss_bytes.*pid=\"$1\"")"
}
kernel() { # FIELD: sum of both, bytes
	awk -v field="$1:" '$1 == field { sum += $2 } END { print sum * 1024 }' \
		"/proc/$parent/smaps_rollup" "/proc/$child/smaps_rollup"
}
of_family() { "$heaptide" ls --db "$db" --json | jq ".processes[] | select(.pid == $parent) | .family$1"; }
known() { [ "$(of_family .pss_known)" = 2 ]; }

ok "the PSS of the parent is in /metrics" poll 20 each "$parent"
ok "that of the child is, too" poll 20 each "$child"
ok "both are in the history" poll 20 known
of_family "" >"$HT_TMP/family"
pss=$(kernel Pss)
rss=$(kernel Rss)
is "two processes are a family" "$(jq .processes "$HT_TMP/family")" 2
near "the family's RSS is the kernel's sum" "$(jq .rss "$HT_TMP/family")" "$rss" $((rss / 20))
near "its PSS is the kernel's sum" "$(jq .pss "$HT_TMP/family")" "$pss" $((pss / 20))
ok "shared memory counts once in it" test "$pss" -lt $((rss * 7 / 10))
near "a trim in each would lower RSS twice" "$(jq .trimmable "$HT_TMP/family")" \
	"$((2 * $(metric "heaptide_trimmable_bytes.*pid=\"$parent\"")))" 65536
between "and give the machine next to nothing" "$(jq .trimmable_private "$HT_TMP/family")" 0 200000
near "in /metrics the sum is the same" \
	$(($(metric "heaptide_pss_bytes.*pid=\"$parent\"") + $(metric "heaptide_pss_bytes.*pid=\"$child\""))) \
	"$(jq .pss "$HT_TMP/family")" 1048576

for command in ls top; do
	"$heaptide" $command --db "$db" | tr '\n' ' ' >"$HT_TMP/text"
	ok "$command says both figures" grep -qE 'family, 2 processes: RSS [0-9.]+ MiB in all, [0-9.]+ MiB of the +machine' "$HT_TMP/text"
done

# Where reading it would hold up the process, it is not read; the sum is unknown then.
"$heaptide" record "$parent" -o "$HT_TMP/one.db" -i 100ms -d 1s --max-pause 10us >/dev/null 2>&1
"$heaptide" record "$child" -o "$HT_TMP/one.db" -i 100ms -d 1s >/dev/null 2>&1
"$heaptide" ls --db "$HT_TMP/one.db" --json >"$HT_TMP/one"
is "of a process that would wait longer PSS is not read" \
	"$(jq -c "[.processes[] | select(.pid == $parent) | .pss, .family.pss, .family.pss_known]" "$HT_TMP/one")" "[null,null,1]"
ok "of the other it is" test "$(jq ".processes[] | select(.pid == $child) | .pss" "$HT_TMP/one")" -gt 1000000
"$heaptide" ls --db "$HT_TMP/one.db" | tr '\n' ' ' >"$HT_TMP/text"
ok "and it is said that the sum is unknown, and why" grep -qE 'unknown: the PSS of 1 +was +not +read' "$HT_TMP/text"
plan
