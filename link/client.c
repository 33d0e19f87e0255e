/* SPDX-License-Identifier: Apache-2.0 */
#include "link/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/system.h"
#include "link/facts_file.h"

enum {
	AGENT_SOCKET = 3,      /* the descriptor the agent knows */
	RECEIVE_MAX = 1 << 20, /* bytes a call: a flood must not hold a loop */
	DEATH_MS = 50,	       /* between a socket's end and its owner's */
	QUIT_MS = 200,	       /* for an idle agent to see the socket close */
	REAP_MS = 1000,	       /* for the kernel to end a killed agent */
	GRACE_MS = 500,	       /* the agent's own alarm comes first */
	PROGRESS_MS = 200,
};

/* --- starting ------------------------------------------------------------ */

/* HT_DENIED: it is there, or may be, and this user may not run it. */
static enum ht_code beside(const char *dir, int dir_len, char *path, size_t len)
{
	int n = snprintf(path, len, "%.*s/heaptide-agent", dir_len, dir);

	if (n <= 0 || (size_t)n >= len)
		return HT_SYS;
	if (access(path, X_OK) == 0)
		return HT_OK;
	return errno == EACCES ? HT_DENIED : HT_SYS;
}

enum ht_code ht_client_find_agent(char *path, size_t len, struct ht_err *err)
{
	const char *named = secure_getenv("HEAPTIDE_AGENT");
	char self[4096];
	enum ht_code own = HT_SYS, installed;
	ssize_t n;

	if (named) {
		if ((size_t)snprintf(path, len, "%s", named) >= len)
			return ht_fail(err, HT_SYS,
				       "HEAPTIDE_AGENT is too long");
		if (access(path, X_OK) < 0)
			return ht_fail_sys(err, HT_SYS, errno,
					   "HEAPTIDE_AGENT names %s", named);
		return HT_OK;
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		const char *slash = memrchr(self, '/', (size_t)n);

		if (slash)
			own = beside(self, (int)(slash - self), path, len);
		if (own == HT_OK)
			return HT_OK;
	}
	installed =
		beside(HT_LIBEXECDIR, (int)strlen(HT_LIBEXECDIR), path, len);
	if (installed == HT_OK)
		return HT_OK;
	if (own == HT_DENIED || installed == HT_DENIED)
		return ht_fail_hint(
			err, HT_DENIED, HT_HINT_GROUP,
			"heaptide-agent is there, and user %u may not run it",
			getuid());
	return ht_fail(err, HT_SYS,
		       "no heaptide-agent beside this program nor in %s",
		       HT_LIBEXECDIR);
}

/* What the agent inherits. Moving the socket comes first: its number may be
 * one of those that are replaced. */
static int plan_descriptors(posix_spawn_file_actions_t *plan, int agent_end)
{
	int bad;

	bad = posix_spawn_file_actions_adddup2(plan, agent_end, AGENT_SOCKET);
	bad = bad
		      ?: posix_spawn_file_actions_addopen(plan, 0, "/dev/null",
							  O_RDONLY, 0);
	bad = bad
		      ?: posix_spawn_file_actions_addopen(plan, 1, "/dev/null",
							  O_WRONLY, 0);
	if (ht_facts_file() < 0)
		return bad ?: ht_spawn_close_from(plan, AGENT_SOCKET + 1);
	bad = bad
		      ?: posix_spawn_file_actions_adddup2(plan, ht_facts_file(),
							  HT_FACTS_FD);
	return bad ?: ht_spawn_close_from(plan, HT_FACTS_FD + 1);
}

/* Signals as a fresh program has them: a parent may block or ignore some. */
static int plan_signals(posix_spawnattr_t *attr)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	return posix_spawnattr_setsigmask(attr, &none) ?:
	       posix_spawnattr_setsigdefault(attr, &all) ?:
	       posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
						      POSIX_SPAWN_SETSIGDEF);
}

/* 0 or an errno, an exec that failed included. */
static int spawn(const char *path, char *const argv[], int agent_end,
		 pid_t *ret)
{
	char *const no_environment[] = {NULL};
	posix_spawn_file_actions_t plan;
	posix_spawnattr_t attr;
	int bad = posix_spawn_file_actions_init(&plan);

	if (bad)
		return bad;
	bad = posix_spawnattr_init(&attr);
	if (!bad) {
		bad = plan_descriptors(&plan, agent_end) ?:
		      plan_signals(&attr) ?:
		      posix_spawn(ret, path, &plan, &attr, argv,
				  no_environment);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&plan);
	return bad;
}

#define ARGUMENTS 8 /* of the agent, NULL included */

