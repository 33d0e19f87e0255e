/* SPDX-License-Identifier: Apache-2.0 */
/* What the layout role and its caller say to each other: one program, so plain
 * structs. For layout_role*.c only. */
#ifndef HT_AGENT_LIBC_LAYOUT_ROLE_INT_H
#define HT_AGENT_LIBC_LAYOUT_ROLE_INT_H

#include "agent/libc/facts.h"
#include "agent/self/role.h"

/* 1 or 2 descriptors come along: file, debug file. */
struct ht_role_request {
	uint32_t want; /* enum ht_facts_want */
};

struct ht_role_answer {
	uint32_t code; /* enum ht_code */
	uint32_t reserved;
	struct ht_err err;
	struct ht_facts facts; /* when code is HT_OK */
};

#endif
