/* SPDX-License-Identifier: Apache-2.0 */
/* What this room is given of a target. */
#ifndef HT_AGENT_LIBC_LOCATE_IN_H
#define HT_AGENT_LIBC_LOCATE_IN_H

#include "agent/memory/maps.h"
#include "agent/memory/reader.h"

struct ht_locate_cache; /* locate.h */

/* Everything about a target that locate may consult. */
struct ht_locate_in {
	pid_t pid;		    /* 0: not a live process (core) */
	const struct ht_maps *maps; /* borrowed */
	struct ht_reader *reader;   /* borrowed */
	const char *exe_path;	    /* core: --exe FILE, or NULL */
	const char *sysroot; /* core: the folder that has its files, or NULL */
	uint64_t exe_start;  /* core: as ht_core says it */
	bool use_debug_info; /* false: by structure only */
	struct ht_locate_cache *cache; /* borrowed, or NULL */
	/* Program to start with --role=layout, which parses the files without a
	 * capability ("/proc/self/exe" in the agent). NULL: in this process
	 * (tests). */
	const char *role_exe;
};

#endif
