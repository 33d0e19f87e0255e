#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What this machine can do, each fact found by a probe with nothing of heaptide in
# it. A test may ask for a fact by name (can() of tap.sh, needs() of the bats files,
# needs() of machine.h); without it, and for no other reason, it is told as skipped.
#
#   machine.sh FACT   exit status 0: it can. 1: it cannot; prints "FACT: why".
#                     Others: no such fact, or its probe could not be made.
#   machine.sh        prints every fact
#
# HT_MACHINE_WITHOUT=FACT,...: these are told as missing, so that what a test does
# without them is seen on a machine that has them. HT_MACHINE: a directory in which
# answers are kept; tests/run makes one for each run.
set -uo pipefail

# What is said where it is missing. Each has a function probe_FACT.
declare -A facts=(
	[root]="the tests do not run as root"
	[kernel_threads]="no kernel thread is seen as pid 2 here"
	[run32]="this machine runs no 32-bit programs"
	[zero_page]="a page that is only read gets a frame of its own here"
	[pagemap_scan]="the kernel has no PAGEMAP_SCAN (Linux 6.7)"
	[huge_pages]="the machine gives no 100 huge pages to the pool"
	[own_traced]="a process may trace none of its user's but its children (kernel.yama.ptrace_scope)"
	[others_seen]="users do not see the processes of others here (/proc is mounted with hidepid)"
	[shared_room]="no tmpfs with room for 600 MiB is at /dev/shm"
	[swap]="the machine takes no swap file"
	[namespaces]="no user, mount and pid namespaces can be made here"
	[last_pid]="the next pid of a pid namespace cannot be set here"
	[overlay]="no overlay can be mounted over this machine's files"
	[fuse]="no FUSE file system can be mounted here"
	[cgroup2]="no tree of control groups (version 2) can be mounted here"
	[containers]="runc starts no container here"
	[memory_cgroup]="no memory control group can be made here"
	[cgroups]="not all control groups above this process are seen (a cgroup namespace, nothing mounted)"
	[seccomp_read]="the kernel gives out no seccomp filter here (CAP_SYS_ADMIN, and none over the tests)"
	[page_faults]="the kernel lets no page faults be sampled (events of perf; kernel.perf_event_paranoid, CAP_PERFMON)"
	[page_faults_for_all]="the kernel lets no ordinary user sample page faults (kernel.perf_event_paranoid is above 2)"
	[uprobes]="the kernel lets no calls be seen by links of uprobes (Linux 6.6, CAP_BPF, CAP_PERFMON)"
	[protobuf]="no python3 here has protobuf (python3-protobuf)"
	[browser]="there is no Chromium that starts, or no node to drive it"
	[npm]="npm is not here or fetches no packages"
	[userfaultfd]="no userfaultfd here hears of faults that the kernel meets (vm.unprivileged_userfaultfd, CAP_SYS_PTRACE)"
	[ksm]="the kernel merges no equal pages of a process that asks for it (Linux 6.4)"
)

without=${HT_MACHINE_WITHOUT:-}
scratch=
tidy() { [ -z "$scratch" ] || rm -rf "$scratch"; }
trap tidy EXIT

# compiled FLAG...: the C program on standard input as ./probe
compiled() {
	gcc -x c -O1 -w -o probe "$@" - || exit 3
}

probe_protobuf() {
	local python
	for python in python3 /usr/bin/python3; do
		"$python" -c "import google.protobuf" 2>/dev/null && return
	done
	return 1
}

probe_root() { [ "$(id -u)" -eq 0 ]; }

probe_kernel_threads() {
	[ -r /proc/2/cmdline ] && [ -z "$(tr -d '\0' </proc/2/cmdline)" ]
}

probe_run32() {
	compiled -m32 -nostdlib -static -fno-pie -no-pie <<-'C'
		void _start(void)
		{
			__asm__ volatile("int $0x80" : : "a"(1), "b"(0));
		}
	C
	./probe
}

