/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forbidding EPERM|ENOSYS|KILL CALL,... COMMAND...: runs a command under a
 * seccomp filter that refuses these system calls, as a container's profile
 * does. Calls: bpf, perf_event_open, ptrace, process_vm_readv.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	const char *name;
	unsigned nr;
} known[] = {{"bpf", SYS_bpf},
	     {"perf_event_open", SYS_perf_event_open},
	     {"ptrace", SYS_ptrace},
	     {"process_vm_readv", SYS_process_vm_readv}};
#define KNOWN (sizeof(known) / sizeof(*known))

static unsigned answer_of(const char *word)
{
	return strcmp(word, "KILL") == 0     ? SECCOMP_RET_KILL_PROCESS
	       : strcmp(word, "ENOSYS") == 0 ? SECCOMP_RET_ERRNO | ENOSYS
					     : SECCOMP_RET_ERRNO | EPERM;
}

int main(int argc, char **argv)
{
	struct sock_filter f[2 * KNOWN + 2] = {BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
	unsigned short n = 1;

	if (argc < 4)
		return 2;
	for (char *name = strtok(argv[2], ","); name; name = strtok(NULL, ","))
		for (size_t i = 0; i < KNOWN; i++)
			if (strcmp(known[i].name, name) == 0) {
				f[n++] = (struct sock_filter)BPF_JUMP(
					BPF_JMP | BPF_JEQ | BPF_K, known[i].nr,
					0, 1);
				f[n++] = (struct sock_filter)BPF_STMT(
					BPF_RET | BPF_K, answer_of(argv[1]));
			}
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
					      SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
		  &(struct sock_fprog){n, f}) != 0) {
		perror("seccomp");
		return 2;
	}
	execvp(argv[3], argv + 3);
	perror(argv[3]);
	return 127;
}
