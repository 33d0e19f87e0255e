/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In rounds, as thread caches are read: a round takes one chunk further in
 * every list of the arena, all in one batch of reads.
 *
 * While the target runs the doubly linked ones are followed from both ends
 * until the two meet: malloc adds at one end and takes from the other, so that
 * from one end alone what comes is never seen, what goes always. A chunk that
 * does not add up was changed under our eyes: the one before it is asked again
 * where it leads, and then the one before that; at last the list is begun anew.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/libc/chunk.h"
#include "agent/self/pace.h"
#include "agent/walk/lists.h"

#define TRIES	  4
#define GIVEN_UP  UINT8_MAX /* in the place of a try: this chunk is none */
#define CHUNK_MAX 32	    /* prev_size, size, fd, bk */
#define BACK	  16	    /* chunks that may be stepped back over */
#define BACKS_MAX 4096	    /* how often, in one list */

struct cursor {
	uint64_t at;	   /* the chunk that comes next */
	uint64_t previous; /* where it must point back to; fastbins: none */
	uint64_t landmark; /* fastbins: a chunk that it was at before */
	struct ht_list_count count;
	uint8_t list, tries;
	bool backward;	      /* by bk, from the other end */
	struct cursor *other; /* that comes from there; or NULL */
	size_t taken[BACK];   /* the last ones, in lists.v; a ring */
	unsigned top, held, backs;
	uint8_t bytes[CHUNK_MAX];
};

struct following {
	const struct ht_arena_in *in;
	const struct ht_extent *x;
	const struct ht_layout *layout;
	struct ht_lists *out;
	size_t max;
	unsigned asked; /* how often a list led astray */
	bool still;	/* nothing had run the last time that was asked */
	struct cursor cursor[2][HT_LISTED_MAX]; /* forward, backward */
	uint16_t live[2 * HT_LISTED_MAX]; /* which of them are: in one row */
	size_t lives;
	struct ht_piece piece[2 * HT_LISTED_MAX];
};

static struct cursor *cursor_at(struct following *f, size_t i)
{
	return &f->cursor[i / HT_LISTED_MAX][i % HT_LISTED_MAX];
}

static struct cursor *live(struct following *f, size_t i)
{
	return cursor_at(f, f->live[i]);
}

static bool is_fast(const struct cursor *c)
{
	return c->list >= HT_LISTED_FAST;
}

static uint64_t word_at(const struct following *f, const struct cursor *c,
			unsigned i)
{
	uint64_t value = 0; /* little endian */

	memcpy(&value, c->bytes + (size_t)i * f->layout->word, f->layout->word);
	return value;
}

/* The header of a bin, as if it were a chunk: where its list ends. */
static uint64_t header_of(const struct following *f, const struct cursor *c)
{
	return f->in->root->address + f->layout->at[HT_P_ARENA_BINS].offset +
	       (2 * (uint64_t)c->list - 4) * f->layout->word;
}

/* --- what may be --------------------------------------------------------- */

/* Bytes from `at` to where chunks of its segment end; 0: in no segment. */
static uint64_t room_at(const struct following *f, uint64_t at)
{
	const struct ht_extent *x = f->x;
	size_t low = 0, high = x->segments;
	uint64_t end;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (x->segment[mid].first <= at)
			low = mid;
		else
			high = mid;
	}
	if (high == 0 || at < x->segment[low].first)
		return 0;
	end = low == x->top_segment ? x->top : x->segment[low].end;
	return at < end ? end - at : 0;
}

/* NULL, or why what was read cannot be a chunk of this list. */
static const char *chunk_wrong(const struct following *f,
			       const struct cursor *c, uint64_t size)
{
	const struct ht_layout *l = f->layout;

	if (size < ht_chunk_min(l) || size % l->align ||
	    size > room_at(f, c->at) || size / l->align > UINT32_MAX)
		return "whose size cannot be";
	if (is_fast(c))
		return size == ht_fastbin_size(l, c->list - HT_LISTED_FAST)
			       ? NULL
			       : "whose size belongs elsewhere";
	if (c->list > 1 && ht_bin_index(l, size) != c->list)
		return "whose size belongs elsewhere";
	return word_at(f, c, c->backward ? 2 : 3) == c->previous
		       ? NULL
		       : "that does not point back";
}

/* --- one list ------------------------------------------------------------ */

static void begin(const struct following *f, struct cursor *c,
		  const struct ht_arena_root *a)
{
	c->count = (struct ht_list_count){0};
	c->held = 0;
	c->landmark = 0;
	c->previous = is_fast(c) ? 0 : header_of(f, c);
	c->at = is_fast(c)    ? a->fast[c->list - HT_LISTED_FAST]
		: c->backward ? a->bk[c->list]
			      : a->fd[c->list];
}

