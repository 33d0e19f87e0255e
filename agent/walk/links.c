/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/walk/links.h"

#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "agent/self/pace.h"

#define LANES	  24 /* lists followed at a time */
#define NOT_FOUND SIZE_MAX

/*
 * Tables are address space first: as large as they could become, and memory
 * only where records are written. Following lists jumps all over them; huge
 * pages spare a walk of the page tables for each jump, and are asked for where
 * the heap is large enough to fill them.
 */
#define HUGE		((size_t)2 << 20)
#define SMALL		((size_t)4 << 10)
#define HUGE_FROM_UNITS ((uint64_t)8 << 20) /* 128 MiB of heap */

static void *map(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* Each for itself. */
static void *map_huge(size_t bytes)
{
	char *memory = map(bytes), *aligned;

	if (!memory)
		return NULL;
	aligned = memory + (-(uintptr_t)memory & (HUGE - 1));
	madvise(aligned, bytes - (size_t)(aligned - memory), MADV_HUGEPAGE);
	return memory;
}

/* What each table could become; all of them together. */
static size_t set_sizes(struct ht_links *l)
{
	const size_t n = (size_t)l->units_all + 1;
	/* A chunk takes at least one unit, a free one at least two. */
	const size_t wanted[HT_LINK_TABLES][2] = {
		[HT_TABLE_FREE] = {n / 2 + 1, sizeof(*l->free.v)},
		[HT_TABLE_FREE_FIRST] = {n / 256 + 2, 4},
		[HT_TABLE_FAST] = {n, sizeof(*l->fast.v)},
		[HT_TABLE_FAST_FIRST] = {n / 256 + 2, 4},
		[HT_TABLE_MORE] = {n / 2 + 1, sizeof(*l->more)}};
	/* Of a small heap all of them share the page tables of a few. */
	const size_t more = l->whole_is_one ? SMALL - 1 : 2 * HUGE - 1;
	const size_t page = l->whole_is_one ? SMALL : HUGE;
	size_t sum = 0;

	for (size_t i = 0; i < HT_LINK_TABLES; i++) {
		size_t count = wanted[i][0], size = wanted[i][1];
		size_t bytes = count > l->bytes_max / size ? l->bytes_max
							   : count * size;

		l->size[i] = (bytes + more) & ~(page - 1);
		sum += l->size[i];
	}
	return sum;
}

static bool reserve_all(struct ht_links *l)
{
	void *at[HT_LINK_TABLES];
	size_t sum;
	bool all = true;

	l->whole_is_one = l->units_all < HUGE_FROM_UNITS;
	sum = set_sizes(l);
	if (l->whole_is_one) {
		l->whole = map(sum);
		l->whole_size = sum;
	}
	for (size_t i = 0, used = 0; i < HT_LINK_TABLES; i++) {
		if (!l->whole_is_one)
			at[i] = map_huge(l->size[i]);
		else
			at[i] = l->whole ? (char *)l->whole + used : NULL;
		used += l->size[i];
		all &= at[i] != NULL;
	}
	l->free.v = at[HT_TABLE_FREE];
	l->free.first = at[HT_TABLE_FREE_FIRST];
	l->fast.v = at[HT_TABLE_FAST];
	l->fast.first = at[HT_TABLE_FAST_FIRST];
	l->more = at[HT_TABLE_MORE];
	return all;
}

/* Drawn by the kernel for each process. */
static uint64_t draw_key(void)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	const void *drawn = (const void *)getauxval(AT_RANDOM);
	uint64_t word[2] = {0};

	if (drawn)
		memcpy(word, drawn, sizeof(word));
	return word[0] ^ word[1];
}

void ht_links_init(struct ht_links *l, const struct ht_layout *layout,
		   uint64_t arena, struct ht_segment *segment, size_t segments,
		   size_t bytes_max)
{
	uint64_t base = 0, high = 0;

	*l = (struct ht_links){
		.layout = layout,
		.segment = segment,
		.segments = segments,
		.shift = layout->align == 16 ? 4 : 3,
		.bins = arena + layout->at[HT_P_ARENA_BINS].offset -
			4 * (uint64_t)layout->word,
		.bytes_max = bytes_max,
		.key = draw_key(),
	};
	for (size_t i = 0; i < segments; i++) {
		uint64_t units =
			(segment[i].end - segment[i].first) >> l->shift;

		/* Beyond 32 bits positions would not be unique: no records. */
		segment[i].base = base + units < HT_LINK_MAX ? (uint32_t)base
							     : HT_LINK_MAX;
		l->full |= base + units >= HT_LINK_MAX;
		base += (units + 256) & ~UINT64_C(255);
		high = segment[i].end > high ? segment[i].end : high;
	}
	l->low = segments ? segment[0].first : 0;
	l->span = high > l->low ? high - l->low : 0;
	l->units_all = l->full ? 0 : base;
	if (bytes_max == 0 || !reserve_all(l))
		l->full = true;
}

