/* SPDX-License-Identifier: Apache-2.0 */
/* What the evidence files share. Inside analysis/ only. */
#ifndef HT_ANALYSIS_EVIDENCE_INT_H
#define HT_ANALYSIS_EVIDENCE_INT_H

#include "analysis/verdict_int.h"

#define B(x) (ht_bytes(x).text)

struct told {
	const struct ht_measure *m;
	const struct ht_snapshot *latest; /* may be NULL */
	struct ht_verdict *v;
};

/* Medians of the first and the last eighth; NaN of no points. */
double ht_first_level(const struct ht_points *p);
double ht_last_level(const struct ht_points *p);
/* Seconds of the window. */
double ht_span_of(const struct told *t);

/* What a mapping is called in a sentence: "CPython arenas (pymalloc)", "stacks
 * of threads"; name: as a snapshot has it. */
void ht_mapping_words(enum ht_mapping_kind kind, const char *name, char *ret,
		      size_t size);

/* The mapping that gained most is the culprit, and is told. */
void ht_culprit_line(const struct told *t);
/* " and 26 more" behind a culprit that is one of a kind. */
void ht_and_kin(struct ht_verdict *v, const struct ht_bound *b);

/* Sets the remedy and its figure (NaN or negative: none). */
void ht_remedy(const struct told *t, double bytes, const char *fmt, ...)
	HT_PRINTF(3, 4);
/* The line of growth that goes on: by its shape, or over hours and days. */
void ht_steady_line(const struct told *t, const char *what,
		    const struct ht_growth *g);
void ht_lasting_lines(const struct told *t, const char *what);
/* What quiet moments keep; nothing where there was none. */
void ht_quiet_line(const struct told *t);

/* What each rule says, and what to do: the table is in verdict_rules.c. */
void ht_tell_young(const struct told *t);
void ht_tell_bounded(const struct told *t);
void ht_tell_outside(const struct told *t);
void ht_tell_total(const struct told *t);
void ht_tell_class(const struct told *t);
void ht_tell_written(const struct told *t);
void ht_tell_unbounded(const struct told *t);
void ht_tell_slowing(const struct told *t);
void ht_tell_periodic(const struct told *t);
void ht_tell_tcache(const struct told *t);
void ht_tell_fastbins(const struct told *t);
void ht_tell_arenas(const struct told *t);
void ht_tell_tops(const struct told *t);
void ht_tell_stuck(const struct told *t);
void ht_tell_pinned(const struct told *t);
void ht_tell_top(const struct told *t);
void ht_tell_holes(const struct told *t);
void ht_tell_filling(const struct told *t);
void ht_tell_start_up(const struct told *t);
void ht_tell_warm(const struct told *t);
void ht_tell_blind(const struct told *t);
void ht_tell_level(const struct told *t);
void ht_tell_load(const struct told *t);
void ht_tell_shift(const struct told *t);
void ht_remedy_young(const struct told *t);
void ht_remedy_bounded(const struct told *t);
void ht_remedy_outside(const struct told *t);
void ht_remedy_leak(const struct told *t);
void ht_remedy_unbounded(const struct told *t);
void ht_remedy_slowing(const struct told *t);
void ht_remedy_periodic(const struct told *t);
void ht_remedy_tcache(const struct told *t);
void ht_remedy_fastbins(const struct told *t);
void ht_remedy_arenas(const struct told *t);
void ht_remedy_tops(const struct told *t);
void ht_remedy_stuck(const struct told *t);
void ht_remedy_pinned(const struct told *t);
void ht_remedy_top(const struct told *t);
void ht_remedy_holes(const struct told *t);
void ht_remedy_filling(const struct told *t);
void ht_remedy_start_up(const struct told *t);
void ht_remedy_warm(const struct told *t);
void ht_remedy_blind(const struct told *t);
void ht_remedy_stable(const struct told *t);
void ht_remedy_load(const struct told *t);

#endif
