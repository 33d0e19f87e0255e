/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lasting: growth over hours and days that no load, day, step or shift of sizes
 * explains. Each size class is held against the basis (basis.h) over 16 hours,
 * two days and seven; what no class shows is looked for in the total.
 */
#ifndef HT_ANALYSIS_LASTING_H
#define HT_ANALYSIS_LASTING_H

#include "analysis/basis.h"
#include "analysis/growth.h"
#include "analysis/recurrence.h"
#include "analysis/window.h"
#include "common/clock.h"

/* Histories shorter than this are judged by shape alone (growth.h). */
#define HT_LASTING_FROM_NS (INT64_C(2) * 3600 * HT_NS_PER_S)
#define HT_LASTING_MOST_NS (INT64_C(168) * 3600 * HT_NS_PER_S)

enum ht_lasting_what {
	HT_LASTING_CLASS,
	HT_LASTING_TOTAL,   /* in use: no class is known, or none stands out */
	HT_LASTING_OUTSIDE, /* memory outside malloc */
};

struct ht_lasting {
	enum ht_growth_kind kind; /* none, slowing, sustained */
	enum ht_lasting_what what;
	const struct ht_class_series *class; /* NULL: none */
	struct ht_trend trend;
	struct ht_growth growth; /* the same in growth's words */
	double confidence;
	int64_t from_ns, to_ns; /* window */
	int64_t since_ns;
	size_t rising;	 /* size classes that do */
	double rise;	 /* of them all, bytes */
	double per_work; /* bytes for an hour of processor time; NaN */
	bool load_known, day_known;
	struct ht_recurrence again; /* lives 0: told by this life alone */
};

/* Over [from, to]. */
void ht_lasting_find(const struct ht_series *s, int64_t from_ns, int64_t to_ns,
		     struct ht_lasting *ret);

#endif
