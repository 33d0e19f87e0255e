# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# This machine's files with a layer over them that takes what a test writes, for
# scripts in a mount namespace of their own. Source tap.sh first.
root=$HT_TMP/merged

overlay() {
	mount -t tmpfs tmpfs "$HT_TMP" &&
		mkdir "$HT_TMP/upper" "$HT_TMP/work" "$root" &&
		mount -t overlay overlay \
			-o "lowerdir=/,upperdir=$HT_TMP/upper,workdir=$HT_TMP/work" "$root" &&
		mount --rbind /proc "$root/proc" && mount --rbind /dev "$root/dev"
}

# What is found there is what that system has: not by the PATH of a test.
export system_path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
inside() { env PATH=$system_path chroot "$root" "$@"; }
