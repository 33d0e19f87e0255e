/* SPDX-License-Identifier: Apache-2.0 */
/* The walk against the process's own account: difference 0 everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/look.h"
#include "tests/lib/target.h"

#define LIMIT_MS 20000
#define ROWS	 256

/* What malloc_info says of one arena. */
struct heap {
	uint64_t fast_count, fast_size, rest_count, rest_size;
	uint64_t system, max_system;
	struct {
		uint64_t from, to, total, count;
	} size[ROWS];
	size_t sizes;
	uint64_t unsorted_total, unsorted_count;
};

struct account {
	struct heap heap[64];
	size_t heaps;
	uint64_t mmap_count, mmap_size;
	uint64_t arena, ordblks, smblks, hblks, hblkhd, fsmblks, uordblks,
		fordblks, keepcost;
	struct {
		uint64_t tid, chunks, bytes;
	} tcache[16];
	size_t tcaches;
};

static struct program target;
static struct ht_snapshot snap;
static struct account said;

static uint64_t attribute(const char *line, const char *name)
{
	char key[32];
	const char *at;

	snprintf(key, sizeof(key), " %s=\"", name);
	at = strstr(line, key);
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static bool is(const char *line, const char *with)
{
	return strstr(line, with) != NULL;
}

static void take_heap_line(struct heap *h, const char *line)
{
	if (is(line, "<size ")) {
		h->size[h->sizes].from = attribute(line, "from");
		h->size[h->sizes].to = attribute(line, "to");
		h->size[h->sizes].total = attribute(line, "total");
		h->size[h->sizes++].count = attribute(line, "count");
	} else if (is(line, "<unsorted ")) {
		h->unsorted_total = attribute(line, "total");
		h->unsorted_count = attribute(line, "count");
	} else if (is(line, "<total type=\"fast\"")) {
		h->fast_count = attribute(line, "count");
		h->fast_size = attribute(line, "size");
	} else if (is(line, "<total type=\"rest\"")) {
		h->rest_count = attribute(line, "count");
		h->rest_size = attribute(line, "size");
	} else if (is(line, "<system type=\"current\"")) {
		h->system = attribute(line, "size");
	} else if (is(line, "<system type=\"max\"")) {
		h->max_system = attribute(line, "size");
	}
}

static void take_line(struct account *a, const char *line, bool *in_heap)
{
	if (is(line, "<heap nr="))
		*in_heap = true;
	else if (is(line, "</heap>"))
		*in_heap = false, a->heaps++;
	else if (*in_heap)
		take_heap_line(&a->heap[a->heaps], line);
	else if (is(line, "<total type=\"mmap\"")) {
		a->mmap_count = attribute(line, "count");
		a->mmap_size = attribute(line, "size");
	}
	sscanf(line,
	       "mallinfo arena %lu ordblks %lu smblks %lu hblks %lu hblkhd %lu "
	       "fsmblks %lu uordblks %lu fordblks %lu keepcost %lu",
	       &a->arena, &a->ordblks, &a->smblks, &a->hblks, &a->hblkhd,
	       &a->fsmblks, &a->uordblks, &a->fordblks, &a->keepcost);
	if (sscanf(line, "tcache %lu %lu %lu", &a->tcache[a->tcaches].tid,
		   &a->tcache[a->tcaches].chunks,
		   &a->tcache[a->tcaches].bytes) == 3)
		a->tcaches++;
}

static void ask_target(void)
{
	char line[512];
	bool in_heap = false;

	memset(&said, 0, sizeof(said));
	program_tell(&target, "info\n");
	do {
		assert_true(
			program_line(&target, line, sizeof(line), LIMIT_MS));
		take_line(&said, line, &in_heap);
	} while (strcmp(line, "done") != 0);
}

static int start(void **state)
{
	struct ht_look how = {0};
	struct ht_err err;

	(void)state;
	target = program_start("oracle", (char *)NULL);
	assert_true(program_says(&target, "ready", LIMIT_MS));
	assert_true(process_sleeps(target.pid, LIMIT_MS));
	if (ht_look(target.pid, &how, &snap, &err) != HT_OK)
		fail_msg("%s", err.msg);
	ask_target();
	return 0;
}

static int end(void **state)
{
	(void)state;
	program_end(&target);
	ht_snapshot_fini(&snap);
	return 0;
}

/* Sum over an arena's bin rows of these kinds. */
static void sum_bins(uint64_t arena, bool fast, uint64_t *chunks,
		     uint64_t *bytes)
{
	*chunks = *bytes = 0;
	for (size_t i = 0; i < snap.bins.n; i++) {
		const struct ht_bin *b = &snap.bins.v[i];

		if (b->arena == arena && (b->kind == HT_BIN_FAST) == fast) {
			*chunks += b->chunks;
			*bytes += b->bytes;
		}
	}
}

static void every_arena_has_what_malloc_info_says(void **state)
{
	(void)state;
	assert_int_equal(snap.arenas.n, said.heaps);
	assert_true(said.heaps >= 4);
	for (size_t i = 0; i < said.heaps; i++) {
		const struct ht_arena *a = &snap.arenas.v[i];
		const struct heap *h = &said.heap[i];
		uint64_t chunks, bytes;

		assert_int_equal(a->system, h->system);
		assert_int_equal(a->max_system, h->max_system);
		sum_bins(i, true, &chunks, &bytes);
		assert_int_equal(chunks, h->fast_count);
		assert_int_equal(bytes, h->fast_size);
		sum_bins(i, false, &chunks, &bytes);
		assert_int_equal(chunks + 1, h->rest_count);
		/* raw size words: PREV_INUSE counts one for each chunk */
		assert_int_equal(bytes + chunks + a->top, h->rest_size);
	}
}

/* Chunks of one arena in bins that hold the size `from`. */
static uint64_t chunks_between(uint64_t arena, uint64_t from, uint64_t to,
			       uint64_t *bytes)
{
	uint64_t chunks = 0;

	*bytes = 0;
	from &= ~UINT64_C(7), to &= ~UINT64_C(7);
	for (size_t i = 0; i < snap.bins.n; i++) {
		const struct ht_bin *b = &snap.bins.v[i];

		if (b->arena != arena || b->kind == HT_BIN_UNSORTED)
			continue;
		if ((b->kind == HT_BIN_FAST)
			    ? b->min_size == to
			    : b->min_size <= from && to <= b->max_size)
			chunks += b->chunks, *bytes += b->bytes;
	}
	return chunks;
}

static void every_bin_has_what_malloc_info_says(void **state)
{
	size_t compared = 0;

	(void)state;
	for (size_t i = 0; i < said.heaps; i++) {
		const struct heap *h = &said.heap[i];

		for (size_t k = 0; k < h->sizes; k++) {
			uint64_t bytes,
				chunks = chunks_between(i, h->size[k].from,
							h->size[k].to, &bytes);
			/* fastbins are printed without flag bits */
			bool raw = h->size[k].to & 1;

			if (!raw && chunks != h->size[k].count)
				continue; /* shares its size with a small bin */
			assert_int_equal(chunks >= h->size[k].count, 1);
			if (chunks == h->size[k].count)
				assert_int_equal(bytes + (raw ? chunks : 0),
						 h->size[k].total);
			compared++;
		}
	}
	assert_true(compared > 30);
}

static void unsorted_bins_are_equal(void **state)
{
	uint64_t seen = 0;

	(void)state;
	for (size_t i = 0; i < said.heaps; i++) {
		uint64_t chunks = 0, bytes = 0;

		for (size_t k = 0; k < snap.bins.n; k++)
			if (snap.bins.v[k].arena == i &&
			    snap.bins.v[k].kind == HT_BIN_UNSORTED) {
				chunks = snap.bins.v[k].chunks;
				bytes = snap.bins.v[k].bytes;
			}
		assert_int_equal(chunks, said.heap[i].unsorted_count);
		assert_int_equal(bytes + chunks, said.heap[i].unsorted_total);
		seen += chunks;
	}
	assert_true(seen > 100);
}

static void totals_are_what_mallinfo2_says(void **state)
{
	const struct ht_totals *t = &snap.totals;

	(void)state;
	assert_int_equal(t->system, said.arena);
	assert_int_equal(t->binned_chunks + t->arenas, said.ordblks);
	assert_int_equal(t->fastbin_chunks, said.smblks);
	assert_int_equal(t->fastbin, said.fsmblks);
	assert_int_equal(t->free - t->tcache, said.fordblks);
	assert_int_equal(t->in_use + t->tcache + t->overhead, said.uordblks);
	assert_int_equal(snap.arenas.v[0].top, said.keepcost);
}

static void mmapped_chunks_are_counted(void **state)
{
	(void)state;
	assert_int_equal(snap.totals.mmapped_chunks, said.hblks);
	assert_int_equal(snap.totals.mmapped, said.hblkhd);
	assert_int_equal(snap.params.n_mmaps, said.mmap_count);
	assert_int_equal(snap.params.mmapped_mem, said.mmap_size);
	assert_true(said.hblks >= 7);
}

static void every_tcache_is_what_its_thread_sees(void **state)
{
	size_t met = 0;

	(void)state;
	for (size_t i = 0; i < said.tcaches; i++)
		for (size_t k = 0; k < snap.threads.n; k++) {
			if (snap.threads.v[k].tid != said.tcache[i].tid)
				continue;
			assert_int_equal(snap.threads.v[k].tcache_chunks,
					 said.tcache[i].chunks);
			assert_int_equal(snap.threads.v[k].tcache_bytes,
					 said.tcache[i].bytes);
			assert_true(said.tcache[i].chunks > 0);
			met++;
		}
	assert_int_equal(met, 7);
}

static void nothing_is_found_wrong_and_all_sums_close(void **state)
{
	struct ht_err err;

	(void)state;
	for (size_t i = 0; i < snap.findings.n; i++)
		print_message("%s: %s\n", snap.findings.v[i].code,
			      snap.findings.v[i].text);
	assert_int_equal(snap.findings.n, 0);
	assert_int_equal(snap.stop.uncertain_bytes, 0);
	if (ht_snapshot_check(&snap, &err) != HT_OK)
		fail_msg("%s", err.msg);
}

static void without_room_for_records_the_totals_stay_exact(void **state)
{
	struct ht_look how = {.tables_max = 16384};
	struct ht_snapshot s;
	struct ht_err err;

	(void)state;
	if (ht_look(target.pid, &how, &s, &err) != HT_OK ||
	    ht_snapshot_check(&s, &err) != HT_OK)
		fail_msg("%s", err.msg);
	assert_true(s.warnings.n >= said.heaps);
	assert_int_equal(s.findings.n, 0);
	assert_int_equal(s.totals.in_use, snap.totals.in_use);
	assert_int_equal(s.totals.free, snap.totals.free);
	assert_int_equal(s.totals.fastbin, said.fsmblks);
	assert_int_equal(s.totals.fastbin_chunks, said.smblks);
	assert_int_equal(s.totals.binned_chunks + s.totals.arenas,
			 said.ordblks);
	ht_snapshot_fini(&s);
}

static void trimmable_is_what_malloc_trim_returns(void **state)
{
	unsigned long before = 0, after = 0;
	char line[128];

	(void)state;
	program_tell(&target, "trim\n");
	assert_true(program_line(&target, line, sizeof(line), LIMIT_MS));
	assert_int_equal(sscanf(line, "trim %lu %lu", &before, &after), 2);
	print_message("predicted %lu, resident memory fell by %lu\n",
		      snap.totals.trimmable, before - after);
	assert_true(snap.totals.trimmable > 100000);
	assert_in_range(before - after, snap.totals.trimmable - 16384,
			snap.totals.trimmable + 16384);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_arena_has_what_malloc_info_says),
		cmocka_unit_test(every_bin_has_what_malloc_info_says),
		cmocka_unit_test(unsorted_bins_are_equal),
		cmocka_unit_test(totals_are_what_mallinfo2_says),
		cmocka_unit_test(mmapped_chunks_are_counted),
		cmocka_unit_test(every_tcache_is_what_its_thread_sees),
		cmocka_unit_test(nothing_is_found_wrong_and_all_sums_close),
		cmocka_unit_test(
			without_room_for_records_the_totals_stay_exact),
		cmocka_unit_test(trimmable_is_what_malloc_trim_returns),
	};

	return cmocka_run_group_tests(tests, start, end);
}
