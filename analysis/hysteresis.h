/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hysteresis: which verdict is shown, so that one odd evaluation changes
 * nothing. A new label is published after two equal evaluations whose ends lie
 * at least publish_share of the window apart. LEAK is left only after
 * evaluations without growth over a whole window's length. Pure: the state is
 * the caller's, times come in with the verdicts.
 */
#ifndef HT_ANALYSIS_HYSTERESIS_H
#define HT_ANALYSIS_HYSTERESIS_H

#include "analysis/verdict.h"

struct ht_hysteresis {
	enum ht_label published; /* INSUFFICIENT_DATA at the beginning */
	int64_t published_ns;	 /* when it was; 0: never */
	enum ht_label candidate;
	int64_t candidate_ns; /* end of its first evaluation in a row */
	int64_t growth_ns;    /* end of the last evaluation that saw growth */
};

void ht_hysteresis_init(struct ht_hysteresis *h);
/* Takes the newest verdict; true when the published label changes. A new life
 * of the process needs a fresh state. */
bool ht_hysteresis_take(struct ht_hysteresis *h, const struct ht_verdict *v);

#endif
