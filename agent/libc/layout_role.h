/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout role: ELF and DWARF parsing in a process of its own. The files belong
 * to the target and may be made to break a parser; whatever breaks here has no
 * capability, no target, no file but those it was handed, and a filter that
 * leaves it reading, memory and the socket. What comes back is one flat record,
 * checked before use.
 */
#ifndef HT_AGENT_LIBC_LAYOUT_ROLE_H
#define HT_AGENT_LIBC_LAYOUT_ROLE_H

#include <sys/types.h>

#include "agent/libc/facts.h"

struct ht_layout_role {
	pid_t pid;
	int socket; /* -1: not running */
};

/* Starts `exe --role=layout` with a socket on descriptor 3 and nothing else. */
enum ht_code ht_layout_role_start(const char *exe, struct ht_layout_role *ret,
				  struct ht_err *err) HT_MUST_CHECK;
/* Lets the role parse fd and debug_fd (-1: none). An error that the role dies
 * of is HT_UNSUPPORTED; it has to be started again then. */
enum ht_code ht_layout_role_ask(struct ht_layout_role *role, int fd,
				int debug_fd, unsigned want,
				struct ht_facts *ret,
				struct ht_err *err) HT_MUST_CHECK;
void ht_layout_role_stop(struct ht_layout_role *role);

/* The other side: the whole program when started with --role=layout. */
int ht_layout_role_main(void);

#endif
