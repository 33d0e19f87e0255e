#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 600 s
# Every input that ever mattered through every harness, then FUZZ_SMOKE seconds
# (5) of others, the same each time. `make fuzz` looks for new ones, and for longer.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

replay() { # NAME: fails where the corpus is empty too
	local inputs=(tests/fuzz/corpus/"$1"/*)
	[ -e "${inputs[0]}" ] || {
		echo "no corpus in tests/fuzz/corpus/$1"
		return 1
	}
	"build-fuzz/fuzz/fuzz_$1" -runs=0 "tests/fuzz/corpus/$1"
}

smoke() { # NAME
	mkdir -p "$HT_TMP/$1"
	"build-fuzz/fuzz/fuzz_$1" -seed=1 -max_total_time="${FUZZ_SMOKE:-5}" -timeout=60 \
		-rss_limit_mb=1024 -print_final_stats=1 \
		-artifact_prefix="$HT_TMP/$1-" "$HT_TMP/$1" "tests/fuzz/corpus/$1"
}

ok "the harnesses build with libFuzzer and the sanitizers" make -s fuzz-build
for source in tests/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c)
	name=${name#fuzz_}
	ok "$name: the whole corpus passes" replay "$name"
	ok "$name: inputs made from it find nothing" smoke "$name"
done
plan
