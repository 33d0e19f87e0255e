/* SPDX-License-Identifier: Apache-2.0 */
/* The walk's invariants can fail: each is broken here in one place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/walk/sound.h"

#define UNITS 1024

static struct ht_segment two[] = {
	{.start = 0x1000, .first = 0x1000, .end = 0x3000, .base = 0},
	{.start = 0x4000, .first = 0x4020, .end = 0x6000, .base = 512},
};

static struct ht_extent extent(void)
{
	two[1] = (struct ht_segment){
		.start = 0x4000, .first = 0x4020, .end = 0x6000, .base = 512};
	return (struct ht_extent){.segment = two,
				  .segments = 2,
				  .top_segment = 1,
				  .top = 0x5000,
				  .top_end = 0x6000};
}

static void segments_overlap_nowhere_and_hold_the_top(void **state)
{
	struct ht_extent x = extent();

	(void)state;
	assert_true(ht_extent_sound(&x));
	two[1].start = 0x2ff0;
	assert_false(ht_extent_sound(&x));
	x = extent();
	two[1].first = 0x6010;
	assert_false(ht_extent_sound(&x));
	x = extent();
	x.top_end = 0x6010;
	assert_false(ht_extent_sound(&x));
	x = extent();
	x.top_segment = 2;
	assert_false(ht_extent_sound(&x));
}

/* Two free chunks and one in a fastbin. */
static void add_records(struct ht_links *l, const struct ht_layout *layout)
{
	const struct ht_fast_candidate fast = {.position = 4, .index = 1};

	extent();
	ht_links_init(l, layout, 0x100000, two, 2, (size_t)1 << 20);
	ht_links_add_free(l, 8, 4, HT_LINK_END, HT_LINK_END);
	ht_links_add_free(l, 300, 4, HT_LINK_END, HT_LINK_END);
	ht_links_add_fast(l, &fast, 1);
}

static void records_rise_and_directories_lead_to_them(void **state)
{
	const struct ht_layout layout = {
		.word = 8, .align = 16, .fastbins = 10};
	struct ht_links l;

	(void)state;
	add_records(&l, &layout);
	assert_true(ht_links_sound(&l));
	l.more[1].units = 0;
	assert_false(ht_links_sound(&l));
	l.more[1].units = 4;
	l.fast.v[0].mark = 10; /* found in a fastbin that there is not */
	assert_false(ht_links_sound(&l));
	l.fast.v[0].mark = 1;
	assert_true(ht_links_sound(&l));
	l.free.first[1] = 3;
	assert_false(ht_links_sound(&l));
	l.free.first[1] = 2; /* both in the first granule: 300 lies before 8 */
	l.free.v[1].slot = 8;
	assert_false(ht_links_sound(&l));
	ht_links_fini(&l);
}

static void cached_chunks_rise_and_stand_once(void **state)
{
	struct ht_cached cached[] = {{.chunk = 16}, {.chunk = 32}};
	const struct ht_roots roots = {.cached = cached, .cached_n = 2};

	(void)state;
	assert_true(ht_cached_sound(&roots));
	cached[1].chunk = 16;
	assert_false(ht_cached_sound(&roots));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_overlap_nowhere_and_hold_the_top),
		cmocka_unit_test(records_rise_and_directories_lead_to_them),
		cmocka_unit_test(cached_chunks_rise_and_stand_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
