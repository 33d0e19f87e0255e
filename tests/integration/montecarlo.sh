#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 180 s
# False alarms and detections on made series stay within the limits of
# tests/montecarlo/montecarlo.c, with seeds other than the documented one too.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

tool=$HT_BUILD/tools/montecarlo

ok "rates on made series keep their limits" "$tool" -n 400
ok "a wrong number of points is refused by name" bash -c "! '$tool' -k 3 2>'$HT_TMP/err' && grep -q points '$HT_TMP/err'"
for points in 60 96; do
	"$tool" -n 100 -k "$points" >"$HT_TMP/table" 2>/dev/null
	alarms=$(awk -F'|' '!/leak:|series|---|walk|AR|warm/ { sub(/ %/, "", $3); s += $3 } END { print s + 0 }' "$HT_TMP/table")
	ok "no series without growth alarms with $points points" awk -v a="$alarms" "BEGIN { exit !(a < 3) }"
done
written() { # as docs/verdicts.md has them; tests/montecarlo/page.sh fills them in
	diff <(sed -n '/^<!-- begin thresholds/,/^<!-- end/{/^<!--/!p}' docs/verdicts.md) \
		<("$HT_BUILD/tools/thresholds")
}
ok "docs/verdicts.md has every number that decides, as it is" written
plan
