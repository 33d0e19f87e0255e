#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 180 s
# Made services over days, with a seed that nothing was tuned on: what the
# verdicts promise holds.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

tool=$HT_BUILD/tools/histories

ok "services over days: at most 0.05 false alarms a process-week, most ends acceptable" \
	"$tool" -s 4 -n 1 -k 6 -f 0.05 -r 0.85
ok "a leak of 10 MB an hour is found within a day, whenever it begins" bash -c "
	'$tool' -s 4 -n 1 -k 4 -c '10 MB/h from day' >'$HT_TMP/table' &&
		! grep never '$HT_TMP/table' &&
		awk -F'|' '/^. 10 MB/ { split(\$9, h, \",\"); if (h[2] > 24) exit 1 }' '$HT_TMP/table'"
plan