static bool has_ended(const struct following *f, const struct cursor *c)
{
	return c->at == (is_fast(c) ? 0 : header_of(f, c));
}

/* While the target runs: from the arena as it is now. */
static bool begin_again(struct following *f, struct cursor *c)
{
	struct ht_arena_root now = *f->in->root;

	if (!f->in->walk->in->moving || c->tries + 1 == TRIES ||
	    ht_arena_root_read(f->in->walk->in->reader, f->in->space->malloc,
			       &now, NULL) != HT_OK)
		return false;
	c->tries++;
	begin(f, c, &now);
	return true;
}

/* Where a chunk leads, of what was read of it. */
static uint64_t led_to(const struct following *f, const struct cursor *c,
		       uint64_t at, uint64_t link)
{
	if (is_fast(c) && f->in->space->safe_linking)
		link ^= (at + 2 * (uint64_t)f->layout->word) >> 12;
	return link;
}

/* The chunk that was taken last is none of this list. */
static void give_up_last(struct following *f, struct cursor *c)
{
	struct ht_listed_chunk *last = &f->out->v[c->taken[c->top]];

	last->tries = GIVEN_UP;
	c->count.chunks--;
	c->count.bytes -= (uint64_t)last->units * f->layout->align;
	c->top = (c->top + BACK - 1) % BACK;
	c->held--;
}

/* Whether a chunk with these words still follows those that were taken before
 * it. One that was freed anew may lead from the list's other end. */
static bool is_still_there(const struct following *f, const struct cursor *c,
			   const struct ht_listed_chunk *last,
			   const uint8_t *words)
{
	const struct ht_layout *l = f->layout;
	uint64_t size = 0, back = 0;

	memcpy(&size, words + l->word, l->word);
	if ((size & ~HT_SIZE_FLAGS) != (uint64_t)last->units * l->align)
		return false;
	if (is_fast(c))
		return true;
	memcpy(&back, words + (size_t)(c->backward ? 2 : 3) * l->word, l->word);
	for (unsigned k = 1; k < c->held; k++)
		if (f->out->v[c->taken[(c->top + BACK - k) % BACK]].at == back)
			return true;
	return c->count.chunks == 1 && back == header_of(f, c);
}

/* Asks the chunks before this one where they lead now, until one says so. */
static bool step_back(struct following *f, struct cursor *c)
{
	const unsigned word = f->layout->word;
	uint8_t words[CHUNK_MAX];
	uint64_t wrong = c->at, link;

	if (!f->in->walk->in->moving || c->backs++ >= BACKS_MAX)
		return false;
	for (; c->held > 0; give_up_last(f, c)) {
		const struct ht_listed_chunk *last =
			&f->out->v[c->taken[c->top]];

		link = 0;
		if (ht_reader_read(f->in->walk->in->reader, last->at, words,
				   4 * word, NULL) == HT_OK &&
		    is_still_there(f, c, last, words)) {
			memcpy(&link,
			       words + (size_t)(c->backward ? 3 : 2) * word,
			       word);
			link = led_to(f, c, last->at, link);
			if (link != wrong) {
				c->previous = last->at;
				c->at = link;
				return true;
			}
		}
		wrong = last->at;
	}
	return false;
}

/* Of what stands still a list is what it is, and is not followed anew. Asked
 * again with each power of two: it is a read for each thread. */
static bool stands_still(struct following *f)
{
	f->asked++;
	if (f->still && (f->asked & (f->asked - 1)) == 0)
		f->still = ht_walk_rested(f->in->walk->in);
	return f->still;
}

static void go_astray(struct following *f, struct cursor *c, const char *what)
{
	const struct ht_arena_root *a = f->in->root;

	if (!stands_still(f) && (step_back(f, c) || begin_again(f, c)))
		return;
	f->out->astray++;
	ht_walk_find(f->in->walk->out, "list_wild", c->at, a->index,
		     "%s %u: after %" PRIu64 " chunks, it leads to a chunk %s",
		     is_fast(c) ? "fastbin" : "bin",
		     is_fast(c) ? c->list - HT_LISTED_FAST : c->list,
		     c->count.chunks, what);
	c->at = is_fast(c) ? 0 : header_of(f, c);
}

