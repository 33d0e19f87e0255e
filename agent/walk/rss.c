/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RSS: every resident page of the process under the one cause that keeps it,
 * and what lies outside malloc by kind of mapping.
 *
 * The pages are counted mapping by mapping, as smaps does; mm counters (statm)
 * may lag behind by what the kernel batches per processor.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/walk/census.h"
#include "agent/walk/heaps.h"
#include "agent/walk/kinds.h"

#define NO_GROUP SIZE_MAX
#define TRIES	 3 /* while the target runs */
/* Anonymous mappings from here on are asked about alone: to tell files' pages
 * from them takes the kernel twice the time a page. */
#define ALONE (UINT64_C(1) << 20)
/* But for the stacks of threads, of which little is there as a rule: they lie
 * behind a guard of some pages. */
#define STACK_MAX (UINT64_C(64) << 20)
#define GUARD_MAX (UINT64_C(64) << 10)

/* One mapping, without what malloc has in it. */
struct part {
	struct ht_kind is;
	uint64_t size;
	struct ht_page_tally pages;
	size_t group; /* row in the snapshot's mappings */
};

struct taken;

struct rss {
	struct ht_walk *w;
	struct ht_kinds kinds;
	const struct ht_maps *maps;
	struct part *part;    /* one for each mapping */
	struct taken *taken;  /* sorted */
	size_t taken_n, next; /* next: the first not below the mapping */
	uint64_t page;
	struct ht_page_ahead *ahead;
	size_t alone; /* the first mapping at or behind this one that is alone
		       */
	uint64_t cause[HT_CAUSE_COUNT];
	uint64_t mmapped, mmapped_swapped; /* bytes */
	uint64_t resident; /* bytes, page by page, whatever their cause */
	uint64_t grown;	   /* resident, of what arenas took since their walk */
	uint64_t file, shmem, swapped;
	uint64_t outside; /* anonymous and swapped, not malloc's */
	uint64_t huge;	  /* malloc's, in pages of the huge page pool */
	bool known;
};

/* --- what malloc has in a mapping ---------------------------------------- */

/* One of malloc's ranges. */
struct taken {
	uint64_t start, end;
	enum { ARENA, MMAPPED, GROWN } what;
};

static int by_start(const void *x, const void *y)
{
	const struct taken *a = x, *b = y;

	return (a->start > b->start) - (a->start < b->start);
}

/* A segment of an arena, without the pages that somebody else took from brk
 * amid it. Both are sorted. */
static void take_segment(struct rss *r, const struct ht_range *s)
{
	const struct ht_ranges *foreign = &r->w->foreign;
	const struct ht_range *f = ht_ranges_from(foreign, s->start);
	uint64_t at = s->start;

	for (size_t i = f ? (size_t)(f - foreign->v) : foreign->n;
	     i < foreign->n && foreign->v[i].end <= s->end; i++) {
		r->taken[r->taken_n++] =
			(struct taken){at, foreign->v[i].start, ARENA};
		at = foreign->v[i].end;
	}
	r->taken[r->taken_n++] = (struct taken){at, s->end, ARENA};
}

static bool list_taken(struct rss *r)
{
	const struct ht_ranges *all[] = {[ARENA] = &r->w->arenas,
					 [MMAPPED] = &r->w->census.mmapped,
					 [GROWN] = &r->w->grown};

	r->taken = calloc(all[ARENA]->n + r->w->foreign.n + all[MMAPPED]->n +
				  all[GROWN]->n + 1,
			  sizeof(*r->taken));
	if (!r->taken)
		return false;
	for (size_t i = 0; i < all[ARENA]->n; i++)
		take_segment(r, &all[ARENA]->v[i]);
	for (unsigned k = MMAPPED; k <= GROWN; k++)
		for (size_t i = 0; i < all[k]->n; i++)
			r->taken[r->taken_n++] = (struct taken){
				all[k]->v[i].start, all[k]->v[i].end, k};
	qsort(r->taken, r->taken_n, sizeof(*r->taken), by_start);
	return true;
}

