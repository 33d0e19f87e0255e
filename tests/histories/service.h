/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Service: made processes that live for days. A case says what kind of service
 * it is (load, mix of size classes, caches, batches, deploys) and what leaks;
 * each seed makes another one of that kind: other levels, classes, phases.
 */
#ifndef HT_TESTS_SERVICE_H
#define HT_TESTS_SERVICE_H

#include "analysis/verdict.h"

enum load_kind {
	LOAD_FLAT,
	LOAD_DAY,	 /* a sine of 24 h */
	LOAD_OFFICE,	 /* level nights, a plateau by day, calm weekends */
	LOAD_TENANTS,	 /* every class follows one of three, hours apart */
	LOAD_SATURATING, /* classes level off below the peak */
	LOAD_LAGGING,	 /* classes follow the load hours later */
	LOAD_TREND,	 /* a day's wave that grows by a share a week */
	LOAD_WALK,	 /* wanders and comes back */
};

enum leak_kind {
	LEAK_NONE,
	LEAK_TIME,	 /* steadily */
	LEAK_REQUEST,	 /* for each unit of work */
	LEAK_NIGHT,	 /* in a batch each night */
	LEAK_CONNECTION, /* in lumps, at random */
	LEAK_MMAPPED,	 /* blocks above the mmap threshold */
	LEAK_SPREAD,	 /* over five classes */
	LEAK_OUTSIDE,	 /* not malloc's */
	LEAK_DOUBLING,	 /* a vector: asked in steps, written steadily */
};

#define LABEL(name) (1u << HT_LABEL_##name)

struct ht_case {
	const char *name;
	double days, step_s;
	double level; /* bytes in use at mean load */
	enum load_kind load;
	double swing;	/* of the load, as a share of its mean */
	double weekend; /* load of a weekend's day, as a share; 0: as any */
	size_t classes;
	double noise;	/* of each class, correlated over minutes */
	double wander;	/* of each class, correlated over 6 h */
	double cache;	/* share of the level that fills; */
	double cache_h; /* its time constant, hours of mean load */
	double batch;	/* share of the level that a nightly hour takes */
	double saw;	/* share that is gathered and dropped */
	double saw_min; /* every so many minutes */
	double shift;	/* a step of this share, at a random time */
	double ratchet; /* share that moves from mmapped to arenas, day 1 */
	double drift;  /* share that moves between distant classes, all along */
	double life_h; /* a deploy each so many hours; 0: one life */
	double retained;    /* share of what peaks freed that malloc keeps */
	bool few;	    /* no processor time, threads or faults are known */
	double gap_h;	    /* nobody looked for so long, once */
	double clock_s;	    /* the clock is set by that, once */
	double rate_change; /* the sampling slows down by that factor half way
			     */
	enum leak_kind leak;
	double mb_h;		   /* MiB an hour, mean */
	double begin_day, end_day; /* 0: all along */
	unsigned strict, accept;   /* at the end */
};
extern const struct ht_case ht_cases[];
extern const size_t ht_cases_n;

struct ht_life {
	struct ht_series raw;	    /* as sampled */
	int64_t leak_from, leak_to; /* INT64_MAX: none */
	double leak_per_h;	    /* bytes */
	double limit;
};

/* The lives of one made service, one after the other: `each` may use a life
 * during its call. The same seed makes the same service. */
void ht_service_run(const struct ht_case *c, uint64_t seed,
		    void (*each)(struct ht_life *life, void *ctx), void *ctx);

#endif
