/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends of processes that no commit has made durable yet: a process ends once,
 * and who was not told of it is taken to live for good. While the store is in
 * trouble they gather; beyond HT_ENDS_MOST they are lost, which is counted.
 */
#ifndef HT_DAEMON_INGEST_ENDS_H
#define HT_DAEMON_INGEST_ENDS_H

#include "store/store.h"

#define HT_ENDS_MOST 16384 /* 1.1 MiB; an hour of five a second */

struct ht_ends {
	struct ht_store_end *v; /* owned */
	size_t n, capacity;
	size_t written; /* the first of them are in the open transaction */
};

/* False: there is no room for it. */
bool ht_ends_add(struct ht_ends *e, const struct ht_store_end *end);
/* The next that is to be written; NULL: all are. */
const struct ht_store_end *ht_ends_next(const struct ht_ends *e);
/* What was written is durable, or undone. */
void ht_ends_committed(struct ht_ends *e);
void ht_ends_undone(struct ht_ends *e);
void ht_ends_fini(struct ht_ends *e);

#endif
