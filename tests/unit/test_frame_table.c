/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frame table: what is made of .eh_frame is what the linker's own table says,
 * where there is one; and nothing that a file says makes it go astray.
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/who/frame_table.h"

/* This program, and the table that it brings: 12 bytes, then the rows. */
static const uint8_t *header;
static uint64_t bias;

static int take_own(struct dl_phdr_info *info, size_t size, void *ctx)
{
	(void)size;
	(void)ctx;
	bias = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME)
			header = (const uint8_t *)(bias +
						   info->dlpi_phdr[i].p_vaddr);
	return 1; /* the first is the program */
}

static struct ht_frame_table own_table(void)
{
	struct ht_module m = {.fd = open("/proc/self/exe", O_RDONLY)};
	struct ht_frame_table t;

	dl_iterate_phdr(take_own, NULL);
	m.bias = bias;
	assert_true(m.fd >= 0);
	ht_frame_table_make(&m, &t);
	close(m.fd);
	assert_true(t.made);
	return t;
}

static void it_is_what_the_linker_made(void **state)
{
	struct ht_frame_table t = own_table();
	uint32_t n;

	(void)state;
	assert_non_null(header);
	memcpy(&n, header + 8, sizeof(n));
	assert_true(n > 10);
	assert_int_equal(t.n, n);
	for (uint32_t i = 0; i < n; i++) {
		int32_t row[2];

		memcpy(row, header + 12 + i * sizeof(row), sizeof(row));
		assert_true(t.base + (uint64_t)(int64_t)t.row[i].start ==
			    (uint64_t)header + (uint64_t)(int64_t)row[0]);
		assert_true(t.base + (uint64_t)(int64_t)t.row[i].entry ==
			    (uint64_t)header + (uint64_t)(int64_t)row[1]);
	}
	ht_frame_table_fini(&t);
	assert_null(t.row);
}

static void a_file_that_has_none_has_no_rows(void **state)
{
	struct ht_module m = {.fd = open("/dev/null", O_RDONLY)};
	struct ht_frame_table t;

	(void)state;
	ht_frame_table_make(&m, &t);
	assert_true(t.made);
	assert_int_equal(t.n, 0);
	close(m.fd);
}

/* Entries of all encodings, and broken ones: bytes of this program's own. */
static void whatever_its_bytes_are_its_rows_are_sorted_and_in_it(void **state)
{
	struct ht_frame_table t = own_table();
	const uint8_t *from = (const uint8_t *)t.base;
	uint64_t seed = 1;
	uint8_t *bytes;
	size_t rows = 0;

	(void)state;
	ht_frame_table_fini(&t);
	for (int i = 0; i < 3000; i++) {
		size_t size = (size_t)(seed >> 33) % 600 + 8;

		bytes = malloc(size); /* of its own: beyond it is an error */
		memcpy(bytes, from, size);
		for (int k = 0; k < i % 40; k++) {
			seed = seed * UINT64_C(6364136223846793005) + 1;
			bytes[(seed >> 20) % size] = (uint8_t)(seed >> 56);
		}
		seed = seed * UINT64_C(6364136223846793005) + 1;
		ht_frame_table_parse(bytes, size, 0x400000, &t);
		for (size_t k = 0; k < t.n; k++) {
			assert_in_range(t.row[k].entry, 0, size - 1);
			assert_true(k == 0 ||
				    t.row[k - 1].start <= t.row[k].start);
		}
		rows += t.n;
		ht_frame_table_fini(&t);
		free(bytes);
	}
	assert_true(rows > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_what_the_linker_made),
		cmocka_unit_test(a_file_that_has_none_has_no_rows),
		cmocka_unit_test(
			whatever_its_bytes_are_its_rows_are_sorted_and_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