/* Strings are borrowed. */
static void arguments(const char *argv[ARGUMENTS], const char *pid,
		      const struct ht_client_core *core)
{
	size_t n = 0;

	argv[n++] = "heaptide-agent";
	argv[n++] = core ? "--core" : "--pid";
	argv[n++] = core ? core->path : pid;
	if (core && core->exe) {
		argv[n++] = "--exe";
		argv[n++] = core->exe;
	}
	if (core && core->sysroot) {
		argv[n++] = "--sysroot";
		argv[n++] = core->sysroot;
	}
	argv[n] = NULL;
}

enum ht_code ht_client_start(const char *agent_path, pid_t target,
			     const struct ht_client_core *core,
			     struct ht_client *ret, struct ht_err *err)
{
	HT_AUTO_CLIENT struct ht_client c = HT_CLIENT_NONE;
	HT_AUTO_FD int agent_end = -1;
	const char *argv[ARGUMENTS];
	char pid[24];
	int pair[2], bad;

	*ret = HT_CLIENT_NONE;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return ht_fail_sys(err, HT_SYS, errno, "socket for the agent");
	c.socket = pair[0];
	agent_end = pair[1];
	if (fcntl(c.socket, F_SETFL, O_NONBLOCK) < 0)
		return ht_fail_sys(err, HT_SYS, errno, "socket for the agent");
	snprintf(pid, sizeof(pid), "%d", target);
	arguments(argv, pid, core);
	bad = spawn(agent_path, (char *const *)(uintptr_t)argv, agent_end,
		    &c.agent_pid);
	if (bad)
		return ht_fail_sys(err, HT_SYS, bad, "start %s", agent_path);
	c.pidfd = ht_pidfd_open(c.agent_pid);
	if (c.pidfd < 0)
		return ht_fail_sys(err, HT_SYS, errno, "pidfd of the agent");
	if (clock_getcpuclockid(c.agent_pid, &c.clock) != 0)
		c.clock = 0;
	*ret = c;
	c = HT_CLIENT_NONE;
	return HT_OK;
}

/* --- the agent's death, in words ----------------------------------------- */

static const struct {
	int signal;
	enum ht_code code;
	const char *why;
} deaths[] = {
	{SIGALRM, HT_TIMEOUT, "its own alarm: the measurement took too long"},
	{SIGXCPU, HT_TIMEOUT, "its processor time limit"},
	{SIGSYS, HT_BUG, "its seccomp filter refused a system call"},
	{SIGKILL, HT_SYS,
	 "by the out-of-memory killer, by a person, or by its own switch: it was stopped itself while it held the process"},
	{SIGTERM, HT_SYS, "by a person or a service manager"},
};

static enum ht_code explain_signal(int number, struct ht_err *err)
{
	const char *name = ht_signal_text(number);

	for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++)
		if (deaths[i].signal == number)
			return ht_fail(err, deaths[i].code,
				       "the agent died of signal %d (%s), %s",
				       number, name, deaths[i].why);
	return ht_fail(
		err, HT_BUG,
		"the agent died of signal %d (%s); the process it measured runs on",
		number, name);
}

/* Leaves the dead for ht_client_stop() to reap. */
static enum ht_code explain_end(struct ht_client *c, struct ht_err *err)
{
	struct pollfd dead = {.fd = c->pidfd, .events = POLLIN};
	siginfo_t info = {0};

	poll(&dead, 1, DEATH_MS);
	if (ht_pidfd_wait(c->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    info.si_pid == 0) {
		ht_client_kill(c);
		return ht_fail(
			err, HT_PROTOCOL,
			"the agent closed its socket before it answered");
	}
	if (info.si_code == CLD_EXITED)
		return ht_fail(
			err, info.si_status ? HT_BUG : HT_PROTOCOL,
			"the agent ended with status %d before it answered",
			info.si_status);
	return explain_signal(info.si_status, err);
}

/* --- asking -------------------------------------------------------------- */

enum ht_code ht_client_ask(struct ht_client *c, const struct ht_request *r,
			   struct ht_snapshot *into, struct ht_err *err)
{
	enum ht_code code;

	ht_snapshot_fini(into);
	ht_snapshot_init(into);
	ht_wire_in_fini(&c->in);
	ht_wire_in_init(&c->in, into);
	code = ht_wire_send_request(c->socket, r, err);
	return code == HT_GONE ? explain_end(c, err) : code;
}

/* The agent checks its sums and tells when one does not close. One that does
 * not and is not told was not sent so. */
static enum ht_code check_sums(struct ht_client *c, struct ht_err *err)
{
	const struct ht_snapshot *s = c->in.into;
	struct ht_err why;

