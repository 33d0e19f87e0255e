/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/refs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/arch/arch.h"
#include "agent/self/helper.h"
#include "agent/self/pace.h"
#include "agent/self/table.h"

#define STAGED 128		    /* candidates looked up together */
#define LARGE  (UINT64_C(64) << 20) /* of a root: what is there is asked for */
#define NEAR   8192 /* bytes that are sooner read than passed by another call */

/* --- a window on the target ---------------------------------------------- */

struct window {
	struct ht_reader *reader;
	uint64_t start, end; /* what is in buf */
	uint64_t *buf;	     /* HT_REFS_WINDOW bytes */
	bool exact;	     /* nothing is read beyond what is asked for, */
	uint64_t until;	     /* or until here, for what will be */
	struct ht_pages_source *pages; /* or NULL */
	struct ht_sparse sparse;
};

/* Words from an aligned address on, at most up to `end`; 0: unreadable. */
static size_t words_at(struct window *w, uint64_t address, uint64_t end,
		       const uint64_t **ret)
{
	if (address < w->start || address + 8 > w->end ||
	    (end > w->end && address > w->start &&
	     end - address <= HT_REFS_WINDOW)) {
		uint64_t to = end > w->until ? end : w->until;
		size_t want = HT_REFS_WINDOW;

		if (w->exact && to - address < want)
			want = (size_t)(to - address);
		ht_pace();
		w->start = address;
		w->end = address +
			 ht_reader_some(w->reader, address, w->buf, want);
	}
	if (address + 8 > w->end)
		return 0;
	*ret = w->buf + (address - w->start) / 8;
	return (size_t)(((end < w->end ? end : w->end) - address) / 8);
}

static uint64_t next_page(uint64_t address)
{
	return (address | (HT_PAGE_SIZE - 1)) + 1;
}

/* --- candidates ---------------------------------------------------------- */

struct scan {
	const struct ht_nodes *nodes;
	struct window window;
	ht_ref_fn *fn;
	void *ctx;
	/* Whose words these are, and those of each that is staged. */
	uint32_t from, of[STAGED];
	uint64_t value[STAGED], place[STAGED];
	size_t n;
	uint64_t any; /* all bits of all words that were seen */
};

/* What add() is called with. */
struct row {
	struct ht_refs *refs;
	uint32_t next; /* of this node and those behind no row was begun */
};

/* Looking up waits for memory: all are asked for before the first is. */
static void flush(struct scan *s)
{
	const struct ht_node_span *span[STAGED], *last = NULL;

	for (size_t i = 0; i < s->n; i++)
		last = span[i] = ht_nodes_fetch(s->nodes, last, s->value[i]);
	for (size_t i = 0; i < s->n; i++) {
		enum ht_node_where where;
		uint32_t to = span[i] ? ht_nodes_in(s->nodes, span[i],
						    s->value[i], &where)
				      : HT_NODE_NONE;

		if (to == HT_NODE_NONE)
			continue;
		s->fn(s->ctx, s->of[i], s->place[i], to, where);
	}
	s->n = 0;
}

static void stage(struct scan *s, uint64_t value, uint64_t place)
{
	s->value[s->n] = value;
	s->place[s->n] = place;
	s->of[s->n] = s->from;
	if (++s->n == STAGED)
		flush(s);
}

/* Most words are no address: four at a time are told to be none. Returns
 * whether one may be. */
static bool scan_words(struct scan *s, const uint64_t *words, size_t n,
		       uint64_t place)
{
	const uint64_t low = s->nodes->low, all = s->nodes->high - low;
	uint64_t any = 0;
	bool may = false;
	size_t i = 0;

	for (; i + 4 <= n; i += 4) {
		const uint64_t *w = words + i;

		any |= w[0] | w[1] | w[2] | w[3];
		if (!((w[0] - low < all) | (w[1] - low < all) |
		      (w[2] - low < all) | (w[3] - low < all)))
			continue;
		may = true;
		for (size_t k = 0; k < 4; k++)
			if (w[k] - low < all)
				stage(s, w[k], place + (i + k) * 8);
	}
	for (; i < n; i++) {
		any |= words[i];
		if (words[i] - low >= all)
			continue;
		may = true;
		stage(s, words[i], place + i * 8);
	}
	s->any |= any;
	return may;
}

