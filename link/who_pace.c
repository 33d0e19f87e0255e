/* SPDX-License-Identifier: Apache-2.0 */
#include "link/who_pace.h"

#include "common/clock.h"

#define CALL_S (HT_WHO_CALL_US / 1e6)

static const uint64_t hits_of[] = {300, 900, 100};
#define LENGTHS (sizeof(hits_of) / sizeof(hits_of[0]))

void ht_who_pace_by_share(struct ht_who_pace *p, double share)
{
	p->calls_per_s = share / CALL_S;
}

uint64_t ht_who_pace_hits(const struct ht_who_pace *p)
{
	return hits_of[p->windows % LENGTHS];
}

void ht_who_pace_took(struct ht_who_pace *p, int64_t now_ns, uint64_t hits)
{
	double calls = hits > p->hits ? (double)(hits - p->hits) : 0;

	p->next_ns = now_ns +
		     (int64_t)(calls / p->calls_per_s * (double)HT_NS_PER_S);
	p->hits = hits;
	p->windows++;
}

double ht_who_pace_lost(const struct ht_who_pace *p, int64_t elapsed_ns)
{
	return elapsed_ns > 0 ? (double)p->hits * CALL_S /
					((double)elapsed_ns / HT_NS_PER_S)
			      : 0;
}
