/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP: /metrics and the page (ui.h), by libmicrohttpd in the daemon's loop.
 * Hostile and slow clients are expected: connections are few, live for seconds
 * whatever they do, and the oldest goes when many come; the text is made at
 * most once a second and shared by all who ask.
 */
#ifndef HT_DAEMON_HTTP_HTTP_H
#define HT_DAEMON_HTTP_HTTP_H

#include <systemd/sd-event.h>

#include "common/err.h"
#include "daemon/http/metrics.h"
#include "daemon/http/ui.h"

struct MHD_Daemon;
struct MHD_Response;
struct ht_http_connection;

struct ht_http {
	const struct ht_parts *parts;
	struct MHD_Daemon *mhd; /* NULL: metrics = none */
	sd_event_source *io, *timer;
	struct ht_http_connection *connections; /* utlist, oldest first */
	size_t connections_n;
	uint64_t shed, served;
	struct ht_ui ui;
	struct {
		struct MHD_Response *response;
		int64_t made_ns;
	} cache[2]; /* by enum ht_exposition */
};

/* Listens at config.daemon.metrics. */
enum ht_code ht_http_init(struct ht_http *h, const struct ht_parts *parts,
			  struct ht_err *err) HT_MUST_CHECK;
void ht_http_fini(struct ht_http *h);

#endif
