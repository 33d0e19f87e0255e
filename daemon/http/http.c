/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/http/http.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/loop/listen.h"
#include "daemon/loop/timer.h"

#define CONNECTIONS_MAX	 64
#define CONNECTIONS_SHED 48 /* from here on the oldest goes */
#define LIFE_NS		 (10 * HT_NS_PER_S)
#define MEMORY_BYTES	 16384
#define FRESH_NS	 HT_NS_PER_S

struct ht_http_connection {
	struct ht_http_connection *next, *prev;
	int fd;
	int64_t since_ns;
	bool shut;
};

static const char front_page[] =
	"<!DOCTYPE html><title>heaptided</title><a href=\"/metrics\">metrics</a>\n";

/* --- the life of connections --------------------------------------------- */

/* libmicrohttpd sees the end of the stream and closes it. */
static void shut(struct ht_http *h, struct ht_http_connection *c)
{
	if (c->shut)
		return;
	c->shut = true;
	h->shed++;
	shutdown(c->fd, SHUT_RDWR);
}

static void on_connection(void *ctx, struct MHD_Connection *connection,
			  void **per_connection,
			  enum MHD_ConnectionNotificationCode what)
{
	struct ht_http *h = ctx;
	struct ht_http_connection *c = *per_connection;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (!c)
			return;
		DL_DELETE(h->connections, c);
		h->connections_n--;
		free(c);
		*per_connection = NULL;
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return;
	c->fd = MHD_get_connection_info(connection,
					MHD_CONNECTION_INFO_CONNECTION_FD)
			->connect_fd;
	c->since_ns = ht_mono_ns();
	DL_APPEND(h->connections, c);
	*per_connection = c;
	if (++h->connections_n > CONNECTIONS_SHED)
		shut(h, h->connections);
}

static void end_old_connections(struct ht_http *h)
{
	int64_t now_ns = ht_mono_ns();
	struct ht_http_connection *c;

	DL_FOREACH (h->connections, c) {
		if (now_ns - c->since_ns < LIFE_NS)
			break;
		shut(h, c);
	}
}

/* --- answers ------------------------------------------------------------- */

static enum MHD_Result answer_text(struct MHD_Connection *to, unsigned status,
				   const char *type, const char *text)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result queued;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
	queued = MHD_queue_response(to, status, r);
	MHD_destroy_response(r);
	return queued;
}

static struct MHD_Response *metrics_response(struct ht_http *h,
					     enum ht_exposition format)
{
	static const char *const types[] = {
		"text/plain; version=0.0.4; charset=utf-8",
		"application/openmetrics-text; version=1.0.0; charset=utf-8"};
	const struct ht_exposed exposed = {.parts = h->parts,
					   .connections = h->connections_n,
					   .shed = h->shed};
	int64_t now_ns = ht_mono_ns();
	struct MHD_Response *made;
	char *text;
	size_t len;

	if (h->cache[format].response &&
	    now_ns - h->cache[format].made_ns < FRESH_NS)
		return h->cache[format].response;
	if (ht_metrics_text(&exposed, format, &text, &len, NULL) != HT_OK)
		return NULL;
	made = MHD_create_response_from_buffer(len, text,
					       MHD_RESPMEM_MUST_FREE);
	if (!made) {
		free(text);
		return NULL;
	}
	MHD_add_response_header(made, MHD_HTTP_HEADER_CONTENT_TYPE,
				types[format]);
	MHD_add_response_header(made, MHD_HTTP_HEADER_CONNECTION, "close");
	if (h->cache[format].response)
		MHD_destroy_response(h->cache[format].response);
	h->cache[format].response = made;
	h->cache[format].made_ns = now_ns;
	return made;
}

static enum MHD_Result answer_metrics(struct ht_http *h,
				      struct MHD_Connection *to)
{
	const char *accept = MHD_lookup_connection_value(
		to, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	enum ht_exposition format =
		accept && strstr(accept, "application/openmetrics-text")
			? HT_EXPOSITION_OPENMETRICS
			: HT_EXPOSITION_TEXT;
	struct MHD_Response *r = metrics_response(h, format);

	if (!r)
		return answer_text(to, MHD_HTTP_SERVICE_UNAVAILABLE,
				   "text/plain", "no memory\n");
	h->served++;
	return MHD_queue_response(to, MHD_HTTP_OK, r);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection,
				  const char *url, const char *method,
				  const char *version, const char *upload,
				  size_t *upload_size, void **per_request)
{
	struct ht_http *h = ctx;

	(void)version;
	(void)upload;
	if (!*per_request) { /* headers are here; a body would come next */
		*per_request = ht_ui_request(&h->ui, connection);
		return *per_request ? MHD_YES : MHD_NO;
	}
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
				   "text/plain", "only GET\n");
	if (strcmp(url, "/metrics") == 0)
		return answer_metrics(h, connection);
	if (strcmp(url, "/-/healthy") == 0) /* this loop turns */
		return answer_text(connection, MHD_HTTP_OK, "text/plain",
				   "healthy\n");
	if (ht_ui_is_on(&h->ui))
		return ht_ui_answer(*per_request, url);
	if (strcmp(url, "/") == 0)
		return answer_text(connection, MHD_HTTP_OK, "text/html",
				   front_page);
	return answer_text(connection, MHD_HTTP_NOT_FOUND, "text/plain",
			   "see /metrics\n");
}

