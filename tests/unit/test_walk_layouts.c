/* SPDX-License-Identifier: Apache-2.0 */
/* Heaps of every glibc from 2.17 to 2.44, 64 and 32 bit, walked to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "agent/libc/locate_int.h"
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
				assert_int_equal(
					ht_layout_glibc(k.minor,
							ht_abi_with_word(word),
							&m->layout, NULL),
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

/* --- a release after all that are known ---------------------------------- */

static enum ht_code choose(struct fake *k, const struct ht_facts *facts,
			   struct ht_snapshot *notes, struct ht_err *err)
{
	struct ht_malloc *m = &k->located.malloc[0], chosen;
	const struct ht_locate_in in = {.maps = &k->maps, .reader = &k->reader};
	const struct ht_found f = {
		.at = {.start = k->part[FAKE_LIBC].addr, .path = "/lib/next"},
		.facts = facts,
		.end = k->part[FAKE_LIBC].addr + FAKE_PART};
	enum ht_code code = ht_facts_check(facts, err);

	if (code == HT_OK)
		code = ht_choose_malloc(&in, &f, &chosen, notes, err);
	if (code == HT_OK)
		code = ht_locate_verify(&chosen, &k->reader, err);
	if (code == HT_OK) {
		assert_int_equal(chosen.main_arena, m->main_arena);
		assert_int_equal(chosen.mp, m->mp);
		m->layout = chosen.layout;
	}
	return code;
}

static void
a_release_that_no_table_knows_is_walked_by_its_debug_information(void **state)
{
	(void)state;
	for (unsigned word = 4; word <= 8; word += 4) {
		HT_AUTO_SNAPSHOT struct ht_snapshot notes;
		static struct ht_facts facts;
		struct ht_err err = {0};
		struct fake k;

		ht_snapshot_init(&notes);
		assert_int_equal(fake_build_next(&k, word, &facts, &err),
				 HT_OK);
		if (choose(&k, &facts, &notes, &err) != HT_OK)
			fail_msg("words of %u: %s", word, err.msg);
		assert_int_equal(notes.warnings.n, 1);
		assert_non_null(strstr(notes.warnings.v[0].text,
				       "no row of the layout tables fits"));
		walk(&k, "glibc 2.45");
	}
}

/* Each of these once: the release of the test before, with less to go by. */
static void without(struct ht_facts *f, int what)
{
	switch (what) {
	case 0: /* no debug information */
		f->flags &= ~(uint32_t)HT_FACTS_DWARF;
		break;
	case 1: /* no symbols */
		f->flags &= ~(uint32_t)HT_FACTS_SYMTAB;
		f->symbol[HT_S_MAIN_ARENA].known = 0;
		break;
	case 2: /* a member that the walk needs */
		f->dwarf[HT_P_ARENA_TOP].size = 0;
		break;
	case 3: /* debug information of another build: bins elsewhere */
		f->dwarf[HT_P_ARENA_BINS].offset =
			(uint16_t)(f->dwarf[HT_P_ARENA_BINS].offset + f->word);
		break;
	case 4: /* main_arena of another size than the struct */
		f->symbol[HT_S_MAIN_ARENA].size += 8;
		break;
	default:
		fail();
	}
}

static void what_debug_information_does_not_prove_is_refused(void **state)
{
	static const enum ht_code wanted[] = {HT_UNSUPPORTED, HT_UNSUPPORTED,
					      HT_UNSUPPORTED, HT_CORRUPT,
					      HT_UNSUPPORTED};

	(void)state;
	for (int what = 0; what < 5; what++) {
		HT_AUTO_SNAPSHOT struct ht_snapshot notes;
		static struct ht_facts facts;
		struct ht_err err = {0};
		struct fake k;

		ht_snapshot_init(&notes);
		assert_int_equal(fake_build_next(&k, 8, &facts, &err), HT_OK);
		without(&facts, what);
		assert_int_equal(choose(&k, &facts, &notes, &err),
				 wanted[what]);
		assert_true(err.msg[0] != '\0');
		fake_free(&k);
	}
}

/* Offsets and sizes of a hostile debug file would lead out of our buffers. */
static void debug_information_that_cannot_be_is_no_record(void **state)
{
	static struct ht_facts good, bad;
	struct fake k;

	(void)state;
	assert_int_equal(fake_build_next(&k, 8, &good, NULL), HT_OK);
	assert_int_equal(ht_facts_check(&good, NULL), HT_OK);
#define REFUSED(change)                                                        \
	do {                                                                   \
		bad = good;                                                    \
		bad.change;                                                    \
		assert_int_equal(ht_facts_check(&bad, NULL), HT_PROTOCOL);     \
	} while (0)
	REFUSED(dwarf_size[HT_ROW_HEAP] = 60000);
	REFUSED(dwarf_size[HT_ROW_ARENA] = 5000);
	REFUSED(dwarf_size[HT_ROW_PAR] = 513);
	REFUSED(dwarf_size[HT_ROW_TCACHE] = 1025);
	REFUSED(dwarf[HT_P_ARENA_BINS].size -= 8);
	REFUSED(dwarf[HT_P_ARENA_TOP].offset = 4000);
	REFUSED(dwarf[HT_P_ARENA_TOP].size = 16);
	REFUSED(dwarf[HT_P_TCACHE_ENTRIES].size += 8);
	REFUSED(dwarf[HT_P_TCACHE_COUNTS].size = 8);
	REFUSED(dwarf[HT_P_HEAP_SIZE].offset = 65535);
#undef REFUSED
	fake_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_release_is_walked_to_the_byte_on_64_bit),
		cmocka_unit_test(every_release_is_walked_to_the_byte_on_32_bit),
		cmocka_unit_test(every_vendors_libc_is_walked_to_the_byte),
		cmocka_unit_test(a_backported_cache_is_known_by_its_own_chunk),
		cmocka_unit_test(
			a_release_that_no_table_knows_is_walked_by_its_debug_information),
		cmocka_unit_test(
			what_debug_information_does_not_prove_is_refused),
		cmocka_unit_test(debug_information_that_cannot_be_is_no_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
