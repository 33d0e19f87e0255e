/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/graph/tls.h"

#include <elf.h>
#include <stdlib.h>

#include "agent/arch/arch.h"

#define SPACES_MAX  16	 /* namespaces of dlmopen() */
#define MAPS_MAX    4096 /* entries of one list */
#define TAGS_MAX    128
#define ENTRY_WORDS 256	       /* of a struct link_map, private part included */
#define STATIC_MAX  (1u << 26) /* bytes below a thread pointer */
#define MODULES_MAX 65536      /* numbers in a thread's vector */

/* Of struct pthread: 32 pairs of a number and a value, and behind them as many
 * pointers to such blocks, of which the first is that one. */
#define KEYS	    32
#define KEY_BYTES   16
#define KEYS_BYTES  (KEYS * KEY_BYTES)
#define TABLE_BYTES (KEYS * 8)

/* Where a module's variables lie. */
struct place {
	bool known;
	uint64_t below;	 /* the thread pointer; 0: only the vector tells */
	uint64_t number; /* in that */
};

static bool word_at(struct ht_reader *r, uint64_t address, uint64_t *ret)
{
	return address % 8 == 0 &&
	       ht_reader_word(r, address, ret, NULL) == HT_OK;
}

/* --- the loader's list --------------------------------------------------- */

/* initimage, initimage_size, blocksize, align, firstbyte_offset, offset, modid
 * stand side by side in every release; the first four are the header's. */
static bool read_place(const uint64_t *w, size_t n, const struct ht_module *m,
		       struct place *ret)
{
	const struct ht_module_tls *t = &m->tls;

	for (size_t i = 0; i + 7 <= n; i++) {
		if (w[i] != m->bias + t->vaddr || w[i + 1] != t->filesz ||
		    w[i + 2] != t->memsz || w[i + 3] != t->align)
			continue;
		ret->known = true;
		ret->below = w[i + 5] >= t->memsz && w[i + 5] < STATIC_MAX
				     ? w[i + 5]
				     : 0;
		ret->number = w[i + 6];
		return true;
	}
	return false;
}

static void read_entry(const struct ht_modules *m, struct ht_reader *r,
		       uint64_t entry, struct place *places)
{
	uint64_t w[ENTRY_WORDS];
	size_t n = ht_reader_some(r, entry, w, sizeof(w)) / 8;

	for (size_t i = 0; n > 0 && i < m->n; i++)
		if (m->v[i].tls.memsz && m->v[i].bias == w[0] &&
		    !places[i].known && read_place(w, n, &m->v[i], &places[i]))
			return;
}

/* struct link_map: address, name, dynamic section, next. */
static void read_list(const struct ht_modules *m, struct ht_reader *r,
		      uint64_t entry, struct place *places)
{
	for (int i = 0; entry && entry % 8 == 0 && i < MAPS_MAX; i++) {
		read_entry(m, r, entry, places);
		if (!word_at(r, entry + 24, &entry))
			return;
	}
}

/* struct r_debug: version, list, three words; since version 2 the next one. */
static void read_spaces(const struct ht_modules *m, struct ht_reader *r,
			uint64_t debug, struct place *places)
{
	for (int i = 0; debug && i < SPACES_MAX; i++) {
		uint64_t version, list;

		if (!word_at(r, debug, &version) ||
		    !word_at(r, debug + 8, &list))
			return;
		read_list(m, r, list, places);
		if ((uint32_t)version < 2 || !word_at(r, debug + 40, &debug))
			return;
	}
}

/* The loader notes where its list is in the program's dynamic section. */
static uint64_t debug_of(const struct ht_module *m, struct ht_reader *r)
{
	for (unsigned i = 0; m->dynamic && i < TAGS_MAX; i++) {
		uint64_t tag, value;

		if (!word_at(r, m->dynamic + i * 16, &tag) ||
		    !word_at(r, m->dynamic + i * 16 + 8, &value) ||
		    tag == DT_NULL)
			return 0;
		if (tag == DT_DEBUG)
			return value;
	}
	return 0;
}

/* Without a list there is one module that has any: what a static program is
 * linked into. */
static void place_static(const struct ht_modules *m, struct place *places)
{
	size_t only = m->n;

	for (size_t i = 0; i < m->n; i++) {
		if (!m->v[i].tls.memsz)
			continue;
		if (only < m->n)
			return;
		only = i;
	}
	if (only == m->n)
		return;
	const struct ht_module_tls *t = &m->v[only].tls;
	uint64_t align = t->align ? t->align : 1;

	if (align > STATIC_MAX || (align & (align - 1)) ||
	    t->memsz > STATIC_MAX)
		return;
	places[only].known = true;
	places[only].below = (t->memsz + align - 1) & ~(align - 1);
}

static void find_places(const struct ht_modules *m, struct ht_reader *r,
			struct place *places)
{
	uint64_t debug = 0;

