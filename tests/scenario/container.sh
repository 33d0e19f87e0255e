#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A container as it is seen from outside: another suite's root made by
# debootstrap, with mount, pid and user namespaces of its own; the probe and the
# root's own programs run in it, with that suite's libc and no debug file.
# Limit: 600 s
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
needs root namespaces
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
check=$HT_BUILD/tools/matrix_check
make -s "BUILD=$HT_BUILD" "$check" || exit 1
suite=trixie
cells=$HT_BUILD/matrix
root=$cells/root-$suite

# make_root: once for a build; what a broken try left is thrown away. An archive
# may be away for a moment.
make_root() {
	local mirror pause
	[ ! -e "$root/.complete" ] || return 0
	mkdir -p "$cells"
	# shellcheck disable=SC2016 # apt expands it
	mirror=${HT_MATRIX_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' |
		grep '/debian/$' | sort | uniq -c | sort -rn | awk 'NR == 1 {print $2}')}
	for pause in 0 5 30; do
		sleep $pause
		rm -rf "$root"
		if debootstrap --variant=minbase "$suite" "$root" "$mirror"; then
			touch "$root/.complete"
			return
		fi
	done
	return 1
}

contained=(env PATH=/usr/sbin:/usr/bin:/sbin:/bin unshare --user --map-root-user --mount --pid --fork --kill-child
	chroot "$root")

# last_child PID: the program at the end of unshare's chain.
last_child() {
	local pid=$1 next
	while next=$(cut -d' ' -f1 "/proc/$pid/task/$pid/children") && [ -n "$next" ]; do
		pid=$next
	done
	echo "$pid"
}

ok "debootstrap makes a root of $suite" make_root
ok "the probe is built against the oldest libc" sh -c \
	"tests/matrix/fetch.sh '$cells' bullseye amd64 libc6 libc6-dbg libc6-dev linux-libc-dev &&
	tests/matrix/build.sh '$cells' amd64 && cp -f '$cells/probe-amd64' '$root/probe'"
ok "the probe in the container: every figure is the process's own" \
	"$check" --scan --child "$root/out.xml" "${contained[@]}" /probe /out.xml

rm -f "$root/perl.done"
# shellcheck disable=SC2016 # perl's variables
start "${contained[@]}" perl -e 'my %h = map { $_ => "x" x ($_ % 900) } 1 .. 100000;
	delete $h{$_ * 2} for 1 .. 50000; open my $f, ">", "/perl.done"; close $f; sleep 600'
ok "perl runs in the container" poll 30 test -e "$root/perl.done"
pid=$(last_child "$started")
json=$HT_TMP/perl.json
field() { jq -r "$1" "$json"; }
ok "perl in the container is measured from outside" \
	sh -c "'$HT_BUILD/heaptide' explain $pid --json >'$json'"
is "its process id is another inside" \
	"$(awk '$1 == "NSpid:" { print NF - 1 }' "/proc/$pid/status")" 2
is "its libc is the container's own" "$(field .libc.version)" \
	"$(env PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" perl -e 'print qx(ldd --version) =~ /(2\.\d+)\n/')"
is "its libc is not this machine's" "$(field .libc.layout)" table
is "its programs are named as it names them" "$(field .exe)" /usr/bin/perl
same "the causes add up to RSS" "$(field '[.rss_breakdown[].bytes] | add')" "$(field .process.rss)"
same "every arena adds up" "$(field '[.arenas[]
	| select(.system == .in_use + .free + .overhead)] | length')" "$(field .totals.arenas)"
ok "its heap is there" test "$(field .totals.in_use)" -gt 10000000
is "nothing is called corrupt" "$(field '.findings | length')" 0
plan
