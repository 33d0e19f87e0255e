/* SPDX-License-Identifier: Apache-2.0 */
/*
 * without CALL PROGRAM ARGUMENT...: runs a program under a seccomp filter for
 * which the system call of that number is refused (EPERM), as a container's
 * profile does it. Needs CAP_SYS_ADMIN, so that no_new_privs stays off.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {4, filter};

	if (argc < 3)
		return 2;
	filter[1].k = (unsigned)atoi(argv[1]);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return 1;
	execvp(argv[2], argv + 2);
	return 127;
}
