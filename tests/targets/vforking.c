/* SPDX-License-Identifier: Apache-2.0 */
/* vforking: a thread is in vfork for ever, another one waits; prints "ready".
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static void *fork_by_v(void *arg)
{
	(void)arg;
	if (vfork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dprintf(STDOUT_FILENO, "ready\n");
		for (;;)
			pause();
	}
	return NULL;
}

int main(void)
{
	pthread_t t;

	free(malloc(100));
	if (pthread_create(&t, NULL, fork_by_v, NULL) != 0)
		return 1;
	for (;;)
		pause();
}