/* false: no memory. */
static bool keep(struct following *f, struct cursor *c, uint64_t size)
{
	struct ht_lists *o = f->out;

	if (o->n == o->capacity) {
		size_t to = o->capacity * 2 + 1024;
		void *grown = reallocarray(o->v, to, sizeof(*o->v));

		if (!grown)
			return false;
		o->v = grown;
		o->capacity = to;
	}
	c->top = (c->top + 1) % BACK;
	c->held += c->held < BACK;
	c->taken[c->top] = o->n;
	o->v[o->n++] = (struct ht_listed_chunk){
		.at = c->at,
		.units = (uint32_t)(size / f->layout->align),
		.list = c->list,
		.tries = c->tries,
		.backward = c->backward};
	return true;
}

static bool take_chunk(struct following *f, struct cursor *c)
{
	uint64_t size = word_at(f, c, 1) & ~HT_SIZE_FLAGS;
	uint64_t next = word_at(f, c, c->backward ? 3 : 2);
	const char *wrong = chunk_wrong(f, c, size);

	if (wrong) {
		go_astray(f, c, wrong);
		return true;
	}
	if (!keep(f, c, size))
		return false;
	if ((c->count.chunks & (c->count.chunks + 1)) == 0)
		c->landmark = c->at;
	c->count.chunks++;
	c->count.bytes += size;
	c->previous = c->at;
	c->at = led_to(f, c, c->at, next);
	if (is_fast(c) && c->at == c->landmark)
		go_astray(f, c, "where it was before");
	return true;
}

/* --- all of them --------------------------------------------------------- */

static int by_place(const void *x, const void *y, void *ctx)
{
	const uint16_t *a = x, *b = y;
	uint64_t p = cursor_at(ctx, *a)->at, q = cursor_at(ctx, *b)->at;

	return (p > q) - (p < q);
}

/* Neighbours are read with one call. */
static void read_round(struct following *f)
{
	if (f->lives > 1)
		qsort_r(f->live, f->lives, sizeof(*f->live), by_place, f);
	for (size_t i = 0; i < f->lives; i++)
		f->piece[i] = (struct ht_piece){.addr = live(f, i)->at,
						.buf = live(f, i)->bytes,
						.len = 4 * f->layout->word};
	ht_reader_batch(f->in->walk->in->reader, f->piece, f->lives);
}

/* Fastbins alone are followed on: they are short, and no slice knows them. */
static void cut_short(struct following *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->lives; i++) {
		struct cursor *c = live(f, i);

		if (is_fast(c))
			f->live[n++] = f->live[i];
		else
			f->out->cut = f->out->cut_bin[c->list] = true;
	}
	f->lives = n;
}

/* Two that come from both ends: the rest of the way is one's, or done. */
static void meet(const struct following *f, struct cursor *c)
{
	struct cursor *other = c->other;

	if (!other || has_ended(f, c))
		return;
	if (c->at == other->previous) {
		c->at = header_of(f, c);
		other->at = header_of(f, other);
	} else if (c->at == other->at) {
		other->at = header_of(f, other);
	}
}

/* Drops those that came to their end. */
static void keep_live(struct following *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->lives; i++)
		meet(f, live(f, i));
	for (size_t i = 0; i < f->lives; i++)
		if (!has_ended(f, live(f, i)))
			f->live[n++] = f->live[i];
	f->lives = n;
}

static bool take_round(struct following *f)
{
	for (size_t i = 0; i < f->lives; i++) {
		struct cursor *c = live(f, i);

		if (f->piece[i].ok) {
			if (!take_chunk(f, c))
				return false;
		} else if (f->piece[i].swapped) {
			f->out->swapped = true;
			c->at = is_fast(c) ? 0 : header_of(f, c);
		} else {
			go_astray(f, c, "that cannot be read");
		}
	}
	return true;
}

static struct cursor *begin_one(struct following *f, unsigned list,
				bool backward)
{
	size_t at = (backward ? HT_LISTED_MAX : 0) + list;
	struct cursor *c = cursor_at(f, at);

	c->list = (uint8_t)list;
	c->backward = backward;
	begin(f, c, f->in->root);
	f->live[f->lives++] = (uint16_t)at;
	return c;
}

static void begin_all(struct following *f)
{
	const bool both = !f->still;

	for (unsigned i = 1; i < HT_LISTED_FAST + f->layout->fastbins; i++) {
		struct cursor *c = begin_one(f, i, false);

		if (!both || is_fast(c))
			continue;
		c->other = begin_one(f, i, true);
		c->other->other = c;
	}
	keep_live(f);
}

/* What an attempt met that was given up is not of the list. */
static void drop_given_up(struct following *f)
{
	struct ht_lists *o = f->out;
	size_t n = 0;

	for (size_t i = 0; i < o->n; i++)
		if (o->v[i].tries ==
		    f->cursor[o->v[i].backward][o->v[i].list].tries)
			o->v[n++] = o->v[i];
	o->n = n;
}

