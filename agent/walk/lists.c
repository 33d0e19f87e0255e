/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In rounds, as thread caches are read: a round takes one chunk further in
 * every list of the arena, all in one batch of reads. A list that does not add
 * up while the target runs was changed under our eyes, and is begun again.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/libc/chunk.h"
#include "agent/self/pace.h"
#include "agent/walk/lists.h"

#define TRIES	  4
#define CHUNK_MAX 32 /* prev_size, size, fd, bk */

struct cursor {
	uint64_t at;	   /* the chunk that comes next */
	uint64_t previous; /* what its bk must be; fastbins: none */
	struct ht_list_count count;
	uint8_t list, tries;
	uint8_t bytes[CHUNK_MAX];
};

struct following {
	const struct ht_arena_in *in;
	const struct ht_extent *x;
	const struct ht_layout *layout;
	struct ht_lists *out;
	size_t max;
	struct cursor cursor[HT_LISTED_MAX];
	struct cursor *live[HT_LISTED_MAX];
	size_t lives;
	struct ht_piece piece[HT_LISTED_MAX];
};

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
	return word_at(f, c, 3) == c->previous ? NULL
					       : "that does not point back";
}

/* --- one list ------------------------------------------------------------ */

static void begin(const struct following *f, struct cursor *c,
		  const struct ht_arena_root *a)
{
	c->count = (struct ht_list_count){0};
	c->previous = is_fast(c) ? 0 : header_of(f, c);
	c->at = is_fast(c) ? a->fast[c->list - HT_LISTED_FAST] : a->fd[c->list];
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

static void go_astray(struct following *f, struct cursor *c, const char *what)
{
	const struct ht_arena_root *a = f->in->root;

	if (begin_again(f, c))
		return;
	f->out->astray++;
	if (!f->in->walk->in->moving)
		ht_walk_find(f->in->walk->out, "list_wild", c->at, a->index,
			     "%s %u: after %" PRIu64
			     " chunks, it leads to a chunk %s",
			     is_fast(c) ? "fastbin" : "bin",
			     is_fast(c) ? c->list - HT_LISTED_FAST : c->list,
			     c->count.chunks, what);
	c->at = is_fast(c) ? 0 : header_of(f, c);
}

/* false: no memory. */
static bool keep(struct following *f, const struct cursor *c, uint64_t size)
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
	o->v[o->n++] = (struct ht_listed_chunk){
		.at = c->at,
		.units = (uint32_t)(size / f->layout->align),
		.list = c->list,
		.tries = c->tries};
	return true;
}

static bool take_chunk(struct following *f, struct cursor *c)
{
	uint64_t size = word_at(f, c, 1) & ~HT_SIZE_FLAGS;
	uint64_t next = word_at(f, c, 2);
	const char *wrong = chunk_wrong(f, c, size);

	if (wrong) {
		go_astray(f, c, wrong);
		return true;
	}
	if (!keep(f, c, size))
		return false;
	c->count.chunks++;
	c->count.bytes += size;
	if (is_fast(c) && f->in->space->safe_linking)
		next ^= (c->at + 2 * (uint64_t)f->layout->word) >> 12;
	c->previous = c->at;
	c->at = next;
	return true;
}

/* --- all of them --------------------------------------------------------- */

static int by_place(const void *x, const void *y)
{
	const struct cursor *const *a = x, *const *b = y;

	return ((*a)->at > (*b)->at) - ((*a)->at < (*b)->at);
}

/* Neighbours are read with one call. */
static void read_round(struct following *f)
{
	if (f->lives > 1)
		qsort(f->live, f->lives, sizeof(struct cursor *), by_place);
	for (size_t i = 0; i < f->lives; i++)
		f->piece[i] = (struct ht_piece){.addr = f->live[i]->at,
						.buf = f->live[i]->bytes,
						.len = 4 * f->layout->word};
	ht_reader_batch(f->in->walk->in->reader, f->piece, f->lives);
}

/* Drops those that came to their end. */
static void keep_live(struct following *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->lives; i++)
		if (!has_ended(f, f->live[i]))
			f->live[n++] = f->live[i];
	f->lives = n;
}

static bool take_round(struct following *f)
{
	for (size_t i = 0; i < f->lives; i++) {
		struct cursor *c = f->live[i];

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

static void begin_all(struct following *f)
{
	for (unsigned i = 1; i < HT_LISTED_MAX; i++) {
		struct cursor *c = &f->cursor[i];

		if (i >= HT_LISTED_FAST + f->layout->fastbins)
			break;
		c->list = (uint8_t)i;
		begin(f, c, f->in->root);
		f->live[f->lives++] = c;
	}
	keep_live(f);
}

/* What an attempt met that was given up is not of the list. */
static void drop_given_up(struct following *f)
{
	struct ht_lists *o = f->out;
	size_t n = 0;

	for (size_t i = 0; i < o->n; i++)
		if (o->v[i].tries == f->cursor[o->v[i].list].tries)
			o->v[n++] = o->v[i];
	o->n = n;
}

static void count(const struct following *f, struct ht_listed *b)
{
	for (unsigned i = 1; i <= HT_BINS; i++)
		b->bin[i] = f->cursor[i].count;
	for (unsigned i = 0; i < f->layout->fastbins; i++)
		b->fast[i] = f->cursor[HT_LISTED_FAST + i].count;
}

static int by_address(const void *x, const void *y)
{
	const struct ht_listed_chunk *a = x, *b = y;

	return (a->at > b->at) - (a->at < b->at);
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
	begin_all(f);
	while (code == HT_OK && f->lives > 0 && ret->n + f->lives <= max) {
		read_round(f);
		if (!take_round(f))
			code = ht_fail(err, HT_NOMEM, "no memory for lists");
		keep_live(f);
	}
	ret->cut = f->lives > 0;
	drop_given_up(f);
	count(f, b);
	free(f);
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_address);
	return code;
}

void ht_lists_fini(struct ht_lists *l)
{
	free(l->v);
	*l = (struct ht_lists){0};
}
