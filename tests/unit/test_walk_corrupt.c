/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spoiled heaps: each damage is a finding with its address, the other arena is
 * measured all the same, and nothing hangs.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "tests/lib/fakeheap.h"

#define WORD	 8u
#define SIZE	 WORD
#define FD	 (2 * WORD)
#define BK	 (3 * WORD)
#define LIMIT_NS (5 * HT_NS_PER_S)

static uint64_t size_zero(struct fake *k)
{
	fake_put(k, k->in_use + SIZE, 0);
	return k->in_use;
}
static uint64_t size_too_small(struct fake *k)
{
	fake_put(k, k->in_use + SIZE, 16 | 1);
	return k->in_use;
}
static uint64_t size_huge(struct fake *k)
{
	fake_put(k, k->in_use + SIZE, UINT64_C(1) << 63);
	return k->in_use;
}
static uint64_t size_wraps(struct fake *k)
{
	fake_put(k, k->in_use + SIZE, UINT64_MAX);
	return k->in_use;
}
static uint64_t size_crooked(struct fake *k)
{
	fake_put(k, k->in_use + SIZE, 56 | 1);
	return k->in_use;
}
static uint64_t bin_loop(struct fake *k)
{
	fake_put(k, k->small_free + FD, k->small_free);
	return k->small_free;
}
static uint64_t bin_wild(struct fake *k)
{
	fake_put(k, k->small_free + FD, 0x4141414141414141);
	return k->small_free;
}
static uint64_t bin_null(struct fake *k)
{
	fake_put(k, k->unsorted + FD, 0);
	return k->unsorted;
}
static uint64_t bin_into_used(struct fake *k)
{
	fake_put(k, k->unsorted + FD, k->in_use);
	return k->unsorted;
}
static uint64_t bin_back(struct fake *k)
{
	fake_put(k, k->small_free + BK, k->in_use);
	return k->arena; /* the header points to a chunk that... */
}
static uint64_t fast_loop(struct fake *k)
{
	fake_put(k, k->fast + FD, k->fast ^ (k->fast + FD) >> 12);
	return k->fast;
}
static uint64_t fast_wild(struct fake *k)
{
	fake_put(k, k->fast + FD, 0x4141414141414141);
	return 0;
}
static uint64_t footer(struct fake *k)
{
	fake_put(k, k->large_free + (fake_get(k, k->large_free + SIZE) & ~7ul),
		 4096);
	return k->large_free;
}
static uint64_t heap_cycle(struct fake *k)
{
	uint64_t old = k->part[FAKE_HEAP_1].addr;

	fake_put(k, old + WORD, k->part[FAKE_HEAP_2].addr);
	return k->part[FAKE_HEAP_2].addr;
}
static uint64_t heap_wild(struct fake *k)
{
	fake_put(k, k->part[FAKE_HEAP_2].addr + WORD, 0x123456789);
	return k->part[FAKE_HEAP_2].addr;
}
static uint64_t heap_size(struct fake *k)
{
	fake_put(k, k->part[FAKE_HEAP_2].addr + 2 * WORD, UINT64_MAX);
	return k->part[FAKE_HEAP_2].addr;
}
static uint64_t ring_wild(struct fake *k)
{
	fake_put(k, k->arena + k->f->at_next, 0xdeadbeef0);
	return 0xdeadbeef0;
}
static uint64_t ring_loop(struct fake *k)
{
	fake_put(k, k->arena + k->f->at_next, k->arena);
	return k->arena;
}
static uint64_t top_size(struct fake *k)
{
	fake_put(k, fake_get(k, k->arena + k->f->at_top) + SIZE, 1);
	return fake_get(k, k->arena + k->f->at_top);
}
static uint64_t top_text(struct fake *k)
{
	uint64_t top = fake_get(k, k->main_arena + k->f->at_top);

	fake_put(k, top + SIZE, 0x0101010101010101);
	return top;
}
static uint64_t top_wild(struct fake *k)
{
	fake_put(k, k->arena + k->f->at_top, 0x41414140);
	return 0x40000000;
}
static uint64_t tcache_wild(struct fake *k)
{
	uint64_t cache = fake_get(k, k->thread.thread_pointer + 0x40);

	fake_put(k, cache + k->f->at_entries + 2 * WORD, 0x4141414141414140);
	return 0x4141414141414140;
}
static uint64_t tcache_unaligned(struct fake *k)
{
	k->located.malloc[0].safe_linking = 1;
	fake_put(k, k->cached + FD, (k->cached + FD) >> 12 ^ 0x41);
	return 0x41;
}

