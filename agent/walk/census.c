/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Census: what malloc has in anonymous mappings without a list that says so.
 *
 * mmapped chunks: the header at the start of each mapping says how long it is;
 * neighbours merge into one line of /proc/PID/maps, so the next one follows
 * right behind. The search ends when as many were found as mp_.n_mmaps counts,
 * and they are as long together as mp_.mmapped_mem says. While the target runs
 * mappings and headers are read in different instants: what does not add up is
 * looked for again, with fresh mappings.
 *
 * Segments of a main arena that left brk: runs of sound sizes that end with
 * fenceposts or with the top; their sum is what system_mem has beyond brk.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/arch/arch.h"
#include "agent/libc/chunk.h"
#include "agent/walk/census_int.h"
#include "agent/walk/met.h"

#define ROUNDS	    3 /* of one search */
#define TRIES	    3 /* while the target runs */
#define RENEWALS    2
#define LENGTH_MAX  (UINT64_C(1) << 47)
#define CHEAP_BYTES (UINT64_C(64) << 20)
#define BREAK_MAX   16	/* pages: one may be away while the kernel moves it */
#define BREAK_NEW   512 /* and a new segment may have no header yet */
#define DEAR	    (UINT64_C(64) << 10) /* headers: some tenth of a second */
#define ALIGN_MAX   (UINT64_C(2) << 20)	 /* of a huge page */

/* --- headers at page starts ---------------------------------------------- */

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
	c->found->headers += n;
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

		/* As a rule nothing follows, and it is given up soon. */
		c->batch_next = !sequential	     ? 1
				: c->batch_next == 1 ? BREAK_MAX
						     : c->batch_next * 2;
		if (c->batch_next > HEADERS_MAX)
			c->batch_next = HEADERS_MAX;
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

/* --- what a header may begin --------------------------------------------- */

/* Length of the mapping that a header `offset` bytes behind its start
 * describes; 0: none. 2.43+ leaves the header out of size and keeps a flag in
 * prev_size. */
uint64_t ht_census_mmapped_length(const struct census *c, uint64_t offset,
				  uint64_t prev_size, uint64_t head)
{
	uint64_t size = head & ~HT_SIZE_FLAGS, length;

	if (c->layout->mmapped_has_header) {
		prev_size &= ~UINT64_C(1);
		size += ht_chunk_header(c->layout);
	}
	if ((head & HT_SIZE_FLAGS) != HT_IS_MMAPPED || prev_size != offset ||
	    size > LENGTH_MAX)
		return 0;
	length = prev_size + size;
	return length % HT_PAGE_SIZE == 0 && length >= HT_PAGE_SIZE ? length
								    : 0;
}

/* The mapping at `at` if it is that of a chunk at `chunk`; 0: it is not. */
static uint64_t length_by(const struct census *c, uint64_t at, uint64_t chunk)
{
	struct ht_reader *reader = c->w->in->reader;
	uint64_t prev_size, head;

	c->found->headers++;
	if (ht_reader_word(reader, chunk, &prev_size, NULL) != HT_OK ||
	    ht_reader_word(reader, chunk + c->layout->word, &head, NULL) !=
		    HT_OK)
		return 0;
	return ht_census_mmapped_length(c, chunk - at, prev_size, head);
}

/* The same of a chunk that was moved to an alignment within its mapping
 * (_int_memalign): prev_size says how far. The header at the mapping's start is
 * what it was before, and wrong as soon as mremap has been there. mremap keeps
 * only what is aligned within a page: larger ones lie before any of them. */
static uint64_t aligned_length(const struct census *c, uint64_t at,
			       uint64_t room)
{
	const uint64_t first = at + ht_chunk_bias(c->layout);
	const uint64_t header = ht_chunk_header(c->layout);
	uint64_t length = 0, chunk;

	for (uint64_t a = 2 * c->layout->align; !length && a < HT_PAGE_SIZE;
	     a *= 2) {
		chunk = ((first + header + a - 1) & ~(a - 1)) - header;
		if (chunk - first < ht_chunk_min(c->layout))
			chunk += a;
		length = length_by(c, at, chunk);
	}
	chunk = at + HT_PAGE_SIZE - header;
	for (; !length && chunk - at < room && chunk - at < ALIGN_MAX;
	     chunk += HT_PAGE_SIZE)
		length = length_by(c, at, chunk);
	return length;
}

static bool may_begin_segment(const struct census *c, uint64_t head,
			      uint64_t room)
{
	uint64_t size = head & ~HT_SIZE_FLAGS;

	return c->missing && (head & HT_SIZE_FLAGS) == HT_PREV_INUSE &&
	       size >= ht_chunk_min(c->layout) && size < room &&
	       size % c->layout->align == 0;
}

