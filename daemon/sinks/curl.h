/* SPDX-License-Identifier: Apache-2.0 */
/* Curl: libcurl's multi interface in the daemon's loop. POSTs JSON; nothing
 * waits. */
#ifndef HT_DAEMON_SINKS_CURL_H
#define HT_DAEMON_SINKS_CURL_H

#include <systemd/sd-event.h>

#include "common/err.h"

struct ht_curl;	     /* opaque */
struct ht_curl_post; /* one that runs */

enum ht_code ht_curl_new(sd_event *event, struct ht_curl **ret,
			 struct ht_err *err) HT_MUST_CHECK;
/* Requests that run end without a word. NULL is fine. */
void ht_curl_free(struct ht_curl *c);

/* body is copied. done is called once, later, with error NULL when the server
 * answered 2xx; not after ht_curl_cancel. */
enum ht_code ht_curl_post(struct ht_curl *c, const char *url, const char *body,
			  int64_t timeout_ns,
			  void (*done)(void *ctx, const char *error), void *ctx,
			  struct ht_curl_post **ret,
			  struct ht_err *err) HT_MUST_CHECK;
void ht_curl_cancel(struct ht_curl_post *p);

#endif
