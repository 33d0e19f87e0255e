/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/links.h"

#include <stdlib.h>
#include <string.h>

#define GRANULE_SHIFT 8	 /* positions of one directory entry: 256 */
#define LANES	      24 /* lists followed at a time */
#define NOT_FOUND     SIZE_MAX

void ht_links_init(struct ht_links *l, const struct ht_layout *layout,
		   uint64_t arena, struct ht_segment *segment, size_t segments,
		   size_t bytes_max)
{
	uint64_t base = 0;

	*l = (struct ht_links){
		.layout = layout,
		.segment = segment,
		.segments = segments,
		.shift = layout->align == 16 ? 4 : 3,
		.bins = arena + layout->at[HT_P_ARENA_BINS].offset -
			4 * (uint64_t)layout->word,
		.bytes_max = bytes_max,
	};
	for (size_t i = 0; i < segments; i++) {
		uint64_t units =
			(segment[i].end - segment[i].first) >> l->shift;

		/* Beyond 32 bits positions would not be unique: no records. */
		segment[i].base = base + units < HT_LINK_MAX ? (uint32_t)base
							     : HT_LINK_MAX;
		l->full |= base + units >= HT_LINK_MAX;
		base += (units + 256) & ~UINT64_C(255);
	}
}

static void index_fini(struct ht_record_index *x)
{
	free(x->v);
	free(x->first);
	*x = (struct ht_record_index){0};
}

void ht_links_fini(struct ht_links *l)
{
	index_fini(&l->free);
	index_fini(&l->fast);
	free(l->back);
	free(l->units);
	l->back = l->units = NULL;
}

/* --- positions ----------------------------------------------------------- */

static const struct ht_segment *segment_of(const struct ht_links *l,
					   uint64_t chunk)
{
	size_t low = 0, high = l->segments;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (l->segment[mid].end <= chunk)
			low = mid + 1;
		else
			high = mid;
	}
	return low < l->segments && l->segment[low].first <= chunk
		       ? &l->segment[low]
		       : NULL;
}

uint32_t ht_links_encode(const struct ht_links *l, uint64_t chunk)
{
	const uint64_t pair = 2 * (uint64_t)l->layout->word;
	const struct ht_segment *s;
	uint64_t bin = chunk - l->bins;

	if (bin / pair <= HT_BINS && bin % pair == 0)
		return HT_LINK_BIN((uint32_t)(bin / pair));
	s = segment_of(l, chunk);
	if (!s || s->base == HT_LINK_MAX ||
	    (chunk - s->first) & (((uint64_t)1 << l->shift) - 1))
		return HT_LINK_WILD;
	return 1 + s->base + (uint32_t)((chunk - s->first) >> l->shift);
}

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
	return (uint32_t)(low << GRANULE_SHIFT) | x->v[i].slot;
}

/* --- adding ----------------------------------------------------------------
 */

/* The array with room for `to` members; NULL: the limit, or no memory. */
static void *grown(struct ht_links *l, void *array, size_t size, size_t from,
		   size_t to)
{
	if (l->bytes + (to - from) * size > l->bytes_max)
		return NULL;
	array = reallocarray(array, to, size);
	if (array)
		l->bytes += (to - from) * size;
	return array;
}
#define GROW(l, array, from, to)                                               \
	({                                                                     \
		void *g_ =                                                     \
			grown((l), (array), sizeof(*(array)), (from), (to));   \
		if (g_)                                                        \
			(array) = g_;                                          \
		g_ != NULL;                                                    \
	})

static bool grow_index(struct ht_links *l, struct ht_record_index *x,
		       size_t more)
{
	size_t from = x->capacity, to = from + from / 4 + more + 1024;

	if (x->n + more <= from)
		return true;
	if (!GROW(l, x->v, from, to))
		return false;
	if (x == &l->free &&
	    (!GROW(l, l->back, from, to) || !GROW(l, l->units, from, to)))
		return false;
	x->capacity = to;
	return true;
}

static bool grow_directory(struct ht_links *l, struct ht_record_index *x,
			   uint32_t position)
{
	size_t granule = position >> GRANULE_SHIFT;

	if (granule + 2 > x->granules_capacity) {
		size_t to = granule + granule / 4 + 1024;

		if (!GROW(l, x->first, x->granules_capacity, to))
			return false;
		x->granules_capacity = to;
	}
	while (x->granules <= granule)
		x->first[x->granules++] = (uint32_t)x->n;
	return true;
}