/* --- one mapping --------------------------------------------------------- */

bool ht_census_add_mmapped(struct census *c, uint64_t at, uint64_t length)
{
	struct ht_ranges *r = &c->found->mmapped;

	ht_census_remember(c, at);
	c->chunks++;
	c->bytes += length;
	if (!c->w->in->marks && r->n > c->first_range &&
	    r->v[r->n - 1].end == at) {
		r->v[r->n - 1].end += length;
		return true;
	}
	return ht_ranges_add(r, at, at + length);
}

bool ht_census_adds_up(const struct census *c)
{
	return c->chunks >= c->wanted &&
	       (c->wanted_bytes == HT_UNKNOWN || c->bytes == c->wanted_bytes);
}

static bool complete(const struct census *c)
{
	return ht_walk_is_late(c->w->in) || /* as complete as can be */
	       (ht_census_adds_up(c) && ht_census_counted_gaps(c) != SIZE_MAX);
}

/* Of the main arena so little is not found that it was taken meanwhile. */
static bool nearly_found(const struct census *c)
{
	return c->missing <= c->main->system / 8;
}

/* Whether a mapping of this length is at `at`: in one line of maps, or in some
 * that were one before the program advised or protected a part. A header that
 * says more is younger than what is known of it, while the target runs. */
static bool has_room(struct census *c, uint64_t at, uint64_t length,
		     uint64_t end)
{
	const struct ht_walk_in *in = c->w->in;

	if (length <= end - at || ht_census_whole(c, at, length))
		return true;
	if (!in->moving || !in->renew_maps || c->renewals == 0)
		return false;
	c->renewals--;
	return in->renew_maps(in->renew_ctx, NULL) == HT_OK &&
	       ht_maps_writable_end(in->maps, at) - at >= length;
}

bool ht_census_dear(const struct ht_census *c)
{
	return c->headers > DEAR;
}

/* Where a chain breaks off, or where a header may be stale; so many of them are
 * not doubted where that is dear. */
static bool may_be_aligned(const struct census *c, uint64_t length)
{
	return c->aligned && (length ? !ht_census_dear(c->found) : c->in_chain);
}

/* How far to go on from `at`: over what begins there, else a page; 0: no
 * memory. Sets c->in_chain: something began there, and the next may follow. */
static uint64_t step(struct census *c, uint64_t at, uint64_t end)
{
	uint64_t prev_size, head, length = 0, aligned = 0, stop;
	bool readable = header_at(c, at, end, &prev_size, &head);

	if (readable)
		length = ht_census_mmapped_length(c, ht_chunk_bias(c->layout),
						  prev_size, head);
	if (may_be_aligned(c, length))
		aligned = aligned_length(c, at, end - at);
	if (aligned)
		length = aligned;
	c->in_chain = length && has_room(c, at, length, end);
	if (c->in_chain)
		return ht_census_add_mmapped(c, at, length) ? length : 0;
	if (readable && may_begin_segment(c, head, end - at) &&
	    ht_census_may_be_ours(c, at)) {
		stop = ht_census_segment_end(c, at, end);
		c->in_chain = stop && stop <= end;
		if (c->in_chain)
			return ht_census_add_segment(c, at, stop) ? stop - at
								  : 0;
	}
	return HT_PAGE_SIZE;
}

/* Pages without a header over which a chain goes on. */
static unsigned gap_max(const struct census *c)
{
	return c->missing && !ht_census_dear(c->found) ? BREAK_NEW : BREAK_MAX;
}

/* Sets c->reached: end, or beyond it where a mapping has grown. */
static bool search(struct census *c, uint64_t at, uint64_t end)
{
	unsigned broken = 0;

	c->batch = 0;
	c->batch_next = 1;
	c->in_chain = true;
	while (at < end && !complete(c)) {
		const struct ht_range *known;
		uint64_t moved;

		if (c->thorough && at % HT_SPARSE_SPAN == 0 &&
		    (at = ht_sparse_next(&c->found->sparse, c->w->in->pages, at,
					 end)) == end)
			break;
		known = ht_ranges_from(&c->known, at);
		if (known && known->start <= at) {
			at = (known->end + HT_PAGE_SIZE - 1) &
			     ~(HT_PAGE_SIZE - 1);
			continue;
		}
		moved = step(c, at,
			     known && known->start < end ? known->start : end);
		if (moved == 0)
			return false;
		broken = c->in_chain ? 0 : broken + 1;
		if (broken > gap_max(c) && !c->thorough)
			break; /* the chain of neighbours ends here */
		at += moved;
		c->reached = at > end ? at : end;
	}
	return true;
}

