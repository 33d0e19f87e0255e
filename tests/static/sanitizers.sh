#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 1800 s
# Every unit test program once more, built with AddressSanitizer and UBSan.
# Programs under test are built without: LeakSanitizer refuses to be traced.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

ok "the unit tests build with the sanitizers" make -s asan-build
export HT_BUILD=$HT_TOP/build-asan
export UBSAN_OPTIONS=print_stacktrace=1
for program in tests/unit/test_*.c; do
	name=$(basename "$program" .c)
	# They race with programs that run at full speed; a walk several times as
	# slow never catches up.
	[[ $name != test_walk_moving && $name != test_fire && $name != test_harm &&
		$name != test_flux ]] || continue
	# It counts calls of the kernel, of which the sanitizers make their own.
	[[ $name != test_look_calls ]] || continue
	# Agents that die at each of their calls, by the thousand, minutes of them; what
	# they call until then test_trim, test_stop and test_session call, too.
	[[ $name != test_trim_faults && $name != test_faults ]] || continue
	# There is no filter in these builds: the sanitizers' own calls would end it.
	[[ $name != test_sandbox ]] || continue
	ok "$name is clean under the sanitizers" timeout 900 "build-asan/tests/$name"
done
plan