static bool append(struct ht_links *l, struct ht_record_index *x,
		   uint32_t position, uint32_t link, uint8_t mark)
{
	if ((position >> GRANULE_SHIFT) >= x->granules &&
	    !grow_directory(l, x, position))
		return false;
	x->v[x->n++] = (struct ht_record){link, (uint8_t)position, mark};
	return true;
}

void ht_links_add_free(struct ht_links *l, uint32_t position, uint32_t units,
		       uint32_t fd, uint32_t bk)
{
	size_t at = l->free.n;

	if (l->full || !grow_index(l, &l->free, 1) ||
	    !append(l, &l->free, position, fd, HT_MARK_NONE)) {
		l->full = true;
		return;
	}
	l->back[at] = bk;
	l->units[at] = units;
}

void ht_links_add_fast(struct ht_links *l, const struct ht_fast_candidate *c,
		       size_t n)
{
	if (l->full || !grow_index(l, &l->fast, n)) {
		l->full = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		uint8_t mark = (uint8_t)(c[i].index | HT_FAST_CANDIDATE);

		if (!append(l, &l->fast, c[i].position, c[i].link, mark)) {
			l->full = true;
			return;
		}
	}
}

/* --- following ---------------------------------------------------------------
 */

/* The last record at or before the position, by halving without branches: which
 * way to go cannot be predicted. */
static struct ht_record *find(const struct ht_record_index *x,
			      uint32_t position)
{
	size_t granule = position >> GRANULE_SHIFT, n;
	const uint8_t slot = (uint8_t)position;
	struct ht_record *r;

	if (granule >= x->granules)
		return NULL;
	r = x->v + x->first[granule];
	n = (granule + 1 < x->granules ? x->first[granule + 1] : x->n) -
	    x->first[granule];
	if (n == 0)
		return NULL;
	while (n > 1) {
		size_t half = n / 2;

		r += r[half].slot <= slot ? half : 0;
		n -= half;
	}
	return r->slot == slot ? r : NULL;
}

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
	r = find(&l->free, here - 1);
	if (!r)
		return fault(list, HT_LIST_NOT_FREE);
	i = (size_t)(r - l->free.v);
	if (r->mark != HT_MARK_NONE)
		return fault(list, HT_LIST_LOOP);
	if (l->back[i] != list->previous)
		return fault(list, HT_LIST_BACK);
	size = (uint64_t)l->units[i] << l->shift;
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
	r = find(&l->fast, here - 1);
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

/* A step waits twice for memory: for the directory, then for the record. Each
 * lane asks for one of them and lets the others go on meanwhile. */
static void fetch_directory(const struct ht_record_index *x,
			    const struct ht_list *list)
{
	size_t granule = (list->next - 1) >> GRANULE_SHIFT;

	if (granule < x->granules)
		__builtin_prefetch(x->first + granule);
}

static void fetch_records(const struct ht_record_index *x,
			  const struct ht_list *list)
{
	size_t granule = (list->next - 1) >> GRANULE_SHIFT;

	if (granule < x->granules)
		__builtin_prefetch(x->v + x->first[granule]);
}

typedef bool step_fn(struct ht_links *l, struct ht_list *list);

static void follow(struct ht_links *l, const struct ht_record_index *x,
		   struct ht_list *lists, size_t n, step_fn *step)
{
	struct ht_list *lane[LANES];
	size_t lanes = 0, started = 0;

	while (started < n || lanes > 0) {
		while (lanes < LANES && started < n) {
			lane[lanes] = &lists[started++];
			lane[lanes]->next = lane[lanes]->head;
			lanes++;
		}
		for (size_t i = 0; i < lanes; i++)
			fetch_directory(x, lane[i]);
		for (size_t i = 0; i < lanes; i++)
			fetch_records(x, lane[i]);
		for (size_t i = 0; i < lanes;) {
			if (step(l, lane[i]))
				i++;
			else
				lane[i] = lane[--lanes];
		}
	}
}

void ht_links_follow_bins(struct ht_links *l, struct ht_list *lists, size_t n)
{
	for (size_t i = 0; i < n; i++)
		lists[i].previous = HT_LINK_BIN(lists[i].bin);
	follow(l, &l->free, lists, n, step_bin);
}

void ht_links_follow_fast(struct ht_links *l, struct ht_list *lists, size_t n)
{
	for (size_t i = 0; i < n; i++)
		lists[i].previous = HT_LINK_END;
	follow(l, &l->fast, lists, n, step_fast);
	for (size_t i = 0; i < n; i++)
		lists[i].count.bytes = lists[i].count.chunks *
				       ht_fastbin_size(l->layout, lists[i].bin);
}
