/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fakeheap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/graph/graph.h"
#include "agent/graph/modules.h"
#include "link/request.h"

#define W	  uint64_t
#define S(n)	  n##_64
#define FAST	  10
#define OLD_FAST  10
#define OLD_ALIGN 16
#define PAD_26	  0
#define PAD_35	  8
#include "tests/lib/malloc_structs.h"
#undef W
#undef S
#undef FAST
#undef OLD_ALIGN
#undef PAD_26
#undef PAD_35
#define W	  uint32_t
#define S(n)	  n##_32
#define FAST	  11
#define OLD_ALIGN 8
#define PAD_26	  8
#define PAD_35	  4
#include "tests/lib/malloc_structs.h"

#define HEAP_USED 0x21000
#define CACHED	  3

static const uint64_t bases[2][FAKE_PARTS] = {
	{0x7f5000000000, 0x555500010000, 0x7f4004000000, 0x7f4008000000,
	 0x7f4f00000000},
	{0xf7e00000, 0x57000000, 0xf6400000, 0xf6500000, 0xf7000000},
};

const struct family *fake_family(unsigned minor, unsigned word)
{
	const struct family *all = word == 8 ? families_64 : families_32;
	size_t n = sizeof(families_64) / sizeof(families_64[0]);

	while (n > 1 && all[n - 1].since > minor)
		n--;
	return &all[n - 1];
}

static uint8_t *at(const struct fake *k, uint64_t addr)
{
	for (int i = 0; i < FAKE_PARTS; i++)
		if (addr >= k->part[i].addr &&
		    addr < k->part[i].addr + FAKE_PART)
			return k->bytes[i] + (addr - k->part[i].addr);
	fprintf(stderr, "fake heap: no memory at 0x%" PRIx64 "\n", addr);
	abort();
}

void fake_put(struct fake *k, uint64_t addr, uint64_t value)
{
	memcpy(at(k, addr), &value, k->word);
}

uint64_t fake_get(const struct fake *k, uint64_t addr)
{
	uint64_t value = 0;

	memcpy(&value, at(k, addr), k->word);
	return value;
}

void fake_spoil(struct fake *k, const uint8_t *patch)
{
	/* libc's part matters where the structs are, heaps everywhere */
	uint32_t part = patch[0] % FAKE_PARTS;
	uint32_t offset = (uint32_t)patch[1] | (uint32_t)patch[2] << 8 |
			  (uint32_t)(patch[3] & 3) << 16;
	uint64_t value;

	memcpy(&value, patch + 4, sizeof(value));
	/* a plausible pointer, more often than by chance */
	if (patch[3] & 0x80)
		value = k->part[value % FAKE_PARTS].addr +
			(value >> 8) % FAKE_PART;
	fake_put(k, k->part[part].addr + offset, value);
}

/* --- chunks -------------------------------------------------------------- */

/* An arena being filled from `next` on; chunks know if the one before is free.
 */
struct filler {
	struct fake *k;
	int arena; /* 0 main, 1 thread */
	uint64_t address, next;
	uint64_t prev_in_use; /* 1, or 0: the chunk before is in a bin */
};

static uint64_t mangle(const struct fake *k, uint64_t place, uint64_t next)
{
	return k->safe_linking ? next ^ place >> 12 : next;
}

static uint64_t chunk(struct filler *w, uint64_t size)
{
	struct fake *k = w->k;
	uint64_t here = w->next, flags = w->prev_in_use;

	fake_put(k, here + k->word, size | flags | (w->arena ? 4 : 0));
	for (uint64_t i = 2 * k->word; i + k->word <= size; i += k->word)
		fake_put(k, here + i, 0x20 + i); /* looks like a size */
	w->next = here + size;
	w->prev_in_use = 1;
	return here;
}

static uint64_t in_use(struct filler *w, uint64_t size)
{
	w->k->want[w->arena].in_use += size;
	w->k->want[w->arena].in_use_chunks++;
	return chunk(w, size);
}

static uint64_t bin_header(const struct filler *w, unsigned bin)
{
	const struct fake *k = w->k;

	return w->address + k->f->at_bins + (bin - 1) * 2 * k->word -
	       2 * k->word;
}

