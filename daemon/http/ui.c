/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/http/ui.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/clock.h"
#include "daemon/http/remembered.h"
#include "daemon/loop/listen.h"
#include "page/page.h"

#define WAITING_MAX 24 /* connections; /metrics has the others */
#define WAIT_NS	    (9 * HT_NS_PER_S)

/* --- addresses ----------------------------------------------------------- */

int64_t ht_ui_route(const char *url, bool *ret_document)
{
	size_t digits;
	int64_t id;
	bool now;

	*ret_document = strcmp(url, "/index.json") == 0;
	if (*ret_document || strcmp(url, "/") == 0)
		return 0;
	now = strncmp(url, "/now/", 5) == 0;
	if (!now && strncmp(url, "/p/", 3) != 0)
		return -1;
	url += now ? 5 : 3;
	digits = strspn(url, "0123456789");
	if (digits == 0 || digits > 18 || *url == '0')
		return -1;
	id = strtoll(url, NULL, 10);
	*ret_document = strcmp(url + digits, ".json") == 0;
	if (!*ret_document && url[digits])
		return -1;
	return now ? ht_remembered_id((uint64_t)id) : id;
}

bool ht_ui_is_own_host(const char *host)
{
	char name[64];
	struct in_addr v4;
	struct in6_addr v6;
	size_t n = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	const char *port = host + (n < strlen(host) ? n : strlen(host));

	if (n == 0 || n >= sizeof(name) ||
	    (*host == '[' && !strchr(host, ']')) ||
	    (*port &&
	     (*port != ':' || port[1 + strspn(port + 1, "0123456789")])))
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	if (*name == '[') {
		name[n - 1] = '\0';
		return inet_pton(AF_INET6, name + 1, &v6) == 1 &&
		       IN6_IS_ADDR_LOOPBACK(&v6);
	}
	return strcasecmp(name, "localhost") == 0 ||
	       (inet_pton(AF_INET, name, &v4) == 1 &&
		ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET);
}

static bool is_unix(const char *where)
{
	return strncmp(where, "unix:", 5) == 0;
}

bool ht_ui_is_on(const struct ht_ui *ui)
{
	const struct ht_daemon_config *c = &ui->parts->config.daemon;

	if (c->ui == HT_UI_OFF)
		return false;
	if (is_unix(c->metrics))
		return ui->guarded;
	return c->ui == HT_UI_ANYWHERE || ht_listen_is_local(c->metrics);
}

static bool may_ask(const struct ht_ui *ui, struct MHD_Connection *c)
{
	const struct ht_daemon_config *config = &ui->parts->config.daemon;
	const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND,
						       MHD_HTTP_HEADER_HOST);

	return config->ui == HT_UI_ANYWHERE || is_unix(config->metrics) ||
	       (host && ht_ui_is_own_host(host));
}

/* --- answers ------------------------------------------------------------- */

static void harden(struct MHD_Response *r)
{
	char policy[HT_PAGE_POLICY_TEXT + 32], page[HT_PAGE_POLICY_TEXT];
	const char *const headers[][2] = {
		{"Content-Security-Policy", policy},
		{"X-Content-Type-Options", "nosniff"},
		{"X-Frame-Options", "DENY"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cache-Control", "no-store"},
		{"Connection", "close"},
	};

	snprintf(policy, sizeof(policy), "%s; frame-ancestors 'none'",
		 ht_page_policy(true, page));
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
		if (!MHD_get_response_header(r, headers[i][0]))
			MHD_add_response_header(r, headers[i][0],
						headers[i][1]);
}

static enum MHD_Result answer(struct MHD_Connection *to, unsigned status,
			      struct MHD_Response *r)
{
	harden(r);
	return MHD_queue_response(to, status, r);
}

static enum MHD_Result send_text(struct MHD_Connection *to, unsigned status,
				 const char *text)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result queued;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE,
				"text/plain; charset=utf-8");
	queued = answer(to, status, r);
	MHD_destroy_response(r);
	return queued;
}

static void title_of(const struct ht_ui *ui, int64_t id, char *out, size_t len)
{
	const struct ht_watched *p =
		id ? ht_remembered_find(ui->parts, id) : NULL;

	if (p)
		snprintf(out, len, "%s, pid %d: heaptide", p->target, p->pid);
	else if (id < 0)
		snprintf(out, len, "a process that is gone: heaptide");
	else if (id)
		snprintf(out, len, "process #%" PRId64 ": heaptide", id);
	else
		snprintf(out, len, "heaptide: targets");
}

