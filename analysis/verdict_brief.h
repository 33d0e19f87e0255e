/* SPDX-License-Identifier: Apache-2.0 */
/* Verdict brief: what a list has room for of a verdict. Pure. */
#ifndef HT_ANALYSIS_VERDICT_BRIEF_H
#define HT_ANALYSIS_VERDICT_BRIEF_H

#include <math.h>

#include "analysis/verdict.h"

struct ht_verdict_brief {
	enum ht_label label;	     /* HT_LABEL_COUNT: it was not judged */
	double confidence;	     /* 0..1 */
	double slope_bytes_per_hour; /* NaN unless growing */
	int64_t eta_at_ns;	     /* 0: no limit comes nearer */
	int64_t at_ns;		     /* wall clock: as of then */
};
#define HT_VERDICT_BRIEF_NONE                                                  \
	((struct ht_verdict_brief){.label = HT_LABEL_COUNT,                    \
				   .slope_bytes_per_hour = NAN})

struct ht_verdict_brief ht_verdict_brief_of(const struct ht_verdict *v);
/* Of "heaptide.verdict/1" as it was recorded; what is no such text, or has a
 * label that is not known here, was not judged. */
struct ht_verdict_brief ht_verdict_brief_read(const char *json);

/* "", or LABEL, the label's name. */
const char *ht_verdict_brief_label(const struct ht_verdict_brief *b);
/* Below 0: a is the one to look at first: what is lost or held for good before
 * what is kept, that before what is well, and the faster before the slower. */
int ht_verdict_brief_compare(const struct ht_verdict_brief *a,
			     const struct ht_verdict_brief *b);

#endif
