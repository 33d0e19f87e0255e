/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts file: memory that a daemon shares with its agents, in which the next
 * agent finds what the last one learned of the same files. The daemon makes it
 * and reads nothing of it; what is in it is the agents' (facts_shared.h).
 */
#ifndef HT_LINK_FACTS_FILE_H
#define HT_LINK_FACTS_FILE_H

/* The descriptor an agent finds it on. */
#define HT_FACTS_FD   4
#define HT_FACTS_SIZE (512u << 10)

/* Agents that this process starts from now on have it. Without memory for it
 * they do without. */
void ht_facts_file_make(void);
/* -1: there is none. */
int ht_facts_file(void);

#endif
