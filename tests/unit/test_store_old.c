/* SPDX-License-Identifier: Apache-2.0 */
/* Store with a SQLite that knows no STRICT (before 3.37).
 * LDFLAGS: -Wl,--wrap=sqlite3_libversion_number */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"

static bool old;

int __real_sqlite3_libversion_number(void);
int __wrap_sqlite3_libversion_number(void);

int __wrap_sqlite3_libversion_number(void)
{
	return old ? 3034001 : __real_sqlite3_libversion_number();
}

/* A new store's tables and indexes, columns and all, as SQLite tells them. */
static void tables_of(bool with_old, char *ret, size_t n, int *ret_strict)
{
	static const char columns[] =
		"SELECT group_concat(s.type || ' ' || s.name || ' ' || c.name "
		"|| "
		"' ' || c.type || ' ' || c.pk || ' ' || (c.\"notnull\" OR c.pk "
		"> 0), '\n') "
		"FROM sqlite_schema s JOIN pragma_table_info(s.name) c";
	static const char strict[] =
		"SELECT count(*) FROM sqlite_schema WHERE sql LIKE '%STRICT%'";
	char path[] = "/tmp/heaptide-store-XXXXXX";
	struct ht_store *st = NULL;
	struct ht_err err;
	sqlite3 *db = NULL;
	sqlite3_stmt *q = NULL;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	old = with_old;
	assert_int_equal(ht_store_open(path, HT_STORE_WRITE, &st, &err), HT_OK);
	ht_store_close(st);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, columns, -1, &q, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	snprintf(ret, n, "%s", (const char *)sqlite3_column_text(q, 0));
	sqlite3_finalize(q);
	assert_int_equal(sqlite3_prepare_v2(db, strict, -1, &q, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	*ret_strict = sqlite3_column_int(q, 0);
	sqlite3_finalize(q);
	sqlite3_close(db);
	unlink(path);
}

static void an_old_sqlite_gets_the_same_tables_without_strict(void **state)
{
	static char now[65536], then[65536];
	int strict_now = 0, strict_then = 0;

	(void)state;
	tables_of(false, now, sizeof(now), &strict_now);
	tables_of(true, then, sizeof(then), &strict_then);
	assert_true(strlen(now) > 1000);
	assert_string_equal(now, then);
	assert_int_equal(strict_then, 0);
	if (__real_sqlite3_libversion_number() >= 3037000)
		assert_true(strict_now > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			an_old_sqlite_gets_the_same_tables_without_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
