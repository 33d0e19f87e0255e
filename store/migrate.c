/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema's versions: one file of SQL each, embedded in the program. A file
 * that was released never changes; user_version says how many were applied.
 */
#include "store/store_int.h"

#include <string.h>

#include "common/cleanup.h"

#define APPLICATION_ID 0x68746964 /* "htid": what `file` and we know it by */

/* NUL-terminated text of a file, found by the -I. that every object has. */
#define EMBED(symbol, path)                                                    \
	extern const char symbol[];                                            \
	__asm__(".pushsection .rodata\n" #symbol ":\n"                         \
		".incbin \"" path "\"\n.byte 0\n.popsection\n")

EMBED(ht_sql_0001, "store/sql/0001_tables.sql");
EMBED(ht_sql_0002, "store/sql/0002_views.sql");
EMBED(ht_sql_0003, "store/sql/0003_stuck.sql");
EMBED(ht_sql_0004, "store/sql/0004_locked.sql");
EMBED(ht_sql_0005, "store/sql/0005_fragmentation.sql");
EMBED(ht_sql_0006, "store/sql/0006_limits.sql");
EMBED(ht_sql_0007, "store/sql/0007_gap.sql");
EMBED(ht_sql_0008, "store/sql/0008_lists.sql");
EMBED(ht_sql_0009, "store/sql/0009_views.sql");

static const char *const migrations[] = {ht_sql_0001, ht_sql_0002, ht_sql_0003,
					 ht_sql_0004, ht_sql_0005, ht_sql_0006,
					 ht_sql_0007, ht_sql_0008, ht_sql_0009};
enum { VERSION = sizeof(migrations) / sizeof(migrations[0]) };

static enum ht_code pragma(struct ht_store *st, const char *sql, int64_t *ret,
			   struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(st, sql, &stmt, err);
	bool row = false;

	if (code == HT_OK)
		code = ht_store_step(st, stmt, &row, err);
	if (code != HT_OK)
		return code;
	*ret = row ? sqlite3_column_int64(stmt, 0) : 0;
	sqlite3_reset(stmt);
	return HT_OK;
}

/* Refuses files that are not ours before anything in them is touched. */
static enum ht_code look(struct ht_store *st, int64_t *ret_version,
			 struct ht_err *err)
{
	int64_t application, tables;
	enum ht_code code;

	code = pragma(st, "PRAGMA user_version", ret_version, err);
	if (code == HT_OK)
		code = pragma(st, "PRAGMA application_id", &application, err);
	if (code == HT_OK)
		code = pragma(st, "SELECT count(*) FROM sqlite_schema", &tables,
			      err);
	if (code != HT_OK)
		return code;
	if (tables > 0 && application != APPLICATION_ID)
		return ht_fail(err, HT_STORE,
			       "%s is a database of another program", st->path);
	if (*ret_version > VERSION)
		return ht_fail(err, HT_STORE,
			       "%s was written by a newer heaptide: its schema "
			       "is version %lld, this program knows up to %d",
			       st->path, (long long)*ret_version, (int)VERSION);
	return HT_OK;
}

/* The same tables as SQLite before 3.37 makes them, which does not know the
 * word STRICT: any release can open those, and what is written is the same. */
static enum ht_code apply_plainly(struct ht_store *st, const char *sql,
				  struct ht_err *err)
{
	static const char strict[] = ") STRICT";
	HT_AUTO_FREE char *plain = strdup(sql);
	char *at = plain;

	if (!plain)
		return ht_fail(err, HT_NOMEM, "no memory for the schema");
	while ((at = strstr(at, strict))) {
		memset(at + 1, ' ', strlen(strict) - 1);
		at += strlen(strict);
		if (*at == ',') /* another option follows */
			*at = ' ';
	}
	return ht_store_exec(st, plain, err);
}

static enum ht_code apply_one(struct ht_store *st, const char *sql,
			      struct ht_err *err)
{
	return sqlite3_libversion_number() < 3037000
		       ? apply_plainly(st, sql, err)
		       : ht_store_exec(st, sql, err);
}

static enum ht_code apply(struct ht_store *st, void *ctx, struct ht_err *err)
{
	char set[64];
	int64_t version = 0;
	enum ht_code code = look(st, &version, err); /* now under the lock */

	(void)ctx;
	for (int64_t i = version; i < VERSION && code == HT_OK; i++)
		code = apply_one(st, migrations[i], err);
	if (code != HT_OK || version == VERSION)
		return code;
	snprintf(set, sizeof(set),
		 "PRAGMA application_id = %d; PRAGMA user_version = %d",
		 APPLICATION_ID, (int)VERSION);
	return ht_store_exec(st, set, err);
}

enum ht_code ht_store_accept(struct ht_store *st, struct ht_err *err)
{
	int64_t version;

	return look(st, &version, err);
}

enum ht_code ht_store_migrate(struct ht_store *st, struct ht_err *err)
{
	int64_t version = 0;
	enum ht_code code = look(st, &version, err);

	if (code != HT_OK || version == VERSION)
		return code;
	if (st->mode == HT_STORE_READ)
		return version == 0
			       ? ht_fail(err, HT_NODATA,
					 "%s: nothing was recorded in it yet",
					 st->path)
			       : ht_fail(err, HT_STORE,
					 "%s is of an older version (%lld, "
					 "this "
					 "program has %d): open it once with "
					 "heaptided or 'heaptide record' to "
					 "bring "
					 "it up to date",
					 st->path, (long long)version,
					 (int)VERSION);
	code = ht_store_in_transaction(st, apply, NULL, err);
	ht_store_sql_fini(st); /* made for the old schema */
	return code;
}
