#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 240 s
# The unit under a real systemd: pid 1 of namespaces of its own, in an overlay
# over this machine's files, with nothing to start but the journal and us. It
# starts, sees all of another user's process that root sees, is pinged, reloads, is
# restarted when it hangs, and stops.
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
needs root overlay cgroup2
[ -n "${HT_UNSHARED:-}" ] || HT_UNSHARED=1 exec unshare --mount --propagation private bash "$0"
# shellcheck source=tests/lib/overlay.sh
. "$HT_TOP/tests/lib/overlay.sh"
make -s "BUILD=$HT_BUILD" "$HT_BUILD/targets/waiting" || exit 1

unit=heaptided.service
ok "an overlay over this machine mounts" overlay
# shellcheck source=tests/lib/installed.sh
. "$HT_TOP/tests/lib/installed.sh"
ok "heaptide is installed in it" eval 'mount --bind "$HT_TOP" "$root/mnt" && mount --bind "$HT_BUILD" "$root/opt" &&
	inside env BUILD=/opt PREFIX=/usr/local /mnt/packaging/install install'
ok "systemd finds nothing wrong with the unit" inside systemd-analyze verify --man=no /usr/local/lib/systemd/system/$unit

# Nothing of this machine is started: what units want is not known there.
rm -rf "$root"/{etc,lib,usr/lib}/systemd/system/*.wants "$root"/{etc,usr/lib}/systemd/system-generators/*
mkdir -p "$root/etc/systemd/system/$unit.d"
cat >"$root/etc/systemd/system/test.target" <<UNIT
[Unit]
DefaultDependencies=no
Wants=systemd-journald.service $unit
UNIT
printf '[Service]\nWatchdogSec=5s\nRestartSec=100ms\n' >"$root/etc/systemd/system/$unit.d/test.conf"
cat >"$root/etc/heaptide/heaptided.conf" <<CONF
[defaults]
interval = 500ms
[target sleepers]
name = ht-unit
CONF
cp "$HT_BUILD/targets/waiting" "$root/usr/local/bin/ht-unit"

# Sysctls stay those of the machine; the control groups below one of ours.
cat >"$HT_TMP/boot" <<'BOOT'
set -e
mount -t tmpfs tmpfs "$1/run"
mount -t tmpfs tmpfs "$1/tmp"
mount -t proc proc "$1/proc"
mount --bind "$1/proc/sys" "$1/proc/sys"
mount -o remount,ro,bind "$1/proc/sys"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
for controller in $2; do
	mkdir -p "$1/run/$controller"
	mount -t cgroup -o "$controller" cgroup "$1/run/$controller"
done
ip link set lo up
cd "$1"
mkdir -p old
pivot_root . old
cd /
umount -l /old
setpriv --reuid 65533 --regid 65533 --clear-groups --inh-caps=-all /usr/local/bin/ht-unit &
exec env -i container=heaptide PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --system --unit=test.target
BOOT
groups=$HT_TMP/cgroup2
mkdir "$groups"
ok "a tree of control groups" mount -t cgroup2 cgroup2 "$groups"
name=heaptide-test-$$
mine=("$groups/$name")
mkdir "$groups/$name"
first=() # controllers that version 1 has here
# limit CONTROLLER VALUE FILE FILE1: of our group; the second is what version 1 calls it
limit() {
	local in=$groups/$name file=$3
	if grep -Eq "^[0-9]+:([^:]*,)?$1(,[^:]*)?:" /proc/self/cgroup; then
		mkdir "$HT_TMP/$1" && mount -t cgroup -o "$1" cgroup "$HT_TMP/$1" && mkdir "$HT_TMP/$1/$name" || return 1
		in=$HT_TMP/$1/$name file=$4
		mine+=("$in")
		first+=("$1")
	else
		echo "+$1" >"$groups/cgroup.subtree_control" || return 1
	fi
	echo "$2" >"$in/$file"
}
if can memory_cgroup "limits of its control group"; then
	limit memory $((4 << 30)) memory.max memory.limit_in_bytes
	limit pids 4000 pids.max pids.max
fi
cat >"$HT_TMP/enter" <<'ENTER'
until [ "$1" = -- ]; do echo $$ >"$1/cgroup.procs" && shift; done
shift
exec "$@"
ENTER
start bash "$HT_TMP/enter" "${mine[@]}" -- \
	unshare --pid --fork --kill-child --mount --cgroup --ipc --uts --net bash "$HT_TMP/boot" "$root" "${first[*]}" \
	>"$HT_TMP/systemd.log" 2>&1
# What systemd made in the trees goes once the last process of it is reaped.
no_groups() {
	local group
	for group in "${mine[@]}"; do
		[ ! -e "$group" ] || find "$group" -depth -type d -exec rmdir {} \; || return 1
		[ ! -e "$group" ] || return 1
	done
}
end_groups() {
	stop_started
	ok "no control group is left behind" poll 10 no_groups
}
init() { pgrep -P "$started" | head -n 1; }
there() { env PATH="$system_path" nsenter --target "$(init)" --all --root --wd "$@"; }
property() { there systemctl show "$unit" --property "$1" --value; }
state() { [ "$(property ActiveState)" = "$1" ]; }
main() { property MainPID; }
# shellcheck disable=SC2034 # asked in an eval
measured='[.. | objects | select(.target? == "sleepers" and (.samples? // 0) > 0)] | length > 0'
journal() { there journalctl -q -o cat -u "$unit"; }
said() { journal | grep -q "$1"; }

poll 60 eval "state active || state failed"
ok "it starts: it said that it is ready" state active
[ $tap_failed -eq 0 ] || {
	note "$(cat "$HT_TMP/systemd.log")" "$(there systemctl status $unit 2>&1)" "$(journal)"
	end_groups
	plan
}
is "and systemd waited for that" "$(property Type)" notify
is "as the user heaptide" "$(there ps -o user= -p "$(main)")" heaptide
is "with no capability" "$(there sed -n 's/^CapEff:\t//p' "/proc/$(main)/status")" 0000000000000000

# The sandbox, as the kernel has it: each directive, by what it allows and forbids.
status() { there sed -n "s/^$1:[[:space:]]*//p" "/proc/$(main)/status"; }
is "its agents may get the two capabilities" "$(status CapBnd)" "$(printf '%016x' $((1 << 2 | 1 << 19)))"
is "and do not inherit one" "$(status CapInh) $(status CapAmb)" "0000000000000000 0000000000000000"
is "file capabilities count" "$(status NoNewPrivs)" 0
is "its files are for its group" "$(status Umask)" 0027
# what the daemon's own mounts let root write
within() { there nsenter --target "$(main)" --mount "$@"; }
for dir in /usr /etc /home /root /sys/fs/cgroup; do
	refuse "$dir may not be written" within mkdir "$dir/ht-probe"
