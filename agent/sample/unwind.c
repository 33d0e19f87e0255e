/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sample/unwind.h"

#include <string.h>

#include "agent/memory/frames.h"

/* How far up the stack a frame of malloc is looked for. glibc's allocator is
 * five calls deep at most and calls nothing with large frames; the rest is room
 * for a signal handler that came in between. */
#define UPPER_STACK 4096

static bool in_text(const struct ht_located *located, uint64_t pc)
{
	for (size_t i = 0; i < located->n; i++)
		if (pc >= located->malloc[i].text_start &&
		    pc < located->malloc[i].text_end)
			return true;
	return false;
}

/* The highest word of the upper stack that might be a return address into
 * malloc; 0: none, so no frame of malloc is there. */
static uint64_t suspicious_word(const struct ht_thread_state *t,
				const struct ht_located *located,
				struct ht_reader *reader)
{
	uint8_t buf[UPPER_STACK];
	size_t n = ht_reader_some(reader, t->sp, buf, sizeof(buf));
	uint64_t highest = 0;

	for (size_t at = 0; at + reader->word <= n; at += reader->word) {
		uint64_t word = 0;

		memcpy(&word, buf + at, reader->word);
		if (in_text(located, word))
			highest = t->sp + at;
	}
	return highest;
}

struct search {
	const struct ht_located *located;
	uint64_t up_to; /* stack address of the suspicious word */
	bool found, passed;
};

static bool look_at_frame(void *ctx, const struct ht_call_frame *f)
{
	struct search *s = ctx;

	s->found = in_text(s->located, f->pc);
	s->passed = f->sp > s->up_to;
	return !s->found && !s->passed;
}

bool ht_unwind_in_malloc(const struct ht_thread_state *t,
			 const struct ht_located *located,
			 struct ht_reader *reader, const struct ht_maps *maps)
{
	struct search s = {.located = located};
	bool whole;

	if (in_text(located, t->pc))
		return true;
	/* Most threads sleep far from malloc: one read settles those. */
	s.up_to = suspicious_word(t, located, reader);
	if (s.up_to == 0)
		return false;
	/* libunwind here knows x86-64 only. A word that cannot be told from a
	 * stale one says nothing: the arena's mutex and the walk's checks must.
	 */
	if (reader->word != 8)
		return false;
	whole = ht_frames_each(t, reader, maps, NULL, look_at_frame, &s);
	return s.found || !(s.passed || whole);
}

struct stack {
	uint64_t *pc;
	size_t n;
};

static bool keep_frame(void *ctx, const struct ht_call_frame *f)
{
	struct stack *stack = ctx;

	stack->pc[stack->n++] = f->pc;
	return stack->n < HT_FRAMES_MAX;
}

size_t ht_unwind_stack(const struct ht_thread_state *t,
		       struct ht_reader *reader, const struct ht_maps *maps,
		       uint64_t ret[HT_FRAMES_MAX])
{
	struct stack stack = {.pc = ret};

	if (reader->word == 8)
		ht_frames_each(t, reader, maps, NULL, keep_frame, &stack);
	return stack.n;
}