probe_seccomp_read() {
	compiled <<-'C'
		#define _GNU_SOURCE
		#include <linux/filter.h>
		#include <linux/seccomp.h>
		#include <signal.h>
		#include <sys/prctl.h>
		#include <sys/ptrace.h>
		#include <sys/wait.h>
		#include <unistd.h>
		int main(void)
		{
			struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
			struct sock_fprog program = {1, &all};
			int status, n;
			pid_t pid = fork();
			if (pid == 0) {
				prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
				prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
				raise(SIGSTOP);
				_exit(0);
			}
			waitpid(pid, &status, WUNTRACED);
			ptrace(PTRACE_SEIZE, pid, 0, 0);
			ptrace(PTRACE_INTERRUPT, pid, 0, 0);
			waitpid(pid, &status, 0);
			n = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, 0);
			kill(pid, SIGKILL);
			return n != 1;
		}
	C
	./probe
}

probe_zero_page() {
	compiled <<-'C'
		#define _GNU_SOURCE
		#include <stdio.h>
		#include <string.h>
		#include <sys/mman.h>
		static long anonymous(void)
		{
			FILE *f = fopen("/proc/self/smaps_rollup", "r");
			char line[256];
			long kib = -1;

			while (f && fgets(line, sizeof(line), f))
				sscanf(line, "Anonymous: %ld", &kib);
			if (f)
				fclose(f);
			return kib;
		}
		int main(void)
		{
			volatile char *at = mmap(0, 512 << 12, PROT_READ | PROT_WRITE,
						 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			long before;
			int sum = 0;

			madvise((void *)at, 512 << 12, MADV_NOHUGEPAGE);
			anonymous(); /* what stdio takes is taken now */
			before = anonymous();
			for (int i = 0; i < 512; i++)
				sum += at[i << 12];
			return sum || before < 0 || anonymous() - before > 1024;
		}
	C
	./probe
}

probe_pagemap_scan() {
	compiled <<-'C'
		#include <fcntl.h>
		#include <stdint.h>
		#include <sys/ioctl.h>
		int main(void)
		{
			uint64_t regions[3 * 4];
			uint64_t arg[12] = {sizeof(arg), 0, (uintptr_t)regions & -4096,
				((uintptr_t)regions & -4096) + 4096, 0, (uintptr_t)regions,
				4, 0, 0, 0, 8, 8};

			return ioctl(open("/proc/self/pagemap", O_RDONLY),
				     _IOWR('f', 16, arg), arg) != 1;
		}
	C
	./probe
}

probe_huge_pages() {
	local pool=/proc/sys/vm/nr_hugepages before given
	before=$(cat "$pool") || return 1
	echo 1 >/proc/sys/vm/compact_memory
	echo 160 >"$pool"
	given=$(cat "$pool")
	echo "$before" >"$pool"
	[ "$given" -ge 100 ]
}

probe_swap() {
	dd if=/dev/zero of=swapfile bs=1M count=4 status=none && chmod 600 swapfile &&
		mkswap -q swapfile && swapon "$PWD/swapfile" && swapoff "$PWD/swapfile"
}

probe_namespaces() {
	unshare --user --map-root-user --mount --pid --fork --kill-child true
}

# unshared COMMAND: by sh, in mount and pid namespaces of its own, in a user
# namespace only where there is need for one.
unshared() {
	local user=()
	[ "$(id -u)" -eq 0 ] || user=(--map-root-user)
	unshare "${user[@]}" --mount --pid --fork --kill-child --mount-proc sh -ec "$1"
}

probe_own_traced() {
	local scope=/proc/sys/kernel/yama/ptrace_scope
	[ ! -e $scope ] || [ "$(cat $scope)" -eq 0 ]
}

probe_others_seen() {
	local as=()
	[ "$(id -u)" -ne 0 ] || as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	"${as[@]}" test -d /proc/1
}

probe_shared_room() {
	[ "$(stat -f -c %T /dev/shm)" = tmpfs ] && [ "$(df --output=avail -k /dev/shm | tail -n 1)" -ge $((600 << 10)) ]
}

probe_last_pid() { unshared 'echo 400 >/proc/sys/kernel/ns_last_pid'; }

probe_overlay() {
	unshared "mount -t tmpfs tmpfs '$scratch' && cd '$scratch' && mkdir upper work merged &&
		mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work merged &&
		mount --rbind /proc merged/proc && touch merged/written"
}

probe_fuse() {
	mkdir at && compiled <<-'C'
		#define _GNU_SOURCE
		#include <fcntl.h>
		#include <sched.h>
		#include <stdio.h>
		#include <sys/mount.h>
		int main(void)
		{
			char options[80];

			snprintf(options, sizeof(options),
				 "fd=%d,rootmode=40000,user_id=0,group_id=0",
				 open("/dev/fuse", O_RDWR));
			return unshare(CLONE_NEWNS) ||
			       mount("", "/", "", MS_REC | MS_PRIVATE, 0) ||
			       mount("probe", "at", "fuse.probe", 0, options);
		}
	C
	./probe
}

probe_cgroup2() {
	unshared "mount -t cgroup2 cgroup2 '$scratch' && mkdir '$scratch/heaptide-probe-$$' &&
		rmdir '$scratch/heaptide-probe-$$'"
}

probe_memory_cgroup() {
	local group limit=memory.limit_in_bytes status
	group=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2; exit }' /proc/mounts)
	if [ -z "$group" ]; then
		group=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
		limit=memory.max
		[ -n "$group" ] && echo +memory >"$group/cgroup.subtree_control"
	fi
	group=$group/heaptide-probe-$$
	mkdir "$group" && [ -w "$group/$limit" ]
	status=$?
	rmdir "$group"
	return $status
}

