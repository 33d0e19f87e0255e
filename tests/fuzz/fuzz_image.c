/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spoiled heaps: the first two bytes choose the release and the width, then
 * each 12 bytes spoil one word of the image (where: part and offset; what: 8
 * bytes). The walk must end, its sums must close, and nothing may be read or
 * written where it should not be.
 */
#include <stdlib.h>

#include "tests/lib/fakeheap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ht_snapshot s;
	struct ht_err err;
	struct fake k;

	if (size < 2 || fake_build(&k, 17 + data[0] % 28, data[1] & 1 ? 8 : 4,
				   &err) != HT_OK)
		return 0;
	for (size_t i = 2; i + 12 <= size; i += 12)
		fake_spoil(&k, data + i);
	if (fake_walk(&k, &s, &err) != HT_OK)
		abort();
	if (ht_snapshot_check(&s, &err) != HT_OK)
		abort();
	ht_snapshot_fini(&s);
	fake_free(&k);
	return 0;
}