/* The page without a document: it asks for that itself. */
static enum MHD_Result send_page(const struct ht_ui_request *q, int64_t id)
{
	char title[200], poll[40] = "index.json";
	const struct ht_page_frame frame = {.title = title, .poll = poll};
	struct MHD_Response *r = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);
	enum ht_code code = HT_NOMEM;
	enum MHD_Result queued;

	title_of(q->ui, id, title, sizeof(title));
	if (id > 0)
		snprintf(poll, sizeof(poll), "%" PRId64 ".json", id);
	else if (id)
		snprintf(poll, sizeof(poll), "%" PRId64 ".json",
			 ht_remembered_id(0) - id);
	if (to) {
		code = ht_page_write(to, &frame, NULL);
		fclose(to);
	}
	if (code == HT_OK)
		r = MHD_create_response_from_buffer(len, text,
						    MHD_RESPMEM_MUST_FREE);
	if (!r) {
		free(text);
		return send_text(q->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
				 "no memory\n");
	}
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE,
				"text/html; charset=utf-8");
	queued = answer(q->connection, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return queued;
}

static enum MHD_Result send_document(const struct ht_ui_request *q,
				     const struct ht_document *doc)
{
	if (!doc)
		return send_text(q->connection, MHD_HTTP_SERVICE_UNAVAILABLE,
				 "too much is asked for: try again\n");
	return answer(q->connection, doc->status, doc->response);
}

/* It may go on: the document is there, or it has waited for too long. */
static const struct ht_document *wake(struct ht_ui_request *q)
{
	const struct ht_document *doc = ht_documents_take(&q->wait);

	q->ui->waiting--;
	q->since_ns = 0;
	return q->given_up ? NULL : doc;
}

static enum MHD_Result ask_document(struct ht_ui_request *q, int64_t id)
{
	const struct ht_document *doc;

	const struct ht_watched *p;

	if (q->since_ns)
		return send_document(q, wake(q));
	p = id < 0 ? ht_remembered_find(q->ui->parts, id) : NULL;
	if (p && p->store_id) /* it has a history by now */
		id = p->store_id;
	if (q->ui->waiting >= WAITING_MAX)
		return send_document(q, NULL);
	doc = ht_documents_ask(&q->ui->documents, id, &q->wait);
	if (doc || !q->wait.of)
		return send_document(q, doc);
	q->since_ns = ht_mono_ns();
	q->ui->waiting++;
	MHD_suspend_connection(q->connection);
	return MHD_YES;
}

enum MHD_Result ht_ui_answer(struct ht_ui_request *q, const char *url)
{
	bool document;
	int64_t id = ht_ui_route(url, &document);

	if (!may_ask(q->ui, q->connection))
		return send_text(
			q->connection, MHD_HTTP_FORBIDDEN,
			"asked by a name that is not this machine's own: use localhost, or see ui in heaptided.conf(5)\n");
	if (id == -1)
		return send_text(q->connection, MHD_HTTP_NOT_FOUND,
				 "there is no such page: see /\n");
	return document ? ask_document(q, id) : send_page(q, id);
}

/* --- requests ------------------------------------------------------------ */

/* wait is its first member. */
static struct ht_ui_request *request_of(struct ht_waiter *w)
{
	return (struct ht_ui_request *)(void *)w;
}

/* The document is there, or never will be: the request is asked again. */
static void on_ready(void *ctx, struct ht_waiter *w)
{
	struct ht_ui_request *q = request_of(w);

	(void)ctx;
	if (!q->given_up) /* then it goes on already */
		MHD_resume_connection(q->connection);
}

struct ht_ui_request *ht_ui_request(struct ht_ui *ui,
				    struct MHD_Connection *connection)
{
	struct ht_ui_request *q = calloc(1, sizeof(*q));

	if (q)
		*q = (struct ht_ui_request){.ui = ui, .connection = connection};
	return q;
}

void ht_ui_forget(struct ht_ui_request *q)
{
	if (!q)
		return;
	if (q->since_ns)
		wake(q);
	free(q);
}

void ht_ui_expire(struct ht_ui *ui)
{
	int64_t now_ns = ht_mono_ns();

	for (size_t i = 0; i < HT_DOCUMENTS_MAX; i++) {
		struct ht_waiter *w;

		DL_FOREACH (ui->documents.v[i].waiters, w) {
			struct ht_ui_request *q = request_of(w);

			if (q->given_up || now_ns - q->since_ns < WAIT_NS)
				continue;
			q->given_up = true;
			MHD_resume_connection(q->connection);
		}
	}
}

static enum ht_code on_remember(void *ctx, int64_t id, const char *why,
				FILE *to, struct ht_err *err)
{
	const struct ht_ui *ui = ctx;

	return ht_remembered_write(ui->parts, id, why, to, err);
}

void ht_ui_init(struct ht_ui *ui, const struct ht_parts *parts, bool guarded)
{
	*ui = (struct ht_ui){.parts = parts, .guarded = guarded};
	ui->documents =
		(struct ht_documents){.event = parts->event,
				      .store = parts->config.daemon.store,
				      .trouble = parts->ingest.trouble,
				      .remember = on_remember,
				      .ready = on_ready,
				      .ctx = ui};
	ht_documents_init(&ui->documents);
}

void ht_ui_fini(struct ht_ui *ui)
{
	ht_documents_fini(&ui->documents);
}