static bool may_be_stack(const struct ht_vma *v, const struct ht_vma *before)
{
	const uint64_t access = HT_VMA_READ | HT_VMA_WRITE | HT_VMA_EXEC;

	return v->end - v->start <= STACK_MAX && before &&
	       before->end == v->start && !(before->flags & access) &&
	       before->end - before->start <= GUARD_MAX;
}

static bool is_alone(const struct rss *r, size_t i)
{
	const struct ht_vma *v = &r->maps->v[i];

	if (v->start > INT64_MAX)
		return true;
	return v->inode == 0 && v->end - v->start >= ALONE &&
	       v->flags & (HT_VMA_READ | HT_VMA_WRITE) &&
	       !may_be_stack(v, i ? v - 1 : NULL);
}

/* Up to where mappings from the i-th on may be asked about together. */
static uint64_t together_until(struct rss *r, size_t i)
{
	if (r->alone < i)
		r->alone = i;
	while (r->alone < r->maps->n && !is_alone(r, r->alone))
		r->alone++;
	return r->alone > i ? r->maps->v[r->alone - 1].end : 0;
}

static bool count_pages(struct rss *r, size_t i, uint64_t start, uint64_t end,
			struct ht_page_tally *ret)
{
	const struct ht_walk_in *in = r->w->in;
	const bool anonymous = r->maps->v[i].inode == 0;
	struct ht_pages_source *pages = in->pages;
	uint64_t until = 0;

	if (in->file_pages) /* of two processes */
		pages = anonymous ? pages : in->file_pages;
	else
		until = together_until(r, i);
	if (end > until)
		return ht_pages_tally(pages, start, end, anonymous, ret);
	if (!ht_pages_tally_ahead(pages, r->ahead, start, end, until, ret))
		return false;
	if (anonymous) { /* the kernel's own: [vdso] */
		ret->anon += ret->file;
		ret->file = 0;
	}
	return true;
}

static void tally(struct rss *r, size_t i, uint64_t start, uint64_t end,
		  struct ht_page_tally *to)
{
	struct ht_page_tally t = {0};

	if (start >= end)
		return;
	if (!count_pages(r, i, start, end, &t))
		r->known = false;
	to->anon += t.anon;
	to->file += t.file;
	to->swapped += t.swapped;
}

/* Counts the pages of a mapping, each once: what malloc has in it, the rest.
 * Those of the arenas were counted when they were walked, but for huge ones.
 * Mappings come in ascending order. */
static void tally_mapping(struct rss *r, size_t i,
			  struct ht_page_tally malloc[GROWN + 1])
{
	const struct ht_vma *v = &r->maps->v[i];
	uint64_t at = v->start;

	while (r->next < r->taken_n && r->taken[r->next].end <= v->start)
		r->next++;
	for (size_t k = r->next; k < r->taken_n && r->taken[k].start < v->end;
	     k++) {
		const struct taken *x = &r->taken[k];
		uint64_t start = x->start > at ? x->start : at;
		uint64_t end = x->end < v->end ? x->end : v->end;

		if (start >= end)
			continue; /* lies within the one before */
		r->part[i].size -= end - start;
		start &= ~(r->page - 1); /* sbrk_base may be inside a page */
		tally(r, i, at, start, &r->part[i].pages);
		if (x->what != ARENA ||
		    r->part[i].is.kind == HT_MAPPING_HUGETLB)
			tally(r, i, start, end, &malloc[x->what]);
		at = (end + r->page - 1) & ~(r->page - 1);
	}
	tally(r, i, at, v->end, &r->part[i].pages);
}

static void add_causes(struct rss *r, const struct part *p)
{
	bool stack = p->is.kind == HT_MAPPING_STACK ||
		     p->is.kind == HT_MAPPING_THREAD_STACK ||
		     p->is.kind == HT_MAPPING_ENDED_STACK;
	bool shmem = p->is.kind == HT_MAPPING_SHMEM;

	if (p->is.kind == HT_MAPPING_HUGETLB)
		return; /* the kernel does not count these in RSS */
	r->cause[stack ? HT_CAUSE_STACK : HT_CAUSE_ANON_OTHER] +=
		p->pages.anon * r->page;
	r->cause[shmem ? HT_CAUSE_SHMEM : HT_CAUSE_FILE] +=
		p->pages.file * r->page;
	*(shmem ? &r->shmem : &r->file) += p->pages.file * r->page;
	r->swapped += p->pages.swapped * r->page;
	r->outside += (p->pages.anon + p->pages.swapped) * r->page;
}

