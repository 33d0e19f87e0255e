/* SPDX-License-Identifier: Apache-2.0 */
#include "link/who_pace.h"

#include "common/clock.h"

static const uint64_t hits_of[] = {300, 900, 100};
#define LENGTHS (sizeof(hits_of) / sizeof(hits_of[0]))

/* By growth: the first time, when nothing is known; and others. */
#define FIRST_S	   0.05
#define SHORTEST_S 0.02
#define LONGEST_S  0.4
#define MADE_UP_S  4.0 /* what one loses, at most */

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
	p->lost_s += lost_s;
	p->windows++;
}

/* It goes on, as long as that is within what may be lost. */
void ht_who_pace_grew(struct ht_who_pace *p, int64_t begin_ns, uint64_t hits,
		      uint64_t seen, uint64_t armed_us)
{
	p->armed_s = (double)armed_us / 1e6;
	p->lost_s = ((double)hits * HT_WHO_COUNTED_US +
		     (double)seen * HT_WHO_STACK_US) /
		    1e6;
	p->next_ns = begin_ns +
		     (int64_t)(p->lost_s / p->share * (double)HT_NS_PER_S);
	p->windows++;
}

int64_t ht_who_pace_growth_ns(const struct ht_who_pace *p)
{
	double s = FIRST_S, rate = p->armed_s > 0 ? p->lost_s / p->armed_s : 0;

	if (p->armed_s > 0)
		s = rate * LONGEST_S > p->share * MADE_UP_S
			    ? p->share * MADE_UP_S / rate
			    : LONGEST_S;
	return (int64_t)((s > SHORTEST_S ? s : SHORTEST_S) *
			 (double)HT_NS_PER_S);
}

double ht_who_pace_lost(const struct ht_who_pace *p, int64_t time_ns)
{
	return time_ns > 0 ? p->lost_s / ((double)time_ns / HT_NS_PER_S) : 0;
}
