/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts shared: what another agent of the same daemon learned of the same file,
 * so that a libc is parsed once for a thousand processes. A file is the same
 * where device, inode, size and the time of its last change are; no owner can
 * set the last. What is found is believed no more than what a parser in its own
 * process says: checked as a record, by its build id against the one that the
 * target has mapped, and by malloc's invariants in memory.
 */
#ifndef HT_AGENT_LIBC_FACTS_SHARED_H
#define HT_AGENT_LIBC_FACTS_SHARED_H

#include <stdbool.h>

#include "agent/libc/facts.h"

/* Whether this agent was given the file (link/facts_file.h); it is used then.
 */
bool ht_facts_shared_take(void);
/* No more of it, before a filter that forbids to write. */
void ht_facts_shared_end(void);

/* Of fd, with debug_fd (-1: none), as asked for by want. false: not known. */
bool ht_facts_shared_find(int fd, int debug_fd, unsigned want,
			  struct ht_facts *ret);
void ht_facts_shared_put(int fd, int debug_fd, unsigned want,
			 const struct ht_facts *facts);

#endif
