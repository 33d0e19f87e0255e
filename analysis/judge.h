/* SPDX-License-Identifier: Apache-2.0 */
/* Judge: what the files of a verdict share. Inside analysis/ only. */
#ifndef HT_ANALYSIS_JUDGE_H
#define HT_ANALYSIS_JUDGE_H

#include "analysis/measure.h"
#include "analysis/verdict.h"

/* Appends an evidence line; dropped when there are HT_EVIDENCE_MAX. */
void ht_say(struct ht_verdict *v, const char *fmt, ...) HT_PRINTF(2, 3);

/* The line of what RSS rose by; nothing where that is unknown. */
/* Of the line said last its reader has the figures as well. */
void ht_said_again(struct ht_verdict *v);
void ht_say_rise(struct ht_verdict *v);

/* Figures as text, by value: ht_bytes(x).text. */
struct ht_word {
	char text[40];
};
struct ht_word ht_bytes(double bytes);	/* "1.5 MiB"; NaN: "?" */
struct ht_word ht_change(double bytes); /* "+1.5 MiB" */
struct ht_word ht_span(double seconds); /* as ht_duration_text */

/* The growth that a verdict's label is about. */
const struct ht_growth *ht_growth_of(const struct ht_measure *m,
				     const struct ht_verdict *v);

/* Less than a quarter of what a leak asked for of late was written. */
bool ht_mostly_unwritten(const struct ht_measure *m,
			 const struct ht_verdict *v);

/* A leak by its size class, and other classes lost as much. */
bool ht_is_mirrored(const struct ht_measure *m, const struct ht_verdict *v);

/* Sets label, reason and also of v: the first rule that fits, the later ones.
 */
void ht_apply_rules(const struct ht_measure *m, struct ht_verdict *v);
/* 0.05 .. confidence_cap for v's label and reason. */
double ht_confidence(const struct ht_measure *m, const struct ht_verdict *v);
/* Fills evidence, remedy, culprit of v for its label and reason. */
void ht_evidence(const struct ht_measure *m, const struct ht_snapshot *latest,
		 struct ht_verdict *v);
/* Fills slope, limit and ETA where v is growth, and what else is near its
 * limit. latest: for the limit's name; may be NULL. */
void ht_eta(const struct ht_measure *m, const struct ht_snapshot *latest,
	    struct ht_verdict *v);
/* Growth that is said to go on: leaks, outside malloc, a heap without end. */
bool ht_is_growth(const struct ht_verdict *v);

#endif
