/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/control/control.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/control/control_int.h"
#include "daemon/loop/listen.h"
#include "daemon/loop/timer.h"

#define PEERS_MAX  32
#define IDLE_NS	   (30 * HT_NS_PER_S)
#define AWAIT_NS   (3600 * HT_NS_PER_S)
#define GROUPS_MAX 256

static void close_peer(struct ht_peer *p)
{
	DL_DELETE(p->control->peers, p);
	p->control->peers_n--;
	sd_event_source_disable_unref(p->io);
	sd_event_source_disable_unref(p->idle);
	close(p->fd);
	free(p->in);
	free(p->out);
	free(p);
}

static int on_idle(sd_event_source *source, uint64_t now_us, void *ctx)
{
	(void)source;
	(void)now_us;
	close_peer(ctx);
	return 0;
}

static void set_idle(struct ht_peer *p, int64_t wait_ns)
{
	struct ht_err err;

	if (ht_timer_set(p->control->parts->event, &p->idle,
			 ht_mono_ns() + wait_ns, on_idle, p, &err) != HT_OK)
		ht_log_err(LOG_ERR, "control timer", &err);
}

/* --- answers ------------------------------------------------------------- */

/* False: the peer is gone. */
static bool send_out(struct ht_peer *p)
{
	while (p->out_done < p->out_n) {
		ssize_t n = send(p->fd, p->out + p->out_done,
				 p->out_n - p->out_done,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			sd_event_source_set_io_events(p->io, EPOLLOUT);
			return true;
		}
		if (n < 0) {
			close_peer(p);
			return false;
		}
		p->out_done += (size_t)n;
	}
	free(p->out);
	p->out = NULL;
	p->out_n = p->out_done = 0;
	sd_event_source_set_io_events(p->io, EPOLLIN);
	return true;
}

static bool answer(struct ht_peer *p, enum ht_code code, json_t *result,
		   const struct ht_err *err)
{
	p->out = ht_control_answer(code, result, err);
	if (!p->out) {
		close_peer(p);
		return false;
	}
	p->out_n = strlen(p->out);
	set_idle(p, IDLE_NS);
	return send_out(p);
}

void ht_control_sampled(struct ht_control *c, struct ht_watched *process,
			enum ht_code code, const struct ht_err *err)
{
	struct ht_peer *p, *next;
	bool first = true;

	DL_FOREACH_SAFE (c->peers, p, next) {
		if (p->awaits != process)
			continue;
		p->awaits = NULL;
		if (first)
			ht_ingest_flush(&c->parts->ingest);
		first = false;
		answer(p, code,
		       code == HT_OK ? ht_command_sampled(process) : NULL, err);
	}
}

void ht_control_forget(struct ht_control *c, const struct ht_watched *process)
{
	struct ht_peer *p, *next;
	struct ht_err err;

	ht_err_put(&err, HT_GONE, 0, 0,
		   "process %d ended or is watched no more", (int)process->pid);
	DL_FOREACH_SAFE (c->peers, p, next) {
		if (p->awaits != process)
			continue;
		p->awaits = NULL;
		answer(p, HT_GONE, NULL, &err);
	}
}

/* --- requests ------------------------------------------------------------ */

/* False: the peer is gone. */
static bool take_line(struct ht_peer *p, const char *line, size_t len)
{
	enum ht_control_command c;
	json_t *arguments = NULL, *result = NULL;
	bool later = false;
	struct ht_err err = {0};
	enum ht_code code = ht_control_parse(line, len, &c, &arguments, &err);

	p->control->requests++;
	if (code == HT_OK)
		code = ht_command_run(p, c, arguments, &result, &later, &err);
	json_decref(arguments);
	if (code == HT_OK && later) {
		set_idle(p, AWAIT_NS);
		return true;
	}
	return answer(p, code, result, &err);
}

