/* SPDX-License-Identifier: Apache-2.0 */
/* Verify: the cheap invariants of malloc's structures (glibc's own, from
 * malloc.c), so that a layout is believed only where it explains the memory. */
#include <inttypes.h>
#include <string.h>

#include "agent/libc/locate_int.h"
#include "common/cleanup.h"

/* No program is known to have more; a ring that does not close is longer. */
#define ARENAS_MAX 65536u

#define FLAGS_KNOWN 7u /* FASTCHUNKS, NONCONTIGUOUS, ARENA_CORRUPTION */
#define LOOKS	    5u

enum ht_code ht_member(struct ht_reader *r, uint64_t base, struct ht_place at,
		       uint64_t *ret, struct ht_err *err)
{
	uint32_t small = 0;
	enum ht_code code;

	if (at.size != 4)
		return ht_reader_word(r, base + at.offset, ret, err);
	code = ht_reader_u32(r, base + at.offset, &small, err);
	if (code == HT_OK)
		*ret = small;
	return code;
}

static enum ht_code append(uint64_t **list, size_t *n, size_t *capacity,
			   uint64_t value, struct ht_err *err)
{
	if (*n == *capacity) {
		size_t more = *capacity ? *capacity * 2 : 64;
		uint64_t *grown = reallocarray(*list, more, sizeof(**list));

		if (!grown)
			return ht_fail(err, HT_NOMEM, "list of arenas");
		*list = grown;
		*capacity = more;
	}
	(*list)[(*n)++] = value;
	return HT_OK;
}

enum ht_code ht_ring_read(const struct ht_malloc *m, struct ht_reader *r,
			  uint64_t **ret, size_t *ret_n, bool *ret_closed,
			  struct ht_err *err)
{
	HT_AUTO_FREE uint64_t *list = NULL;
	size_t n = 0, capacity = 0;
	uint64_t at = m->main_arena, landmark = 0;

	do {
		enum ht_code code = append(&list, &n, &capacity, at, err);

		if (code != HT_OK)
			return code;
		if ((n & (n - 1)) == 0) /* no circle escapes: its length does */
			landmark = at;
		if (ht_member(r, at, m->layout.at[HT_P_ARENA_NEXT], &at,
			      NULL) != HT_OK ||
		    at % m->layout.word || at == landmark || n > ARENAS_MAX)
			break;
	} while (at != m->main_arena);
	*ret = ht_take_ptr(list);
	*ret_n = n;
	*ret_closed = at == m->main_arena;
	return HT_OK;
}

/* --- one arena ----------------------------------------------------------- */

struct view {
	const struct ht_malloc *m;
	uint64_t at;
	uint8_t bytes[4096]; /* the struct; every layout is smaller */
};

static uint64_t value(const struct view *v, unsigned id)
{
	struct ht_place p = v->m->layout.at[id];
	uint64_t x = 0;

	if (p.size && p.size <= 8)
		memcpy(&x, v->bytes + p.offset, p.size);
	return x;
}

/* The `i`-th word of the bins. */
static uint64_t bin_word(const struct view *v, unsigned i)
{
	const struct ht_layout *l = &v->m->layout;
	uint64_t x = 0;

	memcpy(&x, v->bytes + l->at[HT_P_ARENA_BINS].offset + i * l->word,
	       l->word);
	return x;
}

/* bin_at(m, i): a chunk whose fd and bk are the bin's two words. */
static uint64_t bin_header(const struct view *v, unsigned i)
{
	const struct ht_layout *l = &v->m->layout;

	return v->at + l->at[HT_P_ARENA_BINS].offset +
	       (uint64_t)(i - 1) * 2 * l->word - 2 * l->word;
}

static const char *bad_words(const struct view *v)
{
	if (value(v, HT_P_ARENA_MUTEX) > 2)
		return "the mutex is no lock word";
	if (value(v, HT_P_ARENA_FLAGS) & ~(uint64_t)FLAGS_KNOWN)
		return "unknown flags";
	if (value(v, HT_P_ARENA_HAVE_FASTCHUNKS) > 1)
		return "have_fastchunks is no truth value";
	if (value(v, HT_P_ARENA_SYSTEM_MEM) >
	    value(v, HT_P_ARENA_MAX_SYSTEM_MEM))
		return "system_mem is above max_system_mem";
	return NULL;
}

