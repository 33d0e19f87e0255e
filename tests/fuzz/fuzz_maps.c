/* SPDX-License-Identifier: Apache-2.0 */
/* Text of a hostile /proc/PID/maps: parsed or refused, and then in order. */
#include <stdlib.h>
#include <string.h>

#include "agent/memory/maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ht_maps m;
	struct ht_err err;

	if (ht_maps_parse((const char *)data, size, &m, &err) != HT_OK)
		return 0;
	for (size_t i = 0; i < m.n; i++) {
		if (m.v[i].start >= m.v[i].end ||
		    (i > 0 && m.v[i].start < m.v[i - 1].end) ||
		    ht_maps_at(&m, m.v[i].start) != &m.v[i] ||
		    strlen(ht_vma_path(&m, &m.v[i])) > size)
			abort();
	}
	ht_maps_fini(&m);
	return 0;
}