done
for dir in /var/lib/heaptide /run/heaptide /tmp; do
	ok "$dir may be" within mkdir "$dir/ht-probe"
done
refuse "its /tmp is its own" there test -e /tmp/ht-probe
ok "the others are the machine's" there test -d /var/lib/heaptide/ht-probe -a -d /run/heaptide/ht-probe
is "which are closed to strangers" "$(there stat -c '%U %a' /var/lib/heaptide /run/heaptide | sort -u)" "heaptide 750"
# A machine may not let its systemd raise limits: what it was told, then.
is "it may set priorities of agents" "$(property LimitRTPRIO) $(property LimitNICE)" "50 40"
ok "it leaves no core file" there grep -q "^Max core file size *0 *0 " "/proc/$(main)/limits"
is "it stands back: nice, and first to be taken" "$(there ps -o ni= -p "$(main)" | tr -d ' ') $(there cat "/proc/$(main)/oom_score_adj")" "5 200"
ok "the socket answers" poll 20 there heaptide status
ok "its agent measures another user's process" poll 30 eval \
	'[ "$(there heaptide ls --json | jq -r "$measured")" = true ]'
# as_root_has_it: its metrics are what root's look says; what is not is in $HT_TMP/differ
as_root_has_it() {
	echo "no look" >"$HT_TMP/differ"
	there curl -sS http://127.0.0.1:9748/metrics >"$HT_TMP/scrape"
	there heaptide explain "$(there pgrep -x ht-unit)" --json >"$HT_TMP/root.json" || return 1
	published sleepers "$HT_TMP/scrape" >"$HT_TMP/published"
	expected "$HT_TMP/root.json" >"$HT_TMP/expected"
	diff "$HT_TMP/published" "$HT_TMP/expected" >"$HT_TMP/differ"
}
poll 10 as_root_has_it
is "all that it publishes of it is what root sees" "$(cat "$HT_TMP/differ")" ""
can memory_cgroup "and nothing is unknown to root" &&
	is "and nothing is unknown to root" "$(jq -c .unknown "$HT_TMP/root.json")" "[]" &&
	is "not the limits of its control group" "$(jq -r '.limits | "\(.cgroup_max) \(.threads_max_of)"' "$HT_TMP/root.json")" \
		"$((4 << 30)) pids.max of cgroup /"
ok "the journal has what it says" poll 10 said 'heaptided .* is ready'

pinged_us() { property WatchdogTimestampMonotonic; }
# shellcheck disable=SC2034 # asked in an eval
pinged=$(pinged_us)
ok "it answers the watchdog" poll 20 eval '[ "$(pinged_us)" -gt "$pinged" ]'
printf '[target more]\nname = none-such\n' >>"$root/etc/heaptide/heaptided.conf"
before=$(main)
ok "it reloads" there systemctl reload $unit
ok "with what the file says now" poll 10 said 'configuration read again: 2 targets'
is "in the same process" "$(main)" "$before"
ok "after it, it is active" poll 10 state active

there bash -c 'kill -STOP "$1"' - "$before"
ok "when it hangs, systemd restarts it" poll 60 eval '[ "$(property NRestarts)" -ge 1 ] && state active'
ok "because the watchdog was not answered" poll 10 eval 'there journalctl -q -o cat | grep -q "Watchdog timeout"'
ok "and it measures again" poll 30 eval '[ "$(main)" != "$before" ] && there heaptide status'

ok "it stops" there systemctl stop $unit
is "without an error" "$(property Result)" success
ok "it said so" poll 10 said 'ending: signal 15'
refuse "and leaves no process" there pgrep heaptide
end_groups
plan
