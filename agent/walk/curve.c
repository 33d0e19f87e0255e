/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/walk/curve.h"

#include <string.h>

void ht_curve_add(struct ht_curve *c, uint64_t at,
		  const struct ht_class_count bin[HT_BINS + 1])
{
	struct ht_curve_point *p;

	if (c->n == HT_CURVE_POINTS) {
		for (size_t i = 0; i < HT_CURVE_POINTS / 2; i++)
			c->point[i] = c->point[2 * i + 1];
		c->n /= 2;
	}
	p = &c->point[c->n++];
	p->at = at;
	memcpy(p->bin, bin, sizeof(p->bin));
}

uint64_t ht_curve_end(const struct ht_curve *c)
{
	return c->n ? c->point[c->n - 1].at : 0;
}

static uint64_t part(uint64_t from, uint64_t to, double share)
{
	return from + (uint64_t)((double)(to - from) * share);
}

/* The sum of bin i up to `at`. */
static struct ht_class_count up_to(const struct ht_curve *c, unsigned i,
				   uint64_t at)
{
	struct ht_class_count low = {0}, high;
	uint64_t from = 0;
	size_t k = 0;
	double share;

	for (; k < c->n && c->point[k].at <= at; k++) {
		low = c->point[k].bin[i];
		from = c->point[k].at;
	}
	if (k == c->n)
		return low;
	high = c->point[k].bin[i];
	share = (double)(at - from) / (double)(c->point[k].at - from);
	return (struct ht_class_count){
		.chunks = part(low.chunks, high.chunks, share),
		.bytes = part(low.bytes, high.bytes, share)};
}

struct ht_class_count ht_curve_between(const struct ht_curve *c, unsigned i,
				       uint64_t from, uint64_t to)
{
	struct ht_class_count a, b;

	if (from >= to)
		return (struct ht_class_count){0};
	a = up_to(c, i, from);
	b = up_to(c, i, to);
	return (struct ht_class_count){.chunks = b.chunks - a.chunks,
				       .bytes = b.bytes - a.bytes};
}

uint64_t ht_curve_bytes(const struct ht_curve *c, uint64_t at)
{
	uint64_t bytes = 0;

	for (unsigned i = 1; i <= HT_BINS; i++)
		bytes += up_to(c, i, at).bytes;
	return bytes;
}