static const struct damage {
	const char *why;
	uint64_t (*spoil)(struct fake *k); /* where the finding is; 0: any */
	const char *code;
	int other; /* the arena that is untouched; -1: none is worth asking */
} damages[] = {
	{"a size of zero would loop for ever", size_zero, "chunk_size", 0},
	{"a size below the least", size_too_small, "chunk_size", 0},
	{"a size of 2^63", size_huge, "chunk_size", 0},
	{"a size that wraps the address", size_wraps, "chunk_size", 0},
	{"a size that is not aligned", size_crooked, "chunk_size", 0},
	{"a bin that loops", bin_loop, "list_loop", 0},
	{"a bin that leads into nothing", bin_wild, "list_wild", 0},
	{"a bin that ends in NULL", bin_null, "list_wild", 0},
	{"a bin that leads into a chunk in use", bin_into_used, "list_not_free",
	 0},
	{"a chunk that does not point back", bin_back, "list_back", 0},
	{"a fastbin chunk linked to itself", fast_loop, "list_loop", 0},
	{"a fastbin that leads into nothing", fast_wild, "list_not_free", 0},
	{"a footer that is not the size", footer, "footer", 0},
	{"heaps in a circle", heap_cycle, "heap_chain", 0},
	{"a heap that is none", heap_wild, "heap_chain", 0},
	{"a heap larger than the address space", heap_size, "heap_chain", 0},
	{"a ring of arenas that leads away", ring_wild, "arena_unreadable", 0},
	{"a ring of arenas that skips main", ring_loop, "arena_ring", 0},
	{"a top without a size", top_size, "top", 0},
	{"a top with text for a size", top_text, "top", 1},
	{"a top that is nowhere", top_wild, "heap_chain", 0},
	{"a tcache that leads into nothing", tcache_wild, "tcache", 1},
	{"a tcache entry that is not aligned", tcache_unaligned, "tcache", 1},
};

static bool found(const struct ht_snapshot *s, const char *code,
		  uint64_t address)
{
	for (size_t i = 0; i < s->findings.n; i++)
		if (strcmp(s->findings.v[i].code, code) == 0 &&
		    (address == 0 || s->findings.v[i].address == address))
			return true;
	return false;
}

static void print_findings(const struct ht_snapshot *s)
{
	for (size_t i = 0; i < s->findings.n; i++)
		print_message("    %s at 0x%" PRIx64 ": %s\n",
			      s->findings.v[i].code, s->findings.v[i].address,
			      s->findings.v[i].text);
}

static void try_damage(const struct damage *d)
{
	int64_t start = ht_mono_ns();
	struct ht_snapshot s;
	struct ht_err err;
	struct fake k;
	uint64_t address;

	assert_int_equal(fake_build(&k, 36, WORD, &err), HT_OK);
	address = d->spoil(&k);
	if (fake_walk(&k, &s, &err) != HT_OK ||
	    ht_snapshot_check(&s, &err) != HT_OK)
		fail_msg("%s: %s", d->why, err.msg);
	print_message("  %s\n", d->why);
	print_findings(&s);
	if (!found(&s, d->code, address))
		fail_msg("%s: no %s at 0x%" PRIx64, d->why, d->code, address);
	assert_true(ht_mono_ns() - start < LIMIT_NS);
	assert_true(s.arenas.n >= 1);
	if (d->other == 0) {
		assert_int_equal(s.arenas.v[0].in_use, k.want[0].in_use);
		assert_int_equal(s.arenas.v[0].free,
				 k.want[0].tcache + k.want[0].fastbin +
					 k.want[0].unsorted + k.want[0].small +
					 k.want[0].large + k.want[0].top);
	} else {
		assert_int_equal(s.arenas.v[1].in_use, k.want[1].in_use);
	}
	ht_snapshot_fini(&s);
	fake_free(&k);
}

static void every_damage_is_found_and_the_rest_is_measured(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++)
		try_damage(&damages[i]);
}

/* Behind a bad size the walk finds its way back: little is lost. */
static void only_the_bytes_around_a_bad_size_are_uncertain(void **state)
{
	struct ht_snapshot s;
	struct ht_err err;
	struct fake k;

	(void)state;
	assert_int_equal(fake_build(&k, 36, WORD, &err), HT_OK);
	size_huge(&k);
	assert_int_equal(fake_walk(&k, &s, &err), HT_OK);
	assert_true(s.arenas.v[1].uncertain_bytes > 0);
	assert_true(s.arenas.v[1].uncertain_bytes < 1024);
	ht_snapshot_fini(&s);
	fake_free(&k);
}

