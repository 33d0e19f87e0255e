/* SPDX-License-Identifier: Apache-2.0 */
/* What the evidence files share. Inside analysis/ only. */
#ifndef HT_ANALYSIS_EVIDENCE_INT_H
#define HT_ANALYSIS_EVIDENCE_INT_H

#include "analysis/judge.h"

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

/* One for each label. */
void ht_tell_outside(const struct told *t);
void ht_tell_pool(const struct told *t);
void ht_tell_arenas(const struct told *t);
void ht_tell_fragmentation(const struct told *t);
void ht_tell_pinned(const struct told *t);
void ht_tell_periodic(const struct told *t);
void ht_tell_warmup(const struct told *t);
void ht_tell_stable(const struct told *t);

#endif
