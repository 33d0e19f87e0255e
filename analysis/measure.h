/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measure: all figures that the rules of a verdict ask about, taken from one
 * window once. Bytes, seconds since the window's begin; NaN: unknown. Symbols
 * as in docs/verdicts.md: U in use, W retained, N outside malloc, A anonymous.
 */
#ifndef HT_ANALYSIS_MEASURE_H
#define HT_ANALYSIS_MEASURE_H

#include "analysis/bound.h"
#include "analysis/ceiling.h"
#include "analysis/growth.h"
#include "analysis/lasting.h"
#include "analysis/refill.h"
#include "analysis/start_up.h"
#include "analysis/window.h"

/* A size class that rises. */
struct ht_class_growth {
	const struct ht_class_series *series; /* NULL: none */
	struct ht_growth growth;
	double chunks_first, chunks_last, chunks_per_s;
};

/* The quiet moments (troughs) of the window's last part, and what was kept
 * then: medians over those moments. */
struct ht_quiet {
	size_t n; /* moments; 0: nothing is known */
	double in_use, retained, trimmable, tcache, fastbin, top, heap, anon;
	double top_resident; /* of top */
	double stuck;	     /* in pages that also hold bytes in use */
	double tops_kept; /* resident in tops, left there by malloc_trim(0) */
	double blocked, arenas_holding, arenas, resident_free;
	double shareable; /* free pages outside the main arena, no caches */
	double trim_threshold, unattached;
	double peak; /* largest in use of arenas in the last part or period */
	double peak_ever; /* in the whole window */
};

struct ht_measure {
	struct ht_window w;
	double period; /* of in use; NaN: none */
	double swing;  /* p95 - p5 of in use */
	struct ht_points in_use, retained, outside, shmem, anon, heap;
	struct ht_points written; /* resident part of in use */
	double in_use_rise, retained_rise, outside_rise, anon_rise;
	struct ht_growth in_use_growth, outside_growth, heap_growth,
		anon_growth;
	struct ht_growth written_growth;     /* none unless it reserves */
	struct ht_class_growth worst_class;  /* the one that rises most */
	struct ht_class_growth likely_class; /* gained most, steadily or not */
	size_t classes_rising;
	double classes_rise; /* sum over all that rise */
	bool classes_leak;
	struct ht_quiet quiet;
	bool reserves;	     /* asks for notably more than it writes at once */
	double idle_floor;   /* lowest retained in the window */
	double warm_seconds; /* 10 % to 90 % of in use's rise */
	double half_way;     /* when half of that rise was done */
	double limit, anon_now, trimmable_now; /* last row that knows */
	double room_fell; /* left below the limit, median of the first eighth
			     less that of the last; NaN: not known */
	/* growth over hours and days; NULL: judged by shape alone */
	const struct ht_lasting *lasting;
	/* the lives before rose so and ended it; NULL: not so, or not asked */
	const struct ht_start_up *start_up;
	bool guarded;	 /* mostly retained memory grows, not in use */
	bool heap_alone; /* the same, whatever is said of hours and days */
	struct ht_bound bound;	   /* of what grows outside malloc */
	struct ht_ceiling ceiling; /* the nearest limit that is no bytes */
	/* other classes lost about as much as the rising ones gained, and the
	 * total hardly moved (only_mix): the mix of sizes may have changed */
	bool mirrored, only_mix;
	struct ht_refill refill; /* of the heap, by nobody's faults */
};

/* Fills the chunks of a class that rises. */
void ht_measure_counts(const struct ht_window *w, struct ht_class_growth *c);
/* The classes' part of it; in_use and period must be there. */
void ht_measure_classes(struct ht_measure *m);
/* lasting: borrowed, may be NULL. Its growth replaces that of the shape. */
void ht_measure(const struct ht_window *w, const struct ht_lasting *lasting,
		struct ht_measure *ret);

#endif
