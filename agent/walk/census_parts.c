/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of a main arena that is more than one run of brk: what lies in brk
 * itself, with what others took there in between, and segments that end with
 * fenceposts or with the top.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/arch/arch.h"
#include "agent/libc/chunk.h"
#include "agent/walk/census_int.h"
#include "agent/walk/met.h"

/* End of the segment that begins here: sizes lead to fenceposts or the top. */
uint64_t ht_census_segment_end(struct census *c, uint64_t start, uint64_t end)
{
	static const struct ht_class_count none;
	struct ht_class_count in_use[HT_CLASSES] = {none};
	struct ht_class_count binned[HT_BINS + 1] = {none};
	struct ht_segment segment = {start, end,
				     start + ht_chunk_bias(c->layout), 0};
	struct ht_links links;
	struct ht_pages pages = {0};
	struct ht_pass pass = {.layout = c->layout,
			       .window = c->window,
			       .links = &links,
			       .first = segment.first,
			       .stop = end,
			       .at = segment.first,
			       .in_use = in_use,
			       .binned = binned};
	uint64_t found = 0, top = c->main->top, head;
	enum ht_pass_end why;

	if (top >= start && top < end)
		pass.stop = top;
	ht_links_init(&links, c->layout, c->main->address, &segment, 1, 0);
	if (ht_pages_get(c->w->in->pages, start, end, &pages, NULL) != HT_OK)
		return 0;
	ht_view_segment(c->window, &pages, end);
	why = ht_pass_run(&pass);
	if (why == HT_PASS_DONE && pass.at == top &&
	    ht_reader_word(c->w->in->reader, top + c->layout->word, &head,
			   NULL) == HT_OK &&
	    (head & ~HT_SIZE_FLAGS) <= end - top)
		found = top + (head & ~HT_SIZE_FLAGS);
	else if (why != HT_PASS_SIZE ||
		 !ht_segment_fence(c->w->in->reader, c->layout, true, pass.at,
				   end, &found))
		found = 0;
	ht_links_fini(&links);
	ht_pages_fini(&pages);
	return found > start ? (found + HT_PAGE_SIZE - 1) & ~(HT_PAGE_SIZE - 1)
			     : 0;
}

static bool holds(const struct ht_ranges *r, uint64_t at)
{
	const struct ht_range *range = ht_ranges_from(r, at);

	return range && range->start <= at;
}

static bool has_top(const struct ht_vma *v, const struct ht_arena_root *a)
{
	return v && a->top >= v->start && a->top < v->end;
}

bool ht_census_may_be_ours(const struct census *c, uint64_t at)
{
	const struct ht_roots *roots = c->w->roots;
	const struct ht_vma *v = ht_maps_at(c->w->in->maps, at);
	bool others = false;

	for (size_t i = 0; i < roots->spaces; i++) {
		const struct ht_space *other = &roots->space[i];

		if (other == c->space || other->main >= roots->arenas)
			continue;
		if (holds(&c->found->segments[i], at))
			return false;
		others |= has_top(v, &roots->arena[other->main]);
	}
	return c->anywhere || !others || has_top(v, c->main);
}

bool ht_census_add_segment(struct census *c, uint64_t at, uint64_t end)
{
	size_t space = (size_t)(c->space - c->w->roots->space);

	c->missing -= end - at < c->missing ? end - at : c->missing;
	return ht_ranges_add(&c->found->segments[space], at, end);
}

/* system_mem counts what others took from brk as long as the arena is
 * contiguous (sysmalloc: system_mem += brk - old_end), and not afterwards: the
 * lowest gaps. How many of them are what is missing; SIZE_MAX: it is another
 * sum. */
size_t ht_census_counted_gaps(const struct census *c)
{
	uint64_t sum = 0;

	for (size_t k = 0;; k++) {
		if (sum == c->missing)
			return k;
		if (k == c->gaps)
			return SIZE_MAX;
		sum += c->gap[k];
	}
}

/* Whether the main arena's memory is more than one run from sbrk_base to top:
 * then system_mem beyond what lies there must be found. */
