/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Newest: the last whole snapshot of a process, packed, and beside it the one
 * that an agent fills and who takes it reads: of a thousand processes two or so
 * have one open.
 */
#ifndef HT_DAEMON_PROCESS_NEWEST_H
#define HT_DAEMON_PROCESS_NEWEST_H

#include "schema/snapshot_packed.h"

struct ht_newest {
	struct ht_snapshot *open; /* NULL: none is */
	struct ht_snapshot_packed packed;
};

/* Opens an empty one, in place of one that is open. */
enum ht_code ht_newest_open(struct ht_newest *n,
			    struct ht_err *err) HT_MUST_CHECK;
/* The open one, which is whole, is the newest from now on, and stays open.
 * False: no memory for it; then none is. */
bool ht_newest_pack(struct ht_newest *n);
void ht_newest_close(struct ht_newest *n);
/* The newest into ret, an initialised snapshot; false: there is none. */
bool ht_newest_read(const struct ht_newest *n, struct ht_snapshot *ret);
void ht_newest_fini(struct ht_newest *n);

#endif
