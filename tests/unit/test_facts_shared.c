/* SPDX-License-Identifier: Apache-2.0 */
/* What one agent learned of a file the next one finds; of another file, of a
 * changed one, or torn, it finds nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/libc/facts_read.h"
#include "agent/libc/facts_shared.h"
#include "link/facts_file.h"

/* As an agent has it, that the daemon started. */
static int take(void **state)
{
	(void)state;
	ht_facts_file_make();
	assert_true(ht_facts_file() > HT_FACTS_FD);
	assert_int_equal(dup2(ht_facts_file(), HT_FACTS_FD), HT_FACTS_FD);
	assert_true(ht_facts_shared_take());
	return 0;
}

static int end(void **state)
{
	(void)state;
	ht_facts_shared_end();
	return 0;
}

/* A file of `len` bytes, unlinked. */
static FILE *file_of(size_t len)
{
	FILE *f = tmpfile();

	assert_non_null(f);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(fputc('x', f), 'x');
	assert_int_equal(fflush(f), 0);
	return f;
}

/* This program's own: a record that passes the check. */
static struct ht_facts own_facts(void)
{
	FILE *f = fopen("/proc/self/exe", "r");
	struct ht_facts facts;
	struct ht_err err;

	assert_non_null(f);
	if (ht_facts_read(fileno(f), -1, 0, &facts, &err) != HT_OK)
		fail_msg("%s", err.msg);
	fclose(f);
	return facts;
}

static void what_was_put_is_found_of_the_same_file_alone(void **state)
{
	struct ht_facts facts = own_facts(), found;
	FILE *a = file_of(100), *b = file_of(100);

	(void)state;
	assert_false(ht_facts_shared_find(fileno(a), -1, 0, &found));
	ht_facts_shared_put(fileno(a), -1, 0, &facts);
	assert_true(ht_facts_shared_find(fileno(a), -1, 0, &found));
	assert_memory_equal(&found, &facts, sizeof(facts));
	assert_false(ht_facts_shared_find(fileno(b), -1, 0, &found));
	assert_false(ht_facts_shared_find(fileno(a), fileno(b), 0, &found));
	assert_false(
		ht_facts_shared_find(fileno(a), -1, HT_FACTS_IS_EXE, &found));
	fclose(a);
	fclose(b);
}

/* As many as a process has libraries: by chance some fall on one place. */
static void many_files_do_not_drive_each_other_out(void **state)
{
	enum { N = 24 };
	struct ht_facts facts = own_facts(), found;
	FILE *f[N];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		f[i] = file_of(100 + i);
		facts.loads_n = 1 + (uint32_t)i % 4;
		ht_facts_shared_put(fileno(f[i]), -1, 0, &facts);
	}
	for (size_t i = 0; i < N; i++) {
		assert_true(ht_facts_shared_find(fileno(f[i]), -1, 0, &found));
		assert_int_equal(found.loads_n, 1 + i % 4);
		fclose(f[i]);
	}
}

/* More than there is room for: the last one is found, whom it drove out is not,
 * and none as another. */
static void the_last_is_found_where_all_places_are_taken(void **state)
{
	enum { N = 2 * HT_FACTS_SIZE / sizeof(struct ht_facts) };
	struct ht_facts facts = own_facts(), found;
	size_t known = 0;
	FILE *f[N];

	(void)state;
	for (size_t i = 0; i < N; i++) {
		f[i] = file_of(100);
		facts.loads_n = 1 + (uint32_t)i % 4;
		ht_facts_shared_put(fileno(f[i]), -1, 0, &facts);
		assert_true(ht_facts_shared_find(fileno(f[i]), -1, 0, &found));
	}
	for (size_t i = 0; i < N; i++) {
		if (ht_facts_shared_find(fileno(f[i]), -1, 0, &found)) {
			assert_int_equal(found.loads_n, 1 + i % 4);
			known++;
		}
		fclose(f[i]);
	}
	assert_in_range(known, N / 4, N / 2);
}

static void a_file_that_changed_is_another(void **state)
{
	struct ht_facts facts = own_facts(), found;
	FILE *a = file_of(100);

	(void)state;
	ht_facts_shared_put(fileno(a), -1, 0, &facts);
	assert_int_equal(fputc('y', a), 'y');
	assert_int_equal(fflush(a), 0);
	assert_false(ht_facts_shared_find(fileno(a), -1, 0, &found));
	fclose(a);
}

/* Whatever byte of it another process writes over. */
static void what_is_torn_is_not_believed(void **state)
{
	struct ht_facts facts = own_facts(), found;
	FILE *a = file_of(100);
	off_t at = 0;
	uint8_t byte = 0;

	(void)state;
	ht_facts_shared_put(fileno(a), -1, 0, &facts);
	for (; at < HT_FACTS_SIZE; at++) {
		assert_int_equal(pread(ht_facts_file(), &byte, 1, at), 1);
		if (byte == 0)
			continue;
		byte ^= 1;
		assert_int_equal(pwrite(ht_facts_file(), &byte, 1, at), 1);
		assert_false(ht_facts_shared_find(fileno(a), -1, 0, &found));
		byte ^= 1;
		assert_int_equal(pwrite(ht_facts_file(), &byte, 1, at), 1);
	}
	assert_true(ht_facts_shared_find(fileno(a), -1, 0, &found));
	fclose(a);
}

/* A record that is whole, and says what cannot be. */
static void what_fails_the_check_is_not_believed(void **state)
{
	struct ht_facts facts = own_facts(), found;
	FILE *a = file_of(100);

	(void)state;
	facts.loads_n = UINT32_MAX;
	ht_facts_shared_put(fileno(a), -1, 0, &facts);
	assert_false(ht_facts_shared_find(fileno(a), -1, 0, &found));
	fclose(a);
}

static void without_the_file_nothing_is_found(void **state)
{
	struct ht_facts facts = own_facts(), found;
	FILE *a = file_of(100);

	(void)state;
	ht_facts_shared_put(fileno(a), -1, 0, &facts);
	ht_facts_shared_end();
	assert_false(ht_facts_shared_find(fileno(a), -1, 0, &found));
	ht_facts_shared_put(fileno(a), -1, 0, &facts);
	assert_false(ht_facts_shared_take());
	fclose(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_was_put_is_found_of_the_same_file_alone, take,
			end),
		cmocka_unit_test_setup_teardown(
			many_files_do_not_drive_each_other_out, take, end),
		cmocka_unit_test_setup_teardown(
			the_last_is_found_where_all_places_are_taken, take,
			end),
		cmocka_unit_test_setup_teardown(a_file_that_changed_is_another,
						take, end),
		cmocka_unit_test_setup_teardown(what_is_torn_is_not_believed,
						take, end),
		cmocka_unit_test_setup_teardown(
			what_fails_the_check_is_not_believed, take, end),
		cmocka_unit_test_setup_teardown(
			without_the_file_nothing_is_found, take, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
