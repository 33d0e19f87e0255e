/* SPDX-License-Identifier: Apache-2.0 */
/* Passing: one message over a Unix socket, with descriptors. unix(7),
 * SCM_RIGHTS. */
#ifndef HT_COMMON_PASSING_H
#define HT_COMMON_PASSING_H

#include <stdbool.h>
#include <stddef.h>

#define HT_PASSED_MAX 16 /* descriptors with one message */

/* n: 0 for none; they stay the caller's. false: more than may be passed, or the
 * other has ended (errno). Async-signal-safe. */
bool ht_pass_send(int socket, const void *message, size_t size, const int *fds,
		  size_t n);
/* A message of exactly that size, and its descriptors, *ret_n of them, at most
 * max: close-on-exec, the caller closes them. flags: as for recvmsg(2). false:
 * the other has ended, or sent something else; nothing is left open. */
bool ht_pass_receive(int socket, int flags, void *message, size_t size,
		     int *fds, size_t max, size_t *ret_n);

#endif
