/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Census: what malloc has in anonymous mappings without a list that says so.
 *
 * mmapped chunks: the header at the start of each mapping says how long it is;
 * neighbours merge into one line of /proc/PID/maps, so the next one follows
 * right behind. The search ends when as many were found as mp_.n_mmaps counts.
 *
 * Segments of a main arena that left brk: runs of sound sizes that end with
 * fenceposts or with the top; their sum is what system_mem has beyond brk.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/memory/page.h"
#include "agent/walk/chunk.h"
#include "agent/walk/met.h"

#define HEADERS_MAX 256
#define GAPS_MAX    16
#define HEADER_MAX  16

struct census {
	struct ht_walk *w;
	const struct ht_layout *layout;
	const struct ht_space *space;
	const struct ht_arena_root *main;
	struct ht_census *found;
	struct ht_ranges known; /* heaps, found segments: nothing to search */
	uint64_t chunks, bytes; /* mmapped, of this malloc */
	uint64_t wanted;	/* mmapped chunks that mp_ counts */
	uint64_t missing;	/* bytes of segments not found yet */
	bool thorough;		/* every page, not only where a chain leads */
	/* What others took from brk between two parts of it that are ours:
	 * parts are the first segments found, gap[k] follows the k-th. */
	uint64_t gap[GAPS_MAX];
	size_t gaps;
	struct ht_window window; /* for probing segments */
	/* headers read ahead, one a page */
	uint64_t batch_start;
	size_t batch, batch_next;
	uint8_t header[HEADERS_MAX][HEADER_MAX];
	bool readable[HEADERS_MAX];
};

/* --- headers at page starts
 * ---------------------------------------------------- */

static void read_batch(struct census *c, uint64_t at, uint64_t end)
{
	struct ht_piece piece[HEADERS_MAX];
	uint64_t bias = ht_chunk_bias(c->layout);
	struct ht_pages pages = {0};
	size_t n = 0, pages_n = (size_t)((end - at) / HT_PAGE_SIZE);

	c->batch = pages_n < c->batch_next ? pages_n : c->batch_next;
	c->batch_start = at;
	if (ht_pages_get(c->w->in->pages, at, at + c->batch * HT_PAGE_SIZE,
			 &pages, NULL) != HT_OK)
		c->batch = 0;
	for (size_t i = 0; i < c->batch; i++) {
		enum ht_page_state state =
			ht_pages_state(&pages, at + i * HT_PAGE_SIZE);

		memset(c->header[i], 0, HEADER_MAX);
		c->readable[i] = false;
		if (state == HT_PAGE_PRESENT || state == HT_PAGE_UNKNOWN)
			piece[n++] = (struct ht_piece){
				.addr = at + i * HT_PAGE_SIZE + bias,
				.buf = c->header[i],
				.len = 2 * c->layout->word};
	}
	ht_pages_fini(&pages);
	ht_reader_batch(c->w->in->reader, piece, n);
	for (size_t i = 0; i < n; i++)
		c->readable[(piece[i].addr - at) / HT_PAGE_SIZE] = piece[i].ok;
}

/* The two words of a chunk header at the page `at`; false: none to be had. */
static bool header_at(struct census *c, uint64_t at, uint64_t end,
		      uint64_t *ret_prev_size, uint64_t *ret_head)
{
	size_t i;

	if (at < c->batch_start ||
	    at >= c->batch_start + c->batch * HT_PAGE_SIZE) {
		bool sequential =
			at == c->batch_start + c->batch * HT_PAGE_SIZE;

		c->batch_next = sequential && c->batch_next < HEADERS_MAX
					? c->batch_next * 2
				: sequential ? HEADERS_MAX
					     : 1;
		read_batch(c, at, end);
	}
	i = (size_t)((at - c->batch_start) / HT_PAGE_SIZE);
	if (i >= c->batch || !c->readable[i])
		return false;
	*ret_prev_size = *ret_head = 0;
	memcpy(ret_prev_size, c->header[i], c->layout->word);
	memcpy(ret_head, c->header[i] + c->layout->word, c->layout->word);
	return true;
}

/* --- what a header may begin
 * ------------------------------------------------------ */

/* Length of the mapping that a header at its start describes; 0: none. 2.43+
 * leaves the header out of size and keeps a flag in prev_size. */
static uint64_t mmapped_length(const struct census *c, uint64_t prev_size,
			       uint64_t head, uint64_t room)
{
	uint64_t size = head & ~HT_SIZE_FLAGS, length;

	if (c->layout->mmapped_has_header) {
		prev_size &= ~UINT64_C(1);
		size += ht_chunk_header(c->layout);
	}
	if ((head & HT_SIZE_FLAGS) != HT_IS_MMAPPED ||
	    prev_size != ht_chunk_bias(c->layout) || size > room)
		return 0;
	length = prev_size + size;
	return length % HT_PAGE_SIZE == 0 && length >= HT_PAGE_SIZE &&
			       length <= room
		       ? length
		       : 0;
}

