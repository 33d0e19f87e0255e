/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/who/prober.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/passing.h"
#include "common/system.h"

#define LOAD_MS	   10000 /* the verifier, on a busy machine */
#define AFTER_MS   3000	 /* a window's end, beyond its time */
#define WEIGHT_MAX (UINT64_C(1) << 40)

enum ht_code ht_prober_path(char *path, size_t size, struct ht_err *err)
{
	char self[3500];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *slash = n > 0 ? memrchr(self, '/', (size_t)n) : NULL;

	if (!slash)
		return ht_fail_sys(err, HT_SYS, errno, "/proc/self/exe");
	snprintf(path, size, "%.*s/heaptide-probe", (int)(slash - self), self);
	return HT_OK;
}

/* Page faults of another user's process are seen by who may trace it: what we
 * have of that from our own file goes along, for that way alone. A file of the
 * probe's that has it would be anybody's (docs/privileges.md). */
static void hand_on_tracing(void)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct caps[2] = {0};

	if (syscall(SYS_capget, &head, caps) != 0 ||
	    !(caps[0].permitted & CAP_TO_MASK(CAP_SYS_PTRACE)))
		return;
	caps[0].inheritable |= CAP_TO_MASK(CAP_SYS_PTRACE);
	if (syscall(SYS_capset, &head, caps) == 0)
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_PTRACE, 0,
		      0);
}

/* In the child, between fork and exec: only async-signal-safe calls. It sees to
 * itself that it ends with us: an exec that gives rights takes that away. */
static void become_probe(const char *path, int socket, uint32_t way)
{
	static char name[] = "heaptide-probe";
	char *const argv[] = {name, NULL};
	char *const envp[] = {NULL};

	ht_keep_as_last(socket, HT_PROBE_SOCKET);
	if (way == HT_PROBE_GROWTH)
		hand_on_tracing();
	execve(path, argv, envp);
	_exit(errno == EACCES || errno == EPERM ? 126 : 127);
}

/* Why it did not answer; ends it. */
static enum ht_code has_ended(struct ht_prober *p, bool late,
			      struct ht_err *err)
{
	int status = 0;

	kill(p->pid, SIGKILL); /* dead already, unless it is late */
	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	p->pid = 0;
	ht_prober_stop(p);
	if (late)
		return ht_fail(
			err, HT_TIMEOUT,
			"heaptide-probe did not answer in time; it was ended, and its breakpoints are gone");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 126)
		return ht_fail_hint(err, HT_DENIED, HT_HINT_GROUP,
				    "heaptide-probe may not be run");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return ht_fail(err, HT_SYS,
			       "no heaptide-probe beside the agent");
	if (WIFSIGNALED(status))
		return ht_fail(
			err, HT_SYS,
			"heaptide-probe died of signal %d; its breakpoints are gone, the process runs on",
			WTERMSIG(status));
	return ht_fail(err, HT_PROTOCOL,
		       "heaptide-probe ended with status %d before it answered",
		       WEXITSTATUS(status));
}

/* The next message, of at most `size` bytes; HT_OK and its length. */
static enum ht_code receive(struct ht_prober *p, void *message, size_t size,
			    int within_ms, size_t *ret, struct ht_err *err)
{
	struct pollfd readable = {.fd = p->socket, .events = POLLIN};
	ssize_t n;
	int ready;

	do
		ready = poll(&readable, 1, within_ms);
	while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return has_ended(p, true, err);
	n = recv(p->socket, message, size, MSG_TRUNC);
	if (n <= 0)
		return has_ended(p, false, err);
	if ((size_t)n > size)
		return ht_fail(
			err, HT_PROTOCOL,
			"heaptide-probe sent a message that is too long");
	*ret = (size_t)n;
	return HT_OK;
}

