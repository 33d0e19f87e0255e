#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Snapshot mode where it would not be safe: refused, with the reason, and the
# process has no child and runs on. And what an agent without memory does.
# Limit: 180 s
# shellcheck disable=SC2016 # eval expands what is quoted here
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
heaptide=$HT_BUILD/heaptide
cd "$HT_TMP" || exit 1

# target COMMAND...: started with an input that stays open; sets $pid once it is
# ready.
target() {
	rm -f in out && mkfifo in
	start sh -c 'exec 0<>in "$@" >out' sh "$@"
	ready 20 grep -qs ready out
	pid=$started
}

# last_child PID: the program at the end of unshare's chain.
last_child() {
	local pid=$1 next
	while next=$(cut -d' ' -f1 "/proc/$pid/task/$pid/children") && [ -n "$next" ]; do
		pid=$next
	done
	echo "$pid"
}

free_and_alone() { # PID: no thread is stopped or traced, no child of any thread
	local state
	for state in /proc/"$1"/task/*/stat; do
		[[ $(sed 's/.*) \(.\).*/\1/' "$state") == [RSD] ]] || return 1
	done
	[ -z "$(cat /proc/"$1"/task/*/children)" ]
}

refused() { # WHY PATTERN PID [free]
	local output status
	output=$("$heaptide" explain "$3" --mode snapshot 2>&1)
	status=$?
	is "$1: snapshot mode is refused" "$status" 16
	ok "$1: the reason is said" grep -q -- "$2" <<<"$output"
	[ "${4:-}" = child ] || ok "$1: the process runs on, without a child" poll 10 free_and_alone "$3"
}

target "$HT_BUILD/targets/threads" 2 sleep
# measured: a fork that gets no processor in time is called off: asked again
measured() { poll 20 "$heaptide" explain "$pid" --mode snapshot; }
ok "a plain process is measured by its copy" measured
ok "and has no child afterwards" poll 10 free_and_alone "$pid"

target "$HT_BUILD/targets/filtered"
refused "a seccomp filter" "seccomp" "$pid"

target "$HT_BUILD/targets/vforking"
refused "a thread in vfork" "vfork" "$pid" child

if [ "$(id -u)" = 0 ]; then
	uid=54321
	user=(setpriv --reuid "$uid" --regid "$uid" --clear-groups)
else
	uid=$(id -u)
	user=()
fi
cp "$HT_BUILD/targets/threads" . && chmod 755 . threads
target "${user[@]}" ./threads 1 sleep
"${user[@]}" prlimit --pid "$pid" --nproc=3
refused "a limit of processes that leaves no room" "RLIMIT_NPROC" "$pid"
for _ in 1 2 3 4 5 6; do
	start "${user[@]}" sleep 300
done
poll 20 eval '[ "$(pgrep -c -U $uid -x sleep)" -ge 6 ]' # each has become that user
target "${user[@]}" ./threads 1 sleep
"${user[@]}" prlimit --pid "$pid" --nproc=6
refused "a limit that the user's other processes use up" "RLIMIT_NPROC" "$pid"

can namespaces "the init of a container" && {
	target unshare --user --map-root-user --mount --pid --fork --kill-child \
		./threads 0 sleep
	refused "the init of a container" "init of its container" "$(last_child "$pid")"
}

gcc -m32 -O2 -std=gnu17 -D_GNU_SOURCE -o threads32 \
	"$HT_TOP/tests/targets/threads.c" -lpthread
can run32 "a 32-bit program" && {
	target ./threads32 0 sleep
	refused "a 32-bit program" "32-bit" "$pid"
}

# A memory control group with less room than a copy of 40 MB may need; then with
# enough. Whatever hierarchy the machine has.
in_memory_group() {
	local limit rss
	group=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ {print $2; exit}' /proc/mounts)
	limit=memory.limit_in_bytes
	if [ -z "$group" ]; then
		group=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/mounts)
		limit=memory.max
		echo +memory >"$group/cgroup.subtree_control"
	fi
	group=$group/heaptide-test-$$
	trap 'rmdir "$group"' EXIT
	ok "a memory control group can be made" mkdir "$group"
	target sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" \
		"$HT_BUILD/targets/large_heap" 300000 1 1000
	rss=$(($(awk '/^VmRSS/ {print $2}' "/proc/$pid/status") * 1024))
	ok "its limit leaves the process 2 MiB" sh -c "echo $((rss + 2097152)) >$group/$limit"
	refused "a memory control group without room" "memory limit leaves" "$pid"
	ok "its limit leaves the process 1 GiB" sh -c "echo $((rss + 1073741824)) >$group/$limit"
	ok "then it is measured by its copy" measured
	kill "$pid"
	ok "its control group is empty again" poll 20 eval '! grep -q . "$group/cgroup.procs"'
}
can memory_cgroup "a memory control group" && in_memory_group

# A machine without room, for those inside: its own /proc/meminfo.
{
	echo "MemTotal:        1000 kB"
	echo "MemFree:           10 kB"
	echo "MemAvailable:      10 kB"
} >meminfo
mkfifo inside
no_memory_left() {
	local tight
	tight=$(unshare --user --map-root-user --mount sh -c '
		mount --bind meminfo /proc/meminfo && exec 3<>inside || exit 99
		./threads 0 sleep <&3 >out2 &
		until grep -qs ready out2; do sleep 0.1; done
		"$1" explain $! --mode snapshot 2>&1
		echo "status $?"
		kill $!' sh "$heaptide")
	ok "no memory left: snapshot mode is refused" grep -q "status 16" <<<"$tight"
	ok "no memory left: the need is said" grep -q "may need .* MiB" <<<"$tight"
}
can namespaces "no memory left" && no_memory_left

# An agent that gets no memory, from none at all to enough.
target "$HT_BUILD/targets/threads" 4 malloc
statuses=
for mib in 4 8 12 16 20 24 32 48 128; do
	for mode in bounded exact snapshot; do
		(ulimit -v $((mib * 1024)) && exec "$heaptide" explain "$pid" --mode "$mode") >/dev/null 2>err
		status=$?
		statuses+=" $status"
		if [ $status != 0 ] && { [ $status -gt 127 ] || [ ! -s err ]; }; then
			note "$mib MiB, $mode: status $status, $(cat err)"
			bad=yes
		fi
	done
done
is "an agent without memory ends with an error that says so" "${bad:-no}" no
ok "some had too little" grep -q " [1-9]" <<<"$statuses"
ok "some had enough" grep -q " 0" <<<"$statuses"
ok "the process runs on" poll 10 free_and_alone "$pid"
plan
