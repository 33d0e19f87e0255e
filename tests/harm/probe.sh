#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# Whatever becomes of those who look at calls of malloc, killed or stopped while their
# breakpoints are set: these go, malloc's code is as it was, and the process runs on.
# shellcheck disable=SC2016,SC2034 # eval expands what is quoted here
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
heaptide=$HT_BUILD/heaptide
makers=$HT_BUILD/targets/makers
cd "$HT_TMP" || exit 1
needs uprobes

# code.py PID: the first bytes of malloc as the process has them, beside those of the
# file; "same" or "other".
cat >code.py <<'EOP'
import re, subprocess, sys
pid = sys.argv[1]
for line in open(f"/proc/{pid}/maps"):
    m = re.match(r"([0-9a-f]+)-[0-9a-f]+ \S+ ([0-9a-f]+) \S+ \S+ +(/\S*libc[.-]\S*)", line)
    if m:
        base, path = int(m[1], 16) - int(m[2], 16), m[3]
        break
symbols = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True).stdout
changed = 0
with open(f"/proc/{pid}/mem", "rb") as memory, open(path, "rb") as file:
    for line in symbols.splitlines():
        at, kind, name = line.split()[:3]
        if name.split("@")[0] in ("malloc", "calloc", "realloc", "memalign", "posix_memalign"):
            memory.seek(base + int(at, 16))
            file.seek(int(at, 16))
            changed += memory.read(16) != file.read(16)
print("other" if changed else "same")
EOP
code() { python3 code.py "$1"; }
changed() { [ "$(code "$1")" = other ]; }
unchanged() { [ "$(code "$1")" = same ]; }

target() { # KIND [THREADS]
	start "$makers" "$@" >said
	target=$started
	ready 20 grep -q ready said
}
# ask: somebody looks at the target, for long; sets $asked, $agent and $probe.
ask() {
	start "$heaptide" who "$target" -d 600s >/dev/null 2>&1
	asked=$started
	poll 20 pgrep -P "$asked" -x heaptide-agent >agent
	agent=$(pgrep -P "$asked" -x heaptide-agent)
	poll 20 pgrep -P "$agent" -x heaptide-probe >probe
	probe=$(pgrep -P "$agent" -x heaptide-probe)
}
works() { # the target allocates on
	local before
	before=$(awk '{ print $14 + $15 + $22 }' "/proc/$target/stat") && kill -0 "$target" &&
		! grep -q '^State:.*[ZX]' "/proc/$target/status" && [ -n "$before" ]
}

target slow
is "before: malloc's code is the file's" "$(code "$target")" same
for who in probe agent asked; do
	ask
	ok "$who: a window is open" poll 20 changed "$target"
	kill -KILL "${!who}"
	ok "$who killed in a window: malloc's code is the file's again" poll 5 unchanged "$target"
	ok "$who killed: the probe is gone" poll 5 not_running "$probe"
	ok "$who killed: the process works on" works
	kill -KILL "$asked" 2>/dev/null
	poll 10 not_running "$asked"
	poll 10 not_running "$agent"
done

# The kernel may not take so long over each of them that a window is never shut.
ask
ok "a window is open" poll 20 changed "$target"
kill -STOP "$probe"
ok "a probe that is stopped is ended by its agent" poll 15 not_running "$probe"
ok "and malloc's code is the file's again" poll 5 unchanged "$target"
poll 10 not_running "$asked"

# What the probe may: two capabilities, one filter, nothing open but what it needs.
ask
ok "the probe looks" poll 20 changed "$target"
between "it has no right but CAP_BPF and CAP_PERFMON" \
	"$((16#$(sed -n 's/^CapPrm:[^0-9a-f]*//p' "/proc/$probe/status") & ~(3 << 38)))" 0 0
is "it can get none" "$(sed -n 's/^NoNewPrivs:[^0-9]*//p' "/proc/$probe/status")" 1
is "it has a seccomp filter" "$(sed -n 's/^Seccomp:[^0-9]*//p' "/proc/$probe/status")" 2
kill -KILL "$asked"
poll 10 not_running "$probe"
stop_started

# A filter of the process's own that kills: tried on a child of ours first.
gcc -O1 -o filtered -x c - <<'C'
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog p = {4, f};
	static void *slot[64];

	for (int i = 0; i < 64; i++)
		slot[i] = malloc(64);
	write(1, "ready\n", 6);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, 2, &p))
		return 1;
	for (uint64_t i = 0;; i++) {
		free(slot[i % 64]);
		slot[i % 64] = malloc(64);
		for (volatile int k = 0; k < 20000; k++)
			;
	}
}
C
start ./filtered >said
target=$started
ready 20 grep -q ready said
"$heaptide" who "$target" -d 4s --json >answer 2>why
ended=$?
ok "a process with a filter that kills is looked at unharmed, or refused" \
	eval '{ [ $ended = 0 ] && jq -e ".samples > 0" answer; } || { [ $ended = 16 ] && grep -q seccomp why; }'
ok "it works on" works
stop_started

# Threads come and go, programs are replaced, while windows open and close.
cat >storm.c <<'C'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static void *work(void *unused)
{
	void *p[50];

	for (int i = 0; i < 50; i++)
		p[i] = malloc(40 + 8 * (size_t)i);
	for (int i = 0; i < 50; i++)
		free(p[i]);
	return unused;
}
int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1 << 30;
	pthread_t t[8];

	for (int r = 0; r < rounds; r++) {
		for (int i = 0; i < 8; i++)
			if (pthread_create(&t[i], NULL, work, NULL))
				abort();
		for (int i = 0; i < 8; i++)
			pthread_join(t[i], NULL);
		if (r == 0) {
			puts("ready");
			fflush(stdout);
		}
		usleep(2000);
	}
	execl(argv[0], argv[0], "1000000", NULL);
	return 1;
}
C
gcc -O1 -o storm storm.c -lpthread
start ./storm >said
target=$started
ready 20 grep -q ready said
ok "a storm of threads: calls are seen" \
	eval '"$heaptide" who "$target" -d 4s --json | jq -e ".samples > 0"'
ok "it works on" works
start ./storm 800 >said
target=$started
ready 20 grep -q ready said
"$heaptide" who "$target" -d 20s --json >answer 2>why
ok "a program that replaces itself: what was known, or why not" \
	eval '[ "$(jq -r .ended answer)" != null ] || grep -q "execve" why'
ok "the new one works on" works
is "and its malloc is the file's" "$(code "$target")" same
plan
