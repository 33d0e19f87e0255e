#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# Real control groups: which limit a process meets first, seen from the machine,
# from within a cgroup namespace, and where no tree is mounted: then it is null,
# and the reason is told. v1 or v2, whichever has the controllers here.
# shellcheck disable=SC2016,SC2119 # eval expands what is quoted here
set -u
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
needs root memory_cgroup
[ -n "${HT_UNSHARED:-}" ] || HT_UNSHARED=1 exec unshare --mount --propagation private bash "$0"
make -s "BUILD=$HT_BUILD" "$HT_BUILD/targets/waiting" "$HT_BUILD/targets/grower" || exit 1
heaptide=$HT_BUILD/heaptide

# tree CONTROLLER: where its groups are made
tree() {
	awk -v name="$1" '$3 == "cgroup" && $4 ~ "(^|,)" name "(,|$)" { print $2; found = 1; exit }
		$3 == "cgroup2" { second = $2 } END { if (!found) print second }' /proc/mounts
}
memory=$(tree memory)
pids=$(tree pids)
if [ -e "$memory/memory.stat" ] && [ ! -e "$memory/cgroup.controllers" ]; then
	limit=memory.limit_in_bytes keys='total_rss|total_shmem' options=memory fs=cgroup
else
	limit=memory.max keys='anon|shmem|kernel' options=nsdelegate fs=cgroup2
fi
note "memory: $fs at $memory; pids: $pids"
name=heaptide-test-$$
paths=("$name" "$name/in" "$name/free")
# Version 2 gives a controller to groups whose parent says so.
give() { [ ! -e "$1/cgroup.subtree_control" ] || echo "+memory +pids" >"$1/cgroup.subtree_control"; }
groups() {
	for path in "${paths[@]}"; do
		mkdir -p "$memory/$path" "$pids/$path" && give "$memory/$path/.." && give "$pids/$path/.." || return 1
	done
}
removed() {
	rmdir "$memory/$name/"{in,free} "$memory/$name" "$pids/$name/"{in,free} "$pids/$name" 2>/dev/null
	[ ! -e "$memory/$name" ] && [ ! -e "$pids/$name" ]
}
trap 'stop_started; poll 10 removed' EXIT
ok "groups are made" groups
echo 128M >"$memory/$name/$limit"
echo 256M >"$memory/$name/in/$limit"
echo 40 >"$pids/$name/in/pids.max"

# run_in PATH COMMAND...
run_in() {
	local path=$1
	shift
	start sh -c 'echo $$ >"$0/cgroup.procs" && echo $$ >"$1/cgroup.procs" && shift && exec "$@"' \
		"$memory/$path" "$pids/$path" "$@" >"$HT_TMP/ready"
	poll 20 grep -q ready "$HT_TMP/ready"
}
run_in "$name/in" "$HT_BUILD/targets/waiting"
limited=$started
run_in "$name/free" "$HT_BUILD/targets/waiting"
free=$started
start "$HT_BUILD/targets/waiting" >"$HT_TMP/ready"
poll 20 grep -q ready "$HT_TMP/ready"
outside=$started
explain() { "${@:2}" "$heaptide" explain "$1" --json >"$HT_TMP/answer"; }
value() { jq -r "$1" "$HT_TMP/answer"; }
# unread NAME TEXT PID COMMAND...: null, and the reason told
unread() {
	ok "$1: it is measured" explain "${@:3}"
	is "$1: its limits are null, for one reason" "$(value '[.limits.cgroup_max, .limits.cgroup_used, .limits.threads_max]
		+ ([.unknown[] | [.reason, (.names | split(" ")[])]] | add | unique) | map(tostring) | join(" ")')" \
		"null null null cgroup limits.cgroup_max limits.cgroup_used limits.threads_max"
	ok "$1: which a warning has in words" grep -q "$2" <<<"$(value '.warnings[]')"
}
used() { awk -v keys="^($keys)\$" '$1 ~ keys { n += $2 } END { print n }' "$memory/$1/memory.stat"; }

# --- as the machine has it
ok "a process in a group below a tighter one is measured" explain "$limited"
same "the tighter limit is told" "$(value .limits.cgroup_max)" $((128 << 20))
is "and whose it is" "$(value .limits.cgroup_path)" "/$name"
near "and what is used of it" "$(value .limits.cgroup_used)" "$(used "$name")" $((1 << 20))
is "threads are limited by their group" "$(value .limits.threads_max_of)" "pids.max of cgroup /$name/in"
same "to what it leaves" "$(value .limits.threads_max)" 40
is "nothing is unknown" "$(value '.unknown | length')" 0
echo 64M >"$memory/$name/in/$limit"
ok "once the inner one is the tighter" explain "$limited"
is "it is told" "$(value '"\(.limits.cgroup_max) \(.limits.cgroup_path)"')" "$((64 << 20)) /$name/in"
ok "a process in no limited group is measured" explain "$outside"
is "it has none that is this test's" "$(value '.limits.cgroup_path // "" | startswith("/heaptide-test")')" false
is "and nothing of it is unknown" "$(value '.unknown | length')" 0
ok "a group that says nothing itself: it is measured" explain "$free"
is "the one above it is told" "$(value .limits.cgroup_path)" "/$name"

