# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Roots of Debian suites for tests: made by debootstrap from the archive that this
# machine's own apt sources name, entered with mount and pid namespaces of their
# own. Source it; wants root.
#   archive                     prints that archive's address
#   root_make SUITE DIR CACHE   a minimal root (variant minbase) with apt set up to
#                               use it further; what is fetched is kept in CACHE
#   root_run DIR COMMAND...     runs COMMAND in it; ends with all it started
#   root_remove DIR
#
# Whatever is mounted is mounted in a namespace that ends with its command, so a
# root is a plain folder to everybody else.

archive() {
	# shellcheck disable=SC2016 # apt expands it
	local found=${HT_MATRIX_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' |
		grep '/debian/$' | sort | uniq -c | sort -rn | awk 'NR == 1 {print $2}')}
	if [ -z "$found" ]; then
		echo "no Debian archive in this machine's apt sources;" \
			"set HT_MATRIX_MIRROR" >&2
		return 1
	fi
	echo "$found"
}

# How this machine reaches its archive, for the apt of a root.
root_apt() { # DIR
	apt-config dump | grep -E '^Acquire::(http|https|Check-[^ ]*|Retries|ForceIPv[46])[ :]' \
		>"$1/etc/apt/apt.conf.d/90machine"
	cat >>"$1/etc/apt/apt.conf.d/90machine" <<-'CONF'
		Acquire::Languages "none";
		Acquire::Retries "3";
		APT::Sandbox::User "root";
	CONF
	echo force-unsafe-io >"$1/etc/dpkg/dpkg.cfg.d/unsafe-io" # it is thrown away
	if [ -d /etc/apt/auth.conf.d ]; then
		cp -r /etc/apt/auth.conf.d "$1/etc/apt/"
	fi
	cp -L /etc/resolv.conf /etc/hosts "$1/etc/"
}

root_make() { # SUITE DIR CACHE
	local from pause
	from=$(archive) || return 1
	mkdir -p "$3"
	for pause in 0 5 30; do # an archive may be away for a moment
		sleep "$pause"
		root_remove "$2"
		if unshare --mount --propagation private debootstrap \
			--variant=minbase --cache-dir="$(realpath "$3")" "$1" "$2" "$from"; then
			ln -sf "$(realpath "$3")" "$2.cache"
			root_apt "$2"
			return
		fi
	done
	return 1
}

# In the namespace: bash stays as its first process and reaps. The folder becomes the
# root itself: in a chroot no user namespace can be made, and a mount of "/" fails.
# shellcheck disable=SC2016 # that shell's own
root_enter='
	dir=$1 && shift
	mount --bind "$dir" "$dir" && cd "$dir" && mount -t proc proc proc &&
		mount --rbind /sys sys && mount --rbind /dev dev &&
		mount -t tmpfs tmpfs dev/shm && mount -t tmpfs tmpfs run && mkdir -p run/lock &&
		mount --bind "$dir.cache/" var/cache/apt/archives || exit
	mkdir -p var/cache/apt/archives/partial
	pivot_root . . && umount -l . && cd / || exit
	"$@"
	exit $?'

root_run() { # DIR COMMAND...
	unshare --mount --pid --fork --kill-child --propagation private \
		bash -c "$root_enter" root "$(realpath "$1")" "${@:2}"
}

root_remove() { # DIR
	if grep -qs " $(realpath -m "$1")[/ ]" /proc/self/mountinfo; then
		echo "something is mounted in $1: not removed" >&2
		return 1
	fi
	rm -rf --one-file-system "$1" "$1.cache"
}
