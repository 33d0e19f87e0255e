/* SPDX-License-Identifier: Apache-2.0 */
/* leaves FILE STATUS HOW: goes into the background, or not, and takes a block
 * of 4 KiB each 5 ms that it never frees, until FILE is there; ends with
 * STATUS. twice   as daemons do: forks, the child forks, both ends at once once
 * forks once badly   forks once, and ends with 3 itself orphans stays, and lets
 * a grandchild end each time, ten times a second renamed forks once, and the
 * child has another name */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void orphan(void)
{
	pid_t child = fork();

	if (child == 0) {
		if (fork() == 0)
			usleep(1000);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

/* The child is what it will be called when its parent ends. */
static void background(int status, const char *name)
{
	char named;
	int ends[2];

	if (pipe(ends))
		_exit(2);
	if (fork() != 0)
		_exit(read(ends[0], &named, 1) == 1 ? status : 2);
	setsid();
	if (name)
		prctl(PR_SET_NAME, name);
	if (write(ends[1], "", 1) != 1)
		_exit(2);
}

int main(int argc, char **argv)
{
	const char *how = argc == 4 ? argv[3] : "";
	int rounds = 0;

	if (!strcmp(how, "twice"))
		background(0, NULL);
	if (!strcmp(how, "twice") || !strcmp(how, "once"))
		background(0, NULL);
	else if (!strcmp(how, "renamed"))
		background(0, "other");
	else if (!strcmp(how, "badly"))
		background(3, NULL);
	else if (strcmp(how, "orphans") != 0)
		return 2;
	while (access(argv[1], F_OK) != 0) {
		char *block = malloc(4096);

		if (!block)
			return 2;
		memset(block, 1, 4096);
		usleep(5000);
		if (!strcmp(how, "orphans") && rounds++ % 20 == 0)
			orphan();
	}
	return atoi(argv[2]);
}
