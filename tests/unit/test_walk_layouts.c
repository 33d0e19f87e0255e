/* SPDX-License-Identifier: Apache-2.0 */
/* Heaps of every glibc from 2.17 to 2.44, 64 and 32 bit, walked to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/lib/fakeheap.h"

static void compare(const struct fake *k, const struct ht_snapshot *s)
{
	for (int i = 0; i < 2; i++) {
		const struct ht_arena *a = &s->arenas.v[i];

		assert_int_equal(a->system, k->want[i].system);
		assert_int_equal(a->in_use, k->want[i].in_use);
		assert_int_equal(a->in_use_chunks, k->want[i].in_use_chunks);
		assert_int_equal(a->tcache, k->want[i].tcache);
		assert_int_equal(a->fastbin, k->want[i].fastbin);
		assert_int_equal(a->unsorted, k->want[i].unsorted);
		assert_int_equal(a->small, k->want[i].small);
		assert_int_equal(a->large, k->want[i].large);
		assert_int_equal(a->top, k->want[i].top);
		assert_int_equal(a->uncertain_bytes, 0);
	}
	assert_int_equal(s->totals.mmapped, k->want_mmapped);
	assert_int_equal(s->totals.mmapped_chunks, k->want_mmapped_chunks);
	assert_int_equal(s->totals.heaps, 2);
}

static void walk(struct fake *k, const char *name)
{
	struct ht_snapshot s;
	struct ht_err err;

	if (fake_walk(k, &s, &err) != HT_OK ||
	    ht_snapshot_check(&s, &err) != HT_OK)
		fail_msg("%s, words of %u: %s", name, k->word, err.msg);
	print_message("%s, words of %u\n", name, k->word);
	for (size_t i = 0; i < s.findings.n; i++)
		print_message("  %s: %s\n", s.findings.v[i].code,
			      s.findings.v[i].text);
	assert_int_equal(s.findings.n, 0);
	assert_int_equal(s.arenas.n, 2);
	compare(k, &s);
	ht_snapshot_fini(&s);
	fake_free(k);
}

static void walk_one(unsigned minor, unsigned word)
{
	struct ht_err err;
	struct fake k;
	char name[20];

	snprintf(name, sizeof(name), "glibc 2.%u", minor);
	if (fake_build(&k, minor, word, &err) != HT_OK)
		fail_msg("%s, words of %u: %s", name, word, err.msg);
	walk(&k, name);
}

static const struct {
	const char *name;
	bool safe_linking;
} vendors[] = {
	{"rhel7", false},	{"rhel8", false},	{"rhel8", true},
	{"photon3", false},	{"2.26-branch", false}, {"2.27-branch", false},
	{"2.28-branch", false}, {"2.29-branch", false},
};
#define VENDORS (sizeof(vendors) / sizeof(vendors[0]))

static void build_vendor(struct fake *k, size_t i, unsigned word)
{
	struct ht_err err;

	if (fake_build_vendor(k, vendors[i].name, word, vendors[i].safe_linking,
			      &err) != HT_OK)
		fail_msg("%s, words of %u: %s", vendors[i].name, word, err.msg);
}

static void every_vendors_libc_is_walked_to_the_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < VENDORS; i++)
		for (unsigned word = 4; word <= 8; word += 4) {
			struct fake k;

			build_vendor(&k, i, word);
			walk(&k, vendors[i].name);
		}
}

/* Without symbols: nobody says where a thread's cache is, and the version says
 * what upstream's cache looked like. The cache itself says what it is. */
static void a_backported_cache_is_known_by_its_own_chunk(void **state)
{
	(void)state;
	for (size_t i = 0; i < VENDORS; i++)
		for (unsigned word = 4; word <= 8; word += 4) {
			struct ht_malloc *m;
			struct fake k;

			build_vendor(&k, i, word);
			m = &k.located.malloc[0];
			if (m->layout.tcache != HT_TCACHE_NONE)
				assert_int_equal(ht_layout_glibc(k.minor, word,
								 &m->layout,
								 NULL),
						 HT_OK);
			m->layout.sizeof_arena = k.layout.sizeof_arena;
			for (int p = 0; p < HT_P_HEAP_AR_PTR; p++)
				m->layout.at[p] = k.layout.at[p];
			m->layout.fastbins = k.layout.fastbins;
			m->tls_tcache = m->tls_thread_arena = HT_TLS_UNKNOWN;
			k.located.tls[0] = (struct ht_tls_search){
				.candidate = {0x48, 0x50, 0x40}, .n = 3};
			assert_int_equal(ht_locate_threads(&k.located,
							   &k.reader, &k.maps,
							   &k.thread, 1, NULL),
					 HT_OK);
			assert_int_equal(m->tls_thread_arena, 0x50);
			if (k.layout.tcache != HT_TCACHE_NONE)
				assert_int_equal(m->tls_tcache, 0x40);
			assert_int_equal(m->layout.tcache, k.layout.tcache);
			walk(&k, vendors[i].name);
		}
}

static void every_release_is_walked_to_the_byte_on_64_bit(void **state)
{
	(void)state;
	for (unsigned minor = 17; minor <= 44; minor++)
		walk_one(minor, 8);
}

static void every_release_is_walked_to_the_byte_on_32_bit(void **state)
{
	(void)state;
	for (unsigned minor = 17; minor <= 44; minor++)
		walk_one(minor, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_release_is_walked_to_the_byte_on_64_bit),
		cmocka_unit_test(every_release_is_walked_to_the_byte_on_32_bit),
		cmocka_unit_test(every_vendors_libc_is_walked_to_the_byte),
		cmocka_unit_test(a_backported_cache_is_known_by_its_own_chunk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
