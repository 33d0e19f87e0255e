/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thread caches: the chunks in every thread's tcache, read in rounds. A round
 * takes one chunk further in every list of every thread, all in one batch of
 * reads: seven rounds for seven deep caches, whatever the number of threads.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/libc/chunk.h"
#include "agent/walk/roots.h"

#define BINS_MAX  76
#define ENTRY_MAX 24 /* size, next, key */

/* One thread's cache of one malloc. */
struct cache {
	uint64_t address; /* tcache_perthread_struct; 0: none */
	uint64_t arena;	  /* thread_arena; 0: none yet */
	size_t thread;	  /* row in the notes' threads */
	uint8_t bytes[HT_TCACHE_STRUCT_MAX];
	bool readable, unread; /* unread: not even where it is */
};

/* A list being followed. */
struct cursor {
	uint64_t entry; /* user pointer; 0: the end */
	uint64_t left;	/* what the counter says is still to come */
	size_t cache;
	unsigned bin;
	uint8_t bytes[ENTRY_MAX];
};

struct reading {
	const struct ht_walk_in *in;
	struct ht_roots *roots;
	struct ht_space *space;
	const struct ht_layout *layout;
	struct cache *cache;
	size_t caches;
	struct cursor *cursor;
	size_t cursors;
	struct ht_piece *piece;
	size_t first_row; /* of the first of these threads, in the notes */
};

static uint64_t word_at(const struct reading *r, const uint8_t *bytes)
{
	uint64_t value = 0;

	memcpy(&value, bytes, r->layout->word);
	return value;
}

/* --- where the caches are ------------------------------------------------ */

/* Whose a piece was read for. */
static struct cache *cache_of(const struct reading *r,
			      const struct ht_piece *piece)
{
	size_t at = (size_t)((uint8_t *)piece->buf - (uint8_t *)r->cache);

	return &r->cache[at / sizeof(*r->cache)];
}

/* The thread-local variable at `offset` of each thread, in one batch. */
static void read_tls(struct reading *r, int64_t offset, size_t member)
{
	size_t n = 0;

	if (offset == HT_TLS_UNKNOWN)
		return;
	for (size_t i = 0; i < r->caches; i++) {
		const struct ht_thread_state *t = &r->in->threads[i];

		if (!t->registers)
			continue;
		r->piece[n++] = (struct ht_piece){
			.addr = t->thread_pointer + (uint64_t)offset,
			.buf = (char *)&r->cache[i] + member,
			.len = r->layout->word};
	}
	ht_reader_batch(r->in->reader, r->piece, n);
	for (size_t i = 0; i < n; i++)
		cache_of(r, &r->piece[i])->unread |= !r->piece[i].ok;
}

/* A pointer into libc itself is __tcache_dummy (2.43+): no cache. */
static bool is_dummy(const struct reading *r, uint64_t address)
{
	const struct ht_malloc *m = r->space->malloc;

	return address >= m->image_start && address < m->image_end;
}

static void read_caches(struct reading *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->caches; i++) {
		struct cache *c = &r->cache[i];

		if (c->address == 0 || is_dummy(r, c->address))
			continue;
		r->piece[n++] =
			(struct ht_piece){.addr = c->address,
					  .buf = c->bytes,
					  .len = r->layout->sizeof_tcache};
	}
	ht_reader_batch(r->in->reader, r->piece, n);
	for (size_t i = 0; i < n; i++) {
		struct cache *c = cache_of(r, &r->piece[i]);

		c->readable = r->piece[i].ok;
		r->roots->swapped += r->piece[i].swapped;
		if (!c->readable && !r->piece[i].swapped)
			ht_walk_find(&r->roots->notes, "tcache_unreadable",
				     c->address, HT_UNKNOWN,
				     "the thread cache at 0x%" PRIx64
				     " cannot be read",
				     c->address);
	}
}

static bool note_caches(struct reading *r)
{
	for (size_t i = 0; i < r->caches; i++)
		if (r->cache[i].readable &&
		    !ht_tcache_note(r->roots, r->space, r->cache[i].address,
				    r->cache[i].bytes))
			return false;
	return true;
}

/* A list and its counter do not agree: it is being changed, or damaged. */
static void disagree(struct reading *r, uint64_t cache, unsigned bin)
{
	r->roots->in_flux = true;
	r->roots->odd_cache = cache;
	r->roots->odd_bin = bin;
}

void ht_roots_blame_cache(struct ht_roots *roots)
{
	if (roots->odd_cache)
		ht_walk_find(&roots->notes, "tcache", roots->odd_cache,
			     HT_UNKNOWN,
			     "bin %u of the thread cache at 0x%" PRIx64
			     ": its list is not as long as its counter says",
			     roots->odd_bin, roots->odd_cache);
}

/* What the counter says is still to come does not. */
static void count_missing(struct reading *r, unsigned bin, uint64_t left)
{
	if (left == HT_UNKNOWN)
		return;
	r->roots->counted += left * ht_tcache_bin_size(r->layout, bin);
}

