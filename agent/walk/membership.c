/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Membership: which candidates really are in a fastbin, without following
 * lists.
 *
 * Following a fastbin of millions waits for memory at every chunk. In a sound
 * heap membership can be had without: of all candidates of one size, those that
 * nobody links to, but for the head, are none (a chunk back in use that still
 * holds its old link); without them, what they alone linked to is none either;
 * and so on. What remains is the list, if the head is linked to by nobody,
 * every other one by one, and one link ends it. Where that does not hold the
 * list is followed after all, to find the fault.
 *
 * As a rule there is nothing to be left out but what is in thread caches, which
 * is known. That is tried first: where what links lead to, the head's with
 * them, is what there is, and one end, no record has to be looked for. By sums
 * of hashes, as in pieces.c.
 */
#include "agent/walk/links.h"

#define AT_ONCE 64 /* records looked up at a time */

static bool points_to_chunk(const struct ht_record *r)
{
	return r->link != HT_LINK_END && r->link <= HT_LINK_MAX;
}

static struct ht_record *target_of(const struct ht_links *l,
				   const struct ht_record *r)
{
	return points_to_chunk(r) ? ht_record_find(&l->fast, r->link - 1)
				  : NULL;
}

static void count_link(struct ht_record *to)
{
	if (to && to->from < UINT8_MAX)
		to->from++;
}

/* Some at a time, so that waiting for one record does not hold up the rest. */
static void count_links(struct ht_links *l)
{
	const struct ht_record *v = l->fast.v;

	for (size_t from = 0; from < l->fast.n; from += AT_ONCE) {
		size_t to =
			from + AT_ONCE < l->fast.n ? from + AT_ONCE : l->fast.n;

		for (size_t i = from; i < to; i++)
			ht_fetch_directory(&l->fast, v[i].link);
		for (size_t i = from; i < to; i++)
			ht_fetch_records(&l->fast, v[i].link);
		for (size_t i = from; i < to; i++)
			count_link(target_of(l, &v[i]));
	}
}

/* Takes a candidate that nobody links to out, and what hung on it alone. */
static void drop_stale(struct ht_links *l, struct ht_record *r)
{
	while (r && r->from == 0 && r->mark != HT_MARK_NONE) {
		struct ht_record *to = target_of(l, r);

		r->mark = HT_MARK_NONE;
		if (to && to->from < UINT8_MAX)
			to->from--;
		r = to;
	}
}

/* What remains of one fastbin. */
struct remains {
	uint64_t chunks, ends, crowded;
};

static void count_remains(const struct ht_links *l, struct remains *sum)
{
	for (size_t i = 0; i < l->fast.n; i++) {
		const struct ht_record *r = &l->fast.v[i];
		struct remains *s = &sum[r->mark & ~HT_FAST_CANDIDATE & 15];

		if (r->mark == HT_MARK_NONE)
			continue;
		s->chunks++;
		s->ends += r->link == HT_LINK_END;
		s->crowded += r->from > 1;
	}
}

static void drop_all_stale(struct ht_links *l, struct ht_list *lists, size_t n)
{
	for (size_t i = 0; i < n;
	     i++) /* nobody links to a head, yet it stays */
		if (lists[i].tail != HT_LINK_WILD)
			l->fast.v[lists[i].tail].from++;
	for (size_t i = 0; i < l->fast.n; i++)
		drop_stale(l, &l->fast.v[i]);
}

/* Index of each list's first record into `tail`, HT_LINK_WILD: none. */
static void find_heads(struct ht_links *l, struct ht_list *lists, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct ht_record *r = NULL;

		if (lists[i].head != HT_LINK_END &&
		    lists[i].head <= HT_LINK_MAX)
			r = ht_record_find(&l->fast, lists[i].head - 1);
		if (r && r->mark != (lists[i].bin | HT_FAST_CANDIDATE))
			r = NULL;
		lists[i].tail = r ? (uint32_t)(r - l->fast.v) : HT_LINK_WILD;
	}
}

