#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 600 s
# Alone: it looks at threads that wait for milliseconds
# malloc_trim(0) called many times in programs at work, one for each kind of system
# call that the calling thread may sleep in: words, registers of all kinds, signals,
# EINTR, errno, mask, alternate stack, children and time limits are as they would be.
#
#   trim_long.sh [N]   so many calls in all (260)
#
# HT_TRIM_CALLS: the same. 10,000 take a quarter of an hour on two processors.
HT_TOP=${HT_TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
HT_BUILD=${HT_BUILD:-$HT_TOP/build}
export HT_TOP HT_BUILD
if [ -z "${HT_TMP:-}" ]; then
	HT_TMP=$(mktemp -d)
	trap 'rm -rf "$HT_TMP"' EXIT
fi
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
kinds=13
calls=${1:-${HT_TRIM_CALLS:-260}}
each=$(((calls + kinds - 1) / kinds))
out=$HT_TMP/out

HT_TRIMS=$each CMOCKA_MESSAGE_OUTPUT=STDOUT "$HT_BUILD/tests/test_trim" >"$out" 2>&1
status=$?
grep -E 'ERROR:|NOTE' "$out" | sed 's/^/# /'
is "nothing is left behind by $((each * kinds)) calls" $status 0
plan
