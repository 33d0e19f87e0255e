/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spoiled heaps: the first two bytes choose the release and the width, then
 * each 12 bytes spoil one word of the image (where: part and offset; what: 8
 * bytes). The walk must end, its sums must close, and nothing may be read or
 * written where it should not be.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/fakeheap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void spoil(struct fake *k, const uint8_t *patch)
{
	/* libc's part matters where the structs are, heaps everywhere */
	uint32_t part = patch[0] % FAKE_PARTS;
	uint32_t offset = (uint32_t)patch[1] | (uint32_t)patch[2] << 8 |
			  (uint32_t)(patch[3] & 3) << 16;
	uint64_t value;

	memcpy(&value, patch + 4, sizeof(value));
	if (patch[3] &
	    0x80) /* a plausible pointer, more often than by chance */
		value = k->part[value % FAKE_PARTS].addr +
			(value >> 8) % FAKE_PART;
	fake_put(k, k->part[part].addr + offset, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ht_snapshot s;
	struct ht_err err;
	struct fake k;

	if (size < 2 || fake_build(&k, 17 + data[0] % 28, data[1] & 1 ? 8 : 4,
				   &err) != HT_OK)
		return 0;
	for (size_t i = 2; i + 12 <= size; i += 12)
		spoil(&k, data + i);
	if (fake_walk(&k, &s, &err) != HT_OK)
		abort();
	if (ht_snapshot_check(&s, &err) != HT_OK)
		abort();
	ht_snapshot_fini(&s);
	fake_free(&k);
	return 0;
}