static void on_completed(void *ctx, struct MHD_Connection *connection,
			 void **per_request,
			 enum MHD_RequestTerminationCode how)
{
	(void)ctx;
	(void)connection;
	(void)how;
	ht_ui_forget(*per_request);
	*per_request = NULL;
}

/* --- in the loop --------------------------------------------------------- */

static void run(struct ht_http *h);

static int on_io(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	(void)source;
	(void)fd;
	(void)events;
	run(ctx);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t now_us, void *ctx)
{
	(void)source;
	(void)now_us;
	end_old_connections(ctx);
	ht_ui_expire(&((struct ht_http *)ctx)->ui);
	run(ctx);
	return 0;
}

static void run(struct ht_http *h)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;
	int64_t wait_ns = HT_NS_PER_S;
	size_t before;
	struct ht_err err;

	/* At its limit libmicrohttpd stops listening, and begins again in the
	 * run after the one in which a connection ended. */
	do {
		before = h->connections_n;
		MHD_run(h->mhd);
	} while (before && !h->connections_n);
	if (!h->connections_n && !h->timer)
		return;
	if (MHD_get_timeout(h->mhd, &timeout_ms) == MHD_YES &&
	    (int64_t)timeout_ms * HT_NS_PER_MS < wait_ns)
		wait_ns = (int64_t)timeout_ms * HT_NS_PER_MS;
	if (!h->connections_n)
		h->timer = sd_event_source_disable_unref(h->timer);
	else if (ht_timer_set(h->parts->event, &h->timer,
			      ht_mono_ns() + wait_ns, on_timer, h,
			      &err) != HT_OK)
		ht_log_err(LOG_ERR, "http timer", &err);
}

/* With the page a Unix socket is the group's, as the store is. */
static enum ht_code open_listener(const struct ht_daemon_config *c, int *ret,
				  struct ht_err *err)
{
	const char *where = c->metrics;
	bool ui = c->ui != HT_UI_OFF;

	if (strncmp(where, "unix:", 5) == 0)
		return ht_listen_unix(where + 5, ui ? 0660 : 0666,
				      ui ? c->control_group : NULL, ret, err);
	return ht_listen_tcp(where, ret, err);
}

enum ht_code ht_http_init(struct ht_http *h, const struct ht_parts *parts,
			  struct ht_err *err)
{
	const char *where = parts->config.daemon.metrics;
	const union MHD_DaemonInfo *info;
	int fd;
	enum ht_code code;

	*h = (struct ht_http){.parts = parts};
	ht_ui_init(&h->ui, parts, parts->config.daemon.ui != HT_UI_OFF);
	if (strcmp(where, "none") == 0)
		return HT_OK;
	code = open_listener(&parts->config.daemon, &fd, err);
	if (code != HT_OK)
		return code;
	h->mhd = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
		on_request, h, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, 5u,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_END);
	if (!h->mhd) {
		close(fd);
		return ht_fail(err, HT_SYS, "libmicrohttpd does not start");
	}
	info = MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || sd_event_add_io(parts->event, &h->io, info->epoll_fd,
				     EPOLLIN, on_io, h) < 0)
		return ht_fail(err, HT_SYS, "cannot watch libmicrohttpd");
	return HT_OK;
}

void ht_http_fini(struct ht_http *h)
{
	h->io = sd_event_source_disable_unref(h->io);
	h->timer = sd_event_source_disable_unref(h->timer);
	ht_ui_fini(&h->ui);
	if (h->mhd)
		MHD_stop_daemon(h->mhd); /* closes the listener as well */
	h->mhd = NULL;
	for (size_t i = 0; i < 2; i++) {
		if (h->cache[i].response)
			MHD_destroy_response(h->cache[i].response);
		h->cache[i].response = NULL;
	}
	if (strncmp(h->parts->config.daemon.metrics, "unix:", 5) == 0)
		ht_listen_end(h->parts->config.daemon.metrics + 5);
}