/* What is not there holds nothing. */
static uint64_t pass_absent(struct window *w, uint64_t at, uint64_t end)
{
	uint64_t page = at & ~(uint64_t)(HT_PAGE_SIZE - 1);
	uint64_t next = ht_sparse_next(&w->sparse, w->pages, page, end);

	return next > at ? next : at;
}

/* [start, end), aligned, without what was done of it. Returns the bytes that
 * could not be read. */
static uint64_t scan_range(struct scan *s, uint64_t start, uint64_t end,
			   uint64_t done)
{
	uint64_t at = start + done, unread = 0, asked = at;
	const bool large = s->window.pages && end - start > LARGE;

	while (at < end) {
		const uint64_t *words;
		size_t n;

		if (large && at >= asked) {
			at = pass_absent(&s->window, at, end);
			asked = at + HT_SPARSE_SPAN;
			if (at >= end)
				break;
		}
		n = words_at(&s->window, at, end, &words);

		if (n == 0) {
			uint64_t to = next_page(at) < end ? next_page(at) : end;

			unread += to - at;
			at = to;
			continue;
		}
		scan_words(s, words, n, at - start);
		at += n * 8;
	}
	return unread;
}

static void begin(struct scan *s, const struct ht_refs_in *in)
{
	s->nodes = in->nodes;
	s->window.reader = in->reader;
	s->window.buf = in->window;
	s->window.pages = in->pages;
}

void ht_refs_scan(const struct ht_refs_in *in, uint64_t start, uint64_t end,
		  ht_ref_fn *fn, void *ctx, uint64_t *unread)
{
	struct scan s = {.fn = fn, .ctx = ctx, .from = HT_NODE_NONE};

	start = (start + 7) & ~UINT64_C(7);
	end &= ~UINT64_C(7);
	if (start >= end)
		return;
	begin(&s, in);
	s.window.exact = true;
	*unread += scan_range(&s, start, end, 0);
	flush(&s);
}

/* Where those end that are read together with the first of these. */
static uint64_t end_of_near(const struct ht_nodes *nodes, const uint32_t *node,
			    size_t n)
{
	const struct ht_node first = ht_nodes_get(nodes, node[0]);
	uint64_t end = first.end;

	for (size_t i = 1; i < n; i++) {
		const struct ht_node next = ht_nodes_get(nodes, node[i]);

		if (next.user - end > NEAR && next.user > end)
			break;
		if (next.end - first.user > HT_REFS_WINDOW)
			break;
		end = next.end;
	}
	return end;
}

void ht_refs_scan_nodes(const struct ht_refs_in *in, const uint32_t *node,
			size_t n, ht_ref_fn *fn, void *ctx, uint64_t *unread)
{
	struct scan s = {.fn = fn, .ctx = ctx, .window.exact = true};

	begin(&s, in);
	for (size_t i = 0; i < n; i++) {
		struct ht_node next = ht_nodes_get(in->nodes, node[i]);

		if (next.end > s.window.until)
			s.window.until =
				end_of_near(in->nodes, node + i, n - i);
		s.from = next.id;
		*unread += scan_range(&s, next.user, next.end, 0);
	}
	flush(&s);
}

/* --- the tables ---------------------------------------------------------- */

static enum ht_code reserve_all(struct ht_refs *r, const struct ht_refs_in *in,
				struct ht_err *err)
{
	size_t one = sizeof(*r->to) + sizeof(*r->at);
	size_t left;

	r->first_bytes = ((size_t)in->nodes->count + 2) * sizeof(*r->first);
	left = in->bytes_max > r->first_bytes ? in->bytes_max - r->first_bytes
					      : 0;
	r->max = left / one;
	if (r->max > UINT32_MAX - 1)
		r->max = UINT32_MAX - 1;
	r->to_bytes = (r->max + 1) * sizeof(*r->to);
	r->at_bytes = (r->max + 1) * sizeof(*r->at);
	r->first = ht_table_new(r->first_bytes, HT_TABLE_ALL_OVER);
	r->to = ht_table_new(r->to_bytes, HT_TABLE_IN_TURN);
	r->at = ht_table_new(r->at_bytes, HT_TABLE_IN_TURN);
	if (r->first && r->to && r->at)
		return HT_OK;
	return ht_fail(err, HT_NOMEM, "no memory for references");
}

void ht_refs_fini(struct ht_refs *r)
{
	ht_table_free(r->first, r->first_bytes);
	ht_table_free(r->to, r->to_bytes);
	ht_table_free(r->at, r->at_bytes);
	*r = (struct ht_refs){0};
}

