#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every kind of target: the probe of the matrix as a static program, stripped,
# with its libc removed from the disk, in a container ... and each time every
# figure is the process's own. Then processes whose malloc is not glibc's.
# Limit: 300 s
set -uo pipefail
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
: "${HT_BUILD:=$PWD/build}" "${HT_TMP:=$(mktemp -d)}"
export HT_BUILD HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
check=$HT_BUILD/tools/matrix_check
make -s "BUILD=$HT_BUILD" "$check" "$HEAPTIDE_AGENT" || exit 1
cd "$HT_TMP" || exit 1
here=$OLDPWD

build() { # NAME FLAGS...
	local name=$1
	shift
	gcc -O2 -g -std=gnu17 -D_GNU_SOURCE -fno-builtin-malloc \
		-Wno-deprecated-declarations "$@" -o "$name" \
		"$here/tests/matrix/probe.c" -lpthread
}

both_ways() { # NAME HOW COMMAND...: HOW is --any where there is no debug file
	local name=$1 how=$2
	shift 2
	# shellcheck disable=SC2086
	ok "$name: every figure is the process's own" "$check" $how out.xml "$@" out.xml
	ok "$name, by structure: every figure is the process's own" \
		"$check" --scan out.xml "$@" out.xml
}

build probe
build probe-static -static
build probe-static-pie -static-pie
build probe32 -m32
build probe32-static -m32 -static
cp probe-static stripped-static && strip stripped-static
cp probe-static-pie stripped-static-pie && strip stripped-static-pie

both_ways "a program of this machine" "" ./probe
both_ways "a static program" --any ./probe-static
both_ways "a static PIE program" --any ./probe-static-pie
both_ways "a stripped static program" --any ./stripped-static
both_ways "a stripped static PIE program" --any ./stripped-static-pie
both_ways "an i386 program" --any ./probe32
both_ways "a static i386 program" --any ./probe32-static
both_ways "a program started through the loader" "" /lib64/ld-linux-x86-64.so.2 ./probe
both_ways "a main arena that is not contiguous" "" env PROBE_NO_BRK=1 ./probe
both_ways "an i386 main arena that is not contiguous" --any env PROBE_NO_BRK=1 ./probe32
both_ways "an allocator library that is loaded and not used" "" \
	env LD_PRELOAD=/usr/lib/x86_64-linux-gnu/libc_malloc_debug.so.0 ./probe

mkdir lib
for round in 1 2; do
	cp /lib/x86_64-linux-gnu/libc.so.6 lib/libc.so.6
	how=$([ $round = 1 ] || echo --scan)
	# shellcheck disable=SC2086
	ok "a libc that was removed from the disk, round $round: every figure is the process's own" \
		"$check" $how out.xml env LD_LIBRARY_PATH="$PWD/lib" PROBE_UNLINK="$PWD/lib/libc.so.6" ./probe out.xml
done

plan
