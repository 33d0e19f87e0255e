/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox, in children: what it lets through, what it refuses, what ends
 * the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/self/helper.h"
#include "agent/self/privilege.h"
#include "agent/self/sandbox.h"

enum { DONE, FAILED, OPENED, SEIZED, READ_NOTHING };

/* What a child said that ran fn: its exit status, or minus its signal. */
static int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int read_then_close(void)
{
	int fd = open("/proc/self/stat", O_RDONLY);
	char byte;

	ht_helper_start();
	if (ht_sandbox_enter(NULL) != HT_OK)
		return FAILED;
	close(fd);
	fd = open("/proc/self/stat", O_RDONLY);
	if (fd < 0 || ht_privilege_drop(NULL) != HT_OK ||
	    ht_sandbox_close(NULL) != HT_OK)
		return FAILED;
	if (open("/proc/self/stat", O_RDONLY) >= 0 || errno != EACCES)
		return OPENED;
	if (ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) == 0 || errno != EACCES)
		return SEIZED;
	return read(fd, &byte, 1) == 1 ? DONE : READ_NOTHING;
}

static int try_network(void)
{
	if (ht_sandbox_enter(NULL) != HT_OK)
		return FAILED;
	return socket(AF_INET, SOCK_STREAM, 0) < 0 ? DONE : OPENED;
}

static int try_writing(void)
{
	if (ht_sandbox_enter(NULL) != HT_OK)
		return FAILED;
	return open("/dev/null", O_WRONLY) < 0 ? DONE : OPENED;
}

static void
once_closed_what_is_open_is_read_and_nothing_more_opened(void **state)
{
	(void)state;
	assert_int_equal(in_child(read_then_close), DONE);
}

static void network_and_writing_end_the_agent(void **state)
{
	(void)state;
	assert_int_equal(in_child(try_network), -SIGSYS);
	assert_int_equal(in_child(try_writing), -SIGSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			once_closed_what_is_open_is_read_and_nothing_more_opened),
		cmocka_unit_test(network_and_writing_end_the_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
