/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/anchors.h"

#include <stdlib.h>
#include <string.h>

#include "agent/arch/arch.h"

#define NONE UINT32_MAX

struct finding {
	const struct ht_anchors_in *in;
	struct ht_anchors *out;
	bool ok;
};

static void add(struct finding *f, const struct ht_anchor *a)
{
	struct ht_anchors *to = f->out;

	if (a->start >= a->end || !f->ok)
		return;
	if (to->n == to->capacity) {
		size_t n = to->capacity * 2 + 64;
		void *grown = reallocarray(to->v, n, sizeof(*to->v));

		f->ok = grown;
		if (!grown)
			return;
		to->v = grown;
		to->capacity = n;
	}
	to->v[to->n++] = *a;
}

/* What is left of a stretch when malloc's own is taken out. */
static void add_without(struct finding *f, struct ht_anchor a)
{
	const struct ht_ranges *own = f->in->arenas;

	while (a.start < a.end) {
		const struct ht_range *r = ht_ranges_from(own, a.start);
		struct ht_anchor part = a;

		if (!r || r->start >= a.end) {
			add(f, &a);
			return;
		}
		part.end = r->start > a.start ? r->start : a.start;
		add(f, &part);
		a.start = r->end > a.start ? r->end : a.end;
	}
}

static struct ht_anchor local_of(const struct finding *f,
				 const struct ht_tls_block *b)
{
	return (struct ht_anchor){.start = b->start,
				  .end = b->end,
				  .kind = HT_ANCHOR_TLS,
				  .vma = NONE,
				  .thread = b->thread,
				  .shift = f->in->tls->first[b->module] -
					   b->start};
}

/* A thread's own variables, and what else there is of its memory. */
static void add_locals(struct finding *f, struct ht_anchor rest)
{
	const uint64_t end = rest.end;

	while (rest.start < end) {
		const struct ht_tls_block *b =
			ht_tls_from(f->in->tls, rest.thread, rest.start);
		struct ht_anchor part;

		if (!b || b->start >= end) {
			rest.end = end;
			add_without(f, rest);
			return;
		}
		part = local_of(f, b);
		if (part.start < rest.start) {
			part.start = rest.start;
		} else {
			rest.end = part.start;
			add_without(f, rest);
		}
		if (part.end > end)
			part.end = end;
		add_without(f, part);
		rest.start = part.end;
	}
}

/* Where a library that came later has its variables: memory of malloc. */
static void add_allocated(struct finding *f)
{
	const struct ht_tls *t = f->in->tls;

	for (size_t i = 0; i < t->n; i++) {
		const struct ht_range *r =
			ht_ranges_from(f->in->arenas, t->v[i].start);
		struct ht_anchor a = local_of(f, &t->v[i]);

		if (!r || r->start > a.start || r->end < a.end)
			continue;
		a.start = (a.start + 7) & ~UINT64_C(7);
		add(f, &a);
	}
}

/* What is above a stack's pointer, and what of the mapping is no stack. */
static void add_stacks(struct finding *f, size_t i, struct ht_anchor rest)
{
	const uint64_t end = rest.end;
	struct ht_stack s;

	while (ht_stacks_next(&f->in->stacks, i, rest.start, &s)) {
		rest.end = s.low;
		add_without(f, rest);
		add_locals(f, (struct ht_anchor){.start = s.from,
						 .end = s.end,
						 .kind = HT_ANCHOR_STACK,
						 .vma = NONE,
						 .thread = s.thread});
		rest.start = s.end;
	}
	rest.end = end;
	add_without(f, rest);
}

/* The module that a mapping belongs to: its own file, or, of anonymous memory
 * right behind a file's, that one's .bss. */
static uint32_t module_of(const struct ht_maps *m, size_t i)
{
	size_t k = i;

	if (m->v[i].inode == 0) {
		if (i == 0 || *ht_vma_path(m, &m->v[i]) ||
		    m->v[i - 1].end != m->v[i].start ||
		    m->v[i - 1].inode == 0 ||
		    !(m->v[i - 1].flags & HT_VMA_WRITE))
			return NONE;
		k = i - 1;
	}
	while (k > 0 && m->v[k].offset != 0 &&
	       (m->v[k - 1].inode == m->v[k].inode || m->v[k - 1].inode == 0))
		k--;
	return m->v[k].inode ? (uint32_t)k : NONE;
}

/* A piece of a file that can be read only, right beside one that can be
 * written: variables that were sealed. A static program's libc has pointers to
 * chunks there, and so has whoever calls mprotect when all is set up. */
