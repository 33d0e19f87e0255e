#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 600 s
# gcc and clang compile everything, tests included, without a warning. Nothing is
# linked: with gcc all else is, with clang the fuzzers are; and what clang warns of it
# finds before it makes code (gcc finds some of it while it optimizes).
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

gcc_only="-Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wtrampolines -Wcast-align"
ok "gcc compiles without a warning" \
	make -s BUILD=build-gcc CC=gcc WERROR=-Werror CFLAGS="$gcc_only" compile
ok "clang compiles without a warning" \
	make -s BUILD=build-clang CC=clang WERROR=-Werror CFLAGS=-fsyntax-only compile
plan