static void link_in(struct filler *w, uint64_t here, unsigned bin)
{
	struct fake *k = w->k;
	uint64_t head = bin_header(w, bin), p = k->word;
	uint64_t first = fake_get(k, head + 2 * p);

	fake_put(k, here + 2 * p, first);
	fake_put(k, here + 3 * p, head);
	fake_put(k, first + 3 * p, here);
	fake_put(k, head + 2 * p, here);
}

/* In a bin of several sizes the first chunk of each has a ring of its own: one
 * size alone is used here. */
static void link_sizes(struct filler *w, uint64_t here, unsigned bin)
{
	struct fake *k = w->k;
	uint64_t head = bin_header(w, bin), p = k->word;
	uint64_t next = fake_get(k, head + 2 * p) == head ? here : 0;

	fake_put(k, here + 4 * p, next);
	fake_put(k, here + 5 * p, next);
}

static uint64_t binned(struct filler *w, uint64_t size, unsigned bin)
{
	uint64_t here = chunk(w, size);

	if (bin >= 64)
		link_sizes(w, here, bin);
	fake_put(w->k, here + w->k->word, size | 1);
	fake_put(w->k, here + size, size);
	w->prev_in_use = 0;
	link_in(w, here, bin);
	*(bin == 1   ? &w->k->want[w->arena].unsorted
	  : bin < 64 ? &w->k->want[w->arena].small
		     : &w->k->want[w->arena].large) += size;
	return here;
}

static uint64_t fast(struct filler *w, uint64_t size)
{
	struct fake *k = w->k;
	unsigned index = (unsigned)(size / (2 * k->word)) - 2;
	uint64_t head = w->address + k->f->at_fast + index * k->word;
	uint64_t here = chunk(w, size), place = here + 2 * k->word;

	fake_put(k, place, mangle(k, place, fake_get(k, head)));
	fake_put(k, head, here);
	k->want[w->arena].fastbin += size;
	return here;
}

static void top(struct filler *w, uint64_t end)
{
	struct fake *k = w->k;

	fake_put(k, w->next + k->word, (end - w->next) | w->prev_in_use);
	fake_put(k, w->address + k->f->at_top, w->next);
	k->want[w->arena].top += end - w->next;
}

/* The bin of each size used here: the schemes' formulas, for these sizes. */
static unsigned small_bin(const struct fake *k, uint64_t size)
{
	if (k->word == 8)
		return (unsigned)(size >> 4);
	return k->f->align == 16 ? (unsigned)(size >> 4) + 1
				 : (unsigned)(size >> 3);
}

/* --- the parts ----------------------------------------------------------- */

static void arena_struct(struct fake *k, uint64_t address, uint64_t system)
{
	struct filler w = {.k = k, .address = address};

	memset(at(k, address), 0, k->f->size_arena);
	for (unsigned bin = 1; bin <= 127; bin++) {
		fake_put(k, bin_header(&w, bin) + 2 * k->word,
			 bin_header(&w, bin));
		fake_put(k, bin_header(&w, bin) + 3 * k->word,
			 bin_header(&w, bin));
	}
	fake_put(k, address + k->f->at_system, system);
	fake_put(k, address + k->f->at_max_system, system);
}

static void fill_some(struct filler *w)
{
	struct fake *k = w->k;

	for (int i = 0; i < 40; i++) {
		in_use(w, 32 + 16 * (uint64_t)(i % 8));
		k->small_free = binned(w, 208, small_bin(k, 208));
		k->in_use = in_use(w, 48);
		k->unsorted = binned(w, 96, 1);
		in_use(w, 64);
		if (k->f->fastbins) {
			k->fast = fast(w, 48);
			fast(w, 32);
		}
	}
	in_use(w, 2048);
	k->large_free = binned(w, 8192, 107); /* 91 + (size >> 9) */
	in_use(w, 5008);
}

static uint64_t round_first(const struct fake *k, uint64_t address)
{
	uint64_t header = 2 * k->word, align = k->f->align;

	return ((address + header + align - 1) & ~(align - 1)) - header;
}