static void measure_part(struct rss *r, size_t i)
{
	const struct ht_vma *v = &r->maps->v[i];
	struct part *p = &r->part[i];
	struct ht_page_tally malloc[GROWN + 1] = {0};
	const struct ht_page_tally *mmapped = &malloc[MMAPPED];

	ht_kind_of(&r->kinds, i, i ? &p[-1].is : NULL, &p->is);
	p->size = v->end - v->start;
	p->group = NO_GROUP;
	if (v->start > INT64_MAX)
		return; /* [vsyscall]: the kernel's own, not in RSS */
	tally_mapping(r, i, malloc);
	ht_kind_name(&r->kinds, i, p->size, &p->is);
	r->resident += (p->pages.anon + p->pages.file) * r->page *
		       (p->is.kind != HT_MAPPING_HUGETLB);
	r->resident += (mmapped->anon + malloc[GROWN].anon) * r->page;
	r->mmapped += mmapped->anon * r->page;
	r->mmapped_swapped += mmapped->swapped * r->page;
	r->grown += malloc[GROWN].anon * r->page;
	r->swapped += (mmapped->swapped + malloc[GROWN].swapped) * r->page;
	for (unsigned k = ARENA; p->is.kind == HT_MAPPING_HUGETLB && k <= GROWN;
	     k++)
		r->huge += (malloc[k].anon + malloc[k].file) * r->page;
	add_causes(r, p);
}

/* --- rows by kind and name ----------------------------------------------- */

/* Anonymous kinds are one row each; files have one row a file. */
static bool same_group(const struct ht_mapping *m, const struct part *p)
{
	return m->kind == (uint64_t)p->is.kind &&
	       strcmp(m->name, p->is.name) == 0;
}

static struct ht_mapping *group_of(struct rss *r, struct part *p)
{
	struct ht_mapping_list *rows = &r->w->out->mappings;
	struct ht_mapping *m;

	for (p->group = 0; p->group < rows->n; p->group++)
		if (same_group(&rows->v[p->group], p))
			return &rows->v[p->group];
	m = ht_snapshot_add_mapping(r->w->out);
	if (!m)
		return NULL;
	m->kind = p->is.kind;
	memcpy(m->name, p->is.name, sizeof(m->name));
	m->count = m->size = m->resident = m->anonymous = 0;
	return m;
}

static bool add_to_group(struct rss *r, struct part *p, uint64_t flags)
{
	const uint64_t access = HT_VMA_READ | HT_VMA_WRITE | HT_VMA_EXEC;
	struct ht_mapping *m;

	if (p->size == 0 || !(flags & access))
		return true; /* all malloc's, or only reserved */
	m = group_of(r, p);
	if (!m)
		return false;
	m->count++;
	m->size += p->size;
	m->resident += (p->pages.anon + p->pages.file) * r->page;
	m->anonymous += (p->pages.anon + p->pages.swapped) * r->page;
	return true;
}

/* The size that more than half of a group's mappings have, if there is one
 * (majority vote: the candidate that survives is then counted). */
static void find_common_size(struct rss *r, size_t group)
{
	struct ht_mapping *m = &r->w->out->mappings.v[group];
	uint64_t size = 0, votes = 0, count = 0;

	for (size_t i = 0; i < r->maps->n; i++) {
		if (r->part[i].group != group)
			continue;
		if (votes == 0)
			size = r->part[i].size;
		if (r->part[i].size == size)
			votes++;
		else
			votes--;
	}
	for (size_t i = 0; i < r->maps->n; i++)
		count += r->part[i].group == group && r->part[i].size == size;
	m->common_size = 2 * count > m->count ? size : HT_UNKNOWN;
}

