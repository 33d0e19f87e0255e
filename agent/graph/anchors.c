/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/anchors.h"

#include <stdlib.h>
#include <string.h>

#include "agent/arch/arch.h"

/* struct pthread and what glibc puts behind it, from the thread pointer on. */
#define TCB_MAX UINT64_C(4096)
#define NONE	UINT32_MAX

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

/* The thread whose stack pointer is the lowest in [from, end); NONE. */
static uint32_t next_thread(const struct ht_anchors_in *in, uint64_t from,
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

/* Where the thread's own memory ends: behind what its thread pointer leads to,
 * if its stack, statics and control block lie in one piece, as glibc's do. */
static uint64_t thread_end(const struct ht_thread_state *t, uint64_t end)
{
	uint64_t tp = t->thread_pointer;

	if (tp < t->sp || tp >= end || end - tp <= TCB_MAX)
		return end;
	return (tp + TCB_MAX + HT_PAGE_SIZE - 1) & ~(HT_PAGE_SIZE - 1);
}

/* A mapping that holds stacks, perhaps several (since glibc 2.42 their guards
 * are no mappings): of each what is above its pointer. */
static void add_stacks(struct finding *f, const struct ht_vma *v,
		       uint32_t thread)
{
	uint64_t from = v->start;

	while (thread != NONE) {
		const struct ht_thread_state *t = &f->in->threads[thread];
		uint64_t sp =
			t->sp - from > HT_RED_ZONE ? t->sp - HT_RED_ZONE : from;
		uint64_t end = thread_end(t, v->end);
		struct ht_anchor a = {.start = sp & ~UINT64_C(7),
				      .end = end,
				      .kind = HT_ANCHOR_STACK,
				      .vma = NONE,
				      .thread = thread};

		/* Main's thread pointer lies elsewhere, all others' above. */
		thread = next_thread(f->in, t->sp + 1, v->end);
		if (thread != NONE && f->in->threads[thread].sp < a.end)
			a.end = f->in->threads[thread].sp & ~UINT64_C(7);
		add_without(f, a);
		from = a.end;
	}
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

/* Memory that may hold a pointer to a chunk: what can be written, and what was
 * before it was sealed. What the loader seals of a file points to no chunk. */
static bool may_hold(const struct ht_vma *v)
{
	if (!(v->flags & HT_VMA_READ))
		return false;
	return v->flags & HT_VMA_WRITE ||
	       (v->inode == 0 && !(v->flags & HT_VMA_EXEC));
}

static bool is_special(const struct ht_maps *m, const struct ht_vma *v)
{
	const char *path = ht_vma_path(m, v);

	return strncmp(path, "[v", 2) == 0; /* [vdso], [vvar], [vsyscall] */
}

/* The main thread's static thread-local variables lie where the loader put
 * them. */
static bool holds_pointer(const struct ht_anchors_in *in,
			  const struct ht_vma *v, uint32_t *ret_thread)
{
	for (size_t i = 0; i < in->threads_n; i++) {
		uint64_t tp = in->threads[i].thread_pointer;

		*ret_thread = (uint32_t)i;
		if (tp >= v->start && tp < v->end)
			return true;
	}
	return false;
}

static void add_mapping(struct finding *f, size_t i)
{
	const struct ht_maps *m = f->in->maps;
	const struct ht_vma *v = &m->v[i];
	uint32_t thread = next_thread(f->in, v->start, v->end);
	struct ht_anchor a = {.start = v->start,
			      .end = v->end,
			      .kind = HT_ANCHOR_OTHER,
			      .vma = module_of(m, i),
			      .thread = NONE};

	if (!may_hold(v) || is_special(m, v))
		return;
	if (thread != NONE) {
		add_stacks(f, v, thread);
		return;
	}
	if (a.vma != NONE)
		a.kind = HT_ANCHOR_STATIC;
	else if (holds_pointer(f->in, v, &thread)) {
		a.kind = HT_ANCHOR_TLS;
		a.thread = thread;
	}
	add_without(f, a);
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

	*ret = (struct ht_anchors){.maps = in->maps,
				   .threads = in->threads,
				   .threads_n = in->threads_n};
	for (size_t i = 0; f.ok && i < in->maps->n; i++)
		add_mapping(&f, i);
	count_unknown(ret);
	if (f.ok)
		return HT_OK;
	ht_anchors_fini(ret);
	return ht_fail(err, HT_NOMEM, "no memory for %zu mappings",
		       in->maps->n);
}

void ht_anchors_fini(struct ht_anchors *a)
{
	free(a->v);
	*a = (struct ht_anchors){0};
}
