/* SPDX-License-Identifier: Apache-2.0 */
#include "link/who_pace.h"

#include "common/clock.h"

static const uint64_t hits_of[] = {300, 900, 100};
#define LENGTHS (sizeof(hits_of) / sizeof(hits_of[0]))

uint64_t ht_who_pace_hits(const struct ht_who_pace *p)
{
	return hits_of[p->windows % LENGTHS];
}

static double cost_s(uint64_t hits, uint64_t samples)
{
	uint64_t passed = hits > samples ? hits - samples : 0;

	return ((double)samples * HT_WHO_CALL_US +
		(double)passed * HT_WHO_PASSED_US) /
	       1e6;
}

void ht_who_pace_took(struct ht_who_pace *p, int64_t now_ns, uint64_t hits,
		      uint64_t samples)
{
	double lost_s = cost_s(hits, samples) - cost_s(p->hits, p->samples);

	p->next_ns = now_ns;
	if (lost_s > 0)
		p->next_ns += (int64_t)(lost_s * HT_WHO_WINDOWS_SHARE /
					p->share * (double)HT_NS_PER_S);
	p->hits = hits;
	p->samples = samples;
	p->windows++;
}

double ht_who_pace_lost(const struct ht_who_pace *p, int64_t time_ns)
{
	return time_ns > 0 ? cost_s(p->hits, p->samples) /
				     ((double)time_ns / HT_NS_PER_S)
			   : 0;
}
