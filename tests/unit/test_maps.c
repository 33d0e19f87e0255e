/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of /proc/PID/maps, ours and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/memory/maps.h"

static const char good[] =
	"1000-3000 r-xp 00002000 08:02 77                 /lib/a b.so "
	"(deleted)\n"
	"3000-4000 rw-p 00000000 00:00 0 \n"
	"4000-5000 rw-s 00000000 00:05 9                  /dev/zero (deleted)\n"
	"9000-a000 ---p 00000000 00:00 0                  [anon: glibc: "
	"malloc]\n";

static void every_field_of_a_line_is_read(void **state)
{
	struct ht_maps m;
	struct ht_err err;

	(void)state;
	assert_int_equal(ht_maps_parse(good, strlen(good), &m, &err), HT_OK);
	assert_int_equal(m.n, 4);
	assert_int_equal(m.v[0].start, 0x1000);
	assert_int_equal(m.v[0].end, 0x3000);
	assert_int_equal(m.v[0].offset, 0x2000);
	assert_int_equal(m.v[0].dev, makedev(8, 2));
	assert_int_equal(m.v[0].inode, 77);
	assert_int_equal(m.v[0].flags,
			 HT_VMA_READ | HT_VMA_EXEC | HT_VMA_DELETED);
	assert_string_equal(ht_vma_path(&m, &m.v[0]), "/lib/a b.so");
	assert_string_equal(ht_vma_path(&m, &m.v[1]), "");
	assert_true(m.v[2].flags & HT_VMA_SHARED);
	assert_string_equal(ht_vma_path(&m, &m.v[3]), "[anon: glibc: malloc]");
	ht_maps_fini(&m);
}

static void an_address_leads_to_its_mapping(void **state)
{
	struct ht_maps m;
	struct ht_err err;

	(void)state;
	assert_int_equal(ht_maps_parse(good, strlen(good), &m, &err), HT_OK);
	assert_null(ht_maps_at(&m, 0xfff));
	assert_ptr_equal(ht_maps_at(&m, 0x1000), &m.v[0]);
	assert_ptr_equal(ht_maps_at(&m, 0x2fff), &m.v[0]);
	assert_ptr_equal(ht_maps_at(&m, 0x3000), &m.v[1]);
	assert_null(ht_maps_at(&m, 0x5000));
	assert_null(ht_maps_at(&m, UINT64_MAX));
	assert_int_equal(ht_maps_writable_end(&m, 0x3100), 0x5000);
	assert_int_equal(ht_maps_writable_end(&m, 0x1000), 0x1000);
	ht_maps_fini(&m);
}

static void lines_that_make_no_sense_are_refused(void **state)
{
	static const char *const bad[] = {
		"3000-1000 rw-p 0 0:0 0\n",
		"1000-2000 rwzp 0 0:0 0\n",
		"1000-2000\n",
		"\n",
		"fffffffffffffffff-1 rw-p 0 0:0 0\n",
		"5000-6000 rw-p 0 0:0 0\n1000-2000 rw-p 0 0:0 0\n",
		"1000-3000 rw-p 0 0:0 0\n2000-4000 rw-p 0 0:0 0\n",
	};
	struct ht_maps m;
	struct ht_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
			ht_maps_parse(bad[i], strlen(bad[i]), &m, &err),
			HT_CORRUPT);
}

static void our_own_mappings_are_read(void **state)
{
	struct ht_maps m;
	struct ht_err err;
	const struct ht_vma *v;

	(void)state;
	assert_int_equal(ht_maps_read(getpid(), &m, &err), HT_OK);
	v = ht_maps_at(&m, (uint64_t)(uintptr_t)&good);
	assert_non_null(v);
	assert_true(v->flags & HT_VMA_READ);
	ht_maps_fini(&m);
	assert_int_equal(ht_maps_read(0x3fffffff, &m, &err), HT_GONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_a_line_is_read),
		cmocka_unit_test(an_address_leads_to_its_mapping),
		cmocka_unit_test(lines_that_make_no_sense_are_refused),
		cmocka_unit_test(our_own_mappings_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
