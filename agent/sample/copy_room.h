/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copy room: what the target writes while a copy of it lives is charged to its
 * cgroup. The room that is left is asked for again and again, the sooner the
 * faster it could be filled; a copy whose target outruns it is given up. Pure.
 */
#ifndef HT_AGENT_SAMPLE_COPY_ROOM_H
#define HT_AGENT_SAMPLE_COPY_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

/* To ask costs a tenth of a millisecond. */
#define HT_COPY_ROOM_EVERY_NS  (5 * HT_NS_PER_MS)
#define HT_COPY_ROOM_SELDOM_NS (50 * HT_NS_PER_MS)
/* More than the processors of a large machine write: in between two questions
 * no room is filled that was not near its end. */
#define HT_COPY_ROOM_BYTES_PER_NS 16
#define HT_COPY_ROOM_ENOUGH	  (UINT64_C(256) << 20)

struct ht_copy_room {
	uint64_t least;	 /* bytes that must be left */
	int64_t next_ns; /* when to ask again */
	bool outrun;	 /* for good */
};

/* Of a copy that was just made; left: bytes, HT_UNKNOWN is no limit that
 * anybody knows. Half of it may be used up, and all but
 * HT_COPY_ROOM_ENOUGH. */
struct ht_copy_room ht_copy_room(uint64_t left);
/* Whether to ask what is left. */
bool ht_copy_room_due(const struct ht_copy_room *r, int64_t now_ns);
/* What is left now. True: the copy is to be given up. */
bool ht_copy_room_is_outrun(struct ht_copy_room *r, int64_t now_ns,
			    uint64_t left);

#endif
