/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sinks/curl.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <utlist.h>

#include "common/clock.h"
#include "daemon/loop/timer.h"

struct ht_curl_post {
	struct ht_curl_post *next, *prev;
	struct ht_curl *owner;
	CURL *easy;
	struct curl_slist *headers;
	void (*done)(void *ctx, const char *error);
	void *ctx;
	char error[CURL_ERROR_SIZE];
	char answer[160]; /* the beginning: what a refusal says */
	size_t answer_n;
};

struct ht_curl {
	sd_event *event;
	CURLM *multi;
	sd_event_source *timer;
	struct ht_curl_post *posts;
};

static void free_post(struct ht_curl_post *p)
{
	curl_multi_remove_handle(p->owner->multi, p->easy);
	DL_DELETE(p->owner->posts, p);
	curl_easy_cleanup(p->easy);
	curl_slist_free_all(p->headers);
	free(p);
}

static void finish(struct ht_curl_post *p, CURLcode result)
{
	void (*done)(void *ctx, const char *error) = p->done;
	void *ctx = p->ctx;
	long status = 0;
	char why[CURL_ERROR_SIZE + 200] = "";

	curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status);
	if (result != CURLE_OK)
		snprintf(why, sizeof(why), "%s",
			 p->error[0] ? p->error : curl_easy_strerror(result));
	else if (status < 200 || status > 299)
		snprintf(why, sizeof(why), "HTTP status %ld: %.*s", status,
			 (int)p->answer_n, p->answer);
	free_post(p);
	done(ctx, why[0] ? why : NULL);
}

static void collect(struct ht_curl *c)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(c->multi, &left)) != NULL) {
		struct ht_curl_post *p = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &p);
		finish(p, message->data.result);
	}
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct ht_curl *c = ctx;
	int what = 0, running;

	(void)source;
	if (events & EPOLLIN)
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		what |= CURL_CSELECT_ERR;
	curl_multi_socket_action(c->multi, fd, what, &running);
	collect(c);
	return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx,
		     void *per_socket)
{
	struct ht_curl *c = ctx;
	sd_event_source *source = per_socket;
	uint32_t events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		sd_event_source_disable_unref(source);
		return 0;
	}
	if (what != CURL_POLL_OUT)
		events |= EPOLLIN;
	if (what != CURL_POLL_IN)
		events |= EPOLLOUT;
	if (source)
		return sd_event_source_set_io_events(source, events) < 0 ? -1
									 : 0;
	if (sd_event_add_io(c->event, &source, fd, events, on_io, c) < 0)
		return -1;
	curl_multi_assign(c->multi, fd, source);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct ht_curl *c = ctx;
	int running;

	(void)source;
	(void)now_us;
	curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(c);
	return 0;
}

static int on_timeout_wanted(CURLM *multi, long timeout_ms, void *ctx)
{
	struct ht_curl *c = ctx;

	(void)multi;
	if (timeout_ms < 0) {
		c->timer = sd_event_source_disable_unref(c->timer);
		return 0;
	}
	return ht_timer_set(c->event, &c->timer,
			    ht_mono_ns() + timeout_ms * HT_NS_PER_MS, on_timer,
			    c, NULL) == HT_OK
		       ? 0
		       : -1;
}

static size_t on_answer(char *bytes, size_t size, size_t n, void *ctx)
{
	struct ht_curl_post *p = ctx;
	size_t room = sizeof(p->answer) - p->answer_n;
	size_t take = size * n < room ? size * n : room;

	memcpy(p->answer + p->answer_n, bytes, take);
	p->answer_n += take;
	return size * n;
}

enum ht_code ht_curl_new(sd_event *event, struct ht_curl **ret,
			 struct ht_err *err)
{
	struct ht_curl *c = calloc(1, sizeof(*c));

	if (!c || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(c);
		return ht_fail(err, HT_NOMEM, "libcurl does not start");
	}
	c->event = event;
	c->multi = curl_multi_init();
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, 2L);
	*ret = c;
	return HT_OK;
}

void ht_curl_free(struct ht_curl *c)
{
	struct ht_curl_post *p, *next;

	if (!c)
		return;
	DL_FOREACH_SAFE (c->posts, p, next)
		free_post(p);
	curl_multi_cleanup(c->multi);
	sd_event_source_disable_unref(c->timer);
	free(c);
	curl_global_cleanup();
}

/* curl knows many more schemes, file: among them. */
static void allow_protocols(CURL *easy)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
			 (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

enum ht_code ht_curl_post(struct ht_curl *c, const char *url, const char *body,
			  int64_t timeout_ns,
			  void (*done)(void *ctx, const char *error), void *ctx,
			  struct ht_curl_post **ret, struct ht_err *err)
{
	struct ht_curl_post *p = calloc(1, sizeof(*p));

	if (!p)
		return ht_fail(err, HT_NOMEM, "no memory for a request");
	p->easy = curl_easy_init();
	p->headers = curl_slist_append(NULL, "Content-Type: application/json");
	if (!p->easy || !p->headers) {
		curl_easy_cleanup(p->easy);
		curl_slist_free_all(p->headers);
		free(p);
		return ht_fail(err, HT_NOMEM, "no memory for a request");
	}
	p->owner = c;
	p->done = done;
	p->ctx = ctx;
	DL_APPEND(c->posts, p);
	curl_easy_setopt(p->easy, CURLOPT_URL, url);
	allow_protocols(p->easy);
	curl_easy_setopt(p->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(p->easy, CURLOPT_TIMEOUT_MS,
			 (long)(timeout_ns / HT_NS_PER_MS));
	curl_easy_setopt(p->easy, CURLOPT_HTTPHEADER, p->headers);
	curl_easy_setopt(p->easy, CURLOPT_USERAGENT, "heaptided/" HT_VERSION);
	curl_easy_setopt(p->easy, CURLOPT_COPYPOSTFIELDS, body);
	curl_easy_setopt(p->easy, CURLOPT_ERRORBUFFER, p->error);
	curl_easy_setopt(p->easy, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(p->easy, CURLOPT_WRITEDATA, p);
	curl_easy_setopt(p->easy, CURLOPT_PRIVATE, p);
	*ret = p;
	curl_multi_add_handle(c->multi, p->easy);
	return HT_OK;
}

void ht_curl_cancel(struct ht_curl_post *p)
{
	if (p)
		free_post(p);
}
