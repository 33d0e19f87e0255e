/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role: this program begun anew as a process of its own, which parses what a
 * target may have made to break a parser. It has no capability, no target, no
 * file but those it is handed, bounds on memory and processor, and a filter
 * that leaves it reading, memory and its socket. It ends with its parent.
 */
#ifndef HT_AGENT_SELF_ROLE_H
#define HT_AGENT_SELF_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

#define HT_ROLE_SOCKET 3 /* of the role */
#define HT_ROLE_FDS    2 /* that may come with a message */

/* Starts `exe argument` with a socket of whole messages on descriptor 3 and
 * nothing else. Before the sandbox. */
enum ht_code ht_role_start(const char *exe, const char *argument,
			   pid_t *ret_pid, int *ret_socket,
			   struct ht_err *err) HT_MUST_CHECK;
/* A message, and n descriptors, which stay ours. false: the other has ended. */
bool ht_role_send(int socket, const void *message, size_t size, const int *fds,
		  unsigned n);
/* A message of exactly that size, and its descriptors, -1 where none came; the
 * caller closes them. false: the other has ended, or sent something else. */
bool ht_role_receive(int socket, void *message, size_t size,
		     int fds[HT_ROLE_FDS]);

struct ht_role_bounds {
	uint64_t memory, unpacked; /* bytes: of all, of what is no file */
	unsigned processor_s;	   /* 0: none */
	bool forks; /* may have a child for each request, which locks itself */
};
/* In the role: gives up all that parsing does not need. */
bool ht_role_lock_up(const struct ht_role_bounds *b);

#endif
