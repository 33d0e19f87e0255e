/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed snapshot: all of one in few bytes, for who is to keep one of each of
 * many processes: names take what they are long, figures what they are large,
 * a tenth of the structs or so. Owned by who made it; pure data.
 */
#ifndef HT_SCHEMA_SNAPSHOT_PACKED_H
#define HT_SCHEMA_SNAPSHOT_PACKED_H

#include "schema/snapshot.h"

struct ht_snapshot_packed {
	uint8_t *bytes; /* NULL: none is kept */
	size_t n, capacity;
};

/* In place of what ret held, and in its room, which from sample to sample of a
 * process hardly ever changes. Where it fails ret holds nothing. */
enum ht_code ht_snapshot_pack(const struct ht_snapshot *s,
			      struct ht_snapshot_packed *ret,
			      struct ht_err *err) HT_MUST_CHECK;
/* Fills ret, an initialised snapshot: as what was packed, or unknown and empty
 * where nothing is kept. The room of its lists is used again. */
enum ht_code ht_snapshot_unpack(const struct ht_snapshot_packed *p,
				struct ht_snapshot *ret,
				struct ht_err *err) HT_MUST_CHECK;
void ht_snapshot_packed_fini(struct ht_snapshot_packed *p);

#endif
