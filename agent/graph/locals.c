/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/locals.h"

#include <stdlib.h>

/* Words of one function that lie side by side. */
struct stretch {
	uint64_t from, to;
	struct ht_local is;
};

struct ht_frames_of {
	struct ht_call_frame *v;
	size_t n, capacity;
	bool whole; /* the outermost is the last */
	struct stretch last;
};

/* --- the frames of a thread ---------------------------------------------- */

static bool keep(void *ctx, const struct ht_call_frame *f)
{
	struct ht_frames_of *to = ctx;

	if (to->n == to->capacity) {
		size_t n = to->capacity * 2 + 16;
		void *grown = reallocarray(to->v, n, sizeof(*to->v));

		if (!grown)
			return false;
		to->v = grown;
		to->capacity = n;
	}
	/* A stack grows down: what does not is none. */
	if (to->n && f->sp <= to->v[to->n - 1].sp)
		return false;
	to->v[to->n++] = *f;
	return true;
}

/* What describes frames a core may have left to the file. */
static size_t read_module(void *ctx, uint64_t addr, void *buf, size_t len)
{
	const struct ht_locals *l = ctx;

	return ht_modules_read(l->modules, l->reader, addr, buf, len);
}

static bool follow(struct ht_locals *l, uint32_t thread, struct ht_frames_of *f)
{
	static const struct ht_reader_ops ops = {.name = "modules",
						 .read = read_module};
	struct ht_reader reader = {.ops = &ops,
				   .ctx = l,
				   .word = l->reader->word,
				   .bytes_left = l->reader->bytes_left};

	return ht_frames_surely(&l->threads[thread], &reader, l->maps, NULL,
				keep, f);
}

static struct ht_frames_of *frames_of(struct ht_locals *l, uint32_t thread)
{
	struct ht_frames_of *f;

	if (thread >= l->threads_n || !l->threads[thread].registers)
		return NULL;
	if (!l->of)
		l->of = calloc(l->threads_n, sizeof(struct ht_frames_of *));
	if (!l->of || l->of[thread] || l->followed == HT_LOCALS_THREADS)
		return l->of ? l->of[thread] : NULL;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	l->followed++;
	f->whole = follow(l, thread, f);
	l->of[thread] = f;
	return f;
}

void ht_locals_fini(struct ht_locals *l)
{
	for (size_t i = 0; l->of && i < l->threads_n; i++) {
		if (l->of[i])
			free(l->of[i]->v);
		free(l->of[i]);
	}
	free(l->of);
	*l = (struct ht_locals){0};
}

/* --- whose --------------------------------------------------------------- */

static struct ht_local local_of(const struct ht_frames_of *f, size_t i)
{
	/* A call may be the last thing that a function does: what it comes
	 * back to is then another's. */
	return (struct ht_local){.pc = f->v[i].pc - f->v[i].called, .depth = i};
}

/* Of no frame that is known: further out than those. */
static struct ht_local beyond(const struct ht_frames_of *f)
{
	return (struct ht_local){.depth = f->n};
}

/* Who has the i-th's register k for itself: beyond whom it is kept elsewhere.
 * Of the last that is known it is not known where that keeps its caller's. */
static struct ht_local local_of_saved(const struct ht_frames_of *f, size_t i,
				      unsigned k)
{
	while (i + 1 < f->n && f->v[i + 1].saved[k] == f->v[i].saved[k])
		i++;
	return i + 1 < f->n || f->whole ? local_of(f, i) : beyond(f);
}

/* Cuts the stretch to what lies around an address and has nothing kept; false:
 * the word there is kept. */
static bool cut(struct stretch *s, const struct ht_frames_of *f, size_t i,
		unsigned k, uint64_t address)
{
	uint64_t at = f->v[i].saved[k];

	if (at == 0)
		return true;
	if (at <= address && address - at < sizeof(at)) {
		s->from = at;
		s->to = at + sizeof(at);
		s->is = local_of_saved(f, i, k);
		return false;
	}
	if (at < address && at + sizeof(at) > s->from)
		s->from = at + sizeof(at);
	if (at > address && at < s->to)
		s->to = at;
	return true;
}

static struct stretch stretch_at(const struct ht_frames_of *f, uint64_t address)
{
	struct stretch s = {.from = 0, .to = UINT64_MAX, .is = beyond(f)};
	size_t i = 0;

	while (i + 1 < f->n && f->v[i + 1].sp <= address)
		i++;
	if (i > 0)
		s.from = f->v[i].sp;
	if (i + 1 < f->n) { /* else where it ends is not known */
		s.to = f->v[i + 1].sp;
		s.is = local_of(f, i);
	}
	for (i = 0; i < f->n; i++)
		for (unsigned k = 0; k < HT_SAVED_REGISTERS; k++)
			if (!cut(&s, f, i, k, address))
				return s;
	return s;
}

struct ht_local ht_locals_at(struct ht_locals *l, uint32_t thread,
			     uint64_t address)
{
	struct ht_frames_of *f = frames_of(l, thread);

	if (!f || f->n == 0)
		return (struct ht_local){0};
	if (address - f->last.from >= f->last.to - f->last.from)
		f->last = stretch_at(f, address);
	return f->last.is;
}

struct ht_local ht_locals_in(struct ht_locals *l, uint32_t thread,
			     uint64_t number)
{
	const struct ht_frames_of *f = frames_of(l, thread);

	if (!f || f->n == 0)
		return (struct ht_local){0};
	return number < HT_SAVED_REGISTERS
		       ? local_of_saved(f, 0, (unsigned)number)
		       : local_of(f, 0);
}