	if (ht_snapshot_check(s, &why) == HT_OK)
		return HT_OK;
	for (size_t i = 0; i < s->findings.n; i++)
		if (strcmp(s->findings.v[i].code, HT_FINDING_SUMS) == 0)
			return HT_OK;
	ht_client_kill(c);
	return ht_fail(err, HT_PROTOCOL, "the agent's answer: %s", why.msg);
}

/* The answer is whole: the code it stands for. */
static enum ht_code settle(struct ht_client *c, struct ht_err *err)
{
	if (c->in.state == HT_WIRE_SNAPSHOT)
		return check_sums(c, err);
	if (c->in.state != HT_WIRE_ERROR)
		return HT_OK;
	if (err)
		*err = c->in.remote;
	return c->in.remote.code;
}

enum ht_code ht_client_receive(struct ht_client *c, struct ht_err *err)
{
	uint8_t bytes[65536];
	size_t total = 0;

	while (c->in.state == HT_WIRE_OPEN && total < RECEIVE_MAX) {
		ssize_t n = recv(c->socket, bytes, sizeof(bytes), MSG_DONTWAIT);
		enum ht_code code;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return HT_OK;
		if (n <= 0)
			return explain_end(c, err);
		total += (size_t)n;
		code = ht_wire_in_feed(&c->in, bytes, (size_t)n, err);
		if (code != HT_OK) {
			ht_client_kill(c);
			ht_err_in(err, "the agent's answer");
			return code;
		}
	}
	return settle(c, err);
}

/* Waits for the socket until `deadline` (monotonic) or the next progress. */
static void await(struct ht_client *c, int64_t deadline_ns)
{
	struct pollfd readable = {.fd = c->socket, .events = POLLIN};
	int64_t left_ms = (deadline_ns - ht_mono_ns()) / HT_NS_PER_MS + 1;

	if (left_ms > 0)
		poll(&readable, 1,
		     left_ms < PROGRESS_MS ? (int)left_ms : PROGRESS_MS);
}

enum ht_code ht_client_sample(struct ht_client *c, const struct ht_request *r,
			      struct ht_snapshot *into,
			      void (*progress)(void *ctx, uint64_t done,
					       uint64_t total),
			      void *ctx, struct ht_err *err)
{
	int64_t said_ns = ht_mono_ns();
	int64_t deadline_ns =
		said_ns + ((int64_t)r->timeout_ms + GRACE_MS) * HT_NS_PER_MS;
	enum ht_code code = ht_client_ask(c, r, into, err);

	while (code == HT_OK && c->in.state == HT_WIRE_OPEN) {
		await(c, deadline_ns);
		code = ht_client_receive(c, err);
		if (code == HT_OK && c->in.state == HT_WIRE_OPEN &&
		    ht_mono_ns() >= deadline_ns) {
			ht_client_kill(c);
			return ht_fail(
				err, HT_TIMEOUT,
				"no answer from the agent in %.1f s; it was ended",
				(double)r->timeout_ms / 1e3);
		}
		if (progress && c->in.progress_total &&
		    ht_mono_ns() - said_ns >= PROGRESS_MS * HT_NS_PER_MS) {
			said_ns = ht_mono_ns();
			progress(ctx, c->in.progress_done,
				 c->in.progress_total);
		}
	}
	return code;
}

/* --- ending -------------------------------------------------------------- */

int64_t ht_client_cpu_ns(const struct ht_client *c)
{
	struct timespec t;

	if (c->agent_pid <= 0 || !c->clock || clock_gettime(c->clock, &t) < 0)
		return 0;
	return (int64_t)t.tv_sec * HT_NS_PER_S + t.tv_nsec;
}

void ht_client_kill(struct ht_client *c)
{
	if (c->pidfd >= 0)
		ht_pidfd_signal(c->pidfd, SIGKILL);
	else if (c->agent_pid > 0)
		kill(c->agent_pid, SIGKILL);
}

static bool is_dead(struct ht_client *c, int wait_ms)
{
	struct pollfd dead = {.fd = c->pidfd, .events = POLLIN};

	return c->pidfd >= 0 && poll(&dead, 1, wait_ms) > 0;
}

void ht_client_stop(struct ht_client *c)
{
	if (c->socket >= 0)
		close(c->socket);
	if (c->agent_pid > 0) {
		if (!is_dead(c, QUIT_MS))
			ht_client_kill(c);
		/* One that hangs in the kernel must not hang us: its zombie
		 * is init's when we are gone. */
		if (c->pidfd < 0 || is_dead(c, REAP_MS))
			waitpid(c->agent_pid, NULL, 0);
	}
	if (c->pidfd >= 0)
		close(c->pidfd);
	ht_wire_in_fini(&c->in);
	*c = HT_CLIENT_NONE;
}
