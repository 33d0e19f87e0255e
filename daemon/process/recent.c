/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/process/recent.h"

#include <stdlib.h>

#include "analysis/needs.h"

static struct ht_series *begin(void)
{
	struct ht_series *s = malloc(sizeof(*s));
	bool metrics[HT_METRIC_COUNT];

	if (!s)
		return NULL;
	ht_verdict_needs(metrics);
	metrics[HT_M_pss] = metrics[HT_M_external] = true;
	ht_series_init(s);
	ht_series_limit(s, metrics);
	ht_series_share(s);
	return s;
}

/* Every other row goes, so that the first and the newest half of the time
 * always have some. */
static void thin(struct ht_series *s)
{
	bool keep[HT_RECENT_ROWS];

	for (size_t row = 0; row < HT_RECENT_ROWS; row++)
		keep[row] = row % 2 == 0;
	ht_series_keep_rows(s, keep);
}

void ht_recent_take(struct ht_series **r, int64_t taken_ns,
		    const double *values)
{
	struct ht_series *s = *r = *r ?: begin();

	if (!s)
		return;
	if (s->rows == HT_RECENT_ROWS)
		thin(s);
	if (ht_series_add_row(s, taken_ns, NULL) != HT_OK)
		return;
	for (size_t m = 0; m < HT_METRIC_COUNT; m++)
		if (s->wanted[m])
			s->metric[m][HT_STAT_MEDIAN][s->rows - 1] = values[m];
}

void ht_recent_forget(struct ht_series **r)
{
	if (*r)
		ht_series_fini(*r);
	free(*r);
	*r = NULL;
}
