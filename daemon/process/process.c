/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/process/process.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint64_t ht_pause_bounds_us[HT_PAUSE_BUCKETS] = {
	50, 100, 250, 500, 1000, 2000, 5000, 10000, 50000, 250000};

void ht_pauses_count(struct ht_pauses *h, uint64_t pause_us)
{
	size_t i = 0;

	if (pause_us == HT_UNKNOWN)
		return;
	while (i < HT_PAUSE_BUCKETS && pause_us > ht_pause_bounds_us[i])
		i++;
	h->bucket[i]++;
	h->count++;
	h->sum_us += pause_us;
}

unsigned ht_watched_inconsistent(const struct ht_watched *p)
{
	return (unsigned)__builtin_popcount(p->inconsistent & 7u);
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a == HT_UNKNOWN || b == HT_UNKNOWN ? HT_UNKNOWN : a + b;
}

static void take_arenas(struct ht_latest *l, const struct ht_snapshot *s,
			size_t max)
{
	size_t n = s->arenas.n <= max ? s->arenas.n : max + 1;
	struct ht_latest_arena *v =
		reallocarray(l->arenas, n ? n : 1, sizeof(*v));

	if (!v) {
		l->arenas_n = 0;
		return;
	}
	memset(v, 0, n * sizeof(*v));
	for (size_t i = 0; i < s->arenas.n; i++) {
		const struct ht_arena *a = &s->arenas.v[i];
		struct ht_latest_arena *to = &v[i < max ? i : max];

		if (i < max)
			snprintf(to->name, sizeof(to->name), "%" PRIu64,
				 a->index % 100000000);
		else
			strcpy(to->name, "other");
		to->in_use = plus(to->in_use, a->in_use);
		to->system = plus(to->system, a->system);
		to->retained = plus(to->retained, a->retained);
		to->trimmable = plus(to->trimmable, a->trimmable);
	}
	l->arenas = v;
	l->arenas_n = n;
}

static void add_bin(struct ht_latest *l, const struct ht_bin *b)
{
	for (size_t i = 0; i < l->bins_n; i++) {
		if (l->bins[i].kind == b->kind &&
		    l->bins[i].index == b->index) {
			l->bins[i].bytes = plus(l->bins[i].bytes, b->bytes);
			return;
		}
	}
	l->bins[l->bins_n++] =
		(struct ht_latest_bin){b->kind, b->index, b->bytes};
}

static void take_bins(struct ht_latest *l, const struct ht_snapshot *s)
{
	struct ht_latest_bin *v = reallocarray(l->bins, s->bins.n, sizeof(*v));

	l->bins_n = 0;
	if (!v)
		return;
	l->bins = v;
	for (size_t i = 0; i < s->bins.n; i++) {
		if (s->bins.v[i].kind < HT_BIN_KIND_COUNT)
			add_bin(l, &s->bins.v[i]);
	}
}

void ht_latest_take(struct ht_latest *l, const struct ht_snapshot *s,
		    size_t arenas, bool bins)
{
	double pss = l->taken_ns ? l->values[HT_M_pss] : NAN;

	ht_metrics_of(s, l->values);
	if (isnan(l->values[HT_M_pss])) /* of the last detailed look */
		l->values[HT_M_pss] = pss;
	for (size_t i = 0; i < HT_CAUSE_COUNT; i++)
		l->causes[i] = HT_UNKNOWN;
	for (size_t i = 0; i < s->rss_causes.n; i++) {
		if (s->rss_causes.v[i].cause < HT_CAUSE_COUNT)
			l->causes[s->rss_causes.v[i].cause] =
				s->rss_causes.v[i].bytes;
	}
	memset(l->unknown, 0, sizeof(l->unknown));
	for (size_t i = 0; i < s->unknowns.n; i++) {
		if (s->unknowns.v[i].reason < HT_WHY_COUNT)
			l->unknown[s->unknowns.v[i].reason] +=
				s->unknowns.v[i].figures;
	}
	take_arenas(l, s, arenas);
	if (bins && s->bins.n)
		take_bins(l, s);
	l->taken_ns = s->head.taken_at;
}

void ht_latest_fini(struct ht_latest *l)
{
	free(l->arenas);
	free(l->bins);
	*l = (struct ht_latest){0};
}
