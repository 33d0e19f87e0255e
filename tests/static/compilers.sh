#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 600 s
# gcc and clang build everything, tests included, without a warning.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

gcc_only="-Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wtrampolines -Wcast-align"
ok "gcc builds without a warning" \
	make -s BUILD=build-gcc CC=gcc WERROR=-Werror CFLAGS="$gcc_only" unit
ok "clang builds without a warning" \
	make -s BUILD=build-clang CC=clang WERROR=-Werror unit
plan
