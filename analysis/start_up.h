/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start-up: what each life of a program repeats and ends. Minutes after a
 * deploy a program that loads its data looks like a leak; the lives before it
 * tell how far that goes, and that it ends.
 */
#ifndef HT_ANALYSIS_START_UP_H
#define HT_ANALYSIS_START_UP_H

#include "analysis/needs.h"

struct ht_start_up {
	size_t lives;  /* before, and long enough to tell */
	size_t repeat; /* of these came as far as this one, and were level then;
			  0: this is no start-up that is known */
	double first, now; /* bytes: of this life when it began, at its end */
	double level;	   /* where those came to: the median */
	const struct ht_class_series *class; /* what it is of; NULL: `need` */
	enum ht_need need;
};

/* s up to to_ns against s->earlier: of the size class, or of `need`. */
void ht_start_up_find(const struct ht_series *s, int64_t to_ns,
		      const struct ht_class_series *class, enum ht_need need,
		      struct ht_start_up *ret);

#endif