/* The rows of all nodes up to this one begin here, unless they have begun. */
static void begin_rows(struct row *row, uint32_t node)
{
	while (row->next <= node)
		row->refs->first[row->next++] = (uint32_t)row->refs->n;
}

static void add(void *ctx, uint32_t from, uint64_t place, uint32_t to,
		enum ht_node_where where)
{
	static const uint16_t how[] = {[HT_NODE_START] = 0,
				       [HT_NODE_INSIDE] = HT_REF_INSIDE,
				       [HT_NODE_EDGE] =
					       HT_REF_INSIDE | HT_REF_EDGE};
	struct row *row = ctx;
	struct ht_refs *r = row->refs;

	begin_rows(row, from);
	if (r->n == r->max) {
		r->kept = from < r->kept ? from : r->kept;
		return;
	}
	if (to == from)
		return;
	r->to[r->n] = to;
	r->at[r->n++] =
		(uint16_t)((place / 8 < HT_REF_FAR ? place / 8 : HT_REF_FAR) |
			   how[where]);
}

/* One node: what is asked of each, and its references, which are looked up
 * later, together with those of others. */
static void make_row(const struct ht_refs_in *in, struct scan *s,
		     const struct ht_node *node, struct ht_refs *r)
{
	struct ht_node_words w = {0};

	w.n = words_at(&s->window, node->user, node->end, &w.v);
	s->from = node->id;
	s->any = 0;
	w.leads = scan_words(s, w.v, w.n, 0);
	w.any = s->any != 0;
	if (in->each)
		in->each(in->each_ctx, node, &w);
	if (r->kept == UINT32_MAX && node->user + w.n * 8 < node->end)
		r->unread += scan_range(s, node->user, node->end, w.n * 8);
}

/* Rows of the nodes in [from, to), whose numbers in `first` count from r's own
 * begin. */
static void make_rows(const struct ht_refs_in *in, uint32_t from, uint32_t to,
		      struct ht_refs *r)
{
	struct ht_node_walk walk = ht_nodes_from(in->nodes, from);
	struct row row = {.refs = r, .next = from};
	struct scan s = {.fn = add, .ctx = &row};
	struct ht_node node;

	begin(&s, in);
	for (uint32_t i = from; i < to && ht_nodes_next(&walk, &node); i++) {
		make_row(in, &s, &node, r);
		if (in->progress && (i - from) % 65536 == 0)
			in->progress(in->progress_ctx, i - from, to - from);
	}
	flush(&s);
	if (to > from)
		begin_rows(&row, to - 1);
}

static void end_rows(const struct ht_refs_in *in, struct ht_refs *r)
{
	for (uint32_t i = in->nodes->count; i <= in->nodes->count + 1; i++)
		r->first[i] = (uint32_t)r->n;
}

/* --- what others have read ----------------------------------------------- */

struct ht_refs_feed {
	const struct ht_refs_in *in;
	struct row row;
	struct scan scan;
};

struct ht_refs_feed *ht_refs_feed_begin(const struct ht_refs_in *in,
					struct ht_refs *r, struct ht_err *err)
{
	struct ht_refs_feed *f = calloc(1, sizeof(*f));

	*r = (struct ht_refs){.kept = UINT32_MAX, .second = in->nodes->count};
	if (!f || reserve_all(r, in, err) != HT_OK) {
		ht_refs_fini(r);
		free(f);
		return NULL;
	}
	f->in = in;
	f->row.refs = r;
	f->scan = (struct scan){.nodes = in->nodes, .fn = add, .ctx = &f->row};
	return f;
}

void ht_refs_feed(struct ht_refs_feed *f, uint32_t node, uint64_t value,
		  uint64_t word)
{
	f->scan.from = node;
	stage(&f->scan, value, word * 8);
}

void ht_refs_feed_end(struct ht_refs_feed *f)
{
	if (!f)
		return;
	flush(&f->scan);
	if (f->in->nodes->count)
		begin_rows(&f->row, f->in->nodes->count - 1);
	end_rows(f->in, f->row.refs);
	free(f);
}

/* --- two at a time ------------------------------------------------------- */

#define TOGETHER_FROM 4096u		/* nodes; fewer are done at once */
#define MOVED	      ((size_t)1 << 20) /* references moved at a time */