static void start_lists(struct reading *r)
{
	const struct ht_layout *l = r->layout;

	for (size_t i = 0; i < r->caches; i++) {
		struct cache *c = &r->cache[i];

		for (unsigned bin = 0; c->readable && bin < l->tcache_bins;
		     bin++) {
			uint64_t left =
				ht_tcache_count(r->space, c->bytes, bin);
			uint64_t head = ht_field_item(
				c->bytes, l, HT_P_TCACHE_ENTRIES, bin, l->word);

			if ((left == 0) != (head == 0) && left != HT_UNKNOWN)
				disagree(r, c->address, bin);
			if (head == 0)
				count_missing(r, bin, left);
			if (head != 0 && left != 0)
				r->cursor[r->cursors++] =
					(struct cursor){.entry = head,
							.left = left,
							.cache = i,
							.bin = bin};
		}
	}
}

/* --- following the lists ------------------------------------------------- */

static uint64_t next_of(struct reading *r, const struct cursor *c)
{
	uint64_t raw = word_at(r, c->bytes + r->layout->word);

	if (!r->space->safe_linking_known)
		ht_linking_learn(r->in, r->space, c->entry, raw, 0);
	return r->space->safe_linking ? raw ^ c->entry >> 12 : raw;
}

static void note_key(struct reading *r, const struct cursor *c)
{
	uint64_t key = word_at(r, c->bytes + 2 * r->layout->word);

	ht_keys_note(&r->space->keys,
		     key == r->cache[c->cache].address ? HT_KEY_OWN : key,
		     c->entry);
}

/* NULL, or why the chunk cannot be in this bin. */
static const char *entry_wrong(const struct reading *r, const struct cursor *c,
			       uint64_t size)
{
	if (c->bin >= HT_TCACHE_SMALL_BINS)
		return size >= 1024 && size < UINT64_C(4) << 20
			       ? NULL
			       : "its size belongs to no large bin";
	if (size != ht_tcache_bin_size(r->layout, c->bin))
		return "its size belongs to another bin";
	return NULL;
}

static bool keep(struct reading *r, const struct cursor *c, uint64_t size)
{
	struct ht_roots *roots = r->roots;
	struct ht_thread *t =
		&roots->notes.threads.v[r->cache[c->cache].thread];

	t->tcache_chunks++;
	t->tcache_bytes += size;
	roots->counted += size;
	if (roots->cached_n == roots->cached_capacity) {
		size_t to = roots->cached_capacity * 2 + 1024;
		void *grown;

		if (roots->cached_n >= HT_CACHED_MAX) {
			roots->cached_cut = true;
			return true;
		}
		grown = reallocarray(roots->cached, to, sizeof(*roots->cached));
		if (!grown)
			return false;
		roots->cached = grown;
		roots->cached_capacity = to;
	}
	roots->cached[roots->cached_n++] = (struct ht_cached){
		.chunk = c->entry - ht_chunk_header(r->layout),
		.size = size,
		.tid = (int)t->tid};
	return true;
}

/* A list that leads astray ends here. While the target runs that is no damage:
 * the list was changed under our eyes. */
static void cut(struct reading *r, struct cursor *c, const char *what)
{
	r->roots->in_flux |= r->in->moving;
	count_missing(r, c->bin, c->left);
	ht_walk_find(&r->roots->notes, "tcache", c->entry, HT_UNKNOWN,
		     "bin %u of the thread cache at 0x%" PRIx64 ": 0x%" PRIx64
		     ": %s",
		     c->bin, r->cache[c->cache].address, c->entry, what);
	c->entry = 0;
}

/* The rest of the list stays unknown, but for what its counter says. */
static void leave_swapped(struct reading *r, struct cursor *c)
{
	uint64_t before = r->roots->counted;

	count_missing(r, c->bin, c->left);
	r->roots->cached_swapped += r->roots->counted - before;
	r->roots->swapped++;
	c->entry = 0;
}

/* Takes what was read of one entry; false: no memory. */
static bool take_entry(struct reading *r, struct cursor *c, bool readable)
{
	uint64_t head = word_at(r, c->bytes), size = head & ~HT_SIZE_FLAGS;
	const char *wrong = !readable ? "cannot be read" : NULL;

	if (!wrong)
		wrong = entry_wrong(r, c, size);
	if (wrong) {
		cut(r, c, wrong);
		return true;
	}
	/* An mmapped chunk (2.43+) stays with the census of those. */
	if (!(head & HT_IS_MMAPPED) && !keep(r, c, size))
		return false;
	note_key(r, c);
	c->entry = next_of(r, c);
	if (c->left != HT_UNKNOWN)
		c->left--;
	if (c->left != HT_UNKNOWN && (c->left == 0) != (c->entry == 0)) {
		disagree(r, r->cache[c->cache].address, c->bin);
		count_missing(r, c->bin, c->left);
		c->entry = 0;
	}
	if (c->entry % r->layout->align)
		cut(r, c, "is not aligned");
	return true;
}

static int by_entry(const void *x, const void *y)
{
	const struct cursor *a = x, *b = y;

	return (a->entry > b->entry) - (a->entry < b->entry);
}

