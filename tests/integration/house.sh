#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# The tests' own house: what tests/run counts as passed, failed and skipped. It is
# given a tree of its own with tests that pass, fail, skip, hang and leave things.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
mkdir -p "$HT_TMP"/{tests/unit,build/tests,packaging/deps}
cp -r "$HT_TOP/tests/run" "$HT_TOP/tests/lib" "$HT_TMP/tests"
echo bats >"$HT_TMP/packaging/deps/few.txt"
cd "$HT_TMP" || exit 1

# a FILE: a test from standard input
a() { { echo '. "$HT_TOP/tests/lib/tap.sh"' && cat; } >"tests/$1"; }
by=()
# run FILE...: by a runner with nothing of ours; leaves "said", sets $status.
run() {
	env -u HT_BUILD -u HT_TMP -u HT_TEST_ID -u HT_MACHINE PATIENCE=1 \
		HT_MACHINE_WITHOUT=swap "${by[@]}" tests/run -l few "$@" >said 2>&1
	status=$?
}
counts() { is "$1" "$(tail -n 1 said), status $status" "$2"; }
tells() { ok "$1" grep -qE -- "$2" said; }

a pass.sh <<'T'
ok "is well" true
plan
T
run tests/pass.sh
counts "what passes is counted" "1 passed, 0 failed, 0 skipped, status 0"

run -e 2 tests/pass.sh tests/none.sh
counts "each second file can be asked for" "1 passed, 0 failed, 0 skipped, status 0"

a fail.sh <<'T'
ok "is well" true
ok "is ill" false
plan
T
run tests/pass.sh tests/fail.sh
counts "what fails is counted" "2 passed, 1 failed, 0 skipped, status 1"
tells "what failed is shown" "not ok 2 - is ill"
refuse "what fails twice is not called unsteady" grep -q ^unsteady said

a skips.sh <<'T'
can swap "is swapped" && ok "is swapped" false
ok "is well" true
plan
T
cat >tests/skips.bats <<'T'
load lib/bats
@test "is swapped" { needs swap; false; }
T
sed 's/^load.*//' "$HT_TOP/tests/cli/common.bash" >tests/lib/bats.bash
run tests/skips.sh tests/skips.bats
counts "a fact that the machine lacks is a skip" "1 passed, 0 failed, 2 skipped, status 0"
tells "with its reason" "^skipped: 2 for swap: the machine takes no swap file"

a no_reason.sh <<'T'
echo "ok 1 - is well # SKIP not today"
echo 1..1
T
run tests/no_reason.sh
counts "a skip without a fact has failed" "0 passed, 1 failed, 0 skipped, status 1"
# One that this machine has: in a container it may be any of them.
for fact in kernel_threads root zero_page namespaces run32 pagemap_scan; do
	HT_MACHINE_WITHOUT='' bash "$HT_TOP/tests/lib/machine.sh" $fact >/dev/null && break
done
a wrong_reason.sh <<T
can $fact x || exit
echo "ok 1 - is well # SKIP $fact: not seen"
echo 1..1
T
HT_MACHINE_WITHOUT='' run tests/wrong_reason.sh
counts "a skip for a fact that the machine has, or nobody asked for, has failed" \
	"0 passed, 1 failed, 0 skipped, status 1"
a no_fact.sh <<'T'
can fly "it flies" && ok "it flies" true
plan
T
run tests/no_fact.sh
counts "a fact that nobody knows is a failure" "0 passed, 1 failed, 0 skipped, status 1"

# As whoever has a taste of his own runs them.
a as_ever.sh <<'T'
is "the language is one" "$LANG,${LC_ALL-none}" C.UTF-8,none
is "so is the time zone" "$(date +%z)" +0000
is "and the terminal" "$TERM" dumb
for name in COLUMNS NO_COLOR MALLOC_ARENA_MAX GLIBC_TUNABLES LD_BIND_NOW HEAPTIDE_DB; do
	is "$name is not set" "${!name-none}" none
done
is "a knob of a test is" "$HT_KNOB" turned
is "there is a home" "${HOME:+one}" one
is "a new file can be read by others" "$(touch new && stat -c %a new)" 644
is "no core is left" "$(ulimit -S -c)" 0
is "stacks have their common size" "$(ulimit -S -s)" 8192
is "no folder for what is temporary has a long name" "${TMPDIR-none}" none
is "files may be as many as is usual" "$(ulimit -S -n)" 1024
is "mappings lie where they will" "$(cat /proc/self/personality)" 00000000
plan
T
as_they_are() (
	umask 077
	ulimit -S -s 16384
	ulimit -S -n 2000
	ulimit -S -c unlimited
	export LC_ALL=de_DE.UTF-8 TZ=Asia/Kolkata COLUMNS=40 NO_COLOR=1 TERM=xterm MALLOC_ARENA_MAX=1 LD_BIND_NOW=1 \
		GLIBC_TUNABLES=glibc.malloc.tcache_count=0 HEAPTIDE_DB=/none HT_KNOB=turned \
		TMPDIR="$HT_TMP/of a name with spaces"
	unset HOME
	mkdir -p "$TMPDIR"
	by=(setarch "$(uname -m)" -R)
	run tests/as_ever.sh
	exit "$status"
) 2>/dev/null # no such language here
as_they_are
status=$?
counts "what whoever runs the tests has set changes none" "17 passed, 0 failed, 0 skipped, status 0"

