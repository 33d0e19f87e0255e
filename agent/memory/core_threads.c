/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/memory/core_threads.h"

#include <string.h>

#define WORD	      4u
#define ALIGN	      16u   /* of a thread control block, at least */
#define TID_MAX	      0x200 /* tid lies at 0x68 up to glibc 2.44 */
#define WINDOW	      65536u
#define CLAIMED_TWICE UINT64_MAX

static uint32_t word_at(const uint8_t *bytes, size_t at)
{
	uint32_t v;

	memcpy(&v, bytes + at, sizeof(v));
	return v;
}

static struct ht_thread_state *thread_of(struct ht_thread_state *t, size_t n,
					 uint32_t tid)
{
	for (size_t i = 0; i < n; i++)
		if (tid && (uint32_t)t[i].tid == tid)
			return &t[i];
	return NULL;
}

/* The block at addr, of which TID_MAX bytes lie at `bytes`. A thread that is
 * claimed twice keeps the mark of it. */
static void consider(struct ht_thread_state *threads, size_t n, uint64_t addr,
		     const uint8_t *bytes)
{
	struct ht_thread_state *t = NULL;

	for (size_t at = 3 * WORD; at < TID_MAX && !t; at += WORD)
		t = thread_of(threads, n, word_at(bytes, at));
	if (t)
		t->thread_pointer = t->thread_pointer ? CLAIMED_TWICE : addr;
}

static void search(struct ht_reader *r, const struct ht_vma *v,
		   struct ht_thread_state *threads, size_t n)
{
	uint8_t bytes[WINDOW + TID_MAX];
	uint64_t addr = v->start;

	while (addr < v->end) {
		uint64_t left = v->end - addr;
		size_t want =
			left < sizeof(bytes) ? (size_t)left : sizeof(bytes);
		size_t got = ht_reader_some(r, addr, bytes, want);

		for (size_t at = 0; at + TID_MAX <= got && at < WINDOW;
		     at += ALIGN)
			if (word_at(bytes, at) == (uint32_t)(addr + at) &&
			    word_at(bytes, at + 2 * WORD) ==
				    (uint32_t)(addr + at))
				consider(threads, n, addr + at, bytes + at);
		addr += WINDOW;
	}
}

void ht_core_threads_find(struct ht_reader *r, const struct ht_maps *m,
			  struct ht_thread_state *threads, size_t n)
{
	for (size_t i = 0; i < n; i++)
		threads[i].thread_pointer = 0;
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].flags & HT_VMA_WRITE)
			search(r, &m->v[i], threads, n);
	for (size_t i = 0; i < n; i++)
		if (threads[i].thread_pointer == CLAIMED_TWICE)
			threads[i].thread_pointer = 0;
}