/* One round: one entry of every list that is not done. In ascending order: what
 * lies close together is read with one call. */
static bool round_of_reads(struct reading *r)
{
	const unsigned word = r->layout->word;
	size_t alive = 0;

	qsort(r->cursor, r->cursors, sizeof(*r->cursor), by_entry);
	for (size_t i = 0; i < r->cursors; i++) {
		struct cursor *c = &r->cursor[i];

		r->piece[i] = (struct ht_piece){.addr = c->entry - word,
						.buf = c->bytes,
						.len = 3 * word};
	}
	ht_reader_batch(r->in->reader, r->piece, r->cursors);
	for (size_t i = 0; i < r->cursors; i++)
		if (r->piece[i].swapped)
			leave_swapped(r, &r->cursor[i]);
		else if (!take_entry(r, &r->cursor[i], r->piece[i].ok))
			return false;
	for (size_t i = 0; i < r->cursors; i++)
		if (r->cursor[i].entry)
			r->cursor[alive++] = r->cursor[i];
	r->cursors = alive;
	return true;
}

size_t ht_cached_from(const struct ht_roots *roots, uint64_t address)
{
	size_t low = 0, high = roots->cached_n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (roots->cached[mid].chunk < address)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* --- all threads --------------------------------------------------------- */

static uint64_t arena_index(const struct ht_roots *roots, uint64_t address)
{
	for (size_t i = 0; i < roots->arenas; i++)
		if (roots->arena[i].address == address)
			return roots->arena[i].index;
	return HT_UNKNOWN;
}

/* A row for each thread, made once, with figures of the first malloc; further
 * mallocs add to it. */
static bool name_threads(struct reading *r, bool first)
{
	struct ht_snapshot *notes = &r->roots->notes;

	for (size_t i = 0; i < r->caches; i++) {
		struct cache *c = &r->cache[i];
		bool known = c->readable || is_dummy(r, c->address) ||
			     (c->address == 0 && !c->unread);
		struct ht_thread *t;

		if (first && !ht_snapshot_add_thread(notes))
			return false;
		c->thread = r->first_row + i;
		t = &notes->threads.v[c->thread];
		t->tid = (uint64_t)r->in->threads[i].tid;
		if (c->arena)
			t->arena = arena_index(r->roots, c->arena);
		if (first && known &&
		    r->space->malloc->tls_tcache != HT_TLS_UNKNOWN &&
		    r->in->threads[i].registers)
			t->tcache_chunks = t->tcache_bytes = 0;
	}
	return true;
}

static bool rounds(struct reading *r)
{
	uint64_t limit = HT_CACHED_MAX;

	start_lists(r);
	while (r->cursors) {
		if (!round_of_reads(r))
			return false;
		if (limit-- == 0)
			break; /* a loop in a list without a counter */
	}
	return true;
}

static enum ht_code read_space(const struct ht_walk_in *in,
			       struct ht_roots *roots, unsigned space,
			       size_t first_row, struct ht_err *err)
{
	const struct ht_malloc *m = &in->located->malloc[space];
	size_t n = in->threads_n, lists = n * BINS_MAX;
	struct reading r = {.in = in,
			    .roots = roots,
			    .space = &roots->space[space],
			    .layout = &m->layout,
			    .caches = n,
			    .first_row = first_row};
	enum ht_code code = HT_OK;

	r.cache = calloc(n, sizeof(*r.cache));
	r.cursor = calloc(lists, sizeof(*r.cursor));
	r.piece = calloc(lists, sizeof(*r.piece));
	if (!r.cache || !r.cursor || !r.piece) {
		code = ht_fail(err, HT_NOMEM, "no memory for %zu threads", n);
	} else {
		read_tls(&r, m->tls_tcache, offsetof(struct cache, address));
		read_tls(&r, m->tls_thread_arena,
			 offsetof(struct cache, arena));
		if (m->layout.tcache != HT_TCACHE_NONE &&
		    m->layout.sizeof_tcache <= HT_TCACHE_STRUCT_MAX)
			read_caches(&r);
		if (!name_threads(&r, space == 0) || !note_caches(&r) ||
		    !rounds(&r))
			code = ht_fail(err, HT_NOMEM, "no memory for caches");
	}
	free(r.cache);
	free(r.cursor);
	free(r.piece);
	return code;
}

enum ht_code ht_tcache_read(const struct ht_walk_in *in, struct ht_roots *roots,
			    struct ht_err *err)
{
	size_t first_row = roots->notes.threads.n;
	enum ht_code code = HT_OK;

	if (in->threads_n == 0)
		return HT_OK;
	for (unsigned i = 0; code == HT_OK && i < roots->spaces; i++)
		code = read_space(in, roots, i, first_row, err);
	/* What moves is told of in turns; of one libc the version is known. */
	if (code == HT_OK && !in->moving && roots->spaces == 1)
		ht_keys_check(&roots->space[0], in->located->libc.version,
			      &roots->notes);
	return code;
}
