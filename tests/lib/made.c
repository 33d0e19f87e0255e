/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/made.h"

#include <math.h>

#include "common/clock.h"

static uint64_t state[4];

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

double ht_made_uniform(void)
{
	uint64_t r = rotl(state[1] * 5, 7) * 9, t = state[1] << 17;

	state[2] ^= state[0];
	state[3] ^= state[1];
	state[1] ^= state[2];
	state[0] ^= state[3];
	state[2] ^= t;
	state[3] = rotl(state[3], 45);
	return ((double)(r >> 11) + 0.5) / 9007199254740992.0;
}

void ht_made_seed(uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		state[i] = seed ^ seed >> 29;
	}
	for (int i = 0; i < 20; i++)
		ht_made_uniform();
}

double ht_made_normal(void)
{
	double r = sqrt(-2 * log(ht_made_uniform()));

	return r * cos(2 * M_PI * ht_made_uniform());
}

void ht_made_put(struct ht_series *s, enum ht_metric m, double value)
{
	for (size_t k = 0; k < HT_STAT_COUNT; k++)
		s->metric[m][k][s->rows - 1] = value;
}

void ht_made_in_use(struct ht_series *s, const double *x, size_t n,
		    double jitter)
{
	struct ht_err err;

	for (size_t i = 0; i < n; i++) {
		double at = (double)i + jitter * (ht_made_uniform() - 0.5);

		if (ht_series_add_row(s, (int64_t)(at * 60 * HT_NS_PER_S),
				      &err) != HT_OK) {
			fprintf(stderr, "%s\n", err.msg);
			exit(1);
		}
		ht_made_put(s, HT_M_in_use, x[i]);
		ht_made_put(s, HT_M_in_use_arena, x[i]);
		ht_made_put(s, HT_M_rss_anon, x[i]);
		ht_made_put(s, HT_M_heap_resident, x[i]);
		ht_made_put(s, HT_M_retained, 0);
	}
}

void ht_made_classes(struct ht_series *s, const double *x, size_t n)
{
	double all = 0;

	for (size_t i = 0; i < n; i++) {
		struct ht_class_series *c = ht_series_class(s, 32 + 16 * i);
		double bytes = floor(x[i] * (1 + 0.004 * ht_made_normal()));

		for (size_t k = 0; k < HT_STAT_COUNT; k++)
			c->bytes[k][s->rows - 1] = bytes;
		c->chunks[s->rows - 1] = floor(bytes / (double)c->max_size);
		all += bytes;
	}
	ht_made_put(s, HT_M_in_use, all);
	ht_made_put(s, HT_M_in_use_arena, all);
	ht_made_put(s, HT_M_heap_resident, all);
	ht_made_put(s, HT_M_retained, 0);
	ht_made_put(s, HT_M_rss_anon, all + 10 * 0x1p20);
	ht_made_put(s, HT_M_non_malloc_anon, 10 * 0x1p20);
	ht_made_put(s, HT_M_limit, 8192 * 0x1p20);
}
