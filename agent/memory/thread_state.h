/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a thread of a target: registers as they were in the stop,
 * or in the core file. */
#ifndef HT_AGENT_MEMORY_THREAD_STATE_H
#define HT_AGENT_MEMORY_THREAD_STATE_H

#include <stdbool.h>
#include <stdint.h>

/* r15 to rdi of struct user_regs_struct: those that may hold a pointer. */
#define HT_GENERAL_REGISTERS 15

struct ht_thread_state {
	int tid;
	uint64_t thread_pointer; /* fs_base or gs base */
	uint64_t pc, sp;
	uint64_t frame; /* rbp or ebp; 0: unknown */
	bool registers; /* false: the four above are unknown */
	/* The rest, x86-64: only of a thread that was held, or from a core. */
	bool whole;
	uint64_t general[HT_GENERAL_REGISTERS];
};

#endif