/* Bin 127 takes no size at all, so it is empty in every initialised arena: the
 * last of the bins is where the layout says, or the layout is wrong. */
static const char *bad_bins(const struct view *v)
{
	uint64_t fd = bin_word(v, 252), bk = bin_word(v, 253);
	uint64_t header = bin_header(v, 127);

	if (value(v, HT_P_ARENA_TOP) == 0)
		return fd || bk ? "bins without a top chunk" : NULL;
	if (fd != header || bk != header)
		return "the last bin is not empty";
	return bin_word(v, 0) == 0 ? "the unsorted bin has no list" : NULL;
}

/* Damage, where it is known that this is an arena; else a wrong layout. */
static const char *bad_content(const struct view *v)
{
	const char *why = bad_words(v);

	return why ? why : bad_bins(v);
}

/* An arena lies right behind the heap_info at align-down(arena, HEAP_MAX). Its
 * words may be corrupt, where it is cannot be. */
static const char *bad_place(const struct view *v, struct ht_reader *r)
{
	const struct ht_layout *l = &v->m->layout;
	uint64_t heap_max = l->heap_max, hp = 0;

	if (v->at == v->m->main_arena)
		return NULL;
	if (l->heap_max_follows_hp && v->m->mp &&
	    ht_member(r, v->m->mp, l->at[HT_P_PAR_HP_PAGESIZE], &hp, NULL) ==
		    HT_OK &&
	    hp && (hp & (hp - 1)) == 0)
		heap_max = 4 * hp;
	return (v->at & (heap_max - 1)) != l->sizeof_heap_info
		       ? "the arena is not behind a heap_info"
		       : NULL;
}

static enum ht_code verify_arena(const struct ht_malloc *m, uint64_t at,
				 bool place_alone, struct ht_reader *r,
				 struct ht_err *err)
{
	struct view v = {.m = m, .at = at};
	const char *why = NULL;
	enum ht_code code;

	if (m->layout.sizeof_arena > sizeof(v.bytes))
		return ht_fail(err, HT_UNSUPPORTED, "malloc_state of %u bytes",
			       m->layout.sizeof_arena);
	/* The target may run: what is wrong must be wrong at every look. */
	for (unsigned look = 0; look < LOOKS; look++) {
		code = ht_reader_read(r, at, v.bytes, m->layout.sizeof_arena,
				      err);
		if (code != HT_OK)
			return code;
		why = place_alone ? NULL : bad_content(&v);
		why = why ? why : bad_place(&v, r);
		if (!why)
			return HT_OK;
	}
	return ht_fail_at(err, HT_CORRUPT, at,
			  "arena 0x%" PRIx64 " does not fit layout %s: %s", at,
			  m->layout.name, why);
}

enum ht_code ht_locate_verify(const struct ht_malloc *m, struct ht_reader *r,
			      struct ht_err *err)
{
	uint64_t newest = m->main_arena;
	enum ht_code code = verify_arena(m, m->main_arena, false, r, err);
	uint64_t top = 0;

	if (code != HT_OK)
		return code;
	/* A second arena is proof of heap_info; of the arena's own layout a
	 * main arena in use is. That the ring does not close, a top is wild or
	 * a word cannot be is corruption then and not a wrong layout: the walk
	 * finds it and measures the rest. */
	if (ht_member(r, m->main_arena, m->layout.at[HT_P_ARENA_TOP], &top,
		      NULL) == HT_OK &&
	    ht_member(r, m->main_arena, m->layout.at[HT_P_ARENA_NEXT], &newest,
		      NULL) == HT_OK &&
	    newest != m->main_arena)
		code = verify_arena(m, newest, top != 0, r, err);
	return code == HT_FAULT ? HT_OK : code;
}
