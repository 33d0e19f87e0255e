/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a verdict share. Inside analysis/ only. */
#ifndef HT_ANALYSIS_VERDICT_INT_H
#define HT_ANALYSIS_VERDICT_INT_H

#include "analysis/measure.h"
#include "analysis/verdict.h"

enum ht_rule_since {
	HT_SINCE_UNKNOWN,
	HT_SINCE_GROWTH,   /* since its growth rises */
	HT_SINCE_HALF_WAY, /* since half of the way was made */
};

/* Appends an evidence line; dropped when there are HT_EVIDENCE_MAX. */
void ht_say(struct ht_verdict *v, const char *fmt, ...) HT_PRINTF(2, 3);

/* The line of what RSS rose by; nothing where that is unknown. */
/* Of the line said last its reader has the figures as well. */
void ht_said_again(struct ht_verdict *v);
/* Commands that are told name the process: texts say PID. */
void ht_name_pid(struct ht_verdict *v, uint64_t pid);
void ht_say_rise(struct ht_verdict *v);

/* Figures as text, by value: ht_bytes(x).text. */
struct ht_word {
	char text[40];
};
struct ht_word ht_bytes(double bytes);	/* "1.5 MiB"; NaN: "?" */
struct ht_word ht_change(double bytes); /* "+1.5 MiB" */
struct ht_word ht_span(double seconds); /* as ht_duration_text */

struct told; /* evidence_int.h: what a sentence is made of */

/* A rule: its name, when it fits, and all that follows from it. The first that
 * fits is the verdict. */
struct ht_verdict_rule {
	enum ht_label label;
	enum ht_reason why;
	bool (*fits)(const struct ht_measure *m);
	void (*evidence)(const struct told *t);
	double (*confidence)(const struct ht_measure *m); /* NULL: none */
	void (*remedy)(const struct told *t);
	size_t growth;		  /* the one that it is about: its place */
	bool grows;		  /* it is said to go on */
	enum ht_rule_since since; /* when it began */
};
/* The rule that gave v its label and reason; NULL: none did. */
const struct ht_verdict_rule *ht_rule_of(const struct ht_verdict *v);

/* The growth that a verdict is about. */
const struct ht_growth *ht_growth_of(const struct ht_measure *m,
				     const struct ht_verdict *v);

/* Less than a quarter of what a leak asked for of late was written. */
bool ht_mostly_unwritten(const struct ht_measure *m,
			 const struct ht_verdict *v);

/* Beside a leak by its size class: other classes lost as much. */
bool ht_is_mirrored(const struct ht_measure *m);

/* Sets label, reason, confidence and also of v: the first rule that fits, the
 * later ones. */
void ht_apply_rules(const struct ht_measure *m, struct ht_verdict *v);

/* How sure a rule is, as it says itself; ht_apply_rules keeps it within
 * confidence_least and confidence_cap. */
double ht_sure_of_total(const struct ht_measure *m);
double ht_sure_of_class(const struct ht_measure *m);
double ht_sure_of_written(const struct ht_measure *m);
double ht_sure_of_outside(const struct ht_measure *m);
double ht_sure_of_slowing(const struct ht_measure *m);
double ht_sure_of_filling(const struct ht_measure *m);
double ht_sure_of_start_up(const struct ht_measure *m);
double ht_sure_of_warm(const struct ht_measure *m);
double ht_sure_of_season(const struct ht_measure *m);
double ht_sure_of_kept(const struct ht_measure *m);
double ht_sure_of_pinned(const struct ht_measure *m);
double ht_sure_of_stuck(const struct ht_measure *m);
double ht_sure_of_arenas(const struct ht_measure *m);
double ht_sure_of_calm(const struct ht_measure *m);

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
