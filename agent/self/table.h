/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of our own that may be large: address space, and memory only where
 * something is written. What is read all over is asked for in large pages:
 * else each look into it looks up its page first.
 */
#ifndef HT_AGENT_SELF_TABLE_H
#define HT_AGENT_SELF_TABLE_H

#include <stddef.h>

enum ht_table_use {
	HT_TABLE_IN_TURN,  /* from the front on, or only here and there */
	HT_TABLE_ALL_OVER, /* all of it, in any order */
};

/* Zeros; NULL: no room. */
void *ht_table_new(size_t bytes, enum ht_table_use use);
/* Of NULL too. */
void ht_table_free(void *table, size_t bytes);

#endif