/* What the helper does: the nodes from `from` on, into tables of its own. */
struct second {
	struct ht_refs_in in;
	struct ht_reader reader;
	struct ht_refs refs;
	uint32_t from;
};

static void second_free(struct second *s)
{
	if (!s)
		return;
	ht_table_free(s->refs.to, s->refs.to_bytes);
	ht_table_free(s->refs.at, s->refs.at_bytes);
	free(s->in.window);
	free(s);
}

static void run_second(void *ctx)
{
	struct second *s = ctx;

	make_rows(&s->in, s->from, s->in.nodes->count, &s->refs);
}

/* Half of what r may keep is the second's. NULL: there is none. */
static struct second *begin_second(const struct ht_refs_in *in,
				   struct ht_refs *r)
{
	struct second *s = in->second_ctx && in->nodes->count >= TOGETHER_FROM
				   ? calloc(1, sizeof(*s))
				   : NULL;

	if (!s)
		return NULL;
	s->from = ht_nodes_half(in->nodes);
	s->reader = ht_reader_twin(in->reader);
	s->reader.beat = NULL; /* the first thread's */
	s->in = *in;
	s->in.reader = &s->reader;
	s->in.window = malloc(HT_REFS_WINDOW);
	s->in.each_ctx = in->second_ctx;
	s->in.progress = NULL;
	s->refs = *r;
	s->refs.max = r->max / 2;
	s->refs.to = ht_table_new(s->refs.to_bytes, HT_TABLE_IN_TURN);
	s->refs.at = ht_table_new(s->refs.at_bytes, HT_TABLE_IN_TURN);
	if (s->in.window && s->refs.to && s->refs.at &&
	    ht_helper_run(run_second, s))
		return s;
	second_free(s);
	return NULL;
}

/* Piece by piece, so that the same is never resident twice. */
static void move(void *to, void *from, size_t bytes)
{
	for (size_t done = 0; done < bytes; done += MOVED) {
		size_t some = bytes - done < MOVED ? bytes - done : MOVED;

		memcpy((char *)to + done, (char *)from + done, some);
		madvise((char *)from + done, some, MADV_DONTNEED);
		ht_pace();
	}
}

static void append(struct ht_refs *r, struct second *s, uint32_t nodes)
{
	move(r->to + r->n, s->refs.to, s->refs.n * sizeof(*r->to));
	move(r->at + r->n, s->refs.at, s->refs.n * sizeof(*r->at));
	for (uint32_t i = s->from; i < nodes; i++)
		r->first[i] += (uint32_t)r->n;
	r->n += s->refs.n;
	r->kept = s->refs.kept;
}

/* Both halves. false: the first half found no room where the second left some:
 * references, and they alone, are to be made once more. */
static bool make_halves(const struct ht_refs_in *in, struct second *s,
			struct ht_refs *r)
{
	const size_t max = r->max;
	bool good;

	r->max = max / 2;
	make_rows(in, 0, s->from, r);
	ht_helper_wait();
	ht_reader_add(in->reader, &s->reader);
	r->max = max;
	r->second = s->from;
	good = r->kept == UINT32_MAX || s->refs.kept != UINT32_MAX;
	r->unread += s->refs.unread;
	if (r->kept == UINT32_MAX)
		append(r, s, in->nodes->count);
	else
		for (uint32_t i = s->from; i < in->nodes->count; i++)
			r->first[i] = (uint32_t)r->n;
	return good;
}

static void make_again(const struct ht_refs_in *in, struct ht_refs *r)
{
	struct ht_refs_in again = *in;

	again.each = NULL;
	r->n = 0;
	r->unread = 0;
	r->kept = UINT32_MAX;
	make_rows(&again, 0, in->nodes->count, r);
}

enum ht_code ht_refs_make(const struct ht_refs_in *in, struct ht_refs *ret,
			  struct ht_err *err)
{
	struct ht_refs r = {.kept = UINT32_MAX, .second = in->nodes->count};
	enum ht_code code = reserve_all(&r, in, err);
	struct second *s;

	if (code != HT_OK) {
		ht_refs_fini(&r);
		return code;
	}
	s = begin_second(in, &r);
	if (!s)
		make_rows(in, 0, in->nodes->count, &r);
	else if (!make_halves(in, s, &r))
		make_again(in, &r);
	end_rows(in, &r);
	second_free(s);
	*ret = r;
	return HT_OK;
}
