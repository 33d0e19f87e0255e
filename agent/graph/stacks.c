/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/stacks.h"

#include <string.h>

#include "agent/arch/arch.h"

/* struct pthread and what glibc puts behind it, from the thread pointer on. */
#define TCB_MAX UINT64_C(4096)
/* A pair whose first is 0 or some other number, and whose second is an address,
 * has a length beyond any stack's. */
#define STACK_MAX (UINT64_C(1) << 36)
#define STACK_MIN UINT64_C(4096)
#define NONE	  UINT32_MAX

/* The thread whose stack pointer is the lowest in [from, end); NONE. */
static uint32_t next_thread(const struct ht_stacks_in *in, uint64_t from,
			    uint64_t end)
{
	uint32_t best = NONE;

	for (size_t i = 0; i < in->threads_n; i++) {
		uint64_t sp = in->threads[i].sp;

		if (!in->threads[i].registers || sp < from || sp >= end)
			continue;
		if (best == NONE || sp < in->threads[best].sp)
			best = (uint32_t)i;
	}
	return best;
}

/* Where glibc notes the stack of a thread that it started: {start, length} in
 * the control block, which lies at that stack's upper end. */
static bool noted_stack(const struct ht_stacks_in *in, uint64_t tp,
			uint64_t *start, uint64_t *end)
{
	uint64_t word[TCB_MAX / 8];
	size_t n =
		tp % 8 ? 0
		       : ht_reader_some(in->reader, tp, word, sizeof(word)) / 8;

	for (size_t i = 0; i + 1 < n; i++) {
		if (word[i] >= tp || word[i] < STACK_MIN ||
		    word[i + 1] > STACK_MAX || word[i + 1] <= tp - word[i] ||
		    word[i + 1] - (tp - word[i]) > 2 * TCB_MAX)
			continue;
		*start = word[i];
		*end = word[i] + word[i + 1];
		return true;
	}
	return false;
}

/* The main thread's is the kernel's: the last mapping of all that can be
 * written. */
static bool is_main_stack(const struct ht_maps *m, size_t i)
{
	if (strcmp(ht_vma_path(m, &m->v[i]), "[stack]") == 0)
		return true;
	for (size_t k = i + 1; k < m->n; k++)
		if (m->v[k].flags & HT_VMA_WRITE)
			return false;
	return true;
}

static uint64_t at_least(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A thread that runs on none that is known to be its own (a fiber's) runs over
 * nothing that is known to be over. */
static void measure(const struct ht_stacks_in *in, size_t i,
		    struct ht_stack *ret)
{
	const struct ht_thread_state *t = &in->threads[ret->thread];
	const struct ht_vma *v = &in->maps->v[i];
	uint64_t start, end;

	ret->from = (at_least(t->sp, v->start + HT_RED_ZONE) - HT_RED_ZONE) &
		    ~UINT64_C(7);
	ret->low = ret->from;
	ret->end = v->end;
	if (noted_stack(in, t->thread_pointer, &start, &end)) {
		if (t->sp < start || t->sp >= end)
			return;
		ret->low = at_most(at_least(start, v->start), ret->from);
		ret->end = at_most(end, v->end);
	} else if (is_main_stack(in->maps, i)) {
		ret->low = v->start;
	}
}

bool ht_stacks_next(const struct ht_stacks_in *in, size_t i, uint64_t from,
		    struct ht_stack *ret)
{
	const struct ht_vma *v = &in->maps->v[i];
	struct ht_stack s = {.thread = next_thread(in, from, v->end)};
	struct ht_stack above = {0};
	uint64_t sp;

	if (s.thread == NONE)
		return false;
	sp = in->threads[s.thread].sp;
	measure(in, i, &s);
	above.thread = next_thread(in, sp + 1, v->end);
	if (above.thread != NONE) {
		measure(in, i, &above);
		s.end = at_most(s.end, above.low);
	}
	/* Whole words, and always beyond the pointer: callers go on there. */
	s.end = at_least((s.end + 7) & ~UINT64_C(7), (sp | 7) + 1);
	s.from = at_least(s.from, from);
	s.low = at_least(s.low, from);
	*ret = s;
	return true;
}