/* One request at a time: the next line waits until the answer is out. */
static bool take_lines(struct ht_peer *p)
{
	char *end;

	while (!p->out && !p->awaits &&
	       (end = memchr(p->in, '\n', p->in_n)) != NULL) {
		size_t len = (size_t)(end - p->in);

		if (!take_line(p, p->in, len))
			return false;
		p->in_n -= len + 1;
		memmove(p->in, p->in + len + 1, p->in_n);
	}
	return true;
}

static int on_peer(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct ht_peer *p = ctx;
	ssize_t n;

	(void)source;
	if (events & EPOLLOUT) {
		if (!send_out(p) || p->out || !take_lines(p))
			return 0;
		return 0;
	}
	n = recv(fd, p->in + p->in_n, HT_CONTROL_REQUEST_MAX - p->in_n,
		 MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) { /* also when a line is longer than the buffer: n == 0 */
		close_peer(p);
		return 0;
	}
	p->in_n += (size_t)n;
	take_lines(p);
	return 0;
}

/* --- who may ------------------------------------------------------------- */

static bool in_group(int fd, const struct ucred *peer, const char *name)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);
	const struct group *g = *name ? getgrnam(name) : NULL;

	if (!g)
		return false;
	if (peer->gid == g->gr_gid)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(*groups); i++) {
		if (groups[i] == g->gr_gid)
			return true;
	}
	return false;
}

static bool may_speak(struct ht_control *c, int fd, char user[32])
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	const struct passwd *pw;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	if (peer.uid != 0 && peer.uid != geteuid() &&
	    !in_group(fd, &peer, c->parts->config.daemon.control_group)) {
		c->refused++;
		ht_log(LOG_NOTICE, "control: refused uid %u pid %d",
		       (unsigned)peer.uid, (int)peer.pid);
		return false;
	}
	pw = getpwuid(peer.uid);
	if (pw)
		snprintf(user, 32, "%.31s", pw->pw_name);
	else
		snprintf(user, 32, "uid %u", (unsigned)peer.uid);
	return true;
}

static int on_listener(sd_event_source *source, int fd, uint32_t events,
		       void *ctx)
{
	struct ht_control *c = ctx;
	HT_AUTO_FD int peer_fd =
		accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	char user[32];
	struct ht_peer *p;

	(void)source;
	(void)events;
	if (peer_fd < 0 || c->peers_n >= PEERS_MAX ||
	    !may_speak(c, peer_fd, user))
		return 0;
	p = calloc(1, sizeof(*p));
	if (!p)
		return 0;
	p->in = malloc(HT_CONTROL_REQUEST_MAX);
	if (!p->in || sd_event_add_io(c->parts->event, &p->io, peer_fd, EPOLLIN,
				      on_peer, p) < 0) {
		free(p->in);
		free(p);
		return 0;
	}
	p->control = c;
	p->fd = ht_take_fd(&peer_fd);
	strcpy(p->user, user);
	DL_APPEND(c->peers, p);
	c->peers_n++;
	set_idle(p, IDLE_NS);
	return 0;
}

enum ht_code ht_control_init(struct ht_control *c, struct ht_parts *parts,
			     struct ht_err *err)
{
	const struct ht_daemon_config *config = &parts->config.daemon;
	enum ht_code code;

	*c = (struct ht_control){.parts = parts, .fd = -1};
	code = ht_listen_unix(config->control, 0660, config->control_group,
			      &c->fd, err);
	if (code != HT_OK)
		return code;
	if (sd_event_add_io(parts->event, &c->io, c->fd, EPOLLIN, on_listener,
			    c) < 0)
		return ht_fail(err, HT_SYS, "cannot watch %s", config->control);
	return HT_OK;
}

void ht_control_fini(struct ht_control *c)
{
	struct ht_peer *p, *next;

	DL_FOREACH_SAFE (c->peers, p, next)
		close_peer(p);
	c->io = sd_event_source_disable_unref(c->io);
	if (c->fd >= 0) {
		close(c->fd);
		ht_listen_end(c->parts->config.daemon.control);
	}
	c->fd = -1;
}
