/* SPDX-License-Identifier: Apache-2.0 */
/* Map changes: the heaps, and the mappings outside malloc, of one process at
 * two moments. Pure: no clock, no I/O. */
#ifndef HT_CLI_MAP_CHANGES_H
#define HT_CLI_MAP_CHANGES_H

#include "schema/snapshot.h"

enum ht_map_part {
	HT_MAP_HEAPS,	 /* by address */
	HT_MAP_MAPPINGS, /* by kind and name, as the snapshot adds them up */
	HT_MAP_PARTS
};

struct ht_map_change {
	uint64_t address; /* of a heap; else HT_UNKNOWN */
	/* The heap's arena, as the later moment counts them: each new one
	 * shifts the others. HT_UNKNOWN: of none, or not known. */
	uint64_t arena;
	uint64_t kind; /* enum ht_mapping_kind; HT_UNKNOWN: a heap */
	char name[sizeof(((struct ht_mapping *)NULL)->name)];
	bool there[2];
	/* How many (a heap: 1), their bytes and the resident ones; 0 where it
	 * is not there, HT_UNKNOWN where it is and was not measured. */
	uint64_t count[2], size[2], resident[2];
};

struct ht_map_changes {
	struct ht_map_change *v; /* what changed, the most resident bytes first
				  */
	size_t n;
	size_t same;		  /* how many did not change */
	struct ht_map_change sum; /* of all, those that did not change too */
	bool measured[2];	  /* the moment knows the list at all */
};

void ht_map_changes_fini(struct ht_map_changes *c);
#define HT_AUTO_MAP_CHANGES HT_CLEANUP(ht_map_changes_fini)

/* From s[0] to s[1]. arena: heaps of this one only, as s[1] counts them;
 * HT_UNKNOWN: all. Nothing is told unless both moments measured the list. ret:
 * zeroed. HT_NOMEM. */
enum ht_code ht_map_compare(const struct ht_snapshot s[2],
			    enum ht_map_part part, uint64_t arena,
			    struct ht_map_changes *ret,
			    struct ht_err *err) HT_MUST_CHECK;
/* resident of 1 - of 0, in *ret; false: not known. */
bool ht_map_grown(const struct ht_map_change *c, int64_t *ret);
/* The arena that lies at an address, or NULL. */
const struct ht_arena *ht_map_arena_at(const struct ht_snapshot *s,
				       uint64_t address);

#endif