static void cache(struct filler *w)
{
	struct fake *k = w->k;
	uint64_t size = (k->f->size_tcache + k->word + 15) & ~UINT64_C(15);
	uint64_t user, last = 0, bin = 2;
	uint64_t chunk_size = 4 * k->word + bin * k->f->align;

	if (!k->f->counters)
		return;
	user = in_use(w, size) + 2 * k->word;
	memset(at(k, user), 0, k->f->size_tcache);
	for (int i = 0; i < CACHED; i++) {
		k->cached = chunk(w, chunk_size);
		fake_put(k, k->cached + 2 * k->word,
			 mangle(k, k->cached + 2 * k->word, last));
		last = k->cached + 2 * k->word;
		in_use(w, 32);
	}
	k->want[w->arena].tcache += CACHED * chunk_size;
	if (k->f->counters == 1)
		at(k, user)[bin] = CACHED;
	for (int i = 0; k->f->counters == 3 && i < 76; i++)
		at(k, user)[2 * i] = i == (int)bin ? 7 - CACHED : 7;
	if (k->f->counters == 2)
		at(k, user)[2 * bin] = CACHED;
	fake_put(k, user + k->f->at_entries + bin * k->word, last);
	fake_put(k, k->thread.thread_pointer + 0x40, user);
}

static void build_main(struct fake *k)
{
	uint64_t base = k->part[FAKE_BRK].addr;
	struct filler w = {.k = k,
			   .arena = 0,
			   .address = k->main_arena,
			   .next = round_first(k, base),
			   .prev_in_use = 1};

	arena_struct(k, k->main_arena, HEAP_USED);
	cache(&w);
	fill_some(&w);
	top(&w, base + HEAP_USED);
	k->top = w.next;
	k->want[0].system = HEAP_USED;
}

static void heap_info(struct fake *k, uint64_t heap, uint64_t prev)
{
	fake_put(k, heap, k->arena);
	fake_put(k, heap + k->word, prev);
	fake_put(k, heap + 2 * k->word, HEAP_USED);
	fake_put(k, heap + 3 * k->word, HEAP_USED);
	if (k->minor >= 35)
		fake_put(k, heap + 4 * k->word, 4096);
}

/* The older heap ends with fenceposts; the newer one holds the top. */
static void build_thread(struct fake *k)
{
	uint64_t old = k->part[FAKE_HEAP_1].addr;
	uint64_t new = k->part[FAKE_HEAP_2].addr, end = old + HEAP_USED;
	uint64_t header = 2 * k->word;
	struct filler w = {.k = k, .arena = 1, .prev_in_use = 1};

	k->arena = w.address = old + k->f->size_heap;
	arena_struct(k, k->arena, 2 * HEAP_USED);
	fake_put(k, k->arena + 4, 2); /* flags: NONCONTIGUOUS */
	heap_info(k, old, 0);
	heap_info(k, new, old);
	w.next = round_first(k, k->arena + k->f->size_arena);
	fill_some(&w);
	in_use(&w, (end - w.next - 2 * header) & ~UINT64_C(15));
	fake_put(k, w.next + k->word, header | 1);
	fake_put(k, w.next + header + k->word, 0 | 1);
	w.next = round_first(k, new + k->f->size_heap);
	fill_some(&w);
	top(&w, new + HEAP_USED);
	k->want[1].system = 2 * HEAP_USED;
	fake_put(k, k->main_arena + k->f->at_next, k->arena);
	fake_put(k, k->arena + k->f->at_next, k->main_arena);
}

/* Two mmapped chunks, side by side. */
static void build_mmapped(struct fake *k)
{
	uint64_t bias = k->word == 4 && k->f->align == 16 ? 8 : 0;
	uint64_t at_page = k->part[FAKE_MMAP].addr;
	uint64_t lengths[] = {0x22000, 0x1000};

	for (int i = 0; i < 2; i++) {
		uint64_t size = lengths[i] - bias;

		if (k->minor >= 43)
			size -= 2 * k->word;
		fake_put(k, at_page + bias, bias);
		fake_put(k, at_page + bias + k->word, size | 2);
		k->want_mmapped += lengths[i];
		k->want_mmapped_chunks++;
		at_page += lengths[i];
	}
}

