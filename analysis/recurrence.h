/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recurrence: growth that comes again in each life of a program. A life of some
 * hours is too short to tell a leak from its load; several of them are not:
 * they began at other hours of the day, and what grows with the age of each of
 * them, at one pace and to its end, is no load. What each life repeats and ends
 * is start-up.
 */
#ifndef HT_ANALYSIS_RECURRENCE_H
#define HT_ANALYSIS_RECURRENCE_H

#include "analysis/basis.h"
#include "schema/series.h"

#define HT_RECURRENCE_LIVES  8
#define HT_RECURRENCE_FILLED 16

struct ht_recurrence {
	size_t lives; /* in which it grew, the newest is one; 0: none */
	const struct ht_class_series *class; /* NULL: outside malloc */
	double mean, age;		     /* bytes, hours: the newest life */
	double slope, se, t;		     /* bytes an hour of age */
	double own;			     /* of the newest life alone */
	double slowest, fastest;	     /* of those before it */
	double spread;			     /* of what is left unexplained */
	double pace, pace_se;		     /* the last 40 % of a life */
	double filling;			     /* as ht_trend_filling() */
	double confidence;
	/* classes that grow in each life and end that: they fill */
	const struct ht_class_series *filled[HT_RECURRENCE_FILLED];
	size_t filled_n;
	size_t rising; /* size classes that do */
	double rise;   /* of them all in the newest life, bytes */
	bool load_known, day_known;
};

/* The same of the newest life, in the words of a trend. */
struct ht_trend ht_recurrence_trend(const struct ht_recurrence *r);

/* Each life before filled that class. */
bool ht_recurrence_fills(const struct ht_recurrence *r,
			 const struct ht_class_series *class);

/* s over [from, to], and the lives that it has before it (s->earlier). */
void ht_recurrence_find(const struct ht_series *s, int64_t from_ns,
			int64_t to_ns, struct ht_recurrence *ret);

#endif