# For each controller: the root of its hierarchy is mounted, and is that of the machine.
probe_cgroups() {
	local controller top
	for controller in memory pids; do
		if grep -Eq "^[0-9]+:([^:]*,)?$controller(,[^:]*)?:" /proc/self/cgroup; then
			top=$(awk -v name="$controller" '$4 == "/" && / - cgroup / && $NF ~ "(^|,)" name "(,|$)" { print $5; exit }' /proc/self/mountinfo)
			[ -n "$top" ] && [ -e "$top/release_agent" ] || return 1
		else
			top=$(awk '$4 == "/" && / - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
			[ -n "$top" ] && [ ! -e "$top/cgroup.type" ] || return 1
		fi
	done
}

probe_containers() {
	mkdir -p rootfs/proc
	compiled -static <<<'int main(void) { return 0; }'
	mv probe rootfs
	runc spec && jq '.process.terminal = false | .process.args = ["/probe"]
		| .linux.namespaces = [{type: "mount"}, {type: "uts"}]
		| .mounts = [{destination: "/proc", type: "proc", source: "proc"}]' config.json >spec &&
		mv spec config.json && runc --root "$scratch/state" run "heaptide-probe-$$" </dev/null
}

# Of a child, as 'heaptide who --way growth' has them.
probe_page_faults() {
	compiled <<-'C'
		#define _GNU_SOURCE
		#include <linux/perf_event.h>
		#include <signal.h>
		#include <sys/syscall.h>
		#include <unistd.h>
		int main(void)
		{
			struct perf_event_attr a = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(a),
				.config = PERF_COUNT_SW_PAGE_FAULTS, .sample_period = 1, .exclude_kernel = 1,
				.sample_type = PERF_SAMPLE_STACK_USER, .sample_stack_user = 8192};
			int child = fork(), fd;
			if (child == 0)
				for (;;)
					pause();
			fd = syscall(SYS_perf_event_open, &a, child, -1, -1, 0);
			kill(child, SIGKILL);
			return fd < 0;
		}
	C
	./probe
}
probe_page_faults_for_all() {
	[ "$(cat /proc/sys/kernel/perf_event_paranoid)" -le 2 ] && probe_page_faults
}