uint64_t ht_census_missing_bytes(const struct census *c)
{
	const struct ht_arena_root *a = c->main;

	if (c->mmapped_only || a->system == 0 ||
	    ht_arena_untouched(a, c->layout) || ht_arena_contiguous(a))
		return 0;
	return a->system;
}

/* Where the next part begins behind what ended at `from`; 0: nowhere. */
static uint64_t next_part(struct census *c, uint64_t from, uint64_t end)
{
	struct ht_pages pages = {0};
	unsigned budget = HT_RESYNC_BUDGET;
	uint64_t chunk = 0;

	if (from < end &&
	    ht_pages_get(c->w->in->pages, from, end, &pages, NULL) == HT_OK)
		chunk = ht_resync(c->w->in->reader, &pages, c->layout,
				  from + ht_chunk_bias(c->layout), end,
				  &budget);
	ht_pages_fini(&pages);
	return chunk ? chunk - ht_chunk_bias(c->layout) : 0;
}

/* Anonymous in the sense of malloc: no file's content. The pages of
 * MAP_HUGETLB (tunable glibc.malloc.hugetlb=2) are a nameless file each. */
static bool is_anonymous(const struct ht_vma *v, const char *path)
{
	if (v->inode != 0 || v->dev != 0)
		return strncmp(path, "/anon_hugepage", 14) == 0;
	return path[0] == '\0' || strncmp(path, "[anon:", 6) == 0 ||
	       strncmp(path, "/dev/zero", 9) == 0;
}

bool ht_census_worth_searching(const struct ht_maps *m, const struct ht_vma *v)
{
	const uint32_t want = HT_VMA_READ | HT_VMA_WRITE;

	return (v->flags & (want | HT_VMA_SHARED)) == want &&
	       is_anonymous(v, ht_vma_path(m, v));
}

/* Nothing but anonymous private memory, and nothing that is known already:
 * madvise(), mprotect() and mlock() of a part cut a mapping in several. */
bool ht_census_whole(const struct census *c, uint64_t at, uint64_t length)
{
	const struct ht_range *known = ht_ranges_from(&c->known, at);
	const struct ht_maps *m = c->w->in->maps;
	const struct ht_vma *v = ht_maps_at(m, at);
	uint64_t end = at;

	if (known && known->start < at + length)
		return false;
	for (; v && v < m->v + m->n && end < at + length; v++) {
		if ((end != at && v->start != end) ||
		    v->flags & HT_VMA_SHARED ||
		    !is_anonymous(v, ht_vma_path(m, v)))
			return false;
		end = v->end;
	}
	return end >= at + length;
}

/* The end of the run of mappings that is called as v is. */
static uint64_t end_of_same(const struct ht_maps *m, const struct ht_vma *v)
{
	const char *name = ht_vma_path(m, v);

	while (v + 1 < m->v + m->n && v[1].start == v->end &&
	       strcmp(ht_vma_path(m, v + 1), name) == 0)
		v++;
	return v->end;
}

/* brk's own part of an arena that left it: from sbrk_base to fenceposts, and on
 * behind what others took there. */
bool ht_census_add_brk_parts(struct census *c)
{
	const struct ht_maps *m = c->w->in->maps;
	uint64_t base = c->space->params.sbrk_base, at = base, limit;
	const struct ht_vma *v =
		base && base != HT_UNKNOWN ? ht_maps_at(m, base) : NULL;

	c->gaps = 0;
	if (!c->missing || !v || ht_census_worth_searching(m, v))
		return true;
	limit = end_of_same(m, v);
	while (at != 0 && c->gaps < GAPS_MAX) {
		uint64_t end = ht_census_segment_end(c, at, limit), next;

		if (end == 0)
			break;
		end = end < limit ? end : limit;
		if (!ht_census_add_segment(c, at, end))
			return false;
		next = c->missing ? next_part(c, end, limit) : 0;
		if (next)
			c->gap[c->gaps++] = next - end;
		at = next;
	}
	return true;
}

/* --- what the look before knew ------------------------------------------- */

/* Of one malloc, whose chunks are few. */
static struct ht_mmapped_at *mmapped_at_of(const struct census *c)
{
	struct ht_mmapped_at *p = c->w->in->mmapped_at;

