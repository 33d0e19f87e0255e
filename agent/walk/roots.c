/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/walk/roots.h"

#define FLAG_NONCONTIGUOUS 2u
#define LOCK_WORD_MAX	   2u /* free, taken, taken and waited for */

uint64_t ht_field_item(const uint8_t *bytes, const struct ht_layout *layout,
		       enum ht_place_id id, size_t i, unsigned width)
{
	uint64_t value = 0; /* little endian */

	memcpy(&value, bytes + layout->at[id].offset + i * width, width);
	return value;
}

uint64_t ht_field_get(const uint8_t *bytes, const struct ht_layout *layout,
		      enum ht_place_id id)
{
	unsigned size = layout->at[id].size;

	if (size == 0)
		return HT_UNKNOWN;
	return ht_field_item(bytes, layout, id, 0, size < 8 ? size : 8);
}

void ht_walk_find(struct ht_snapshot *s, const char *code, uint64_t address,
		  uint64_t arena, const char *fmt, ...)
{
	char text[sizeof(((struct ht_finding *)0)->text)];
	va_list ap;

	if (s->findings.n > HT_FINDINGS_MAX)
		return;
	if (s->findings.n == HT_FINDINGS_MAX) {
		ht_snapshot_find(s, "more", 0, HT_UNKNOWN,
				 "more findings were left out");
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	ht_snapshot_find(s, code, address, arena, "%s", text);
}

/* --- arenas -------------------------------------------------------------- */

static void decode_arena(const uint8_t *bytes, const struct ht_layout *l,
			 struct ht_arena_root *a)
{
	a->mutex = ht_field_get(bytes, l, HT_P_ARENA_MUTEX);
	a->flags = ht_field_get(bytes, l, HT_P_ARENA_FLAGS);
	a->top = ht_field_get(bytes, l, HT_P_ARENA_TOP);
	a->last_remainder = ht_field_get(bytes, l, HT_P_ARENA_LAST_REMAINDER);
	a->next = ht_field_get(bytes, l, HT_P_ARENA_NEXT);
	a->attached = ht_field_get(bytes, l, HT_P_ARENA_ATTACHED);
	a->system = ht_field_get(bytes, l, HT_P_ARENA_SYSTEM_MEM);
	a->max_system = ht_field_get(bytes, l, HT_P_ARENA_MAX_SYSTEM_MEM);
	memset(a->fast, 0, sizeof(a->fast));
	for (size_t i = 0; i < l->fastbins && i < HT_FASTBINS_MAX; i++)
		a->fast[i] = ht_field_item(bytes, l, HT_P_ARENA_FASTBINS, i,
					   l->word);
	for (size_t i = 1; i <= HT_BINS; i++) {
		a->fd[i] = ht_field_item(bytes, l, HT_P_ARENA_BINS, 2 * i - 2,
					 l->word);
		a->bk[i] = ht_field_item(bytes, l, HT_P_ARENA_BINS, 2 * i - 1,
					 l->word);
	}
}

/* Nobody has called malloc yet: the arena is as the linker left it, its bins
 * are zeros, or half made (malloc_init_state sets the top last). */
static void empty_bins(const struct ht_layout *l, struct ht_arena_root *a)
{
	for (size_t i = 1; i <= HT_BINS; i++)
		a->fd[i] = a->bk[i] = a->address +
				      l->at[HT_P_ARENA_BINS].offset +
				      2 * (i - 2) * (uint64_t)l->word;
	memset(a->fast, 0, sizeof(a->fast));
}

enum ht_code ht_arena_root_read(struct ht_reader *reader,
				const struct ht_malloc *m,
				struct ht_arena_root *a, struct ht_err *err)
{
	uint8_t bytes[4096] = {0};
	enum ht_code code;

	if (m->layout.sizeof_arena > sizeof(bytes))
		return ht_fail(err, HT_BUG, "an arena of %u bytes",
			       m->layout.sizeof_arena);
	code = ht_reader_read(reader, a->address, bytes, m->layout.sizeof_arena,
			      err);
	if (code != HT_OK)
		return code;
	decode_arena(bytes, &m->layout, a);
	if (a->top == 0 && a->system == 0)
		empty_bins(&m->layout, a);
	return HT_OK;
}

bool ht_arena_contiguous(const struct ht_arena_root *a)
{
	return !(a->flags & FLAG_NONCONTIGUOUS);
}

/* "initial top": none, or the header of the unsorted bin. */
bool ht_arena_untouched(const struct ht_arena_root *a,
			const struct ht_layout *l)
{
	uint64_t unsorted = a->address + l->at[HT_P_ARENA_BINS].offset -
			    2 * (uint64_t)l->word;

	return a->top == 0 || a->top == unsorted;
}

static struct ht_arena_root *add_arena(struct ht_roots *roots)
{
	if (roots->arenas == roots->arenas_capacity) {
		size_t to = roots->arenas_capacity * 2 + 8;
		void *grown =
			reallocarray(roots->arena, to, sizeof(*roots->arena));

		if (!grown)
			return NULL;
		roots->arena = grown;
		roots->arenas_capacity = to;
	}
	roots->arena[roots->arenas] =
		(struct ht_arena_root){.index = roots->arenas};
	return &roots->arena[roots->arenas++];
}

static bool seen_before(const struct ht_roots *roots, size_t from,
			uint64_t address)
{
	for (size_t i = from; i < roots->arenas; i++)
		if (roots->arena[i].address == address)
			return true;
	return false;
}

/* Adds the arena at `address`; its `next`, or 0 when the ring ends here. */
static enum ht_code add_one(const struct ht_walk_in *in, struct ht_roots *roots,
			    unsigned space, uint64_t address,
			    uint64_t *ret_next, struct ht_err *err)
{
	const struct ht_malloc *m = roots->space[space].malloc;
	struct ht_arena_root *a = add_arena(roots);
	struct ht_err why;

	*ret_next = 0;
	if (!a)
		return ht_fail(err, HT_NOMEM, "no memory for %zu arenas",
			       roots->arenas);
	a->address = address;
	a->space = space;
	a->main = address == m->main_arena;
	if (ht_arena_root_read(in->reader, m, a, &why) != HT_OK) {
		roots->arenas--;
		if (in->reader->swapped) /* nothing can be said without it */
			return ht_fail_at(err, HT_FAULT, address,
					  "arena %zu: %s", roots->arenas,
					  why.msg);
		ht_walk_find(&roots->notes, "arena_unreadable", address,
			     HT_UNKNOWN, "%s", why.msg);
		return HT_OK;
	}
	*ret_next = a->next;
	if (a->mutex > LOCK_WORD_MAX)
		ht_walk_find(
			&roots->notes, "arena_lock", address, a->index,
			"the lock of this arena is no lock word: 0x%" PRIx64,
			a->mutex);
	else if (a->mutex != 0)
		roots->in_flux = roots->locked = true;
	return HT_OK;
}

/* main_arena -> newest -> ... -> oldest -> main_arena. */
static enum ht_code read_ring(const struct ht_walk_in *in,
			      struct ht_roots *roots, unsigned space,
			      struct ht_err *err)
{
	const struct ht_malloc *m = roots->space[space].malloc;
	uint64_t at = m->main_arena, first = roots->arenas;

	roots->space[space].main = first;
	do {
		uint64_t here = at;
		enum ht_code code = add_one(in, roots, space, at, &at, err);

		if (code != HT_OK)
			return code;
		if (at == m->main_arena)
			return HT_OK;
		if (at == 0 || at % m->layout.word ||
		    seen_before(roots, first, at)) {
			ht_walk_find(
				&roots->notes, "arena_ring", here, HT_UNKNOWN,
				"the ring of arenas is broken: next of 0x%" PRIx64
				" is 0x%" PRIx64,
				here, at);
			return HT_OK;
		}
	} while (roots->arenas - first < HT_ARENAS_MAX);
	ht_snapshot_warn(&roots->notes,
			 "more than %d arenas: the rest was left out",
			 HT_ARENAS_MAX);
	return HT_OK;
}

/* --- all of it ----------------------------------------------------------- */

static enum ht_code read_space(const struct ht_walk_in *in,
			       struct ht_roots *roots, unsigned i,
			       struct ht_err *err)
{
	struct ht_space *space = &roots->space[i];
	size_t first = roots->arenas;
	enum ht_code code;

	space->malloc = &in->located->malloc[i];
	space->safe_linking = space->malloc->safe_linking == 1;
	space->safe_linking_known = space->malloc->safe_linking >= 0;
	ht_params_begin(in, space, &roots->notes);
	code = read_ring(in, roots, i, err);
	for (size_t k = first; code == HT_OK && k < roots->arenas; k++)
		if (!roots->arena[k].main)
			code = ht_heaps_read(in, roots, &roots->arena[k], err);
	return code;
}

enum ht_code ht_roots_read_arenas(const struct ht_walk_in *in,
				  struct ht_roots **ret, struct ht_err *err)
{
	struct ht_roots *roots = calloc(1, sizeof(*roots));
	enum ht_code code = HT_OK;

	if (!roots)
		return ht_fail(err, HT_NOMEM, "no memory for roots");
	ht_snapshot_init(&roots->notes);
	roots->spaces = in->located->n < HT_MALLOCS_MAX ? in->located->n
							: HT_MALLOCS_MAX;
	for (unsigned i = 0; code == HT_OK && i < roots->spaces; i++)
		code = read_space(in, roots, i, err);
	if (code != HT_OK)
		ht_roots_fini(roots);
	else
		*ret = roots;
	return code;
}

enum ht_code ht_roots_read(const struct ht_walk_in *in, struct ht_roots **ret,
			   struct ht_err *err)
{
	struct ht_roots *roots = NULL;
	enum ht_code code = ht_roots_read_arenas(in, &roots, err);

	if (code != HT_OK)
		return code;
	code = ht_tcache_read(in, roots, err);
	if (code == HT_OK)
		ht_linking_learn_fastbins(in, roots);
	if (code != HT_OK)
		ht_roots_fini(roots);
	else
		*ret = roots;
	return code;
}

enum ht_code ht_roots_add_threads(const struct ht_walk_in *in,
				  struct ht_roots *roots, bool as_it_is,
				  struct ht_err *err)
{
	bool in_flux = roots->in_flux, caught;
	enum ht_code code;

	roots->before_last = (struct ht_roots_mark){
		roots->caches, roots->cached_n, roots->notes.threads.n,
		roots->notes.findings.n, roots->counted};
	roots->in_flux = false;
	code = ht_tcache_read(in, roots, err);
	caught = roots->in_flux;
	roots->in_flux = in_flux;
	if (code == HT_OK && (as_it_is || !caught))
		return HT_OK;
	ht_roots_forget_last(roots);
	if (code != HT_OK)
		return code;
	return ht_fail(err, HT_BUSY, "a thread cache was being changed");
}

void ht_roots_forget_last(struct ht_roots *roots)
{
	roots->caches = roots->before_last.caches;
	roots->cached_n = roots->before_last.cached_n;
	roots->notes.threads.n = roots->before_last.threads_n;
	roots->notes.findings.n = roots->before_last.findings_n;
	roots->counted = roots->before_last.counted;
}

uint64_t ht_roots_walk_bytes(const struct ht_roots *roots)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < roots->arenas; i++)
		bytes += roots->arena[i].system;
	return bytes;
}

bool ht_roots_in_flux(const struct ht_roots *roots)
{
	return roots->in_flux;
}

bool ht_roots_locked(const struct ht_roots *roots)
{
	return roots->locked;
}

void ht_roots_fini(struct ht_roots *roots)
{
	if (!roots)
		return;
	for (size_t i = 0; i < roots->arenas; i++)
		free(roots->arena[i].heap);
	free(roots->arena);
	free(roots->cache);
	free(roots->cached);
	ht_snapshot_fini(&roots->notes);
	free(roots);
}
