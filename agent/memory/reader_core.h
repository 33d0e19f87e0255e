/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Core: an ELF core file in the place of a live process. Gives what a process
 * would: memory, mappings, threads with registers. A core does not say which
 * pages were resident, so every figure of residency stays unknown.
 *
 * The file is hostile: every offset and count is checked against its size.
 */
#ifndef HT_AGENT_MEMORY_READER_CORE_H
#define HT_AGENT_MEMORY_READER_CORE_H

#include "agent/memory/maps.h"
#include "agent/memory/pages.h"
#include "agent/memory/reader.h"
#include "agent/memory/thread_state.h"

struct ht_core {
	struct ht_reader reader;
	struct ht_maps maps;	      /* PT_LOAD ranges; NT_FILE names, or the
				       * dynamic loader's (core_files.h) */
	struct ht_pages_source pages; /* every page: HT_PAGE_UNKNOWN */
	struct ht_thread_state *threads;
	size_t threads_n;
	uint64_t pid;
	char comm[17];
	char exe[256];	    /* path of the executable, as in maps */
	uint64_t exe_start; /* of its first mapping; 0: the lowest file */
};

/* word follows from the file's class: x86-64 or i386. HT_UNSUPPORTED: no core
 * of either; HT_CORRUPT: truncated or contradictory. Free with ht_core_close.
 */
enum ht_code ht_core_open(const char *path, struct ht_core *ret,
			  struct ht_err *err) HT_MUST_CHECK;
void ht_core_close(struct ht_core *c);

#endif
