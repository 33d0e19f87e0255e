/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UI: the page, live: the list of targets at "/", a process of the store at
 * "/p/ID", one that no store knows at "/now/NUMBER", and the documents that
 * they ask for again and again. Read-only; no cookies; the page's own script
 * and style and no others; answers only who asks for it by a name of this
 * machine (a browser that was told to take a foreign name for this machine is
 * none of them).
 */
#ifndef HT_DAEMON_HTTP_UI_H
#define HT_DAEMON_HTTP_UI_H

#include <microhttpd.h>

#include "common/err.h"
#include "daemon/http/documents.h"
#include "daemon/parts/parts.h"

struct ht_ui {
	const struct ht_parts *parts;
	struct ht_documents documents;
	bool guarded;	/* a Unix socket that only the group may use */
	size_t waiting; /* connections that are suspended */
};

/* One request; freed by ht_ui_forget(). */
struct ht_ui_request {
	struct ht_waiter wait;
	struct ht_ui *ui;
	struct MHD_Connection *connection;
	int64_t since_ns; /* it waits, monotonic; 0: not */
	bool given_up;
};

/* guarded: see above; as the listener was opened. */
void ht_ui_init(struct ht_ui *ui, const struct ht_parts *parts, bool guarded);
/* Lets all go on that wait: before libmicrohttpd is stopped. */
void ht_ui_fini(struct ht_ui *ui);
/* Answers who has waited for too long. */
void ht_ui_expire(struct ht_ui *ui);
/* It is switched on, and the listener is one that it may be served at. */
bool ht_ui_is_on(const struct ht_ui *ui);

struct ht_ui_request *ht_ui_request(struct ht_ui *ui,
				    struct MHD_Connection *connection);
void ht_ui_forget(struct ht_ui_request *r);
/* Answers, or suspends the connection until it can. */
enum MHD_Result ht_ui_answer(struct ht_ui_request *r, const char *url);

/* What an address of the page means: a process of the store, 0: all; -1: it is
 * none; below: a process that is watched (ht_remembered_id()). *ret_document:
 * its document, not the page around it. Pure. */
int64_t ht_ui_route(const char *url, bool *ret_document);
/* A Host header that means this machine by itself: localhost, 127.0.0.1,
 * [::1], with a port or without. Pure. */
bool ht_ui_is_own_host(const char *host);

#endif
