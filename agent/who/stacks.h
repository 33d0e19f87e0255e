/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks: which site a sample is of. A site is one call stack, unwound from the
 * registers and the copy of the stack that came with the sample; what the
 * process does meanwhile does not matter. Code and unwinding information come
 * from the files that are mapped, not from the process.
 *
 * Unwinding takes some hundred microseconds; a stack whose return addresses
 * stand where those of a known site stood is that site's, and takes none.
 */
#ifndef HT_AGENT_WHO_STACKS_H
#define HT_AGENT_WHO_STACKS_H

#include <stdbool.h>

#include "agent/graph/modules.h"
#include "agent/memory/maps.h"
#include "agent/who/frame_table.h"
#include "link/probe.h"

#define HT_STACK_FRAMES_MAX 64
#define HT_SITES_MAX	    2048
#define HT_SITE_NONE	    UINT32_MAX

struct ht_site_stack {
	uint64_t
		pc[HT_STACK_FRAMES_MAX]; /* innermost first: return addresses */
	uint32_t at[HT_STACK_FRAMES_MAX]; /* where they stood, from sp on; [0]
					     is rip itself */
	struct ht_name *name; /* of each, when they were named; owned */
	unsigned n;
	unsigned inner; /* of them, that are not told (growth.h) */
	bool whole;	/* reaches the outermost frame */
};

struct ht_stacks {
	struct ht_site_stack *v;
	uint32_t n;
	uint32_t named;			  /* of the first so many */
	const struct ht_modules *modules; /* borrowed */
	struct ht_frame_table *table;	  /* of each module */
	struct ht_reader *reader; /* borrowed: for code without a file */
	uint64_t unwound;	  /* how often it took unwinding */
};

enum ht_code ht_stacks_begin(const struct ht_modules *m, struct ht_reader *r,
			     struct ht_stacks *ret,
			     struct ht_err *err) HT_MUST_CHECK;
void ht_stacks_fini(struct ht_stacks *s);
/* The sample's site, a new one if need be; HT_SITE_NONE: there is no room. */
uint32_t ht_stacks_site(struct ht_stacks *s, const struct ht_maps *maps,
			const struct ht_probe_sample *sample);
/* Names the frames of those that have no names yet. */
void ht_stacks_name(struct ht_stacks *s);

#endif
