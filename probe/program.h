/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Program: what runs in the kernel at each call of malloc while a window is
 * open. Instructions as a table of ours: no compiler, no BTF and no library
 * takes part at run time.
 *
 * At the entry (session only) it counts, and chooses by the size asked for. At
 * the return it writes one struct ht_probe_sample to a ring: the registers are
 * those of the caller then, rax is the chunk. Entry and return are told apart
 * by the program counter: the attached cookie is the entry's address, with the
 * kind in its top byte.
 */
#ifndef HT_PROBE_PROGRAM_H
#define HT_PROBE_PROGRAM_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

#include "link/probe.h"

#define HT_PROGRAM_KIND_SHIFT 56
#define HT_PROGRAM_MAX	      320

/* Shared with the program: value of an array map, mapped by us. */
struct ht_program_state {
	uint64_t min_size, max_size; /* to choose by */
	uint64_t max_hits;	     /* what comes then, until the links
					are gone, is let go at once */
	uint64_t hits, chosen, lost;
};

struct ht_program_maps {
	int state; /* array of one struct ht_program_state */
	int ring;
	int args; /* hash: task -> what an entry keeps for its return */
};

/* Fills `out` for the way; returns how many. */
size_t ht_program_make(enum ht_probe_way way, const struct ht_program_maps *m,
		       struct bpf_insn out[HT_PROGRAM_MAX]);

#endif
