/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines role: debug information read in a process of its own
 * (agent/self/role.h), begun before the sandbox and kept. For each request it
 * has a child, locked up further, so that a file that breaks the parser, or has
 * it go on for ever, takes its own answer with it and no other's.
 */
#ifndef HT_AGENT_LIBC_LINES_ROLE_H
#define HT_AGENT_LIBC_LINES_ROLE_H

#include <sys/types.h>

#include "agent/libc/lines.h"

struct ht_lines_role {
	pid_t pid;
	int socket; /* -1: not running */
};
#define HT_LINES_ROLE_NONE ((struct ht_lines_role){.socket = -1})

/* Starts `exe --role=lines`. */
enum ht_code ht_lines_role_start(const char *exe, struct ht_lines_role *ret,
				 struct ht_err *err) HT_MUST_CHECK;
/* Both wait until the clock (ht_mono_ns) says until_ns; a role that is late is
 * ended. HT_UNSUPPORTED: why there is no (full) answer. */
enum ht_code ht_lines_role_look(struct ht_lines_role *role, int fd, bool sum,
				int64_t until_ns, struct ht_lines_build *ret,
				struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_lines_role_find(struct ht_lines_role *role, int fd, int shared,
				const uint64_t *address, uint32_t n,
				int64_t until_ns, ht_lines_fn fn, void *ctx,
				struct ht_err *err) HT_MUST_CHECK;
void ht_lines_role_stop(struct ht_lines_role *role);

/* The other side: the whole program when started with --role=lines. */
int ht_lines_role_main(void);

#endif
