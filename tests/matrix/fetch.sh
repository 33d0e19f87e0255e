#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetches one cell of the matrix: SUITE ARCH -> DIR/SUITE-ARCH, a small root with
# libc6 and libc6-dbg (and libc6-dev of the oldest suite, to link the probe
# with). Private package lists: the machine's own apt state is not touched. What
# is there already is not fetched again.
#
# Usage: fetch.sh DIR SUITE ARCH [PACKAGE...]
# Exit status: 0 the cell is there, 1 the archive does not serve it (any more).
set -euo pipefail

dir=$1 suite=$2 arch=$3
shift 3
[ $# -gt 0 ] || set -- libc6 libc6-dbg
cell=$dir/$suite-$arch
apt=$dir/apt-$suite
[ -e "$cell/.complete" ] && exit 0
mkdir -p "$dir"
exec 9>"$dir/lock-$suite" # two tests may want it at once
flock 9
[ -e "$cell/.complete" ] && exit 0

# The archive is the one that this machine's own sources name.
# shellcheck disable=SC2016 # apt expands it
mirror=${HT_MATRIX_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' |
	grep '/debian/$' | sort | uniq -c | sort -rn | awk 'NR == 1 {print $2}')}
if [ -z "$mirror" ]; then
	echo "fetch.sh: no Debian archive in this machine's apt sources;" \
		"set HT_MATRIX_MIRROR" >&2
	exit 1
fi

mkdir -p "$apt"/{lists/partial,cache/archives/partial,download}
: >"$apt/status"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [arch=amd64,i386 signed-by=$keyring] $mirror $suite main" >"$apt/sources.list"
cat >"$apt/apt.conf" <<CONF
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "$apt";
Dir::State::Lists "$apt/lists";
Dir::State::Status "$apt/status";
Dir::Cache "$apt/cache";
APT::Architecture "amd64";
APT::Architectures {"amd64"; "i386";};
APT::Sandbox::User "$(id -un)";
APT::Get::List-Cleanup "false";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Retries "3";
CONF
export APT_CONFIG=$apt/apt.conf

update() {
	apt-get -qq update >&2 && touch "$apt/updated"
}
download() {
	(cd "$apt/download" && apt-get -qq download "$@" >&2)
}
# Lists that are kept go out of date: the archive has moved on. And an archive
# may be away for a moment.
fetch() {
	local pause
	if [ -e "$apt/updated" ] && download "$@"; then return; fi
	for pause in 0 5 15 45; do
		sleep "$pause"
		if update && download "$@"; then return; fi
	done
	return 1
}

for package in "$@"; do # an older version may lie there
	rm -f "$apt/download/$package"_*_"$arch".deb
done
fetch "${@/%/:$arch}" || exit 1

rm -rf "$cell.part"
for package in "$@"; do
	dpkg-deb -x "$apt/download/$package"_*_"$arch".deb "$cell.part"
done
# Packages of merged-/usr suites have no /lib of their own.
for top in lib lib64; do
	if [ -d "$cell.part/usr/$top" ] && [ ! -e "$cell.part/$top" ]; then
		ln -s "usr/$top" "$cell.part/$top"
	fi
done
dpkg-deb -f "$apt/download/libc6_"*"_$arch.deb" Version >"$cell.part/.version"
rm -rf "$cell"
mv "$cell.part" "$cell"
touch "$cell/.complete"
