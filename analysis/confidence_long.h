/* SPDX-License-Identifier: Apache-2.0 */
/* Confidence of growth over hours and days: of one life (lasting.h), or of
 * several (recurrence.h). docs/verdicts.md has it in words. */
#ifndef HT_ANALYSIS_CONFIDENCE_LONG_H
#define HT_ANALYSIS_CONFIDENCE_LONG_H

/* For so many hours of growth, with that t-value, as many times the usual
 * change as `out` (NaN: not known). 0..1, before anything holds it down. */
double ht_confidence_sum(double hours, double t, double out);
/* The most that so many hours of history allow. */
double ht_confidence_seen(double hours);

#endif