/* The memory of one table. */
static void release(struct ht_links *l, void *memory, enum ht_link_table table)
{
	if (!memory)
		return;
	if (l->whole_is_one)
		madvise(memory, l->size[table], MADV_DONTNEED);
	else
		munmap(memory, l->size[table]);
}

void ht_links_fini(struct ht_links *l)
{
	if (l->whole) {
		munmap(l->whole, l->whole_size);
	} else if (!l->whole_is_one) {
		release(l, l->free.v, HT_TABLE_FREE);
		release(l, l->free.first, HT_TABLE_FREE_FIRST);
		release(l, l->fast.v, HT_TABLE_FAST);
		release(l, l->fast.first, HT_TABLE_FAST_FIRST);
		release(l, l->more, HT_TABLE_MORE);
	}
	*l = (struct ht_links){0};
}

/* --- positions ----------------------------------------------------------- */

uint64_t ht_links_address(const struct ht_links *l, uint32_t position)
{
	size_t i = l->segments;

	while (i > 0 && l->segment[i - 1].base > position)
		i--;
	if (i == 0)
		return 0;
	return l->segment[i - 1].first +
	       ((uint64_t)(position - l->segment[i - 1].base) << l->shift);
}

uint32_t ht_record_position(const struct ht_record_index *x, size_t i)
{
	size_t low = 0, high = x->granules; /* the last one that starts at i */

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (x->first[mid] <= i)
			low = mid;
		else
			high = mid;
	}
	return (uint32_t)(low << HT_GRANULE_SHIFT) | x->v[i].slot;
}

/* --- adding -------------------------------------------------------------- */

/* Whether a table has room for n records: a heap that is broken, or that moves
 * under the walk, may have more chunks than fit into its bytes. */
static bool has_room(const struct ht_links *l, enum ht_link_table table,
		     const struct ht_record_index *x, size_t n)
{
	return n <= l->size[table] / sizeof(*x->v) - x->n;
}

/* false: the memory limit is reached, or that of a table. */
static bool spend(struct ht_links *l, size_t bytes, bool room)
{
	if (l->full || !room || bytes > l->bytes_max - l->bytes)
		l->full = true;
	else
		l->bytes += bytes;
	return !l->full;
}

/* What a batch up to this position takes of the directory. */
static size_t directory_bytes(const struct ht_record_index *x, uint32_t last)
{
	size_t granules = (last >> HT_GRANULE_SHIFT) + 1;

	return granules > x->granules
		       ? (granules - x->granules) * sizeof(*x->first)
		       : 0;
}

bool ht_links_spend_free(struct ht_links *l, size_t n, uint32_t last)
{
	const size_t each = sizeof(*l->free.v) + sizeof(*l->more);

	return spend(l, n * each + directory_bytes(&l->free, last),
		     has_room(l, HT_TABLE_FREE, &l->free, n));
}

void ht_links_add_free(struct ht_links *l, uint32_t position, uint32_t units,
		       uint32_t fd, uint32_t bk)
{
	const struct ht_free_more more = {bk, units};

	if (ht_links_spend_free(l, 1, position))
		ht_links_put_free(
			l, position, &more, fd,
			ht_bin_index(l->layout, (uint64_t)units << l->shift));
}

void ht_links_add_fast(struct ht_links *l, const struct ht_fast_candidate *c,
		       size_t n)
{
	size_t bytes = n * sizeof(*l->fast.v) +
		       directory_bytes(&l->fast, c[n - 1].position);

	if (!spend(l, bytes, has_room(l, HT_TABLE_FAST, &l->fast, n)))
		return;
	for (size_t i = 0; i < n; i++)
		ht_record_append(&l->fast, c[i].position, c[i].link,
				 (uint8_t)(c[i].index | HT_FAST_CANDIDATE), 0);
}

/* Chunks of a window, every other one free, and what they take. */
#define RESERVE ((size_t)256 << 10)

bool ht_links_pressed(const struct ht_links *l)
{
	size_t left = l->bytes_max - l->bytes;

	return !l->full && (left < RESERVE && left < l->bytes_max / 2);
}

void ht_links_clear(struct ht_links *l)
{
	l->free.n = l->free.granules = 0;
	l->fast.n = l->fast.granules = 0;
	l->bytes = 0;
	l->pairs = 0;
}

static void move_records(struct ht_record_index *x, struct ht_links *from,
			 struct ht_record_index *y, enum ht_link_table table)
{
	memcpy(x->v + x->n, y->v, y->n * sizeof(*x->v));
	release(from, y->v, table);
	y->v = NULL;
	/* A granule that both have records of keeps its entry: they lie in a
	 * row. */
	for (; x->granules < y->granules; x->granules++)
		x->first[x->granules] = (uint32_t)x->n + y->first[x->granules];
	x->n += y->n;
}

