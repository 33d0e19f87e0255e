/* SPDX-License-Identifier: Apache-2.0 */
/* Listen: server sockets. All non-blocking and closed on exec. */
#ifndef HT_DAEMON_LOOP_LISTEN_H
#define HT_DAEMON_LOOP_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"

/* A socket file that nobody listens on is replaced; one that somebody does,
 * and anything that is no socket, is HT_CONFIG and stays. group: that owns the
 * file, NULL: ours. */
enum ht_code ht_listen_unix(const char *path, mode_t mode, const char *group,
			    int *ret, struct ht_err *err) HT_MUST_CHECK;
/* Removes the socket file at the end; nothing else that lies there by now. */
void ht_listen_end(const char *path);
/* The same as written, or "unix:PATH" or "none": whether it is an address,
 * nothing is opened. HT_CONFIG. */
enum ht_code ht_listen_check(const char *where,
			     struct ht_err *err) HT_MUST_CHECK;
/* A Unix socket, or a loopback address: nobody else's machine reaches it. */
bool ht_listen_is_local(const char *where);
/* "127.0.0.1:9748", "[::1]:9748", ":9748" (all addresses) */
enum ht_code ht_listen_tcp(const char *address, int *ret,
			   struct ht_err *err) HT_MUST_CHECK;

#endif
