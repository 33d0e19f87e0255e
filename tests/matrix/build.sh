#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Links the probe against the oldest suite's libc, so that it runs with all:
# build.sh DIR ARCH -> DIR/probe-ARCH. Start files, libpthread and libc come from
# the unpacked packages; headers and compiler are this machine's.
set -euo pipefail

dir=$1 arch=$2
root=$dir/bullseye-$arch
here=$(dirname "$0")
case $arch in
amd64) triplet=x86_64-linux-gnu flags=(-m64) loader=/lib64/ld-linux-x86-64.so.2 ;;
i386) triplet=i386-linux-gnu flags=(-m32) loader=/lib/ld-linux.so.2 ;;
*) echo "build.sh: unknown architecture $arch" >&2 && exit 2 ;;
esac
start=$root/usr/lib/$triplet
lib=$root/lib/$triplet
gcc "${flags[@]}" -O2 -g -std=gnu17 -D_GNU_SOURCE -Wno-deprecated-declarations \
	-fno-builtin-malloc -fno-stack-protector -U_FORTIFY_SOURCE -pie -fPIE \
	-nostdlib -o "$dir/probe-$arch.$$" "$start/Scrt1.o" "$start/crti.o" \
	"$here/probe.c" "$lib/libpthread.so.0" "$lib/libc.so.6" \
	"$start/libc_nonshared.a" -lgcc "$start/crtn.o" \
	-Wl,--dynamic-linker="$loader" -Wl,--allow-shlib-undefined
mv "$dir/probe-$arch.$$" "$dir/probe-$arch" # whole or not at all