/* The first mapping that reaches beyond addr; NULL: none. */
static const struct ht_vma *next_mapping(const struct ht_maps *m, uint64_t addr)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (m->v[mid].end <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low < m->n ? &m->v[low] : NULL;
}

/* Mappings may be read anew while this goes on: it goes by addresses. */
bool ht_census_search(struct census *c)
{
	const struct ht_maps *m = c->w->in->maps;
	const struct ht_vma *v;

	c->renewals = RENEWALS;
	for (c->reached = 0;
	     !complete(c) && (v = next_mapping(m, c->reached));) {
		uint64_t start = v->start > c->reached ? v->start : c->reached;
		uint64_t end = v->end;

		c->reached = end;
		if (ht_census_worth_searching(m, v) && !search(c, start, end))
			return false;
	}
	return true;
}

/* --- one malloc ---------------------------------------------------------- */

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

static void warn_incomplete(struct census *c)
{
	if (!c->w->in->moving && c->missing)
		ht_snapshot_warn(
			c->w->out,
			"%" PRIu64
			" bytes of the main arena outside brk were not found",
			c->missing);
}

/* One search, its rounds from `first` on: along chains of neighbours (0), then
 * at every page (1), then for headers that were moved as well (2). */
static bool take(struct census *c, int first, int rounds)
{
	struct ht_ranges *segments =
		&c->found->segments[c->space - c->w->roots->space];

	for (int round = first;
	     round == first || (round < rounds && !complete(c)); round++) {
		c->thorough = round > 0;
		c->aligned = round > 1;
		c->anywhere = round > 0;
		c->chunks = c->bytes = 0;
		c->missing = ht_census_missing_bytes(c);
		c->found->mmapped.n = c->first_range;
		if (!c->mmapped_only)
			segments->n = 0;
		if (!ht_census_add_brk_parts(c) ||
		    (round == 0 && !ht_census_where_they_were(c)) ||
		    !ht_census_search(c))
			return false;
	}
	if (c->mmapped_only)
		return true;
	ht_census_join_counted(c, segments);
	ht_ranges_sort(segments);
	warn_incomplete(c);
	return true;
}

static void set_wanted(struct census *c)
{
	const struct ht_params *p = &c->space->params;

	c->wanted_bytes = p->mmapped_mem;
	c->wanted = p->n_mmaps != HT_UNKNOWN	   ? p->n_mmaps
		    : p->mmapped_mem != HT_UNKNOWN ? 0 /* it alone tells */
						   : UINT64_MAX;
}

/* Bytes that a thorough search looks through, at most. */
static uint64_t searched_bytes(const struct census *c)
{
	const struct ht_maps *m = c->w->in->maps;
	uint64_t sum = 0;

	for (size_t i = 0; i < m->n; i++)
		if (ht_census_worth_searching(m, &m->v[i]))
			sum += m->v[i].end - m->v[i].start;
	return sum;
}

/* Whether to look where no chain led, `tries` before the end. Where that is
 * dear, once, and only for more than what malloc's counters moved by meanwhile:
 * what comes and goes is not found by looking longer. */
static bool look_everywhere(const struct census *c, int tries,
			    const struct ht_params *before)
{
	if (!ht_census_dear(c->found))
		return tries == 1 ||
		       (tries < TRIES && searched_bytes(c) < CHEAP_BYTES);
	return !c->found->chains_suffice &&
	       (c->wanted_bytes == HT_UNKNOWN ||
		ht_apart(c->bytes, c->wanted_bytes) >
			ht_apart(before->mmapped_mem, c->wanted_bytes));
}

static void read_wanted(struct census *c, struct ht_space *space)
{
	ht_params_renew(c->w->in->reader, space);
	set_wanted(c);
}

static bool take_everywhere(struct census *c)
{
	uint64_t by_chains = c->bytes;

	if (!take(c, 1, ROUNDS))
		return false;
	c->found->chains_suffice = c->bytes <= by_chains;
	return true;
}

/* A main arena that left brk is looked for as it is now, in mappings not older
 * than that. false: it ended, or is replaced. */
static bool renew_main(struct census *c)
{
	const struct ht_walk_in *in = c->w->in;
	struct ht_arena_root *a = &c->w->roots->arena[c->space->main];
	const uint64_t top = a->top;

	if (ht_arena_contiguous(a) || c->mmapped_only)
		return true;
	return ht_arena_root_read(in->reader, c->space->malloc, a, NULL) ==
		       HT_OK &&
	       (a->top == top || in->renew_maps(in->renew_ctx, NULL) == HT_OK);
}

