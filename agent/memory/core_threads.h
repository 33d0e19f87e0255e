/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Core files' threads: where an i386 thread's own variables are, in a core
 * whose notes do not say. Its gs register is only the number of a descriptor;
 * Linux writes the descriptors (NT_386_TLS), emulators write none.
 */
#ifndef HT_AGENT_MEMORY_CORE_THREADS_H
#define HT_AGENT_MEMORY_CORE_THREADS_H

#include <stddef.h>

#include "agent/memory/maps.h"
#include "agent/memory/reader.h"
#include "agent/memory/thread_state.h"

/* Finds thread pointers in writable memory, by what glibc's thread control
 * block looks like: its first word (tcb) and its third (self) are its own
 * address, and struct pthread, which it begins, holds the thread's id within
 * its first words. Sets thread_pointer of each thread found; of the others, and
 * where two blocks claim one thread, it becomes 0. */
void ht_core_threads_find(struct ht_reader *r, const struct ht_maps *m,
			  struct ht_thread_state *threads, size_t n);

#endif
