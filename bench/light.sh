#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # work: lib.sh
# light.sh: processor time and error of light looks at processes at work, beside
# walks of them while they stand still (light_bench.c). LIGHT_MIB: sizes of the
# heap; LIGHT_RATE: MiB a second that each frees and allocates.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

sizes=${LIGHT_MIB:-64 1024 4096 16384}
rates=${LIGHT_RATE:-2 20}

rows() { # MIB RATE
	local pid
	"$HT_BUILD/bench/atwork" "$1" "$2" >"$work/atwork.out" &
	pid=$!
	until grep -q READY "$work/atwork.out"; do
		kill -0 "$pid" || return 1
		sleep 0.1
	done
	"$HT_BUILD/bench/light_bench" "$pid" "${LIGHT_ROUNDS:-5}" | sed "s/^|/| $2 |/"
	kill "$pid"
	wait "$pid" 2>/dev/null || true
}

echo '## Light looks at a heap at work'
echo
echo 'Errors in percent: how far a look lies beyond what the walks before and after it say, in'
echo 'brackets how far those two are apart. Medians.'
echo
echo '| MiB/s of work | heap MiB | look | processor ms | in use | bins, each | retained | 10 largest classes |'
echo '| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: |'
for mib in $sizes; do
	for rate in $rates; do
		rows "$mib" "$rate"
	done
done