static bool is_sealed(const struct ht_maps *m, size_t i)
{
	const struct ht_vma *v = &m->v[i];

	if (v->flags & (HT_VMA_EXEC | HT_VMA_SHARED))
		return false;
	for (size_t k = i ? i - 1 : i; k <= i + 1 && k < m->n; k++)
		if (m->v[k].inode == v->inode && m->v[k].flags & HT_VMA_WRITE &&
		    (m->v[k].end == v->start || m->v[k].start == v->end))
			return true;
	return false;
}

/* Memory that may hold a pointer to a chunk: what can be written, and what was
 * before it was sealed. */
static bool may_hold(const struct ht_maps *m, size_t i)
{
	const struct ht_vma *v = &m->v[i];

	if (!(v->flags & HT_VMA_READ))
		return false;
	if (v->flags & HT_VMA_WRITE)
		return true;
	return v->inode == 0 ? !(v->flags & HT_VMA_EXEC) : is_sealed(m, i);
}

static bool is_special(const struct ht_maps *m, const struct ht_vma *v)
{
	const char *path = ht_vma_path(m, v);

	return strncmp(path, "[v", 2) == 0; /* [vdso], [vvar], [vsyscall] */
}

/* The thread whose pointer is the lowest in [from, end); NONE. */
static uint32_t next_pointer(const struct ht_stacks_in *in, uint64_t from,
			     uint64_t end)
{
	uint32_t best = NONE;

	for (size_t i = 0; i < in->threads_n; i++) {
		uint64_t tp = in->threads[i].thread_pointer;

		if (tp >= from && tp < end &&
		    (best == NONE || tp < in->threads[best].thread_pointer))
			best = (uint32_t)i;
	}
	return best;
}

/* The main thread's static thread-local variables lie where the loader put
 * them, and a thread's that runs on a stack of the program's own beside none
 * that is known. */
static void add_pointers(struct finding *f, struct ht_anchor rest)
{
	const uint64_t end = rest.end;
	uint32_t thread;

	while ((thread = next_pointer(&f->in->stacks, rest.start, end)) !=
	       NONE) {
		uint64_t tp = f->in->stacks.threads[thread].thread_pointer;
		const struct ht_tls_block *b =
			ht_tls_from(f->in->tls, thread, rest.start);
		struct ht_anchor own = {
			.kind = HT_ANCHOR_TLS, .vma = NONE, .thread = thread};

		own.start = b && b->end <= tp && b->start >= rest.start
				    ? b->start & ~UINT64_C(7)
				    : tp;
		own.end = end - tp > HT_CONTROL_MAX ? tp + HT_CONTROL_MAX : end;
		rest.end = own.start;
		add_without(f, rest);
		add_locals(f, own);
		rest.start = own.end;
	}
	rest.end = end;
	add_without(f, rest);
}

static void add_mapping(struct finding *f, size_t i)
{
	const struct ht_maps *m = f->in->stacks.maps;
	const struct ht_vma *v = &m->v[i];
	struct ht_stack stack;
	struct ht_anchor a = {.start = v->start,
			      .end = v->end,
			      .kind = HT_ANCHOR_OTHER,
			      .vma = module_of(m, i),
			      .thread = NONE};

	if (!may_hold(m, i) || is_special(m, v))
		return;
	if (a.vma != NONE)
		a.kind = HT_ANCHOR_STATIC;
	if (ht_stacks_next(&f->in->stacks, i, v->start, &stack)) {
		add_stacks(f, i, a);
		return;
	}
	if (a.vma == NONE)
		add_pointers(f, a);
	else
		add_without(f, a);
}

static int by_address(const void *x, const void *y)
{
	const struct ht_anchor *a = x, *b = y;

	return (a->start > b->start) - (a->start < b->start);
}

static void count_unknown(struct ht_anchors *a)
{
	for (size_t i = 0; i < a->threads_n; i++)
		a->unknown += !a->threads[i].whole;
}

enum ht_code ht_anchors_find(const struct ht_anchors_in *in,
			     struct ht_anchors *ret, struct ht_err *err)
{
	struct finding f = {.in = in, .out = ret, .ok = true};

	*ret = (struct ht_anchors){.maps = in->stacks.maps,
				   .threads = in->stacks.threads,
				   .threads_n = in->stacks.threads_n};
	for (size_t i = 0; f.ok && i < in->stacks.maps->n; i++)
		add_mapping(&f, i);
	add_allocated(&f);
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_address);
	count_unknown(ret);
	if (f.ok)
		return HT_OK;
	ht_anchors_fini(ret);
	return ht_fail(err, HT_NOMEM, "no memory for %zu mappings",
		       in->stacks.maps->n);
}

void ht_anchors_fini(struct ht_anchors *a)
{
	free(a->v);
	*a = (struct ht_anchors){0};
}