# --- what is written to a tmpfs is no memory of the process, and takes the group's
echo 512M >"$memory/$name/$limit"
mkdir "$HT_TMP/tmpfs" && mount -t tmpfs tmpfs "$HT_TMP/tmpfs"
run_in "$name/free" "$HT_BUILD/targets/grower" written "$HT_TMP/tmpfs"
"$heaptide" record "$started" -o "$HT_TMP/written.db" -i 500ms -d 14s >/dev/null 2>&1
"$heaptide" verdict "$started" --db "$HT_TMP/written.db" --json >"$HT_TMP/answer"
kill "$started"
is "a process that fills a tmpfs is no leak" "$(value .verdict)" STABLE
ok "but it is told that its group's memory goes, and where to look" grep -qE \
	"left of cgroup /$name fell by [0-9.]+ MiB .*mapped none of it.*files in tmpfs" <<<"$(value '.evidence[]')"
poll 10 umount "$HT_TMP/tmpfs"
echo 128M >"$memory/$name/$limit"

# --- from within a cgroup namespace
cat >"$HT_TMP/within" <<'WITHIN'
set -e
echo $$ >"$1/$3/cgroup.procs"
echo $$ >"$2/$3/cgroup.procs"
fs=$4 options=$5
shift 5
exec unshare --cgroup --mount sh -ec '
	grep " - cgroup2\? " /proc/self/mountinfo | cut -d " " -f 5 | sort -r | while read -r at; do umount "$at"; done
	mkdir -p "$HT_TMP/memory" "$HT_TMP/pids"
	mount -t "$0" -o "$1" cgroup "$HT_TMP/memory"
	[ "$0" = cgroup2 ] || mount -t cgroup -o pids cgroup "$HT_TMP/pids"
	shift
	exec "$@"' "$fs" "$options" "$@"
WITHIN
within() { env HT_TMP="$HT_TMP" bash "$HT_TMP/within" "$memory" "$pids" "${@:1:1}" "$fs" "$options" "${@:2}"; }
ok "within a namespace: a process below its root is measured" explain "$limited" within "$name/in"
is "its limits are the same" "$(value '"\(.limits.cgroup_max) \(.limits.cgroup_path), \(.limits.threads_max_of)"')" \
	"$((64 << 20)) /, pids.max of cgroup /"
is "and nothing is unknown" "$(value '.unknown | length')" 0
unread "one whose limits are above that root" "not seen from here" "$free" within "$name/free"
unread "one outside of that root" "lies outside" "$limited" within "$name/free"

# --- a tree of version 2 without these controllers, as hybrid machines have it: the
# process is told to be in it by a text over its own
hybrid() {
	local tree=$HT_TMP/second text=$HT_TMP/text
	mkdir "$tree"
	mount -t cgroup2 cgroup2 "$tree" && mkdir "$tree/$name" || return 1
	echo "0::/$name" >"$text"
	mount --bind "$text" "/proc/$outside/cgroup"
	ok "version 2 without the controllers: it is measured" explain "$outside"
	is "neither it nor the root limits anything" "$(value '"\(.limits.cgroup_max) \(.unknown | length)"')" "null 0"
	echo "0::/" >"$text"
	ok "the same in a cgroup namespace: it is measured" explain "$outside" sh -ec 'echo $$ >"$0/$1/cgroup.procs" && shift
		exec unshare --cgroup --mount sh -ec "umount \"\$0\" && mount -t cgroup2 cgroup2 \"\$0\" && exec \"\$@\"" "$0" "$@"' "$tree" "$name"
	is "what that hides is not taken for unlimited" "$(value '.limits.cgroup_max, .unknown[].reason' | paste -sd' ')" "null cgroup"
	umount "/proc/$outside/cgroup"
	ok "its group of version 2 is gone" poll 10 rmdir "$tree/$name"
	umount "$tree"
}
[ "$fs" = cgroup2 ] || ! can cgroup2 "version 2 without the controllers" || hybrid

# --- where no tree is mounted
blind() {
	unshare --mount sh -ec 'grep " - cgroup2\? " /proc/self/mountinfo | cut -d " " -f 5 | sort -r |
		while read -r at; do umount "$at"; done; exec "$@"' - "$@"
}
unread "where no tree is mounted" "($fs) is not mounted" "$limited" blind
ok "the command says so, too" grep -q "limits of its cgroups are unknown" <<<"$(blind "$heaptide" explain "$limited" 2>&1)"
ok "and doctor" grep -q "limits of its cgroups are unknown" <<<"$(blind "$heaptide" doctor "$limited" 2>&1)"
stop_started
ok "its groups are gone" poll 20 removed
plan
