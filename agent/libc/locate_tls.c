/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thread-local variables of malloc: `tcache` and `thread_arena`.
 *
 * libc reaches its own thread-local variables through words that hold the
 * variable's distance from the thread pointer; a TPOFF relocation of the file
 * names each such word. In a static program the distances are fixed and every
 * word of its TLS block is a candidate. Which one is which, a thread's own
 * values say: thread_arena points to an arena of the ring, tcache to a chunk of
 * a tcache's size with consistent counters.
 */
#include <string.h>

#include "agent/libc/chunk.h"
#include "agent/libc/locate_int.h"
#include "common/cleanup.h"

#define BLOCK_MAX 4096 /* a static program's TLS block is searched this far */

/* --- before the stop ----------------------------------------------------- */

/* value + this = distance from the thread pointer. All slots agree, or the
 * words are not what the relocations say. REL relocations keep the value where
 * the distance is now: in a copy of memory it is the distance, and this is 0.
 */
static bool tls_shift(const struct ht_locate_in *in, const struct ht_found *f,
		      int64_t *ret)
{
	const struct ht_facts *x = f->facts;
	int64_t most = x->word == 4 && x->flags & HT_FACTS_COPIED ? 0 : -1;
	bool known = false;

	for (unsigned i = 0; i < x->tpoffs_n; i++) {
		uint64_t word;
		int64_t shift;

		if (ht_reader_word(in->reader, f->bias + x->tpoff[i].slot,
				   &word, NULL) != HT_OK)
			continue;
		shift = (x->word == 4 ? (int64_t)(int32_t)word
				      : (int64_t)word) -
			x->tpoff[i].value;
		if (shift > most || (known && shift != *ret))
			return false;
		*ret = shift;
		known = true;
	}
	return known;
}

/* Variant II: the program's own block ends at the thread pointer. */
static bool static_shift(const struct ht_facts *x, int64_t *ret)
{
	uint64_t align = x->tls_align;

	if ((x->flags & HT_FACTS_INTERP) || !x->tls_memsz ||
	    x->tls_memsz > (1u << 20) || align > 4096 || (align & (align - 1)))
		return false;
	*ret = -(int64_t)((x->tls_memsz + align - 1) & ~(align - 1));
	return true;
}

static int64_t by_symbol(const struct ht_facts *x, unsigned id, int64_t shift)
{
	const struct ht_facts_value *s = &x->symbol[id];

	if (!s->known || s->value > x->tls_memsz)
		return HT_TLS_UNKNOWN;
	return (int64_t)s->value + shift;
}

void ht_tls_prepare(const struct ht_locate_in *in, const struct ht_found *f,
		    struct ht_malloc *m, struct ht_tls_search *search)
{
	const struct ht_facts *x = f->facts;
	int64_t shift = 0;
	bool slots = tls_shift(in, f, &shift);

	memset(search, 0, sizeof(*search));
	m->tls_tcache = m->tls_thread_arena = HT_TLS_UNKNOWN;
	m->tls_errno = HT_TLS_UNKNOWN;
	if (!slots && !static_shift(x, &shift))
		return;
	m->tls_errno = by_symbol(x, HT_S_ERRNO, shift);
	m->tls_tcache = by_symbol(x, HT_S_TCACHE, shift);
	m->tls_thread_arena = by_symbol(x, HT_S_THREAD_ARENA, shift);
	if (m->tls_thread_arena == HT_TLS_UNKNOWN)
		m->tls_thread_arena = by_symbol(x, HT_S_TSD_MALLOC, shift);
	for (unsigned i = 0; slots && i < x->tpoffs_n; i++)
		search->candidate[search->n++] = x->tpoff[i].value + shift;
	if (!slots)
		search->block = shift < -BLOCK_MAX ? -BLOCK_MAX : shift;
}

/* --- in the stop --------------------------------------------------------- */

struct search {
	struct ht_malloc *m;
	struct ht_tls_search *tls;
	struct ht_reader *r;
	const struct ht_maps *maps;
	uint64_t *ring;
	size_t ring_n;
};

static bool in_ring(const struct search *s, uint64_t v)
{
	for (size_t i = 0; i < s->ring_n; i++)
		if (s->ring[i] == v)
			return true;
	return false;
}

static uint64_t number(const uint8_t *p, unsigned size)
{
	uint64_t v = 0;

	memcpy(&v, p, size);
	return v;
}

/* Every counter agrees with its list: empty, or not. */
static bool counters_agree(const struct search *s,
			   const struct ht_layout_row *row,
			   const uint8_t *bytes)
{
	struct ht_place counts = row->at[HT_P_TCACHE_COUNTS];
	struct ht_place entries = row->at[HT_P_TCACHE_ENTRIES];
	unsigned bins = entries.size / row->word, size = counts.size / bins;
	unsigned odd = 0;
	uint64_t full = 0;

	if (row->tcache == HT_TCACHE_NUM_SLOTS &&
	    ht_member(s->r, s->m->mp, s->m->layout.at[HT_P_PAR_TCACHE_COUNT],
		      &full, NULL) != HT_OK)
		return false;
	for (unsigned i = 0; i < bins; i++) {
		uint64_t count = number(bytes + counts.offset + i * size, size);
		uint64_t entry = number(bytes + entries.offset + i * row->word,
					row->word);

		if (row->tcache == HT_TCACHE_NUM_SLOTS) {
			if (count > full)
				return false;
			count = full - count;
		}
		/* A thread stopped in the middle may be off by one. */
		odd += (count != 0) != (entry != 0);
		if (entry % (2 * row->word))
			return false;
	}
	return odd <= 1;
}