/* Takes the lists that are proved; the others keep a count of 0. */
static void take_proved(struct ht_links *l, struct ht_list *lists, size_t n,
			const struct remains *sum)
{
	bool proved[HT_FASTBINS_MAX + 5] = {false};

	for (size_t i = 0; i < n; i++) {
		const struct remains *s = &sum[lists[i].bin];

		proved[lists[i].bin] = lists[i].tail != HT_LINK_WILD &&
				       s->ends == 1 && s->crowded == 0;
		if (proved[lists[i].bin])
			lists[i].count.chunks = s->chunks;
	}
	for (size_t i = 0; i < l->fast.n; i++) {
		struct ht_record *r = &l->fast.v[i];

		if (r->mark == HT_MARK_NONE)
			r->mark = HT_FAST_CANDIDATE | 15; /* of no list */
		else if (proved[r->mark & 15])
			r->mark &= (uint8_t)~HT_FAST_CANDIDATE;
	}
}

/* --- by sums ------------------------------------------------------------- */

struct sums {
	uint64_t sum[16], chunks[16];
};

static uint64_t hash(const struct ht_links *l, uint32_t link)
{
	return ht_pair_hash(l->key, HT_LINK_WILD, link);
}

/* What links lead to, less what there is. */
static void sum_candidates(const struct ht_links *l, struct sums *s)
{
	const struct ht_record_index *x = &l->fast;

	for (size_t g = 0, i = 0; g < x->granules; g++) {
		size_t end = g + 1 < x->granules ? x->first[g + 1] : x->n;
		uint32_t first = 1 + (uint32_t)(g << HT_GRANULE_SHIFT);

		for (; i < end; i++) {
			const struct ht_record *r = &x->v[i];
			unsigned bin = r->mark & 15;

			if (r->from)
				continue;
			s->sum[bin] +=
				hash(l, r->link) - hash(l, first + r->slot);
			s->chunks[bin]++;
		}
	}
}

static bool sums_agree(const struct ht_links *l, const struct ht_list *lists,
		       size_t n, const struct sums *s)
{
	for (size_t i = 0; i < n; i++)
		if (s->sum[lists[i].bin] + hash(l, lists[i].head) !=
		    hash(l, HT_LINK_END))
			return false;
	return true;
}

/* Whether all candidates that are in no cache are in the lists. */
static bool settle_by_sums(struct ht_links *l, struct ht_list *lists, size_t n)
{
	struct sums s = {0};
	bool agree;

	sum_candidates(l, &s);
	agree = sums_agree(l, lists, n, &s);
	for (size_t i = 0; i < l->fast.n; i++) {
		struct ht_record *r = &l->fast.v[i];

		if (agree && r->from)
			r->mark = HT_FAST_CANDIDATE | 15; /* of no list */
		else if (agree)
			r->mark &= (uint8_t)~HT_FAST_CANDIDATE;
		r->from = 0;
	}
	for (size_t i = 0; agree && i < n; i++)
		lists[i].count.chunks = s.chunks[lists[i].bin];
	return agree;
}

void ht_links_note_cached(struct ht_links *l, uint64_t chunk)
{
	uint32_t link = ht_links_encode(l, chunk);
	struct ht_record *r = link != HT_LINK_END && link < HT_LINK_MAX
				      ? ht_record_find(&l->fast, link - 1)
				      : NULL;

	if (r)
		r->from = 1;
}

void ht_links_settle_fastbins(struct ht_links *l, struct ht_list *lists,
			      size_t n)
{
	struct remains sum[16] = {0};

	if (l->fast.n && !settle_by_sums(l, lists, n)) {
		count_links(l);
		find_heads(l, lists, n);
		drop_all_stale(l, lists, n);
		count_remains(l, sum);
		take_proved(l, lists, n, sum);
	}
	for (size_t i = 0; i < n; i++)
		if (lists[i].count.chunks == 0)
			ht_links_follow_fastbin(l, &lists[i]);
	for (size_t i = 0; i < n; i++)
		lists[i].count.bytes = lists[i].count.chunks *
				       ht_fastbin_size(l->layout, lists[i].bin);
}