static void count(const struct following *f, struct ht_listed *b)
{
	for (unsigned i = 1; i <= HT_BINS; i++) {
		b->bin[i] = f->cursor[0][i].count;
		b->bin[i].chunks += f->cursor[1][i].count.chunks;
		b->bin[i].bytes += f->cursor[1][i].count.bytes;
	}
	for (unsigned i = 0; i < f->layout->fastbins; i++)
		b->fast[i] = f->cursor[0][HT_LISTED_FAST + i].count;
}

static int by_address(const void *x, const void *y)
{
	const struct ht_listed_chunk *a = x, *b = y;

	return (a->at > b->at) - (a->at < b->at);
}

/* A chunk that was merged into another, or cut from one, while its list was
 * followed, lies in what another list led to: counted once, as it is swept. */
static void drop_overlaid(struct ht_lists *o, struct ht_listed *b)
{
	uint64_t end = 0;
	size_t n = 0;

	for (size_t i = 0; i < o->n; i++) {
		const struct ht_listed_chunk c = o->v[i];
		uint64_t size = (uint64_t)c.units * o->align;
		struct ht_list_count *count =
			c.list >= HT_LISTED_FAST
				? &b->fast[c.list - HT_LISTED_FAST]
				: &b->bin[c.list];

		if (c.at < end) {
			count->chunks--;
			count->bytes -= size;
			continue;
		}
		end = c.at + size;
		o->v[n++] = c;
	}
	o->n = n;
}

#define UNSORTED      1u
#define NEWCOMERS_MAX 256

/* What came to the unsorted list while the others were followed: malloc puts
 * there what it leaves of a chunk that it took from one of them, perhaps before
 * that one was gone over. The newest is at its head; who was there before is
 * known. What does not add up ends it: it is one more look, not the list.
 * false: no memory. */
static bool take_newcomers(struct following *f, struct ht_listed *b)
{
	const unsigned word = f->layout->word;
	struct ht_reader *reader = f->in->walk->in->reader;
	struct ht_arena_root now = *f->in->root;
	struct cursor *c = cursor_at(f, UNSORTED);

	if (ht_walk_rested(f->in->walk->in) ||
	    ht_arena_root_read(reader, f->in->space->malloc, &now, NULL) !=
		    HT_OK)
		return true;
	begin(f, c, &now);
	for (unsigned i = 0; i < NEWCOMERS_MAX; i++) {
		uint64_t size;

		if (has_ended(f, c) || c->at == f->in->root->fd[UNSORTED] ||
		    ht_reader_read(reader, c->at, c->bytes, 4 * word, NULL) !=
			    HT_OK)
			break;
		size = word_at(f, c, 1) & ~HT_SIZE_FLAGS;
		if (chunk_wrong(f, c, size))
			break;
		if (!keep(f, c, size))
			return false;
		b->bin[UNSORTED].chunks++;
		b->bin[UNSORTED].bytes += size;
		c->previous = c->at;
		c->at = word_at(f, c, 2);
	}
	return true;
}

enum ht_code ht_lists_follow(const struct ht_arena_in *in,
			     const struct ht_extent *x, size_t max,
			     struct ht_listed *b, struct ht_lists *ret,
			     struct ht_err *err)
{
	struct following *f = calloc(1, sizeof(*f));
	enum ht_code code = HT_OK;

	if (!f)
		return ht_fail(err, HT_NOMEM, "no memory for lists");
	f->in = in;
	f->x = x;
	f->layout = in->layout;
	f->out = ret;
	f->max = max;
	f->still = ht_walk_rested(in->walk->in);
	begin_all(f);
	while (code == HT_OK && f->lives > 0 &&
	       ret->n + f->lives <= HT_LISTS_MOST) {
		if (ret->n + f->lives > max)
			cut_short(f);
		read_round(f);
		if (!take_round(f))
			code = ht_fail(err, HT_NOMEM, "no memory for lists");
		keep_live(f);
	}
	ret->cut_fast = f->lives > 0;
	drop_given_up(f);
	count(f, b);
	if (code == HT_OK && !take_newcomers(f, b))
		code = ht_fail(err, HT_NOMEM, "no memory for lists");
	free(f);
	ret->align = in->layout->align;
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_address);
	if (in->walk->in->moving || ret->astray)
		drop_overlaid(ret, b);
	return code;
}

void ht_lists_fini(struct ht_lists *l)
{
	free(l->v);
	*l = (struct ht_lists){0};
}
