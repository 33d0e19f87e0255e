/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Type looks: what the chunks in use of one process were at some times, type by
 * type (types = on): a column a look, a line a type.
 */
#ifndef HT_SCHEMA_TYPE_LOOKS_H
#define HT_SCHEMA_TYPE_LOOKS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/cleanup.h"

#define HT_TYPE_LOOKS_MAX 96
#define HT_TYPE_NAME	  256

/* Figures of a look without this type are 0 where all types of the look are
 * listed; NaN: it may be among the others. */
struct ht_type_line {
	char name[HT_TYPE_NAME]; /* in words */
	char kind[32], module[128];
	double chunks[HT_TYPE_LOOKS_MAX], bytes[HT_TYPE_LOOKS_MAX];
};

struct ht_type_looks {
	size_t n; /* looks, the oldest first */
	int64_t at_ns[HT_TYPE_LOOKS_MAX];
	double bytes[HT_TYPE_LOOKS_MAX];   /* of all chunks in use */
	double unknown[HT_TYPE_LOOKS_MAX]; /* of them, of no known type */
	double others[HT_TYPE_LOOKS_MAX];  /* of types that are not listed */
	double least[HT_TYPE_LOOKS_MAX];   /* none of those has more */
	struct ht_type_line *v; /* most bytes in the last look first */
	size_t lines;
};

static inline void ht_type_looks_fini(struct ht_type_looks *l)
{
	free(l->v);
	l->v = NULL;
	l->lines = 0;
}
#define HT_AUTO_TYPE_LOOKS HT_CLEANUP(ht_type_looks_fini)

#endif
