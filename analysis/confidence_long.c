/* SPDX-License-Identifier: Apache-2.0 */
#include "analysis/confidence_long.h"

#include "analysis/stats.h"
#include "analysis/thresholds.h"

double ht_confidence_sum(double hours, double t, double out)
{
	double c = ht_t.confidence_lasting, more = ht_t.sure_more;

	c += hours >= ht_t.sure_hours ? more : 0;
	c += hours >= 2 * ht_t.sure_hours ? more : 0;
	c += hours >= 4 * ht_t.sure_hours ? more : 0;
	c += hours >= 8 * ht_t.sure_hours ? more / 2 : 0;
	c += t >= ht_t.sure_t ? more : 0;
	c += t >= 2 * ht_t.sure_t ? more / 2 : 0;
	c += out >= ht_t.sure_out ? more : 0;
	return c;
}

double ht_confidence_seen(double hours)
{
	return hours < ht_t.early_hours	 ? ht_t.confidence_early
	       : hours < HT_DAY_H	 ? ht_t.confidence_day
	       : hours < ht_t.long_hours ? ht_t.confidence_days
					 : ht_t.confidence_cap;
}