bool ht_links_append(struct ht_links *l, struct ht_links *from)
{
	if (l->full || from->full || from->bytes > l->bytes_max - l->bytes ||
	    !has_room(l, HT_TABLE_FREE, &l->free, from->free.n) ||
	    !has_room(l, HT_TABLE_FAST, &l->fast, from->fast.n))
		return false;
	l->bytes += from->bytes;
	l->pairs += from->pairs;
	memcpy(l->more + l->free.n, from->more,
	       from->free.n * sizeof(*from->more));
	release(from, from->more, HT_TABLE_MORE);
	from->more = NULL;
	move_records(&l->free, from, &from->free, HT_TABLE_FREE);
	move_records(&l->fast, from, &from->fast, HT_TABLE_FAST);
	ht_links_fini(from);
	return true;
}

/* --- following ----------------------------------------------------------- */

static bool fault(struct ht_list *list, enum ht_list_fault what)
{
	list->fault = what;
	list->fault_at = list->previous - 1 < HT_LINK_MAX ? list->previous - 1
							  : HT_LINK_MAX;
	return false;
}

/* One chunk of a bin's list; false: the list is done. */
static bool step_bin(struct ht_links *l, struct ht_list *list)
{
	uint32_t here = list->next;
	struct ht_record *r;
	uint64_t size;
	size_t i;

	if (here == HT_LINK_BIN(list->bin)) {
		if (list->tail != list->previous)
			return fault(list, HT_LIST_BACK);
		return false;
	}
	if (here == HT_LINK_END || here > HT_LINK_MAX)
		return fault(list, HT_LIST_WILD);
	r = ht_record_find(&l->free, here - 1);
	if (!r)
		return fault(list, HT_LIST_NOT_FREE);
	i = (size_t)(r - l->free.v);
	if (r->mark != HT_MARK_NONE)
		return fault(list, HT_LIST_LOOP);
	if (l->more[i].back != list->previous)
		return fault(list, HT_LIST_BACK);
	size = (uint64_t)l->more[i].units << l->shift;
	if (list->bin > 1 && ht_bin_index(l->layout, size) != list->bin)
		return fault(list, HT_LIST_SIZE);
	r->mark = list->bin;
	list->count.chunks++;
	list->count.bytes += size;
	list->previous = here;
	list->next = r->link;
	return true;
}

static bool step_fast(struct ht_links *l, struct ht_list *list)
{
	uint32_t here = list->next;
	struct ht_record *r;

	if (here == HT_LINK_END)
		return false;
	if (here > HT_LINK_MAX)
		return fault(list, HT_LIST_WILD);
	r = ht_record_find(&l->fast, here - 1);
	if (!r)
		return fault(list, HT_LIST_NOT_FREE);
	if (r->mark != (list->bin | HT_FAST_CANDIDATE))
		return fault(list, r->mark & HT_FAST_CANDIDATE ? HT_LIST_SIZE
							       : HT_LIST_LOOP);
	r->mark = list->bin;
	list->count.chunks++;
	list->previous = here;
	list->next = r->link;
	return true;
}

typedef bool step_fn(struct ht_links *l, struct ht_list *list);

static void follow(struct ht_links *l, const struct ht_record_index *x,
		   struct ht_list *lists, size_t n, step_fn *step)
{
	struct ht_list *lane[LANES];
	size_t lanes = 0, started = 0;
	unsigned steps = 0;

	while (started < n || lanes > 0) {
		ht_pace_step(&steps);
		while (lanes < LANES && started < n) {
			lane[lanes] = &lists[started++];
			lane[lanes]->next = lane[lanes]->head;
			lanes++;
		}
		for (size_t i = 0; i < lanes; i++)
			ht_fetch_directory(x, lane[i]->next);
		for (size_t i = 0; i < lanes; i++)
			ht_fetch_records(x, lane[i]->next);
		for (size_t i = 0; i < lanes;) {
			if (step(l, lane[i]))
				i++;
			else
				lane[i] = lane[--lanes];
		}
	}
}

bool ht_links_follow_bins(struct ht_links *l, struct ht_list *lists, size_t n)
{
	if (ht_links_join_bins(l, lists, n))
		return true;
	for (size_t i = 0; i < n; i++)
		lists[i].previous = HT_LINK_BIN(lists[i].bin);
	follow(l, &l->free, lists, n, step_bin);
	return false;
}

void ht_links_follow_fastbin(struct ht_links *l, struct ht_list *list)
{
	list->previous = HT_LINK_END;
	follow(l, &l->fast, list, 1, step_fast);
}
