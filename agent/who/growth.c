/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/who/growth.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/arch/arch.h"
#include "agent/libc/chunk.h"
#include "agent/stop/tasks.h"

static uint64_t page_of(uint64_t address)
{
	return address & ~(HT_PAGE_SIZE - 1);
}

/* In a heap of a thread's arena: one that lies where such lie, and says so. */
static bool in_arena_heap(const struct ht_growth_in *in,
			  const struct ht_layout *l, uint64_t address)
{
	uint64_t base = l->heap_max ? address & ~(l->heap_max - 1) : 0;
	uint64_t header = (l->sizeof_heap_info + l->align - 1) &
			  ~(uint64_t)(l->align - 1);
	uint64_t arena = 0, size = 0;

	if (base == 0 || !ht_maps_at(in->maps, base) ||
	    ht_reader_some(in->reader, base + l->at[HT_P_HEAP_AR_PTR].offset,
			   &arena, sizeof(arena)) != sizeof(arena) ||
	    ht_reader_some(in->reader, base + l->at[HT_P_HEAP_SIZE].offset,
			   &size, sizeof(size)) != sizeof(size))
		return false;
	return size > header && size <= l->heap_max &&
	       size % HT_PAGE_SIZE == 0 && address - base < size &&
	       arena > header && (arena - header) % l->heap_max == 0;
}

/* The size of the mmapped chunk whose header the page begins with; 0: none. */
static uint64_t mmapped_at(const struct ht_growth_in *in,
			   const struct ht_vma *vma, uint64_t page)
{
	uint64_t word[2] = {0}, size;

	if (ht_reader_some(in->reader, page, word, sizeof(word)) !=
	    sizeof(word))
		return 0;
	size = word[1] & ~HT_SIZE_FLAGS;
	return word[0] == 0 && word[1] & HT_IS_MMAPPED && size > 0 &&
			       size % HT_PAGE_SIZE == 0 &&
			       size <= vma->end - page
		       ? size
		       : 0;
}

uint64_t ht_growth_bytes(const struct ht_growth_in *in,
			 const struct ht_probe_sample *s)
{
	const struct ht_vma *vma = ht_maps_at(in->maps, s->address);

	if (!vma || !(vma->flags & HT_VMA_WRITE) || vma->inode ||
	    (s->regs.sp >= vma->start && s->regs.sp < vma->end))
		return 0;
	if (strcmp(ht_vma_path(in->maps, vma), "[heap]") == 0)
		return HT_PAGE_SIZE;
	for (size_t i = 0; i < in->located->n; i++) {
		const struct ht_malloc *m = &in->located->malloc[i];

		if (in_arena_heap(in, &m->layout, s->address))
			return HT_PAGE_SIZE;
		/* malloc writes the header of a mapping; whoever fills it does
		 * not count again. */
		if (s->regs.pc >= m->image_start && s->regs.pc < m->image_end)
			return mmapped_at(in, vma, page_of(s->address));
	}
	return 0;
}

static bool is_mallocs(const struct ht_modules *m, const struct ht_located *l,
		       uint64_t pc)
{
	uint32_t module = ht_modules_at(m, pc, NULL);

	if (module == HT_MODULE_NONE)
		return false;
	for (size_t i = 0; i < l->n; i++)
		if (ht_modules_at(m, l->malloc[i].main_arena, NULL) == module)
			return true;
	return false;
}

/* Innermost frames that are of malloc's library: whoever called it asked, or
 * wrote by its help. 0 where a stack never leaves it. */
static unsigned inner_of(const struct ht_site_stack *s,
			 const struct ht_modules *m, const struct ht_located *l)
{
	unsigned n = 0;

	while (n < s->n && is_mallocs(m, l, s->pc[n]))
		n++;
	return n < s->n ? n : 0;
}

static bool same_from(const struct ht_site_stack *a,
		      const struct ht_site_stack *b)
{
	unsigned n = a->n - a->inner;

	return n == b->n - b->inner && a->whole == b->whole &&
	       memcmp(a->pc + a->inner, b->pc + b->inner,
		      n * sizeof(a->pc[0])) == 0;
}

/* The first site that is the same but for these frames; itself. */
static uint32_t first_of(const struct ht_stacks *s, uint32_t site)
{
	for (uint32_t i = 0; i < site; i++)
		if (same_from(&s->v[i], &s->v[site]))
			return i;
	return site;
}

enum ht_code ht_growth_begin(pid_t pid, struct ht_new_pages *ret,
			     struct ht_err *err)
{
	enum ht_code code = ht_tasks_open(pid, &ret->tasks, err);

	if (code != HT_OK)
		return code;
	ret->site = calloc(HT_SITES_MAX, sizeof(*ret->site));
	return ret->site ? HT_OK
			 : ht_fail(err, HT_NOMEM, "no memory for the sites");
}

void ht_growth_fini(struct ht_new_pages *g)
{
	free(g->site);
	if (g->tasks)
		closedir(g->tasks);
	*g = (struct ht_new_pages){0};
}

void ht_growth_threads(struct ht_new_pages *g, struct ht_probe_window *q)
{
	pid_t tid;

	g->unseen = 0;
	while ((tid = ht_tasks_next(g->tasks)) != 0)
		if (q->threads < HT_PROBE_THREADS)
			q->thread[q->threads++] = (uint32_t)tid;
		else
			g->unseen++;
}

void ht_growth_add(struct ht_new_pages *g, const struct ht_growth_in *in,
		   const struct ht_probe_sample *s, struct ht_stacks *stacks,
		   struct ht_windows *sum)
{
	uint64_t bytes = ht_growth_bytes(in, s);
	uint32_t site;

	if (bytes == 0)
		return;
	site = ht_stacks_site(stacks, in->maps, s);
	sum->samples++;
	if (site == HT_SITE_NONE) {
		sum->more_sites++;
		return;
	}
	sum->cut += !stacks->v[site].whole;
	g->site[site].times++;
	g->site[site].bytes += bytes * s->weight;
}

void ht_growth_count(const struct ht_new_pages *g, struct ht_stacks *stacks,
		     const struct ht_located *l, struct ht_site *sites)
{
	for (uint32_t i = 0; i < stacks->n; i++) {
		struct ht_site *s;

		stacks->v[i].inner =
			inner_of(&stacks->v[i], stacks->modules, l);
		s = &sites[first_of(stacks, i)];
		s->samples += g->site[i].times;
		s->unknown = s->samples;
		s->bytes += g->site[i].bytes;
		s->alive = s->freed = s->moved = s->alive_bytes = HT_UNKNOWN;
		s->min_size = s->max_size = s->growing = HT_UNKNOWN;
		s->old_samples = s->old_alive = s->old_freed = HT_UNKNOWN;
	}
}

void ht_growth_warn(const struct ht_new_pages *g, const char *instead_of,
		    const struct ht_windows *sum, struct ht_snapshot *to)
{
	if (*instead_of)
		ht_snapshot_warn(
			to,
			"calls of malloc cannot be seen here: %s. Told is who was the first to write to pages of the heap, not what stays.",
			instead_of);
	if (g->unseen)
		ht_snapshot_warn(to, "%" PRIu64 " threads were not seen",
				 g->unseen);
	if (sum->lost)
		ht_snapshot_warn(
			to,
			"%" PRIu64 " of %" PRIu64
			" first writes to pages, of the heap or elsewhere, were too many at once: what came first stands for them",
			sum->lost, sum->hits);
}
