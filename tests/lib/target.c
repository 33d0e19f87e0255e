/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/target.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/stop/tasks.h"
#include "common/cleanup.h"
#include "common/clock.h"

#define ARGS_MAX 16
#define PATIENCE 4 /* times what is ample on a quiet machine */

static void run(const char *name, char **argv, const int in[2],
		const int out[2])
{
	const char *build = getenv("HT_BUILD") ?: "build";
	char path[4096];

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that dies leaves nothing */
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	close(in[0]);
	close(in[1]);
	close(out[0]);
	close(out[1]);
	snprintf(path, sizeof(path), "%s/targets/%s", build, name);
	execv(path, argv);
	perror(path);
	_exit(127);
}

/* A test that fails jumps past its program_end: what is left ends at exit. */
static pid_t started[256];
static pid_t starter;

static void end_all(void)
{
	if (getpid() != starter)
		return;
	for (size_t i = 0; i < sizeof(started) / sizeof(*started); i++)
		if (started[i] > 0)
			kill(started[i], SIGKILL);
}

static void remember(pid_t from, pid_t to)
{
	size_t i = 0;

	if (starter == 0) {
		starter = getpid();
		atexit(end_all);
	}
	while (i < sizeof(started) / sizeof(*started) - 1 && started[i] != from)
		i++;
	started[i] = to;
}

struct program program_start(const char *name, ...)
{
	char *argv[ARGS_MAX] = {(char *)(uintptr_t)name};
	struct program p;
	int in[2], out[2], n = 1;
	va_list ap;

	va_start(ap, name);
	while (n < ARGS_MAX - 1 && (argv[n] = va_arg(ap, char *)))
		n++;
	va_end(ap);
	if (pipe(in) < 0 || pipe(out) < 0)
		abort();
	p.pid = fork();
	if (p.pid == 0)
		run(name, argv, in, out);
	remember(0, p.pid);
	close(in[0]);
	close(out[1]);
	p.in = in[1];
	p.out = out[0];
	return p;
}

bool program_line(const struct program *p, char *buf, size_t size, int limit_ms)
{
	int64_t limit = ht_mono_ns() + limit_ms * HT_NS_PER_MS;
	size_t n = 0;
	char c;

	for (;;) {
		struct pollfd fd = {.fd = p->out, .events = POLLIN};
		int left = (int)((limit - ht_mono_ns() + HT_NS_PER_MS - 1) /
				 HT_NS_PER_MS);

		/* A line that has begun is there as a whole. */
		if (n > 0)
			left = 5000;
		if (left <= 0 || poll(&fd, 1, left) <= 0 ||
		    read(p->out, &c, 1) != 1)
			return false;
		if (c == '\n')
			break;
		if (n < size - 1)
			buf[n++] = c;
	}
	buf[n] = '\0';
	return true;
}

bool program_says(const struct program *p, const char *line, int limit_ms)
{
	char buf[256];

	return program_line(p, buf, sizeof(buf), limit_ms * PATIENCE) &&
	       strcmp(buf, line) == 0;
}

void program_tell(const struct program *p, const char *text)
{
	if (write(p->in, text, strlen(text)) < 0)
		perror("program_tell");
}

void program_end(struct program *p)
{
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	remember(p->pid, 0);
	close(p->in);
	close(p->out);
}

void process_states(pid_t pid, char *buf, size_t size)
{
	HT_AUTO_DIR DIR *tasks = NULL;
	size_t n = 0;
	pid_t tid;

	buf[0] = '\0';
	if (ht_tasks_open(pid, &tasks, NULL) != HT_OK)
		return;
	while ((tid = ht_tasks_next(tasks)) != 0) {
		char state = ht_task_state(tasks, tid);

		if (state && !strchr(buf, state) && n < size - 1) {
			buf[n++] = state;
			buf[n] = '\0';
		}
	}
}

static void nap(void)
{
	usleep(2000);
}

bool process_runs_free(pid_t pid, int limit_ms)
{
	int64_t limit = ht_mono_ns() + limit_ms * PATIENCE * HT_NS_PER_MS;
	char states[16];

	do {
		process_states(pid, states, sizeof(states));
		if (states[0] && !strpbrk(states, "tTZX") &&
		    process_status(pid, "TracerPid") == 0)
			return true;
		nap();
	} while (ht_mono_ns() < limit);
	return false;
}

bool process_is(pid_t pid, const char *wanted, int limit_ms)
{
	int64_t limit = ht_mono_ns() + limit_ms * PATIENCE * HT_NS_PER_MS;
	char states[16];

	do {
		process_states(pid, states, sizeof(states));
		if (strcmp(states, wanted) == 0)
			return true;
		nap();
	} while (ht_mono_ns() < limit);
	return false;
}

bool process_sleeps(pid_t pid, int limit_ms)
{
	return process_is(pid, "S", limit_ms);
}

long process_status(pid_t pid, const char *key)
{
	HT_AUTO_FILE FILE *f = NULL;
	char path[48], line[256];
	size_t len = strlen(key);

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, len) == 0 && line[len] == ':')
			return strtol(line + len + 1, NULL, 0);
	return -1;
}