/* End of the segment that begins here: sizes lead to fenceposts or the top. */
static uint64_t segment_end(struct census *c, uint64_t start, uint64_t end)
{
	static const struct ht_class_count none;
	struct ht_class_count in_use[HT_CLASSES] = {none};
	struct ht_class_count binned[HT_BINS + 1] = {none};
	struct ht_segment segment = {start, end,
				     start + ht_chunk_bias(c->layout), 0};
	struct ht_links links;
	struct ht_pages pages = {0};
	struct ht_pass pass = {.layout = c->layout,
			       .window = &c->window,
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
	ht_window_segment(&c->window, &pages, end);
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

static bool may_begin_segment(const struct census *c, uint64_t head,
			      uint64_t room)
{
	uint64_t size = head & ~HT_SIZE_FLAGS;

	return c->missing && (head & HT_SIZE_FLAGS) == HT_PREV_INUSE &&
	       size >= ht_chunk_min(c->layout) && size < room &&
	       size % c->layout->align == 0;
}

/* --- one mapping
 * ------------------------------------------------------------------- */

static bool add_mmapped(struct census *c, uint64_t at, uint64_t length)
{
	struct ht_ranges *r = &c->found->mmapped;

	c->chunks++;
	c->bytes += length;
	if (r->n && r->v[r->n - 1].end == at) {
		r->v[r->n - 1].end += length;
		return true;
	}
	return ht_ranges_add(r, at, at + length);
}

static bool add_segment(struct census *c, uint64_t at, uint64_t end)
{
	size_t space = (size_t)(c->space - c->w->roots->space);

	c->missing -= end - at < c->missing ? end - at : c->missing;
	return ht_ranges_add(&c->found->segments[space], at, end);
}

/* system_mem counts what others took from brk as long as the arena is
 * contiguous (sysmalloc: system_mem += brk - old_end), and not afterwards: the
 * lowest gaps. How many of them are what is missing; SIZE_MAX: it is another
 * sum. */
static size_t counted_gaps(const struct census *c)
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

static bool complete(const struct census *c)
{
	return c->chunks >= c->wanted && counted_gaps(c) != SIZE_MAX;
}

/* How far to go on from `at`: over what begins there, else a page; 0: no
 * memory. */
static uint64_t step(struct census *c, uint64_t at, uint64_t end)
{
	uint64_t prev_size, head, length, stop;

	if (!header_at(c, at, end, &prev_size, &head))
		return HT_PAGE_SIZE;
	length = mmapped_length(c, prev_size, head, end - at);
	if (length)
		return add_mmapped(c, at, length) ? length : 0;
	if (may_begin_segment(c, head, end - at)) {
		stop = segment_end(c, at, end);
		if (stop && stop <= end)
			return add_segment(c, at, stop) ? stop - at : 0;
	}
	return HT_PAGE_SIZE;
}

static bool search(struct census *c, uint64_t at, uint64_t end)
{
	c->batch = 0;
	c->batch_next = 1;
	while (at < end && !complete(c)) {
		const struct ht_range *known = ht_ranges_from(&c->known, at);
		uint64_t moved;

		if (known && known->start <= at) {
			at = (known->end + HT_PAGE_SIZE - 1) &
			     ~(HT_PAGE_SIZE - 1);
			continue;
		}
		moved = step(c, at,
			     known && known->start < end ? known->start : end);
		if (moved == 0)
			return false;
		if (moved == HT_PAGE_SIZE && !c->thorough)
			break; /* the chain of neighbours ends here */
		at += moved;
	}
	return true;
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

static bool worth_searching(const struct ht_maps *m, const struct ht_vma *v)
{
	const uint32_t want = HT_VMA_READ | HT_VMA_WRITE;

	return (v->flags & (want | HT_VMA_SHARED)) == want &&
	       is_anonymous(v, ht_vma_path(m, v));
}

static bool search_all(struct census *c)
{
	const struct ht_maps *m = c->w->in->maps;

	for (size_t i = 0; i < m->n && !complete(c); i++)
		if (worth_searching(m, &m->v[i]) &&
		    !search(c, m->v[i].start, m->v[i].end))
			return false;
	return true;
}

/* --- one malloc
 * ------------------------------------------------------------------------ */

static bool know_heaps(struct census *c)
{
	const struct ht_roots *roots = c->w->roots;

	for (size_t i = 0; i < roots->arenas; i++)
		for (size_t k = 0; k < roots->arena[i].heaps; k++) {
			const struct ht_heap_root *h = &roots->arena[i].heap[k];

			if (!ht_ranges_add(&c->known, h->address,
					   h->address + h->size))
				return false;
		}
	ht_ranges_sort(&c->known);
	return true;
}

/* Whether the main arena's memory is more than one run from sbrk_base to top:
 * then system_mem beyond what lies there must be found. */
static uint64_t missing_bytes(const struct census *c)
{
	const struct ht_arena_root *a = c->main;

	if (a->system == 0 || ht_arena_untouched(a, c->layout) ||
	    ht_arena_contiguous(a))
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
static bool add_brk_parts(struct census *c)
{
	const struct ht_maps *m = c->w->in->maps;
	uint64_t base = c->space->params.sbrk_base, at = base, limit;
	const struct ht_vma *v =
		base && base != HT_UNKNOWN ? ht_maps_at(m, base) : NULL;

	c->gaps = 0;
	if (!c->missing || !v || worth_searching(m, v))
		return true;
	limit = end_of_same(m, v);
	while (at != 0 && c->gaps < GAPS_MAX) {
		uint64_t end = segment_end(c, at, limit), next;

		if (end == 0)
			break;
		end = end < limit ? end : limit;
		if (!add_segment(c, at, end))
			return false;
		next = c->missing ? next_part(c, end, limit) : 0;
		if (next)
			c->gap[c->gaps++] = next - end;
		at = next;
	}
	return true;
}

/* Gaps that system_mem counts belong to one segment with what is around them.
 */
static void join_counted(struct census *c, struct ht_ranges *segments)
{
	size_t n = counted_gaps(c);

	if (n == SIZE_MAX || n == 0 || n >= segments->n)
		return;
	segments->v[0].end = segments->v[n].end;
	memmove(&segments->v[1], &segments->v[n + 1],
		(segments->n - n - 1) * sizeof(segments->v[0]));
	segments->n -= n;
	c->missing = 0;
}

static void warn_incomplete(struct census *c)
{
	if (c->w->in->moving || complete(c))
		return;
	if (c->chunks < c->wanted)
		ht_snapshot_warn(c->w->out,
				 "%" PRIu64 " of %" PRIu64 " mmapped chunks "
				 "were found",
				 c->chunks, c->wanted);
	if (c->missing)
		ht_snapshot_warn(c->w->out,
				 "%" PRIu64 " bytes of the main arena outside "
				 "brk were not found",
				 c->missing);
}

static bool take(struct census *c)
{
	size_t space = (size_t)(c->space - c->w->roots->space);
	size_t before = c->found->mmapped.n;

	c->missing = missing_bytes(c);
	for (int round = 0; round < 2 && !complete(c); round++) {
		c->thorough = round == 1;
		c->chunks = c->bytes = 0;
		c->missing = missing_bytes(c);
		c->found->mmapped.n = before;
		c->found->segments[space].n = 0;
		if (!add_brk_parts(c) || !search_all(c))
			return false;
	}
	join_counted(c, &c->found->segments[space]);
	ht_ranges_sort(&c->found->segments[space]);
	warn_incomplete(c);
	return true;
}

static enum ht_code take_space(struct ht_walk *w, size_t i, struct ht_err *err)
{
	const struct ht_space *space = &w->roots->space[i];
	struct census *c = calloc(1, sizeof(*c));
	enum ht_code code;

	if (!c)
		return ht_fail(err, HT_NOMEM, "no memory for a census");
	c->w = w;
	c->space = space;
	c->layout = &space->malloc->layout;
	c->main = &w->roots->arena[space->main];
	c->found = &w->census;
	c->wanted = space->params.n_mmaps == HT_UNKNOWN ? UINT64_MAX
							: space->params.n_mmaps;
	code = ht_window_init(&c->window, w->in->reader, err);
	if (code == HT_OK && (!know_heaps(c) || !take(c)))
		code = ht_fail(err, HT_NOMEM, "no memory for a census");
	w->census.chunks += c->chunks;
	w->census.bytes += c->bytes;
	w->census.known |= space->params.n_mmaps != HT_UNKNOWN;
	ht_window_fini(&c->window);
	ht_ranges_fini(&c->known);
	free(c);
	return code;
}

enum ht_code ht_census_take(struct ht_walk *w, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	for (size_t i = 0; code == HT_OK && i < w->roots->spaces; i++)
		if (w->roots->space[i].main < w->roots->arenas)
			code = take_space(w, i, err);
	ht_ranges_sort(&w->census.mmapped);
	return code;
}

void ht_census_fini(struct ht_census *c)
{
	ht_ranges_fini(&c->mmapped);
	for (size_t i = 0; i < HT_MALLOCS_MAX; i++)
		ht_ranges_fini(&c->segments[i]);
}
