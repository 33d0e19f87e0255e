/* SPDX-License-Identifier: Apache-2.0 */
/* undumpable: a heap in a process that is not dumpable, as a set-uid
 * program's is: its files of /proc belong to root. Prints "ready". */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(void)
{
	static char *chunk[1000];

	for (int i = 0; i < 1000; i++)
		chunk[i] = calloc(1, 3000);
	for (int i = 0; i < 999; i++)
		free(chunk[i]);
	prctl(PR_SET_DUMPABLE, 0);
	puts("ready");
	fflush(stdout);
	pause();
}