/* The row of the tcache that v points to; NULL: it is none. */
static const struct ht_layout_row *tcache_at(const struct search *s, uint64_t v)
{
	const struct ht_layout *l = &s->m->layout;
	const struct ht_vma *vma;
	const struct ht_layout_row *row;
	uint8_t bytes[1024];
	uint64_t head;

	if (v == 0 || v % l->align ||
	    (v >= s->m->image_start && v < s->m->image_end))
		return NULL;
	vma = ht_maps_at(s->maps, v);
	if (!vma || !(vma->flags & HT_VMA_WRITE) ||
	    ht_reader_word(s->r, v - l->word, &head, NULL) != HT_OK)
		return NULL;
	row = ht_layout_tcache_in_chunk(l->abi, head & ~HT_SIZE_FLAGS);
	if (!row || row->size > sizeof(bytes) ||
	    ht_reader_read(s->r, v, bytes, row->size, NULL) != HT_OK)
		return NULL;
	return counters_agree(s, row, bytes) ? row : NULL;
}

static void consider(struct search *s, int64_t candidate, uint64_t v)
{
	const struct ht_layout_row *row;

	if (s->m->tls_thread_arena == HT_TLS_UNKNOWN && in_ring(s, v)) {
		s->m->tls_thread_arena = candidate;
		return;
	}
	if (candidate == s->m->tls_thread_arena ||
	    s->m->layout.tcache == HT_TCACHE_NONE)
		return;
	row = tcache_at(s, v);
	if (row) {
		s->m->tls_tcache = candidate;
		ht_layout_fit_tcache(&s->m->layout,
				     (row->size + s->m->layout.word + 15u) &
					     ~UINT64_C(15));
		s->tls->settled = true;
	}
}

/* The word at a thread pointer is the thread pointer itself. */
static bool is_thread_pointer(const struct search *s, uint64_t tp)
{
	uint64_t self;

	return tp && ht_reader_word(s->r, tp, &self, NULL) == HT_OK &&
	       self == tp;
}

static void look_at_thread(struct search *s, uint64_t tp)
{
	unsigned word = s->m->layout.word;
	uint64_t v;

	if (s->m->tls_tcache != HT_TLS_UNKNOWN) { /* known by symbol */
		if (ht_reader_word(s->r, tp + (uint64_t)s->m->tls_tcache, &v,
				   NULL) == HT_OK)
			consider(s, s->m->tls_tcache, v);
		return;
	}
	for (unsigned i = 0; i < s->tls->n; i++)
		if (ht_reader_word(s->r, tp + (uint64_t)s->tls->candidate[i],
				   &v, NULL) == HT_OK)
			consider(s, s->tls->candidate[i], v);
	for (int64_t at = s->tls->block; at < 0; at += word)
		if (ht_reader_word(s->r, tp + (uint64_t)at, &v, NULL) == HT_OK)
			consider(s, at, v);
}

static bool settled(const struct search *s)
{
	if (s->m->tls_thread_arena == HT_TLS_UNKNOWN)
		return false;
	return s->tls->settled || s->m->layout.tcache == HT_TCACHE_NONE;
}

/* Whether this word of every thread shows no tcache: 0, or (2.43+) the dummy in
 * libc's own image. */
static bool nowhere_used(const struct search *s, int64_t candidate,
			 const struct ht_thread_state *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t v;

		if (!t[i].registers ||
		    ht_reader_word(s->r,
				   t[i].thread_pointer + (uint64_t)candidate,
				   &v, NULL) != HT_OK)
			return false;
		if (v && (v < s->m->image_start || v >= s->m->image_end))
			return false;
	}
	return n > 0;
}

/* No thread has a tcache yet: any word that is as empty as `tcache` must be
 * says so, for this look. */
static void take_empty(struct search *s, const struct ht_thread_state *t,
		       size_t n)
{
	int64_t block = s->tls->block;

	for (unsigned i = 0; i < s->tls->n && !s->tls->provisional; i++)
		if (nowhere_used(s, s->tls->candidate[i], t, n)) {
			s->m->tls_tcache = s->tls->candidate[i];
			s->tls->provisional = true;
		}
	for (; block < 0 && !s->tls->provisional; block += s->m->layout.word)
		if (nowhere_used(s, block, t, n)) {
			s->m->tls_tcache = block;
			s->tls->provisional = true;
		}
}

static enum ht_code search_threads(struct search *s,
				   const struct ht_thread_state *t, size_t n,
				   struct ht_err *err)
{
	enum ht_code code;
	bool closed;

	if (settled(s) || (!s->tls->n && !s->tls->block))
		return HT_OK;
	if (s->tls->provisional)
		s->m->tls_tcache = HT_TLS_UNKNOWN;
	s->tls->provisional = false;
	code = ht_ring_read(s->m, s->r, &s->ring, &s->ring_n, &closed, err);
	for (size_t i = 0; code == HT_OK && i < n && !settled(s); i++)
		if (t[i].registers && is_thread_pointer(s, t[i].thread_pointer))
			look_at_thread(s, t[i].thread_pointer);
	if (code == HT_OK && s->m->tls_tcache == HT_TLS_UNKNOWN &&
	    s->m->layout.tcache != HT_TCACHE_NONE)
		take_empty(s, t, n);
	free(s->ring);
	return code;
}

enum ht_code ht_locate_threads(struct ht_located *l, struct ht_reader *r,
			       const struct ht_maps *maps,
			       const struct ht_thread_state *threads, size_t n,
			       struct ht_err *err)
{
	for (size_t i = 0; i < l->n; i++) {
		struct search s = {.m = &l->malloc[i],
				   .tls = &l->tls[i],
				   .r = r,
				   .maps = maps};
		enum ht_code code = search_threads(&s, threads, n, err);

		if (code != HT_OK)
			return code;
	}
	return HT_OK;
}
