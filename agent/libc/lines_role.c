/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/libc/lines_role.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/libc/lines_role_int.h"
#include "common/cleanup.h"
#include "common/clock.h"

enum ht_code ht_lines_role_start(const char *exe, struct ht_lines_role *ret,
				 struct ht_err *err)
{
	return ht_role_start(exe, "--role=lines", &ret->pid, &ret->socket, err);
}

void ht_lines_role_stop(struct ht_lines_role *role)
{
	if (role->socket < 0)
		return;
	close(role->socket);
	kill(role->pid, SIGKILL); /* it may be waiting for a child */
	while (waitpid(role->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*role = HT_LINES_ROLE_NONE;
}

static enum ht_code has_ended(struct ht_lines_role *role, bool late,
			      struct ht_err *err)
{
	ht_lines_role_stop(role);
	return ht_fail(err, HT_UNSUPPORTED, "%s",
		       late ? "it took too long"
			    : "the process that read it has ended");
}

union message {
	struct ht_source line;
	struct ht_lines_build build;
	struct ht_lines_end end;
};

/* The next message; its size. */
static enum ht_code receive(struct ht_lines_role *role, int64_t until_ns,
			    union message *m, size_t *ret, struct ht_err *err)
{
	struct pollfd p = {.fd = role->socket, .events = POLLIN};
	int64_t left = (until_ns - ht_mono_ns()) / HT_NS_PER_MS;
	ssize_t n;
	int ready;

	do
		ready = poll(&p, 1, left > 0 ? (int)left : 0);
	while (ready < 0 && errno == EINTR);
	if (ready != 1)
		return has_ended(role, true, err);
	n = recv(role->socket, m, sizeof(*m), 0);
	if (n <= 0)
		return has_ended(role, false, err);
	*ret = (size_t)n;
	return HT_OK;
}

static enum ht_code take_end(const struct ht_lines_end *end, struct ht_err *err)
{
	if (end->signal == SIGKILL || end->signal == SIGXCPU)
		return ht_fail(err, HT_UNSUPPORTED, "it took too long");
	if (end->signal)
		return ht_fail(err, HT_UNSUPPORTED,
			       "its parser died of signal %u", end->signal);
	return end->code == HT_OK
		       ? HT_OK
		       : ht_fail(err, HT_UNSUPPORTED, "it cannot be parsed");
}

static bool is_sound_line(const struct ht_source *l, uint32_t n)
{
	return l->index < n && l->inlined <= 1 &&
	       memchr(l->function, 0, sizeof(l->function)) &&
	       memchr(l->file, 0, sizeof(l->file));
}

static bool is_sound_build(const struct ht_lines_build *b)
{
	return b->id_len <= sizeof(b->id) &&
	       b->shared_id_len <= sizeof(b->shared_id) &&
	       memchr(b->debuglink, 0, sizeof(b->debuglink)) &&
	       memchr(b->shared, 0, sizeof(b->shared));
}

static bool ask(struct ht_lines_role *role, const struct ht_lines_request *q,
		int fd, int shared)
{
	const int fds[] = {fd, shared};

	return role->socket >= 0 && ht_role_send(role->socket, q, sizeof(*q),
						 fds, shared >= 0 ? 2 : 1);
}

enum ht_code ht_lines_role_look(struct ht_lines_role *role, int fd, bool sum,
				int64_t until_ns, struct ht_lines_build *ret,
				struct ht_err *err)
{
	const struct ht_lines_request q = {.kind = HT_LINES_LOOK, .sum = sum};
	enum ht_code code;
	union message m;
	size_t size;

	memset(ret, 0, sizeof(*ret));
	if (!ask(role, &q, fd, -1))
		return has_ended(role, false, err);
	for (;;) {
		code = receive(role, until_ns, &m, &size, err);
		if (code != HT_OK)
			return code;
		if (size == sizeof(m.end))
			return take_end(&m.end, err);
		if (size != sizeof(m.build) || !is_sound_build(&m.build))
			return has_ended(role, false, err);
		*ret = m.build;
	}
}

enum ht_code ht_lines_role_find(struct ht_lines_role *role, int fd, int shared,
				const uint64_t *address, uint32_t n,
				int64_t until_ns, ht_lines_fn fn, void *ctx,
				struct ht_err *err)
{
	struct ht_lines_request q = {.kind = HT_LINES_FIND, .n = n};
	uint64_t left = (uint64_t)n * HT_LINES_INLINED_MAX;
	enum ht_code code;
	union message m;
	size_t size;

	if (n > HT_LINES_AT_ONCE)
		return ht_fail(err, HT_UNSUPPORTED, "too many addresses");
	if (n)
		memcpy(q.address, address, n * sizeof(*address));
	if (!ask(role, &q, fd, shared))
		return has_ended(role, false, err);
	for (;;) {
		code = receive(role, until_ns, &m, &size, err);
		if (code != HT_OK)
			return code;
		if (size == sizeof(m.end))
			return take_end(&m.end, err);
		if (size != sizeof(m.line) || !is_sound_line(&m.line, n) ||
		    left-- == 0)
			return has_ended(role, false, err);
		if (!fn(ctx, &m.line))
			return has_ended(role, false, err);
	}
}
