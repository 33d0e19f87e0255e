/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks: whether the next look at a process walks its whole heap or reads what
 * malloc keeps of it and a slice (docs/adr/0031). Pure: costs come in.
 *
 * By cost, not by size: a walk as long as it takes no more than its budget, or
 * 10 ms; else light looks, which follow no more of the free lists, and walk no
 * larger slices, than the budget leaves room for. The interval is kept: what
 * gives way is how much is known exactly.
 */
#ifndef HT_LINK_LOOKS_H
#define HT_LINK_LOOKS_H

#include <stdbool.h>

#include "link/request.h"
#include "schema/snapshot.h"

enum ht_look_choice { HT_LOOKS_AUTO, HT_LOOKS_FULL, HT_LOOKS_LIGHT };

struct ht_looks_limits {
	size_t choice;	   /* enum ht_look_choice */
	int64_t budget_ns; /* processor time that one look may take */
};

/* How sure what a verdict is made of is, as the last look told. */
struct ht_sureness {
	enum ht_how how;
	uint64_t age_us; /* HT_UNKNOWN: of nothing that is known */
	double off;	 /* NAN: not known */
};

struct ht_looks {
	/* Processor time of the last of each kind; 0: none yet. */
	int64_t full_ns, light_ns;
	uint64_t full_system; /* bytes of heap that the walk had */
	uint64_t system;      /* that there are now */
	uint64_t slice;	      /* bytes that the next light look walks */
	uint64_t chunks;      /* free ones that it goes to */
	bool light;	      /* the last one asked for */
	bool unfit; /* a light look was dearer, or could not count what is free
		     */
	uint64_t unfit_system; /* at this size of the heap */
	int64_t classes_ns; /* monotonic: size classes were whole; 0: never */
	int64_t classes_age_ns; /* and so old then */
	struct ht_sureness in_use, retained;
};

/* Adds to the request what its look is to be. */
void ht_looks_choose(struct ht_looks *l, const struct ht_looks_limits *limits,
		     struct ht_request *r);
/* What came of it. cpu_ns: 0 where it is not known. */
void ht_looks_note(struct ht_looks *l, const struct ht_looks_limits *limits,
		   const struct ht_snapshot *s, int64_t cpu_ns, int64_t now_ns);
/* Age of the oldest figure of the size classes; -1: there are none. */
int64_t ht_looks_classes_age_ns(const struct ht_looks *l, int64_t now_ns);
/* What a walk would take now; 0: not known. */
int64_t ht_looks_full_ns(const struct ht_looks *l);
/* How sure a group of figures is, by its name in `quality`. All of a walk are
 * exact, and of now. */
struct ht_sureness ht_sureness_of(const struct ht_snapshot *s,
				  const char *figures);

#endif