# A program that does nothing, and a link of it on a file that is none: a kernel that
# has such links looks for the file, and says so.
probe_uprobes() {
	compiled <<-'C'
		#define _GNU_SOURCE
		#include <errno.h>
		#include <stdint.h>
		#include <sys/syscall.h>
		#include <unistd.h>
		int main(void)
		{
			static const uint64_t insns[] = {0xb7, 0x95}; /* r0 = 0; exit */
			static const uint64_t offset;
			struct {
				uint32_t type, n;
				uint64_t insns, license;
				uint32_t level, size;
				uint64_t log;
				uint32_t version, flags;
				char name[16];
				uint32_t ifindex, attach;
			} load = {2, 2, (uintptr_t)insns, (uintptr_t)"GPL", .attach = 48};
			struct {
				uint32_t program, target, attach, flags;
				uint64_t path, offsets, counters, cookies;
				uint32_t n, multi, pid;
			} link = {.attach = 48, .path = (uintptr_t)"/proc/self/exe/none",
				  .offsets = (uintptr_t)&offset, .n = 1};
			int fd = syscall(SYS_bpf, 5, &load, sizeof(load));

			if (fd < 0)
				return 1;
			link.program = fd;
			return !(syscall(SYS_bpf, 28, &link, 60) < 0 &&
				 (errno == ENOENT || errno == ENOTDIR));
		}
	C
	./probe
}

probe_browser() {
	command -v node && timeout 120 chromium --headless --no-sandbox --disable-gpu \
		--user-data-dir="$scratch/browser" --dump-dom 'data:text/html,<p>seen' | grep -q seen
}

probe_npm() { timeout 60 npm ping --fetch-retries=1; }

probe_ksm() {
	[ -w /sys/kernel/mm/ksm/run ] || return 1
	compiled <<-'C'
		#include <sys/prctl.h>
		int main(void)
		{
			return prctl(67, 1, 0, 0, 0) != 0;
		}
	C
	./probe
}

probe_userfaultfd() {
	compiled <<-'C'
		#include <fcntl.h>
		#include <linux/userfaultfd.h>
		#include <sys/ioctl.h>
		#include <sys/syscall.h>
		#include <unistd.h>
		int main(void)
		{
			struct uffdio_api api = {.api = UFFD_API};
			int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

			return fd < 0 || ioctl(fd, UFFDIO_API, &api);
		}
	C
	./probe
}

# answer FACT: probes it, unless that was done before; sets $said to "yes" or why not.
answer() {
	local fact=$1 kept=${HT_MACHINE:+$HT_MACHINE/$1} status
	case ,$without, in
	*,"$fact",*) said="${facts[$fact]} (as HT_MACHINE_WITHOUT has it)" ;;
	*)
		[ -z "$kept" ] || [ ! -s "$kept" ] || { said=$(cat "$kept") && return; }
		scratch=$(mktemp -d "${TMPDIR:-/tmp}/heaptide.XXXXXX")
		(cd "$scratch" && "probe_$fact") >"$scratch.said" 2>&1
		status=$?
		rm -rf "$scratch"
		[ $status -ne 3 ] || { cat "$scratch.said" >&2 && rm "$scratch.said" && exit 3; }
		rm "$scratch.said"
		scratch=
		said=yes
		[ $status -eq 0 ] || said=${facts[$fact]}
		;;
	esac
	[ -z "$kept" ] || echo "$said" >"$kept"
}

for name in ${without//,/ } "$@"; do
	[ -n "${facts[$name]:-}" ] || {
		echo "machine.sh: no such fact: $name" >&2
		exit 2
	}
done
# Facts are asked for by tests that run at the same time; some probes change the
# machine for a moment.
exec {lock}<"$0"
flock "$lock"
if [ $# -eq 0 ]; then
	for name in "${!facts[@]}"; do
		answer "$name"
		echo "$name: $said"
	done | sort
	exit
fi
answer "$1"
[ "$said" = yes ] || { echo "$1: $said" && exit 1; }
