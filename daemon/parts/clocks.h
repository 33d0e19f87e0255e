/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks: tells a machine that slept and a wall clock that was set from time
 * that went by. The daemon waits by CLOCK_MONOTONIC, which knows neither;
 * samples carry the wall clock, so both are written into their history.
 */
#ifndef HT_DAEMON_PARTS_CLOCKS_H
#define HT_DAEMON_PARTS_CLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/ingest/ingest.h"
#include "daemon/registry/registry.h"

/* How far the clocks are apart. */
struct ht_clocks {
	int64_t asleep_ns; /* CLOCK_BOOTTIME - CLOCK_MONOTONIC */
	int64_t wall_ns;   /* CLOCK_REALTIME - CLOCK_BOOTTIME */
	bool known;	   /* looked at once */
};

/* Since the last look; 0: nothing but time went by. What is below a second is
 * the clock being slewed, or us between two readings. */
struct ht_clock_jump {
	int64_t slept_ns; /* suspended for so long */
	int64_t set_ns;	  /* the wall clock was set forward, < 0: back */
};
struct ht_clock_jump ht_clocks_compare(struct ht_clocks *c, int64_t mono_ns,
				       int64_t boot_ns, int64_t wall_ns);

/* Looks, and writes an event of kind "suspend" or "clock" into the history of
 * every process: what a verdict knows as a cut. Once a second. */
void ht_clocks_check(struct ht_clocks *c, struct ht_registry *r,
		     struct ht_ingest *i);

#endif