static enum ht_page_state heap_2_is_withheld(void *ctx, uint64_t addr)
{
	const struct fake *k = ctx;
	uint64_t page = k->part[FAKE_HEAP_2].addr + 0x1000;

	return addr >= page && addr < page + 0x1000 ? HT_PAGE_WITHHELD
						    : HT_PAGE_PRESENT;
}

/* Under userfaultfd: what lies there is neither zeros nor damage. */
static void
withheld_pages_are_not_read_and_their_bytes_are_uncertain(void **state)
{
	struct ht_snapshot s;
	struct ht_err err;
	struct fake k;

	(void)state;
	assert_int_equal(fake_build(&k, 36, WORD, &err), HT_OK);
	k.pages.state = heap_2_is_withheld;
	k.pages.ctx = &k;
	memset(k.bytes[FAKE_HEAP_2] + 0x1000, 0xff, 0x1000); /* a trap */
	assert_int_equal(fake_walk(&k, &s, &err), HT_OK);
	assert_in_range(s.arenas.v[1].uncertain_bytes, 0x1000, 0x1400);
	assert_int_equal(s.findings.n, 0);
	assert_true(s.warnings.n > 0);
	assert_non_null(strstr(s.warnings.v[0].text, "under userfaultfd"));
	assert_int_equal(s.arenas.v[0].in_use, k.want[0].in_use);
	ht_snapshot_fini(&s);
	fake_free(&k);
}

static enum ht_page_state heap_2_is_swapped(void *ctx, uint64_t addr)
{
	const struct fake *k = ctx;
	uint64_t page = k->part[FAKE_HEAP_2].addr + 0x1000;

	return addr >= page && addr < page + 0x1000 ? HT_PAGE_SWAPPED
						    : HT_PAGE_PRESENT;
}

static void
swapped_pages_are_not_read_and_their_bytes_are_uncertain(void **state)
{
	struct ht_snapshot s;
	struct ht_err err;
	struct fake k;

	(void)state;
	assert_int_equal(fake_build(&k, 36, WORD, &err), HT_OK);
	k.pages.state = heap_2_is_swapped;
	k.pages.ctx = &k;
	memset(k.bytes[FAKE_HEAP_2] + 0x1000, 0xff, 0x1000); /* a trap */
	assert_int_equal(fake_walk(&k, &s, &err), HT_OK);
	assert_in_range(s.arenas.v[1].uncertain_bytes, 0x1000, 0x1400);
	assert_true(s.warnings.n > 0);
	assert_int_equal(s.arenas.v[0].in_use, k.want[0].in_use);
	ht_snapshot_fini(&s);
	fake_free(&k);
}

/* Between the arena and its top the target ran: the top lies elsewhere now, and
 * where it was there is text. */
static void a_top_that_moved_leaves_text_and_no_size(void **state)
{
	static const uint64_t texts[] = {0x0101010101010101, 0x2020202020202020,
					 0x0000007f00000041, 0x5001};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct ht_snapshot s;
		struct ht_err err;
		struct fake k;
		uint64_t main_top, in_use;

		assert_int_equal(fake_build(&k, 36, WORD, &err), HT_OK);
		k.moving = true;
		main_top = fake_get(&k, k.main_arena + k.f->at_top);
		fake_put(&k, main_top + SIZE, texts[i]);
		if (fake_walk(&k, &s, &err) != HT_OK ||
		    ht_snapshot_check(&s, &err) != HT_OK)
			fail_msg("0x%" PRIx64 ": %s", texts[i], err.msg);
		assert_int_equal(s.findings.n, 0);
		assert_int_equal(s.arenas.v[0].system, k.want[0].system);
		in_use = s.arenas.v[0].in_use;
		assert_in_range(in_use, k.want[0].in_use / 2, k.want[0].in_use);
		assert_int_equal(s.arenas.v[1].in_use, k.want[1].in_use);
		ht_snapshot_fini(&s);
		fake_free(&k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			every_damage_is_found_and_the_rest_is_measured),
		cmocka_unit_test(
			only_the_bytes_around_a_bad_size_are_uncertain),
		cmocka_unit_test(
			withheld_pages_are_not_read_and_their_bytes_are_uncertain),
		cmocka_unit_test(
			swapped_pages_are_not_read_and_their_bytes_are_uncertain),
		cmocka_unit_test(a_top_that_moved_leaves_text_and_no_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