static void build_par(struct fake *k)
{
	uint32_t n = (uint32_t)k->want_mmapped_chunks;

	memcpy(at(k, k->mp + k->f->at_n_mmaps), &n, sizeof(n));
	fake_put(k, k->mp + k->f->at_mmapped_mem, k->want_mmapped);
	fake_put(k, k->mp + k->f->at_sbrk_base, k->part[FAKE_BRK].addr);
	if (k->f->counters)
		fake_put(k, k->mp + k->f->at_tcache_count, 7);
}

static enum ht_page_state resident(void *ctx, uint64_t addr)
{
	(void)ctx, (void)addr;
	return HT_PAGE_PRESENT;
}

static enum ht_code make_maps(struct fake *k, struct ht_err *err)
{
	static const struct {
		int part;
		uint64_t size;
		const char *rest;
	} lines[] = {{FAKE_BRK, HEAP_USED, "00:00 0 [heap]"},
		     {FAKE_HEAP_1, HEAP_USED, "00:00 0"},
		     {FAKE_HEAP_2, HEAP_USED, "00:00 0"},
		     {FAKE_MMAP, 0x23000, "00:00 0"},
		     {FAKE_LIBC, FAKE_PART, "08:01 77 /lib/libc.so.6"}};
	char text[1024];
	size_t n = 0;

	for (size_t i = 0; i < 5; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "%" PRIx64 "-%" PRIx64 " rw-p 0 %s\n",
				      k->part[lines[i].part].addr,
				      k->part[lines[i].part].addr +
					      lines[i].size,
				      lines[i].rest);
	return ht_maps_parse(text, n, &k->maps, err);
}

static void connect(struct fake *k)
{
	struct ht_malloc *m = &k->located.malloc[0];

	k->image = (struct ht_image){k->part, FAKE_PARTS};
	ht_reader_open_image(&k->image, k->word, UINT64_C(1) << 40, &k->reader);
	ht_pages_source_none(&k->pages);
	k->pages.state = resident;
	k->located.n = 1;
	*m = (struct ht_malloc){.layout = k->layout,
				.main_arena = k->main_arena,
				.mp = k->mp,
				.tls_tcache = 0x40,
				.tls_thread_arena = 0x50,
				.image_start = k->part[FAKE_LIBC].addr,
				.image_end =
					k->part[FAKE_LIBC].addr + FAKE_PART,
				.brk_end = k->part[FAKE_BRK].addr + HEAP_USED,
				.safe_linking = -1};
}

static enum ht_code build(struct fake *k, struct ht_err *err)
{
	for (int i = 0; i < FAKE_PARTS; i++) {
		k->bytes[i] = calloc(1, FAKE_PART + 64);
		if (!k->bytes[i])
			abort();
		k->part[i] = (struct ht_image_part){bases[k->word == 4][i],
						    k->bytes[i], FAKE_PART};
	}
	k->mp = k->part[FAKE_LIBC].addr + 0x300;
	k->main_arena = k->part[FAKE_LIBC].addr + 0xc60;
	k->thread = (struct ht_thread_state){
		.tid = 1,
		.thread_pointer = k->part[FAKE_LIBC].addr + 0x8000,
		.registers = true};
	fake_put(k, k->thread.thread_pointer, k->thread.thread_pointer);
	build_main(k);
	build_thread(k);
	fake_put(k, k->thread.thread_pointer + 0x50, k->main_arena);
	build_mmapped(k);
	build_par(k);
	connect(k);
	return make_maps(k, err);
}

enum ht_code fake_build(struct fake *k, unsigned minor, unsigned word,
			struct ht_err *err)
{
	enum ht_code code;

	*k = (struct fake){
		.minor = minor, .word = word, .safe_linking = minor >= 32};
	k->f = fake_family(minor, word);
	code = ht_layout_glibc(minor, ht_abi_with_word(word), &k->layout, err);
	return code == HT_OK ? build(k, err) : code;
}