static bool add_mappings(struct rss *r)
{
	for (size_t i = 0; i < r->maps->n; i++)
		if (!add_to_group(r, &r->part[i], r->maps->v[i].flags))
			return false;
	for (size_t g = 0; g < r->w->out->mappings.n; g++) {
		enum ht_mapping_kind kind =
			(enum ht_mapping_kind)r->w->out->mappings.v[g].kind;

		if (kind == HT_MAPPING_ANON ||
		    kind == HT_MAPPING_THREAD_STACK ||
		    kind == HT_MAPPING_ENDED_STACK)
			find_common_size(r, g);
	}
	return true;
}

/* --- results ------------------------------------------------------------- */

/* That there may be: the same as long as the machine runs. */
static uint64_t processors(void)
{
	static long n;

	if (n <= 0)
		n = sysconf(_SC_NPROCESSORS_CONF);
	return (uint64_t)n;
}

/* The kernel's own counter may lag by a batch per processor and counter; more
 * than that would mean that pages were missed. */
static void compare_with_kernel(struct rss *r, uint64_t rss)
{
	uint64_t kernel = r->w->out->process.rss;
	uint64_t cpus = processors();
	uint64_t batch = cpus * 2 > 32 ? cpus * 2 : 32;
	uint64_t slack = 4 * cpus * batch * r->page;
	uint64_t off;

	if (r->huge) /* glibc.malloc.hugetlb=2 */
		ht_snapshot_warn(
			r->w->out,
			"%" PRIu64
			" bytes of the heap are in pages of the huge page pool: counted here as resident, not by the kernel in RSS",
			r->huge);
	rss -= r->huge;
	off = kernel > rss ? kernel - rss : rss - kernel;
	if (kernel != HT_UNKNOWN && !r->w->in->moving && off > slack)
		ht_snapshot_warn(r->w->out,
				 "the kernel's counter says RSS is %" PRIu64
				 ", its page tables add up to %" PRIu64,
				 kernel, rss);
}

static bool add_cause_rows(struct rss *r)
{
	for (unsigned i = 0; i < HT_CAUSE_COUNT; i++)
		r->cause[i] += r->w->kept.by[i];
	r->cause[HT_CAUSE_HEAP_IN_USE] += r->grown;
	r->cause[HT_CAUSE_MMAPPED_CHUNKS] = r->mmapped;
	for (unsigned i = 0; i < HT_CAUSE_COUNT; i++) {
		struct ht_rss_cause *row = ht_snapshot_add_rss_cause(r->w->out);

		if (!row)
			return false;
		row->cause = i;
		row->bytes = r->cause[i];
	}
	return true;
}

static void add_head(struct rss *r, uint64_t bytes)
{
	r->cause[HT_CAUSE_ANON_OTHER] += bytes;
	r->resident += bytes;
}

/* The main arena may begin inside a page: the bytes before it are not malloc's
 * but their page was taken with the heap. */
static void mend_shared_pages(struct rss *r)
{
	for (size_t i = 0; i < r->w->arenas.n; i++) {
		uint64_t start = r->w->arenas.v[i].start;
		uint64_t head = start % r->page;
		struct ht_page_tally t;

		if (!head)
			continue;
		if (ht_pages_tally(r->w->in->pages, start - head,
				   start - head + r->page, true, &t))
			add_head(r, t.anon * head);
		else
			r->known = false;
	}
}

static void fill_process(struct rss *r)
{
	struct ht_process *p = &r->w->out->process;
	struct ht_totals *t = &r->w->out->totals;
	uint64_t heaps = ht_kept_sum(&r->w->kept) + r->grown;

	p->rss = r->resident + r->w->heaps_resident;
	p->rss_anon = r->mmapped + heaps + r->cause[HT_CAUSE_ANON_OTHER] +
		      r->cause[HT_CAUSE_STACK];
	p->rss_file = r->file;
	p->rss_shmem = r->shmem;
	if (p->swap == HT_UNKNOWN)
		p->swap = r->swapped + r->w->heaps_swapped;
	t->non_malloc_anon = r->outside;
	t->mmapped_resident = r->mmapped;
}

