/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bins: which free chunks the lists of an arena hold. The linear pass has met
 * them all; here the lists say where each belongs, and what does not agree.
 */
#include <inttypes.h>

#include "agent/self/helper.h"
#include "agent/walk/bins.h"

#define SHARE_FROM 16384 /* free chunks; below, a thread's wake-up counts */

static const struct {
	const char *code, *text;
} faults[] = {
	[HT_LIST_WILD] = {"list_wild", "points to nothing that could be right"},
	[HT_LIST_NOT_FREE] = {"list_not_free",
			      "points to what is no free chunk"},
	[HT_LIST_LOOP] = {"list_loop",
			  "points to a chunk that is in a list already"},
	[HT_LIST_BACK] = {"list_back",
			  "points to a chunk that does not point back"},
	[HT_LIST_SIZE] = {"list_size",
			  "points to a chunk whose size belongs elsewhere"},
};

static void report_list(const struct ht_listed *b, const struct ht_list *list,
			const char *kind)
{
	uint64_t at = list->fault_at < HT_LINK_MAX
			      ? ht_links_address(&b->met->links, list->fault_at)
			      : b->in->root->address;

	/* A list may lead into what is swapped out or withheld. */
	if (list->fault == HT_LIST_SOUND || !ht_met_is_whole(b->met))
		return;
	ht_walk_find(b->in->walk->out, faults[list->fault].code, at,
		     b->in->root->index,
		     "%s %u: after %" PRIu64 " chunks, 0x%" PRIx64 " %s", kind,
		     list->bin, list->count.chunks, at,
		     faults[list->fault].text);
}

static void follow_bins(void *ctx)
{
	struct ht_listed *b = ctx;

	for (unsigned i = 0; i < HT_BINS; i++)
		b->list[i] = (struct ht_list){
			.bin = (uint8_t)(i + 1),
			.head = ht_links_encode(&b->met->links,
						b->in->root->fd[i + 1]),
			.tail = ht_links_encode(&b->met->links,
						b->in->root->bk[i + 1])};
	b->all_listed = ht_links_follow_bins(&b->met->links, b->list, HT_BINS);
}

static void note_cached(struct ht_listed *b)
{
	const struct ht_roots *roots = b->in->walk->roots;
	struct ht_links *l = &b->met->links;

	for (size_t i = 0; l->fast.n && i < l->segments; i++) {
		size_t to = ht_cached_from(roots, l->segment[i].end);

		for (size_t k = ht_cached_from(roots, l->segment[i].first);
		     k < to; k++)
			ht_links_note_cached(l, roots->cached[k].chunk);
	}
}

static void follow_fastbins(struct ht_listed *b)
{
	struct ht_list list[HT_FASTBINS_MAX] = {0};
	unsigned n = b->in->layout->fastbins;

	for (unsigned i = 0; i < n; i++)
		list[i] = (struct ht_list){
			.bin = (uint8_t)i,
			.head = b->in->root->fast[i]
					? ht_links_encode(&b->met->links,
							  b->in->root->fast[i])
					: HT_LINK_END};
	note_cached(b);
	ht_links_settle_fastbins(&b->met->links, list, n);
	for (unsigned i = 0; i < n; i++) {
		b->fast[i] = list[i].count;
		report_list(b, &list[i], "fastbin");
	}
}

/* Free chunks that no list led to: still free, and counted where their size
 * belongs. */
static void adopt_unlisted(struct ht_listed *b)
{
	const struct ht_links *l = &b->met->links;
	uint64_t chunks = 0, bytes = 0, first = 0;

	for (size_t i = 0; i < l->free.n; i++) {
		uint64_t size = (uint64_t)l->more[i].units << l->shift;
		struct ht_list_count *bin;

		if (l->free.v[i].mark != HT_MARK_NONE)
			continue;
		bin = &b->bin[ht_bin_index(b->in->layout, size)];
		bin->chunks++;
		bin->bytes += size;
		bytes += size;
		if (chunks++ == 0)
			first = i;
	}
	if (chunks && ht_met_is_whole(b->met))
		ht_walk_find(b->in->walk->out, "unlisted_free",
			     ht_links_address(
				     l, ht_record_position(&l->free, first)),
			     b->in->root->index,
			     "%" PRIu64 " free chunks (%" PRIu64
			     " bytes) are in no bin, this one first",
			     chunks, bytes);
}

void ht_bins_begin(const struct ht_arena_in *in, struct ht_met *met,
		   struct ht_listed *b)
{
	b->in = in;
	b->met = met;
	if (!b->in->walk->in->alone && !b->in->walk->in->moving &&
	    b->met->links.free.n >= SHARE_FROM)
		b->helped = ht_helper_run(follow_bins, b);
	if (!b->helped)
		follow_bins(b);
	follow_fastbins(b);
}

void ht_bins_end(struct ht_listed *b)
{
	if (b->overflowed)
		return;
	if (b->helped)
		ht_helper_wait();
	for (unsigned i = 0; i < HT_BINS; i++) {
		b->bin[i + 1] = b->list[i].count;
		report_list(b, &b->list[i], "bin");
	}
	if (!b->all_listed)
		adopt_unlisted(b);
}

/* --- rows ---------------------------------------------------------------- */

static bool add_bin(const struct ht_arena_in *in, enum ht_bin_kind kind,
		    unsigned index, const struct ht_list_count *count)
{
	struct ht_bin *b;

	if (count->chunks == 0)
		return true;
	b = ht_snapshot_add_bin(in->walk->out);
	if (!b)
		return false;
	b->arena = in->root->index;
	b->kind = kind;
	b->index = index;
	b->chunks = count->chunks;
	b->bytes = count->bytes;
	if (kind == HT_BIN_FAST)
		b->min_size = b->max_size = ht_fastbin_size(in->layout, index);
	else if (kind != HT_BIN_UNSORTED)
		ht_bin_range(in->layout, index, &b->min_size, &b->max_size);
	return true;
}

bool ht_bins_add_rows(const struct ht_arena_in *in, const struct ht_listed *b)
{
	bool ok = true;

	for (unsigned i = 0; ok && i < in->layout->fastbins; i++)
		ok = add_bin(in, HT_BIN_FAST, i, &b->fast[i]);
	if (ok)
		ok = add_bin(in, HT_BIN_UNSORTED, 1, &b->bin[1]);
	for (unsigned i = 2; ok && i <= HT_BINS; i++)
		ok = add_bin(in,
			     i <= HT_SMALL_LAST ? HT_BIN_SMALL : HT_BIN_LARGE,
			     i, &b->bin[i]);
	return ok;
}
