/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places: which files and lines the frames of stacks are of, and what was
 * inlined there. Debug information of the modules is looked for and opened
 * before the sandbox; it is read when it is asked for, by the lines role.
 */
#ifndef HT_AGENT_WHO_PLACES_H
#define HT_AGENT_WHO_PLACES_H

#include "agent/libc/lines_role.h"
#include "agent/sample/target.h"
#include "agent/who/stacks.h"

struct ht_place_of; /* of a module: its debug information, open */
struct ht_place_at; /* of an address: which of `line` */

struct ht_places {
	struct ht_lines_role role;
	const struct ht_modules *modules; /* borrowed */
	struct ht_place_of *of;
	struct ht_place_at *at; /* sorted by address */
	size_t at_n;
	struct ht_source *line;
	size_t line_n, line_room;
	uint32_t sites;	   /* of the stacks, those that are done */
	char trouble[300]; /* what could not be read, and why; "" */
};
#define HT_PLACES_NONE ((struct ht_places){.role = {.socket = -1}})

/* Opens what there is of the modules; what is not there is no error. Before the
 * sandbox. */
enum ht_code ht_places_begin(struct ht_places *p, const struct ht_target *t,
			     struct ht_err *err) HT_MUST_CHECK;
void ht_places_fini(struct ht_places *p);
/* Those of all sites that are new, until the clock says until_ns. */
void ht_places_find(struct ht_places *p, const struct ht_stacks *s,
		    int64_t until_ns);
/* The functions at the call before a return address, innermost first; 0: none
 * is known. */
size_t ht_places_at(const struct ht_places *p, uint64_t pc,
		    const struct ht_source **ret);

#endif