/* What was found is held against the counters of the moment after. */
static bool take_moving(struct census *c, struct ht_space *space)
{
	const struct ht_walk_in *in = c->w->in;

	for (int i = TRIES; i > 0; i--) {
		const struct ht_params before = space->params;

		if (!renew_main(c))
			break;
		if (!take(c, 0, 1))
			return false;
		read_wanted(c, space);
		if (!complete(c) && look_everywhere(c, i, &before)) {
			if (!take_everywhere(c))
				return false;
			read_wanted(c, space);
		}
		if ((ht_census_adds_up(c) && nearly_found(c)) || i == 1 ||
		    ht_census_dear(c->found) || ht_walk_is_late(in) ||
		    in->renew_maps(in->renew_ctx, NULL) != HT_OK)
			break;
	}
	return true;
}

static void note_sums(const struct census *c)
{
	struct ht_census *sum = &c->w->census;

	sum->chunks += c->chunks;
	sum->bytes += c->bytes;
	if (c->wanted == UINT64_MAX)
		return;
	sum->known = true;
	sum->counted +=
		c->space->params.n_mmaps == HT_UNKNOWN ? c->chunks : c->wanted;
	if (c->wanted_bytes != HT_UNKNOWN)
		sum->missed_bytes += c->bytes > c->wanted_bytes
					     ? c->bytes - c->wanted_bytes
					     : c->wanted_bytes - c->bytes;
}

static enum ht_code take_space(struct ht_walk *w, size_t i, bool mmapped_only,
			       struct ht_err *err)
{
	struct ht_space *space = &w->roots->space[i];
	struct census *c = calloc(1, sizeof(*c));
	bool may_renew = w->in->moving && w->in->renew_maps;
	enum ht_code code = HT_OK;

	if (!c)
		return ht_fail(err, HT_NOMEM, "no memory for a census");
	c->w = w;
	c->space = space;
	c->layout = &space->malloc->layout;
	c->main = &w->roots->arena[space->main];
	c->found = &w->census;
	c->first_range = w->census.mmapped.n;
	c->mmapped_only = mmapped_only;
	set_wanted(c);
	c->window = &w->window;
	if (!know_heaps(c) ||
	    !(may_renew ? take_moving(c, space) : take(c, 0, ROUNDS)))
		code = ht_fail(err, HT_NOMEM, "no memory for a census");
	if (code == HT_OK && ht_walk_rested(w->in) && !ht_census_find_lost(c))
		code = ht_fail(err, HT_NOMEM, "no memory for a census");
	note_sums(c);
	if (ht_census_missing_bytes(c) > 0) {
		w->census.spread++;
		w->census.guessed |= c->anywhere;
	}
	ht_ranges_fini(&c->known);
	free(c);
	return code;
}

static enum ht_code take_all(struct ht_walk *w, bool mmapped_only,
			     struct ht_err *err)
{
	enum ht_code code = HT_OK;

	for (size_t i = 0; code == HT_OK && i < w->roots->spaces; i++)
		if (w->roots->space[i].main < w->roots->arenas)
			code = take_space(w, i, mmapped_only, err);
	ht_ranges_sort(&w->census.mmapped);
	return code;
}

enum ht_code ht_census_take(struct ht_walk *w, struct ht_err *err)
{
	return take_all(w, false, err);
}

enum ht_code ht_census_again(struct ht_walk *w, struct ht_err *err)
{
	enum ht_code code = w->in->renew_maps(w->in->renew_ctx, err);

	if (code != HT_OK)
		return code;
	w->census.mmapped.n = 0;
	w->census.chunks = w->census.bytes = 0;
	w->census.counted = w->census.missed_bytes = 0;
	for (size_t i = 0; i < w->roots->spaces; i++)
		ht_params_renew(w->in->reader, &w->roots->space[i]);
	return take_all(w, true, err);
}

bool ht_census_holds(const struct ht_walk *w)
{
	for (size_t i = 0; i < w->roots->spaces; i++) {
		const struct ht_space *space = &w->roots->space[i];
		struct ht_params now;

		if (ht_params_read(w->in->reader, space->malloc, &now) &&
		    (now.n_mmaps != space->params.n_mmaps ||
		     now.mmapped_mem != space->params.mmapped_mem))
			return false;
	}
	return w->census.missed_bytes == 0;
}

void ht_census_warn(struct ht_walk *w)
{
	const struct ht_census *c = &w->census;

	if (!c->known || (c->chunks == c->counted && c->missed_bytes == 0))
		return;
	ht_snapshot_warn(
		w->out,
		"%" PRIu64 " of %" PRIu64 " mmapped chunks were found: %" PRIu64
		" bytes are uncertain, and may stand as memory outside malloc",
		c->chunks, c->counted, c->missed_bytes);
}

void ht_census_fini(struct ht_census *c)
{
	ht_ranges_fini(&c->mmapped);
	for (size_t i = 0; i < HT_MALLOCS_MAX; i++)
		ht_ranges_fini(&c->segments[i]);
}
