/* SPDX-License-Identifier: Apache-2.0 */
/* What the lines role and its caller say to each other: one program, so plain
 * structs. For lines_role*.c only. */
#ifndef HT_AGENT_LIBC_LINES_ROLE_INT_H
#define HT_AGENT_LIBC_LINES_ROLE_INT_H

#include "agent/libc/lines.h"
#include "agent/self/role.h"

enum ht_lines_kind { HT_LINES_LOOK, HT_LINES_FIND };

/* The file's descriptor comes along, and that of what it shares with others. */
struct ht_lines_request {
	uint32_t kind, n;
	uint32_t sum; /* HT_LINES_LOOK: is wanted */
	uint64_t address[HT_LINES_AT_ONCE];
};

/* Any number of lines, or one build, then an end: messages of their own sizes.
 * The end is the role's own word, not the child's. */
struct ht_lines_end {
	uint32_t code;	 /* enum ht_code */
	uint32_t signal; /* that the child died of; 0 */
};

#endif
