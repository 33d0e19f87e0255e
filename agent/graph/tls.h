/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thread-local storage: where each thread has the thread-local variables of
 * each module. What was there when the program began lies at a distance below
 * the thread pointer that is the same in all threads; what came later by
 * dlopen() is allocated where a thread first needs it, and noted in a vector
 * beside the thread pointer.
 *
 * What a thread sets under a key (pthread_setspecific) stands in its control
 * block, and is taken as one module more, behind all others.
 *
 * Distances and places in that vector stand in the loader's list of modules,
 * whose entries are proved by what the module's own header says; of a program
 * without a loader the distance follows from that header.
 */
#ifndef HT_AGENT_GRAPH_TLS_H
#define HT_AGENT_GRAPH_TLS_H

#include "agent/graph/modules.h"
#include "agent/memory/thread_state.h"

/* Bytes from the thread pointer on, of struct pthread and what glibc puts
 * behind it. */
#define HT_CONTROL_MAX UINT64_C(4096)

struct ht_tls_block {
	uint64_t start, end;
	uint32_t module, thread; /* indices */
};

struct ht_tls {
	struct ht_tls_block *v; /* in order of threads */
	size_t n, capacity;
	/* Of each module where the first block of it lies: of the same variable
	 * of all threads the address there is its own. 0: no thread has it. */
	uint64_t *first;
	uint32_t keys; /* the module that stands for these */
};

/* Threads whose pointer is not known have none. HT_NOMEM. */
enum ht_code ht_tls_find(const struct ht_modules *m, struct ht_reader *r,
			 const struct ht_thread_state *threads, size_t n,
			 struct ht_tls *ret, struct ht_err *err) HT_MUST_CHECK;
void ht_tls_fini(struct ht_tls *t);
/* The block of a thread that holds an address, or else the lowest of it behind
 * that; NULL: none. */
const struct ht_tls_block *ht_tls_from(const struct ht_tls *t, uint32_t thread,
				       uint64_t address);
/* Adds where each key lies in the first block of them. false: no memory. */
bool ht_tls_keys(const struct ht_tls *t, struct ht_ranges *ret);
/* The number of the key that an offset in a block of them belongs to; -1: of
 * none, but of a table of those that found no room there. */
int ht_tls_key(uint64_t offset);
/* The block that holds an address; NULL: none. */
const struct ht_tls_block *ht_tls_at(const struct ht_tls *t, uint64_t address);

#endif
