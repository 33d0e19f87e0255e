/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sink: a command. Started without a shell, with a clean environment and no
 * descriptor of ours; the alert comes as JSON on its standard input (a memory
 * file, so that nothing of ours waits for a slow reader), its state, rule
 * and target as the last arguments. It succeeded if it ends with status 0
 * within the sink's timeout; then, its whole process group is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "analysis/rules.h"
#include "common/cleanup.h"
#include "common/system.h"
#include "daemon/sinks/sinks.h"
#include "schema/alert_json.h"

#define ARGUMENTS_MAX 32

struct running {
	pid_t pid;
	int pidfd;
	sd_event_source *ended;
};

static void forget(struct ht_sink *s)
{
	struct running *r = s->state;

	if (!r)
		return;
	sd_event_source_disable_unref(r->ended);
	if (r->pidfd >= 0)
		close(r->pidfd);
	free(r);
	s->state = NULL;
}

static int on_ended(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct ht_sink *s = ctx;
	struct running *r = s->state;
	siginfo_t info = {0};
	char why[80];

	(void)source;
	(void)fd;
	(void)events;
	if (ht_pidfd_wait(r->pidfd, &info, WEXITED | WNOHANG) < 0 ||
	    info.si_pid == 0)
		return 0;
	forget(s);
	if (info.si_code == CLD_EXITED && info.si_status == 0) {
		ht_sink_done(s, NULL);
		return 0;
	}
	snprintf(why, sizeof(why), "the command %s %d",
		 info.si_code == CLD_EXITED ? "ended with status"
					    : "was killed by signal",
		 info.si_status);
	ht_sink_done(s, why);
	return 0;
}

/* SIGKILL cannot be ignored: the wait is short. */
static void cancel(struct ht_sink *s)
{
	struct running *r = s->state;

	if (!r)
		return;
	kill(-r->pid, SIGKILL);
	waitid(P_PID, (id_t)r->pid, &(siginfo_t){0}, WEXITED);
	forget(s);
}

static int input_of(const struct ht_alert *a)
{
	json_auto_t *json = ht_alert_json(a);
	HT_AUTO_FREE char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	HT_AUTO_FD int fd = memfd_create("alert", MFD_CLOEXEC);

	if (!text || fd < 0 || dprintf(fd, "%s\n", text) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	return ht_take_fd(&fd);
}

static int split(char *command, char *argv[ARGUMENTS_MAX],
		 const struct ht_alert *a)
{
	int n = 0;
	char *word;

	while (n < ARGUMENTS_MAX - 4 &&
	       (word = strsep(&command, " \t")) != NULL) {
		if (*word)
			argv[n++] = word;
	}
	argv[n++] = (char *)(uintptr_t)ht_alert_state_name(a->state);
	argv[n++] = (char *)(uintptr_t)a->rule;
	argv[n++] = (char *)(uintptr_t)a->target;
	argv[n] = NULL;
	return n;
}

/* errno, or 0 */
static int start(char **argv, int input, pid_t *ret)
{
	static char *const environment[] = {
		(char *)(uintptr_t) "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		(char *)(uintptr_t) "LANG=C.UTF-8", NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int bad;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, input, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	ht_spawn_close_from(&files, 3);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF |
						      POSIX_SPAWN_SETPGROUP);
	bad = posix_spawn(ret, argv[0], &files, &attributes, argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return bad;
}

static void deliver(struct ht_sink *s, const struct ht_notice *n)
{
	char command[sizeof(s->config.command)], why[160];
	char *argv[ARGUMENTS_MAX];
	HT_AUTO_FD int input = input_of(&n->alert);
	struct running *r = calloc(1, sizeof(*r));
	int bad = ENOMEM;

	strcpy(command, s->config.command);
	split(command, argv, &n->alert);
	if (r && input >= 0)
		bad = start(argv, input, &r->pid);
	if (bad) {
		free(r);
		snprintf(why, sizeof(why), "start %.80s: %s", argv[0],
			 ht_errno_text(bad));
		ht_sink_done(s, why);
		return;
	}
	s->state = r;
	r->pidfd = ht_pidfd_open(r->pid);
	if (r->pidfd < 0 ||
	    sd_event_add_io(s->sinks->event, &r->ended, r->pidfd, EPOLLIN,
			    on_ended, s) < 0) {
		cancel(s);
		ht_sink_done(s, "cannot follow the command");
	}
}

const struct ht_sink_ops ht_sink_command = {.deliver = deliver,
					    .cancel = cancel};
