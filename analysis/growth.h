/* SPDX-License-Identifier: Apache-2.0 */
/* Growth: does a quantity go on growing, slow down, or only wander. */
#ifndef HT_ANALYSIS_GROWTH_H
#define HT_ANALYSIS_GROWTH_H

#include <stdint.h>

#include "analysis/basis.h"
#include "analysis/stats.h"

enum ht_growth_kind {
	HT_GROWTH_NONE,	     /* no rise to speak of */
	HT_GROWTH_FLAT,	     /* it rose, and is level now */
	HT_GROWTH_SLOWING,   /* it rises, ever slower */
	HT_GROWTH_SUSTAINED, /* it rises and goes on */
};

struct ht_growth {
	enum ht_growth_kind kind;
	double rise;	    /* of the floors: last quarter less first */
	double first, last; /* medians of those quarters */
	double tau;	    /* Kendall's tau of the floors */
	double t;	    /* t-value of the whole window */
	bool record;	    /* the end beats all that was before */
	double slope;	    /* per second, in the late part */
	double slope_low, slope_high;  /* 80 % interval of it */
	double late_rise;	       /* slope * the late part */
	double speed_wide, speed_late; /* against the part before; 1: steady */
	double plateau; /* where a slowing growth would end; NaN: unknown */
	double since;	/* seconds since the window's begin; NaN: unknown */
	double jump_at; /* level shift: when; NaN: none */
	double jump;	/* and by how much */
};

/* level: scale of what matters; least: smallest rise that does; period: NaN or
 * the season to take out first. Units of p->x. */
void ht_growth(const struct ht_points *p, double level, double least,
	       double period, struct ht_growth *ret);

/* What was found over hours, in a growth's words; since_ns: from the window's
 * begin. */
struct ht_growth ht_growth_of_trend(const struct ht_trend *t,
				    enum ht_growth_kind kind, int64_t since_ns);

#endif
