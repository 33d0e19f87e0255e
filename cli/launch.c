/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/launch.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/proc.h"
#include "common/cleanup.h"
#include "common/line.h"

/* Child side: never returns. What fails is told through `tell`, which exec
 * closes. */
static _Noreturn void become(char *const *argv, int tell)
{
	sigset_t none;
	int number;

	/* Yama (ptrace_scope 1) lets a descendant of this process trace it;
	 * where there is no Yama the call fails and is not needed. */
	prctl(PR_SET_PTRACER, (unsigned long)getppid(), 0, 0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	number = errno;
	if (write(tell, &number, sizeof(number)) < 0)
		_exit(126);
	_exit(127);
}

/* The file that execvp(3) found for a command; false: none. */
static bool find_file(const char *command, char path[4096])
{
	const char *dirs = getenv("PATH");

	if (strchr(command, '/')) {
		snprintf(path, 4096, "%s", command);
		return access(path, F_OK) == 0;
	}
	while (dirs && *dirs) {
		int n = (int)strcspn(dirs, ":");

		snprintf(path, 4096, "%.*s/%s", n ? n : 1, n ? dirs : ".",
			 command);
		if (access(path, X_OK) == 0)
			return true;
		dirs += n + (dirs[n] == ':');
	}
	return false;
}

/* What runs a file, by its first line; "" for a program, whose loader is meant.
 */
static void interpreter_of(const char *path, char out[256])
{
	HT_AUTO_FILE FILE *f = fopen(path, "re");
	char line[256] = "";

	*out = '\0';
	if (!f || !fgets(line, sizeof(line), f) || strncmp(line, "#!", 2) != 0)
		return;
	sscanf(line + 2, " %255s", out);
}

/* exec says ENOENT for a file that is there when what runs it is not. The
 * status is what bash ends with. */
static enum ht_code fail_run(const char *command, int number, int *ret_status,
			     struct ht_err *err)
{
	char path[4096], interpreter[256];

	*ret_status = 126;
	if (number == ENOENT && find_file(command, path)) {
		interpreter_of(path, interpreter);
		return ht_fail_hint(
			err, HT_SYS, HT_HINT_INTERPRETER,
			"run %s: what runs it is not there: %s", command,
			*interpreter ? interpreter : "its dynamic loader");
	}
	if (number == ENOENT)
		*ret_status = 127;
	ht_err_put(err, HT_SYS, 0, number, "run %s", command);
	ht_err_advise(err, HT_HINT_COMMAND);
	return HT_SYS;
}

enum ht_code ht_launch(char *const *argv, pid_t *ret, int *ret_status,
		       struct ht_err *err)
{
	HT_AUTO_FD int hear = -1;
	HT_AUTO_FD int tell = -1;
	int ends[2], number;
	ssize_t n;
	pid_t pid;

	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (pipe2(ends, O_CLOEXEC))
		return ht_fail_sys(err, HT_SYS, errno, "start %s", argv[0]);
	hear = ends[0];
	tell = ends[1];
	pid = fork();
	if (pid < 0)
		return ht_fail_sys(err, HT_SYS, errno, "start %s", argv[0]);
	if (pid == 0)
		become(argv, tell);
	close(ht_take_fd(&tell));
	do {
		n = read(hear, &number, sizeof(number));
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(number)) {
		waitpid(pid, NULL, 0);
		return fail_run(argv[0], number, ret_status, err);
	}
	*ret = pid;
	return HT_OK;
}

/* --- what is left behind ------------------------------------------------- */

#define PASSES	 100 /* over /proc: a storm of orphans has no end */
#define EXECUTED 200 /* ms: a shell's child has its own name by then */

struct stat_line {
	char comm[64], state;
	pid_t parent;
	unsigned long long start; /* ticks since boot */
};

/* One line of /proc/PID/stat; the name may hold anything, brackets, too. */
static bool read_stat(const char *pid, struct stat_line *ret)
{
	char text[1024], *name, *rest;

	if (!ht_proc_text(pid, "stat", text, sizeof(text)))
		return false;
	name = strchr(text, '(');
	rest = strrchr(text, ')');
	if (!name || !rest || rest < name)
		return false;
	*rest = '\0';
	ht_line_escape(name + 1, ret->comm, sizeof(ret->comm));
	/* state, ppid, and the 18th after it: proc(5) */
	return sscanf(rest + 1,
		      " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		      &ret->state, &ret->parent, &ret->start) == 3;
}

/* Does it come before what was found so far? */
static bool is_better(const struct stat_line *a, bool a_same,
		      const struct stat_line *b, bool b_same)
{
	return a_same != b_same ? a_same : a->start < b->start;
}

/* One pass over /proc: children of ours that live and began after `ours`. */
static struct ht_left look_for_left(const struct stat_line *ours)
{
	HT_AUTO_DIR DIR *proc = opendir("/proc");
	struct stat_line it, best = {.start = 0};
	struct ht_left left = {.pid = 0};
	struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		bool same;

		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    !read_stat(entry->d_name, &it) || it.parent != getpid() ||
		    it.state == 'Z' || it.start < ours->start)
			continue;
		same = !strcmp(it.comm, ours->comm);
		left.all++;
		if (left.pid && !is_better(&it, same, &best, left.same_program))
			continue;
		best = it;
		left.pid = atoi(entry->d_name);
		left.same_program = same;
	}
	memcpy(left.comm, best.comm, sizeof(left.comm));
	return left;
}

/* Did a child of ours end? It is waited for. */
static bool reap_one(void)
{
	return waitpid(-1, NULL, WNOHANG) > 0;
}

/* One that ends while /proc is read may leave another, which was not there yet
 * when the pass began. */
static void find_left(const struct stat_line *ours, struct ht_left *ret)
{
	bool again = true;

	for (int passes = 0; again && passes < PASSES; passes++) {
		*ret = look_for_left(ours);
		again = !ret->same_program && reap_one();
	}
}

int ht_launch_end(pid_t pid, struct ht_left *ret)
{
	const struct timespec executed = {.tv_nsec = EXECUTED * 1000000L};
	struct stat_line ours;
	char word[16];
	bool known;
	int status;

	*ret = (struct ht_left){.pid = 0};
	snprintf(word, sizeof(word), "%d", pid);
	known = read_stat(word, &ours);
	status = ht_launch_wait(pid);
	if (known)
		find_left(&ours, ret);
	/* What has the command's name may be a child of a shell that did not
	 * execute its own program yet: only what keeps the name is the command.
	 */
	if (ret->same_program) {
		nanosleep(&executed, NULL);
		find_left(&ours, ret);
	}
	return status;
}

void ht_launch_reap(pid_t child, pid_t other)
{
	for (;;) {
		siginfo_t ended = {.si_pid = 0};

		if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) < 0 ||
		    ended.si_pid == 0 || ended.si_pid == child ||
		    ended.si_pid == other)
			return;
		waitpid(ended.si_pid, NULL, 0);
	}
}

int ht_launch_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return 0;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