enum ht_code fake_build_vendor(struct fake *k, const char *name, unsigned word,
			       bool safe_linking, struct ht_err *err)
{
	const struct vendor *all = word == 8 ? vendors_64 : vendors_32;
	enum ht_code code =
		ht_layout_vendor(name, ht_abi_with_word(word), &k->layout, err);
	struct ht_layout layout = k->layout;

	if (code != HT_OK)
		return code;
	*k = (struct fake){
		.word = word, .safe_linking = safe_linking, .layout = layout};
	for (size_t i = 0; i < sizeof(vendors_64) / sizeof(*all); i++)
		if (strcmp(all[i].name, name) == 0)
			k->f = &all[i].f;
	if (!k->f)
		return ht_fail(err, HT_UNSUPPORTED, "no struct of %s", name);
	k->minor = k->f->since;
	return build(k, err);
}

enum ht_code fake_build_next(struct fake *k, unsigned word,
			     struct ht_facts *facts, struct ht_err *err)
{
	enum ht_code code;

	*k = (struct fake){.minor = 45, .word = word, .safe_linking = true};
	k->f = word == 8 ? &next_family_64 : &next_family_32;
	code = build(k, err);
	*facts = (struct ht_facts){.magic = HT_FACTS_MAGIC,
				   .length = sizeof(*facts),
				   .abi = ht_abi_with_word(word),
				   .word = word,
				   .flags = HT_FACTS_DYN | HT_FACTS_GLIBC |
					    HT_FACTS_MALLOC | HT_FACTS_SYMTAB |
					    HT_FACTS_DWARF,
				   .banner = "2.45"};
	(word == 8 ? describe_next_64 : describe_next_32)(facts);
	facts->symbol[HT_S_MAIN_ARENA] = (struct ht_facts_value){
		k->main_arena, facts->dwarf_size[HT_ROW_ARENA], 1};
	facts->symbol[HT_S_MP] = (struct ht_facts_value){
		k->mp, facts->dwarf_size[HT_ROW_PAR], 1};
	return code;
}

void fake_free(struct fake *k)
{
	for (int i = 0; i < FAKE_PARTS; i++)
		free(k->bytes[i]);
	ht_maps_fini(&k->maps);
	*k = (struct fake){0};
}

static enum ht_code walk(struct fake *k, struct ht_marks *marks,
			 struct ht_snapshot *ret, struct ht_err *err)
{
	struct ht_walk_in in = {.located = &k->located,
				.reader = &k->reader,
				.pages = &k->pages,
				.maps = &k->maps,
				.threads = &k->thread,
				.threads_n = 1,
				.alone = marks,
				.marks = marks,
				.moving = k->moving,
				.want = HT_WANT_ALL};
	struct ht_roots *roots = NULL;
	enum ht_code code;

	ht_snapshot_init(ret);
	code = ht_roots_read(&in, &roots, err);
	if (code == HT_OK)
		code = ht_walk(&in, roots, ret, err);
	ht_roots_fini(roots);
	return code;
}

enum ht_code fake_walk(struct fake *k, struct ht_snapshot *ret,
		       struct ht_err *err)
{
	return walk(k, NULL, ret, err);
}

enum ht_code fake_graph(struct fake *k, uint64_t memory_max,
			struct ht_snapshot *ret, struct ht_err *err)
{
	struct ht_marks marks = {.bytes_max = 16 << 20};
	struct ht_modules none = {0};
	const struct ht_graph_in in = {.located = &k->located,
				       .reader = &k->reader,
				       .maps = &k->maps,
				       .threads = &k->thread,
				       .threads_n = 1,
				       .marks = &marks,
				       .modules = &none,
				       .want = HT_WANT_GRAPH | HT_RETAINED |
					       HT_BY_ARENA,
				       .memory_max = memory_max};
	enum ht_code code = walk(k, &marks, ret, err);

	if (code == HT_OK)
		code = ht_graph_measure(&in, ret, err);
	ht_marks_fini(&marks);
	return code;
}
