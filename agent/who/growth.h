/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growth: who makes a heap grow, where calls of malloc cannot be seen: whoever
 * is the first to write to one of its pages. Whether what it asked for stays is
 * not known by that.
 */
#ifndef HT_AGENT_WHO_GROWTH_H
#define HT_AGENT_WHO_GROWTH_H

#include <dirent.h>

#include "agent/libc/locate.h"
#include "agent/memory/maps.h"
#include "agent/who/stacks.h"
#include "schema/snapshot.h"

struct ht_new_pages {
	struct ht_growth_site {
		uint64_t times; /* seen */
		uint64_t bytes; /* with those that these stand for */
	} * site; /* of each of the stacks, what it was the first to write to */
	DIR *tasks;
	uint64_t unseen; /* threads for which there was no room */
};

struct ht_growth_in {
	const struct ht_maps *maps; /* of about now */
	const struct ht_located *located;
	struct ht_reader *reader;
};

/* Bytes of malloc's heaps that became the process's when it wrote to the
 * address; 0: it is none of malloc's. */
uint64_t ht_growth_bytes(const struct ht_growth_in *in,
			 const struct ht_probe_sample *s);
enum ht_code ht_growth_begin(pid_t pid, struct ht_new_pages *ret,
			     struct ht_err *err) HT_MUST_CHECK;
void ht_growth_fini(struct ht_new_pages *g);
/* Which threads there are, for the next window. */
void ht_growth_threads(struct ht_new_pages *g, struct ht_probe_window *q);
/* A first write, where it is to malloc's memory. */
void ht_growth_add(struct ht_new_pages *g, const struct ht_growth_in *in,
		   const struct ht_probe_sample *s, struct ht_stacks *stacks,
		   struct ht_windows *sum);
/* What is known of sites, of each of the stacks, which begin where malloc's
 * library is left from now on; those that are the same then are one. */
void ht_growth_count(const struct ht_new_pages *g, struct ht_stacks *stacks,
		     const struct ht_located *l, struct ht_site *sites);

/* What is not in the sites, and why it is told so; instead_of: why calls cannot
 * be seen, or "". */
void ht_growth_warn(const struct ht_new_pages *g, const char *instead_of,
		    const struct ht_windows *sum, struct ht_snapshot *to);

#endif
