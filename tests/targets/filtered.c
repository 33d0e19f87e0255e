/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filtered [restart]: a program under a seccomp filter. It allows everything,
 * and the program pauses. restart: it kills on restart_syscall, as an
 * allow-list does that forgets it, and the program works and sleeps in turn.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *volatile block;

static void work_and_sleep(void)
{
	for (;;) {
		free(block);
		block = malloc(1000);
		for (volatile int i = 0; i < 200000; i++)
			;
		usleep(50);
	}
}

int main(int argc, char **argv)
{
	int restart = argc > 1 && strcmp(argv[1], "restart") == 0;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_restart_syscall, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, restart ? SECCOMP_RET_KILL_PROCESS
						  : SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {.len = 4, .filter = filter};

	free(malloc(100));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return 1;
	dprintf(STDOUT_FILENO, "ready\n");
	if (restart)
		work_and_sleep();
	for (;;)
		pause();
}