	for (size_t i = 0; debug == 0 && i < m->n; i++)
		debug = debug_of(&m->v[i], r);
	if (debug)
		read_spaces(m, r, debug, places);
	else
		place_static(m, places);
}

/* --- the threads --------------------------------------------------------- */

/* tcbhead_t: itself, the vector; that has its length two words before. */
static uint64_t by_vector(struct ht_reader *r, uint64_t pointer,
			  uint64_t number)
{
	uint64_t vector, length, at;

	if (number == 0 || number > MODULES_MAX ||
	    !word_at(r, pointer + 8, &vector) || vector < 16 ||
	    !word_at(r, vector - 16, &length) || number > length ||
	    !word_at(r, vector + number * 16, &at) || at % 8 ||
	    at + 1 <= HT_PAGE_SIZE)
		return 0;
	return at;
}

static bool add(struct ht_tls *t, uint64_t start, uint64_t length,
		uint32_t module, uint32_t thread)
{
	if (t->n == t->capacity) {
		size_t n = t->capacity * 2 + 64;
		void *grown = reallocarray(t->v, n, sizeof(*t->v));

		if (!grown)
			return false;
		t->v = grown;
		t->capacity = n;
	}
	t->v[t->n++] =
		(struct ht_tls_block){start, start + length, module, thread};
	if (!t->first[module])
		t->first[module] = start;
	return true;
}

static bool add_thread(const struct ht_modules *m, struct ht_reader *r,
		       const struct place *places, uint64_t pointer,
		       uint32_t thread, struct ht_tls *t)
{
	bool ok = true;

	for (uint32_t i = 0; ok && i < m->n; i++) {
		const struct place *p = &places[i];
		uint64_t length = m->v[i].tls.memsz;
		uint64_t start = 0;

		if (!p->known || length > STATIC_MAX)
			continue;
		if (p->below && pointer > p->below)
			start = pointer - p->below;
		else if (!p->below)
			start = by_vector(r, pointer, p->number);
		if (start && start + length > start)
			ok = add(t, start, length, i, thread);
	}
	return ok;
}

static bool add_keys(struct ht_reader *r, uint64_t pointer, uint32_t thread,
		     struct ht_tls *t)
{
	uint64_t w[HT_CONTROL_MAX / 8];
	size_t n = ht_reader_some(r, pointer, w, sizeof(w)) / 8;

	for (size_t i = KEYS_BYTES / 8; i + KEYS <= n; i++)
		if (w[i] == pointer + i * 8 - KEYS_BYTES)
			return add(t, w[i], KEYS_BYTES + TABLE_BYTES, t->keys,
				   thread);
	return true;
}

enum ht_code ht_tls_find(const struct ht_modules *m, struct ht_reader *r,
			 const struct ht_thread_state *threads, size_t n,
			 struct ht_tls *ret, struct ht_err *err)
{
	struct place *places = calloc(m->n + 1, sizeof(*places));
	bool ok;

	*ret = (struct ht_tls){.first = calloc(m->n + 1, sizeof(*ret->first)),
			       .keys = (uint32_t)m->n};
	ok = places && ret->first;
	if (ok)
		find_places(m, r, places);
	for (size_t i = 0; ok && i < n; i++) {
		uint64_t tp = threads[i].thread_pointer;

		if (tp && tp % 8 == 0)
			ok = add_thread(m, r, places, tp, (uint32_t)i, ret) &&
			     add_keys(r, tp, (uint32_t)i, ret);
	}
	free(places);
	if (ok)
		return HT_OK;
	ht_tls_fini(ret);
	return ht_fail(err, HT_NOMEM, "no memory for thread-local variables");
}

void ht_tls_fini(struct ht_tls *t)
{
	free(t->v);
	free(t->first);
	*t = (struct ht_tls){0};
}

const struct ht_tls_block *ht_tls_from(const struct ht_tls *t, uint32_t thread,
				       uint64_t address)
{
	const struct ht_tls_block *best = NULL;
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->v[mid].thread < thread)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < t->n && t->v[low].thread == thread; low++)
		if (t->v[low].end > address &&
		    (!best || t->v[low].start < best->start))
			best = &t->v[low];
	return best;
}

const struct ht_tls_block *ht_tls_at(const struct ht_tls *t, uint64_t address)
{
	for (size_t i = 0; i < t->n; i++)
		if (address >= t->v[i].start && address < t->v[i].end)
			return &t->v[i];
	return NULL;
}

bool ht_tls_keys(const struct ht_tls *t, struct ht_ranges *ret)
{
	uint64_t start = t->first[t->keys];
	bool ok = true;

	for (unsigned i = 0; start && ok && i < KEYS; i++, start += KEY_BYTES)
		ok = ht_ranges_add(ret, start, start + KEY_BYTES);
	return ok;
}

int ht_tls_key(uint64_t offset)
{
	return offset < KEYS_BYTES ? (int)(offset / KEY_BYTES) : -1;
}
