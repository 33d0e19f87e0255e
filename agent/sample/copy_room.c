/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sample/copy_room.h"

#include "schema/records.h"

struct ht_copy_room ht_copy_room(uint64_t left)
{
	struct ht_copy_room r = {.least = HT_COPY_ROOM_ENOUGH};

	if (left == HT_UNKNOWN)
		r.least = 0;
	else if (left / 2 < HT_COPY_ROOM_ENOUGH)
		r.least = left / 2;
	return r;
}

bool ht_copy_room_due(const struct ht_copy_room *r, int64_t now_ns)
{
	return !r->outrun && now_ns >= r->next_ns;
}

bool ht_copy_room_is_outrun(struct ht_copy_room *r, int64_t now_ns,
			    uint64_t left)
{
	uint64_t ns;

	if (left < r->least) {
		r->outrun = true;
		return true;
	}
	ns = (left - r->least) / HT_COPY_ROOM_BYTES_PER_NS;
	if (ns < HT_COPY_ROOM_EVERY_NS)
		ns = HT_COPY_ROOM_EVERY_NS;
	if (ns > HT_COPY_ROOM_SELDOM_NS)
		ns = HT_COPY_ROOM_SELDOM_NS;
	r->next_ns = now_ns + (int64_t)ns;
	return false;
}
