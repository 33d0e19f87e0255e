/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What whoever listens at a sink's address answers, from its first byte on: the
 * request ends, once, and what is told of an answer that is no success can be
 * printed, logged and put into JSON.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/sinks/curl.h"
#include "schema/snapshot_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	const uint8_t *data;
	size_t size;
	int fd; /* the other side; -1: nobody asked yet */
	unsigned ended;
} server;

/* libcurl's connections lead to us: all of the answer is there at once. */
int socket(int domain, int type, int protocol)
{
	int pair[2];

	(void)domain;
	(void)protocol;
	if (server.fd >= 0 ||
	    socketpair(AF_UNIX, (type & ~0xf) | SOCK_STREAM, 0, pair) < 0)
		return -1;
	server.fd = pair[1];
	if (send(pair[1], server.data, server.size, MSG_NOSIGNAL) !=
	    (ssize_t)server.size)
		abort();
	shutdown(pair[1], SHUT_WR);
	return pair[0];
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
	(void)fd;
	(void)address;
	(void)len;
	return 0;
}

static void on_end(void *ctx, const char *error)
{
	json_t *text = error ? ht_text_json(error) : NULL;
	char *dumped = text ? json_dumps(text, JSON_ENCODE_ANY) : NULL;

	(void)ctx;
	if (error && (!error[0] || !dumped))
		abort();
	free(dumped);
	json_decref(text);
	server.ended++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static sd_event *event;
	static struct ht_curl *curl;
	struct ht_curl_post *post;
	struct ht_err err;

	if (!curl && (sd_event_new(&event) < 0 ||
		      ht_curl_new(event, &curl, &err) != HT_OK))
		abort();
	server.data = data;
	server.size = size;
	server.fd = -1;
	server.ended = 0;
	if (ht_curl_post(curl, "http://127.0.0.1:9/api/v2/alerts", "[]",
			 HT_NS_PER_S, on_end, NULL, &post, &err) != HT_OK)
		abort();
	while (server.ended == 0)
		if (sd_event_run(event, UINT64_MAX) < 0)
			abort();
	if (server.ended != 1)
		abort();
	if (server.fd >= 0)
		close(server.fd);
	return 0;
}