/* What it says of itself. */
static enum ht_code take_done(struct ht_probe_done *done, struct ht_err *err)
{
	if (done->magic != HT_PROBE_MAGIC || done->code >= HT_CODE_COUNT ||
	    done->way > HT_PROBE_GROWTH)
		return ht_fail(
			err, HT_PROTOCOL,
			"heaptide-probe and the agent disagree: install both from one build");
	done->err.msg[sizeof(done->err.msg) - 1] = '\0';
	if (done->code == HT_OK)
		return HT_OK;
	if (done->code == HT_GONE)
		return ht_fail(err, HT_GONE, "%s", done->err.msg);
	return ht_fail_hint(err, (enum ht_code)done->code, HT_HINT_PROBE, "%s",
			    done->err.msg);
}

/* The number by which this kernel calls perf's events of uprobes. */
static uint32_t events_of_uprobes(void)
{
	FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	uint32_t type = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%" SCNu32, &type) != 1)
		type = 0;
	fclose(f);
	return type;
}

enum ht_code ht_prober_start(const char *path, const struct ht_probe_open *o,
			     const int fds[HT_PROBE_FILES],
			     struct ht_prober *ret, struct ht_err *err)
{
	struct ht_probe_open open = *o;
	struct ht_probe_done done;
	enum ht_code code;
	size_t n = 0;
	int pair[2];
	pid_t pid;

	*ret = HT_PROBER_NONE;
	open.events = events_of_uprobes();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return ht_fail_sys(err, HT_SYS, errno, "socket for the probe");
	pid = fork();
	if (pid == 0)
		become_probe(path, pair[1], open.way);
	close(pair[1]);
	ret->socket = pair[0];
	ret->pid = pid;
	if (pid < 0) {
		ret->pid = 0;
		code = ht_fail_sys(err, HT_SYS, errno, "fork for the probe");
	} else if (!ht_pass_send(ret->socket, &open, sizeof(open), fds,
				 open.files)) {
		code = has_ended(ret, false, err);
	} else {
		code = receive(ret, &done, sizeof(done), LOAD_MS, &n, err);
	}
	if (code == HT_OK && n != sizeof(done))
		code = ht_fail(err, HT_PROTOCOL, "heaptide-probe's answer");
	if (code == HT_OK)
		code = take_done(&done, err);
	if (code != HT_OK)
		ht_prober_stop(ret);
	else
		ret->way = (enum ht_probe_way)done.way;
	return code;
}

static bool is_sound_sample(const struct ht_prober *p,
			    const struct ht_probe_sample *s, size_t n)
{
	return n == sizeof(*s) && s->magic == HT_PROBE_MAGIC &&
	       (p->way == HT_PROBE_GROWTH
			? s->kind == HT_PROBE_TOUCH && s->weight <= WEIGHT_MAX
			: s->kind < HT_PROBE_KINDS) &&
	       s->stack_len <= sizeof(s->stack);
}

enum ht_code
ht_prober_window(struct ht_prober *p, const struct ht_probe_window *q,
		 void (*each)(void *ctx, const struct ht_probe_sample *s),
		 void *ctx, struct ht_probe_done *done, struct ht_err *err)
{
	HT_AUTO_FREE struct ht_probe_sample *s = malloc(sizeof(*s));
	int within_ms = (int)(q->max_us / 1000) + AFTER_MS;
	enum ht_code code;
	size_t n;

	if (!s)
		return ht_fail(err, HT_NOMEM, "no memory for a sample");
	if (p->socket < 0)
		return ht_fail(err, HT_SYS, "heaptide-probe has ended");
	if (send(p->socket, q, sizeof(*q), MSG_NOSIGNAL) != (ssize_t)sizeof(*q))
		return has_ended(p, false, err);
	for (;;) {
		code = receive(p, s, sizeof(*s), within_ms, &n, err);
		if (code != HT_OK)
			return code;
		if (n == sizeof(*done)) {
			memcpy(done, s, sizeof(*done));
			return take_done(done, err);
		}
		if (!is_sound_sample(p, s, n))
			return ht_fail(err, HT_PROTOCOL,
				       "heaptide-probe sent no sound sample");
		each(ctx, s);
	}
}

void ht_prober_stop(struct ht_prober *p)
{
	if (p->socket >= 0)
		close(p->socket); /* it ends when it sees that */
	if (p->pid > 0) {
		kill(p->pid, SIGKILL);
		while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	*p = HT_PROBER_NONE;
}
