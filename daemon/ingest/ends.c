/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/ingest/ends.h"

#include <stdlib.h>
#include <string.h>

bool ht_ends_add(struct ht_ends *e, const struct ht_store_end *end)
{
	if (e->n == HT_ENDS_MOST)
		return false;
	if (e->n == e->capacity) {
		size_t capacity = e->capacity ? 2 * e->capacity : 16;
		void *grown = reallocarray(e->v, capacity, sizeof(*e->v));

		if (!grown)
			return false;
		e->v = grown;
		e->capacity = capacity;
	}
	e->v[e->n++] = *end;
	return true;
}

const struct ht_store_end *ht_ends_next(const struct ht_ends *e)
{
	return e->written < e->n ? &e->v[e->written] : NULL;
}

void ht_ends_committed(struct ht_ends *e)
{
	e->n -= e->written;
	if (e->n == 0)
		ht_ends_fini(e); /* it may have been many */
	else
		memmove(e->v, e->v + e->written, e->n * sizeof(*e->v));
	e->written = 0;
}

void ht_ends_undone(struct ht_ends *e)
{
	e->written = 0;
}

void ht_ends_fini(struct ht_ends *e)
{
	free(e->v);
	*e = (struct ht_ends){0};
}
