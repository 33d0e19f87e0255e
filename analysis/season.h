/* SPDX-License-Identifier: Apache-2.0 */
/* Season: does a series repeat itself, how often, and what is left of it when
 * the repetition is taken out. */
#ifndef HT_ANALYSIS_SEASON_H
#define HT_ANALYSIS_SEASON_H

#include "analysis/stats.h"

/* The period in seconds, or NaN when none is sure. Subtracts the Theil-Sen
 * line; asks for a swing (p95 - p5) of at least season_amplitude of the level;
 * takes the highest local maximum of the autocorrelation beyond its first
 * negative value; and asks for a second one at twice the lag, which irregular
 * bursts do not have. Periods of 1 h, 24 h and 7 d are tried first. */
double ht_season(const struct ht_points *p);

/* Mean over exactly one period around each moment: the series without its
 * season, one period shorter. All three values of ret are that mean. */
void ht_season_remove(const struct ht_points *p, double period,
		      struct ht_points *ret);

#endif