static void fini(struct rss *r)
{
	free(r->part);
	free(r->taken);
	free(r->ahead);
	r->part = NULL;
	r->taken = NULL;
	r->ahead = NULL;
}

/* Every page of every mapping, as they are now. */
static bool measure_all(struct rss *r)
{
	*r = (struct rss){.w = r->w,
			  .maps = r->w->in->maps,
			  .page = r->w->in->pages->page_size,
			  .known = true};
	r->part = calloc(r->maps->n + 1, sizeof(*r->part));
	r->ahead = malloc(sizeof(*r->ahead));
	if (!r->part || !r->ahead || !list_taken(r))
		return false;
	r->ahead->start = r->ahead->end = 0;
	ht_kinds_begin(&r->kinds, r->w->in);
	for (size_t i = 0; i < r->maps->n; i++)
		measure_part(r, i);
	return true;
}

/* What malloc has mapped by now. Where the time is up: what the walk found. */
static enum ht_code look_again(struct rss *r, struct ht_err *err)
{
	enum ht_code code;

	if (ht_walk_is_late(r->w->in))
		return HT_OK;
	code = ht_census_again(r->w, err);
	return code == HT_OK ? ht_grown_find(r->w, err) : code;
}

/* The same of a target that runs: what malloc has mapped, the mappings and
 * their pages are of one instant, as far as its counters say. */
static enum ht_code measure_moving(struct rss *r, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	for (int i = 0; i < TRIES && code == HT_OK; i++) {
		fini(r);
		code = look_again(r, err);
		if (code == HT_OK && !measure_all(r))
			code = ht_fail(err, HT_NOMEM, "no memory for mappings");
		if (ht_walk_is_late(r->w->in) ||
		    (code == HT_OK &&
		     (ht_census_holds(r->w) || ht_census_dear(&r->w->census))))
			break;
	}
	return code;
}

/* Of mappings whose pages were not asked about nothing is told. */
static void warn_unknown(const struct rss *r)
{
	ht_snapshot_warn(
		r->w->out,
		r->w->in->pages->late
			? "the time limit was nearly over before all page states were asked for: what is resident is unknown"
			: "the page states of the process could not be read: what is resident is unknown");
}

static bool add_rows(struct rss *r)
{
	if (r->maps->unsure)
		ht_snapshot_warn(
			r->w->out,
			"the mappings changed while they were read: %" PRIu64
			" bytes of them may be missing, or counted twice",
			r->maps->unsure);
	if (r->known)
		mend_shared_pages(r);
	if (!r->known) {
		warn_unknown(r);
		return true;
	}
	compare_with_kernel(r, r->resident + r->w->heaps_resident);
	fill_process(r);
	return add_cause_rows(r) &&
	       (!(r->w->in->want & HT_WANT_MAPPINGS) || add_mappings(r));
}

enum ht_code ht_rss_of_free(struct ht_walk *w, struct ht_err *err)
{
	if (!ht_pages_source_known(w->in->pages))
		return HT_OK;
	for (unsigned i = 0; i < HT_CAUSE_COUNT; i++) {
		struct ht_rss_cause *row = ht_snapshot_add_rss_cause(w->out);

		if (!row)
			return ht_fail(err, HT_NOMEM, "no memory for causes");
		row->cause = i;
		if (i >= HT_CAUSE_TRIMMABLE && !w->lists_cut &&
		    !w->in->pages->late)
			row->bytes = w->kept.by[i];
	}
	return HT_OK;
}

enum ht_code ht_rss(struct ht_walk *w, struct ht_err *err)
{
	struct rss r = {.w = w};
	enum ht_code code = HT_OK;

	if (!ht_pages_source_known(w->in->pages) || w->in->maps->n == 0)
		return HT_OK;
	ht_ranges_sort(&w->arenas);
	ht_ranges_sort(&w->foreign);
	if (w->in->moving && w->in->renew_maps)
		code = measure_moving(&r, err);
	else if (!measure_all(&r))
		code = ht_fail(err, HT_NOMEM, "no memory for mappings");
	if (code == HT_OK && !add_rows(&r))
		code = ht_fail(err, HT_NOMEM, "no memory for mappings");
	fini(&r);
	return code;
}