a unlisted.sh <<'T'
ok "has what every Debian has" grep -c processor /proc/cpuinfo
ok "has what the list names" bats --version
ok "has no more" jq --version
refuse "nor can it be refused" jq --version
plan
T
run tests/unlisted.sh
counts "a program whose package is in no list is not found" "2 passed, 2 failed, 0 skipped, status 1"

cat >tests/unit/skips.c <<'C'
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "tests/lib/machine.h"
static void is_swapped(void **state) { (void)state; needs("swap"); fail(); }
static void is_well(void **state) { (void)state; }
int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(is_swapped),
					   cmocka_unit_test(is_well)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
C
ok "a unit test builds" gcc -D_GNU_SOURCE -I. -o build/tests/skips tests/unit/skips.c tests/lib/machine.c -lcmocka
run build/tests/skips
counts "a unit test's skip is one" "1 passed, 0 failed, 1 skipped, status 0"
tells "with its reason, too" "^skipped: 1 for swap: "

# Passes only where nothing else runs.
a beside.sh <<'T'
ok "has the machine for itself" test ! -e "$HT_TOP/busy"
plan
T
a busy.sh <<'T'
touch "$HT_TOP/busy"
poll 10 test -e "$HT_TOP/build/results/beside.sh.tap.result"
rm "$HT_TOP/busy"
ok "is well" true
plan
T
touch busy
run -j 2 tests/busy.sh tests/beside.sh
counts "what fails beside others and passes alone has passed" \
	"2 passed, 0 failed, 0 skipped, status 0"
tells "and is named, with what failed" "^unsteady: beside.sh \(has the machine for itself\)"
touch busy
run -j 2 tests/beside.sh
counts "what fails without others beside it has failed" "0 passed, 1 failed, 0 skipped, status 1"

a nothing.sh <<<plan
run tests/nothing.sh
counts "a test with nothing in it has failed" "0 passed, 1 failed, 0 skipped, status 1"
a hangs.sh <<'T'
# Limit: 1 s
ok "is well" true
sleep 60
T
run tests/hangs.sh
counts "what runs into its limit has failed" "1 passed, 1 failed, 0 skipped, status 1"
a leaves.sh <<'T'
ok "is well" true
setsid sleep 1000 &
disown
plan
T
run tests/leaves.sh
counts "what leaves a process has failed" "1 passed, 1 failed, 0 skipped, status 1"
a cannot_run.sh <<'T'
printf '\177ELF' >$HT_TMP/broken; chmod +x $HT_TMP/broken
start "$HT_TMP/broken"
ok "it says ready" ready 1000 grep -q ready "$HT_TMP/said"
ok "and is not waited for" true # or the limit would have come first
plan
T
run tests/cannot_run.sh
counts "a program that cannot be executed fails its test at once" \
	"1 passed, 1 failed, 0 skipped, status 1"

a traced.sh <<'T'
start "$HT_PYTHON" -c '
import ctypes, os, signal
pid = os.fork()
if pid == 0:
    ctypes.CDLL(None).ptrace(0, 0, None, None)
    os.kill(os.getpid(), signal.SIGSTOP)
print(pid, flush=True)
signal.pause()' >"$HT_TMP/pid"
in_stop() { grep -q "^State:.*t (" "/proc/$(cat "$HT_TMP/pid")/status"; }
ok "a tracer stops it" poll 10 in_stop
refuse "it has not ended" not_running "$(cat "$HT_TMP/pid")"
kill -KILL "$(cat "$HT_TMP/pid")"
ok "it ends" poll 10 not_running "$(cat "$HT_TMP/pid")"
plan
T
HT_PYTHON=$(command -v python3) run tests/traced.sh
counts "what a tracer has stopped is running" "3 passed, 0 failed, 0 skipped, status 0"
a together.sh <<'T'
start bash -c 'trap "until [ -e both ]; do sleep 0.02; done; touch well; exit" TERM; touch first; while :; do sleep 0.02; done'
start bash -c 'trap "touch both; exit" TERM; touch second; while :; do sleep 0.02; done'
ok "both run" poll 10 test -e first -a -e second
stop_started
ok "the first ended as it should" test -e well
plan
T
run tests/together.sh
counts "what was started is told to end together" "2 passed, 0 failed, 0 skipped, status 0"

# Facts that no test asks for are not kept.
unasked() {
	local fact
	sed -n 's/^\t\[\([a-z0-9_]*\)\]=.*/\1/p' "$HT_TOP/tests/lib/machine.sh" | while read -r fact; do
		grep -rqE "^[^#]*\b(can|needs) ([a-z0-9_]+ )*$fact\b|needs\(\"$fact\"\)" \
			"$HT_TOP/tests" --include "*.sh" --include "*.bats" --include "test_*.c" --include run --exclude house.sh --exclude machine.sh || echo "$fact"
	done
}
is "every fact of the machine is asked for by some test" "$(unasked)" ""
plan