	return p && c->space == c->w->roots->space ? p : NULL;
}

void ht_census_remember(struct census *c, uint64_t at)
{
	struct ht_mmapped_at *p = mmapped_at_of(c);

	if (!p)
		return;
	if (c->chunks == 0)
		p->n = 0;
	if (p->n < HT_MMAPPED_AT_MAX && p->n == c->chunks)
		p->at[p->n++] = at;
}

static bool add_place(struct census *c, uint64_t at, const uint8_t *header)
{
	const unsigned word = c->layout->word;
	uint64_t prev_size = 0, head = 0, length;

	memcpy(&prev_size, header, word);
	memcpy(&head, header + word, word);
	length = ht_census_mmapped_length(c, ht_chunk_bias(c->layout),
					  prev_size, head);
	return !length || !ht_census_whole(c, at, length) ||
	       ht_census_add_mmapped(c, at, length);
}

bool ht_census_where_they_were(struct census *c)
{
	struct ht_mmapped_at *p = mmapped_at_of(c), were;
	struct ht_piece piece[HT_MMAPPED_AT_MAX];
	uint8_t header[HT_MMAPPED_AT_MAX][HEADER_MAX] = {0};

	if (!p || p->n == 0 || p->n != c->wanted || c->missing)
		return true;
	were = *p;
	for (size_t i = 0; i < were.n; i++)
		piece[i] = (struct ht_piece){.addr = were.at[i] +
						     ht_chunk_bias(c->layout),
					     .buf = header[i],
					     .len = 2 * c->layout->word};
	ht_reader_batch(c->w->in->reader, piece, were.n);
	c->found->headers += were.n;
	for (size_t i = 0; i < were.n; i++)
		if (piece[i].ok && !add_place(c, were.at[i], header[i]))
			return false;
	if (ht_census_adds_up(c))
		return true;
	c->chunks = c->bytes = 0;
	c->found->mmapped.n = c->first_range;
	return true;
}

/* --- gaps ---------------------------------------------------------------- */

/* Gaps that system_mem counts belong to one segment with what is around them.
 */
void ht_census_join_counted(struct census *c, struct ht_ranges *segments)
{
	size_t n = ht_census_counted_gaps(c);

	if (n == SIZE_MAX || n == 0 || n >= segments->n)
		return;
	segments->v[0].end = segments->v[n].end;
	memmove(&segments->v[1], &segments->v[n + 1],
		(segments->n - n - 1) * sizeof(segments->v[0]));
	segments->n -= n;
	c->missing = 0;
}

/* --- what was taken since ------------------------------------------------ */

static bool know(struct ht_ranges *known, const struct ht_ranges *more)
{
	for (size_t i = 0; i < more->n; i++)
		if (!ht_ranges_add(known, more->v[i].start, more->v[i].end))
			return false;
	return true;
}

/* All that malloc is known to have need not be searched. */
static bool know_walked(struct census *c)
{
	bool ok = know(&c->known, &c->w->arenas) &&
		  know(&c->known, &c->w->census.mmapped);

	ht_ranges_sort(&c->known);
	return ok;
}

enum ht_code ht_census_grown(struct ht_walk *w, const struct ht_arena_root *now,
			     uint64_t bytes, struct ht_ranges *ret,
			     struct ht_err *err)
{
	struct ht_census found = {0};
	struct ht_space *space = &w->roots->space[now->space];
	struct census *c = calloc(1, sizeof(*c));
	enum ht_code code = HT_OK;

	if (!c)
		return ht_fail(err, HT_NOMEM, "no memory for a census");
	*c = (struct census){.w = w,
			     .window = &w->window,
			     .space = space,
			     .layout = &space->malloc->layout,
			     .main = now,
			     .found = &found,
			     .wanted_bytes = HT_UNKNOWN,
			     .missing = bytes};
	if (!know_walked(c) || !ht_census_search(c) ||
	    !know(ret, &found.segments[now->space]))
		code = ht_fail(err, HT_NOMEM, "no memory for a census");
	ht_ranges_fini(&c->known);
	ht_census_fini(&found);
	free(c);
	return code;
}
