/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a thread of a target: registers as they were in the stop,
 * or in the core file. */
#ifndef HT_AGENT_MEMORY_THREAD_STATE_H
#define HT_AGENT_MEMORY_THREAD_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/arch/arch.h"

struct ht_thread_state {
	int tid;
	uint64_t thread_pointer;
	uint64_t pc, sp;
	uint64_t frame; /* pointer; 0: unknown */
	bool registers; /* false: the four above are unknown */
	/* The rest, of 64-bit threads: only of a thread that was held, or from
	 * a core. */
	bool whole;
	uint64_t general[HT_GENERAL_REGISTERS];
};

#endif
