/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Curve: what the free lists hold, by how far a walk of the heap has come: for
 * each bin a sum that grows along the heap, kept at a few places.
 */
#ifndef HT_AGENT_WALK_CURVE_H
#define HT_AGENT_WALK_CURVE_H

#include "agent/libc/chunk.h"
#include "agent/walk/sizes.h"

#define HT_CURVE_POINTS 32

struct ht_curve_point {
	uint64_t at; /* bytes of heap behind it */
	struct ht_class_count bin[HT_BINS + 1];
};

struct ht_curve {
	struct ht_curve_point point[HT_CURVE_POINTS];
	size_t n;
};

/* Behind the last one; when it is full every second point goes. */
void ht_curve_add(struct ht_curve *c, uint64_t at,
		  const struct ht_class_count bin[HT_BINS + 1]);
/* What bin i holds of the heap's bytes [from, to): in proportion between two
 * points, nothing behind the last. */
struct ht_class_count ht_curve_between(const struct ht_curve *c, unsigned i,
				       uint64_t from, uint64_t to);
/* Bytes of all bins up to `at`. */
uint64_t ht_curve_bytes(const struct ht_curve *c, uint64_t at);
/* Where it ends. */
uint64_t ht_curve_end(const struct ht_curve *c);

#endif
