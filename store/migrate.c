/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema's versions: one file of SQL each, embedded in the program. A file
 * that was released never changes; user_version says how many were applied. All
 * that are missing are one transaction: cut short, the file is as it was.
 */
#include "store/store_int.h"

#include <inttypes.h>
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
EMBED(ht_sql_0010, "store/sql/0010_indexes.sql");
EMBED(ht_sql_0011, "store/sql/0011_pins.sql");
EMBED(ht_sql_0012, "store/sql/0012_stack.sql");
EMBED(ht_sql_0013, "store/sql/0013_look.sql");
EMBED(ht_sql_0014, "store/sql/0014_memlock.sql");
EMBED(ht_sql_0015, "store/sql/0015_heap_pages.sql");
EMBED(ht_sql_0016, "store/sql/0016_alert_level.sql");
EMBED(ht_sql_0017, "store/sql/0017_who.sql");
EMBED(ht_sql_0018, "store/sql/0018_types.sql");

static const char *const migrations[] = {
	ht_sql_0001, ht_sql_0002, ht_sql_0003, ht_sql_0004, ht_sql_0005,
	ht_sql_0006, ht_sql_0007, ht_sql_0008, ht_sql_0009, ht_sql_0010,
	ht_sql_0011, ht_sql_0012, ht_sql_0013, ht_sql_0014, ht_sql_0015,
	ht_sql_0016, ht_sql_0017, ht_sql_0018};
enum {
	VERSION = sizeof(migrations) / sizeof(migrations[0]),
	TELL_STEPS =
		100000, /* of SQLite's machine, between looks at the clock */
};

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
		return ht_fail(
			err, HT_STORE,
			"%s was written by a newer heaptide: its schema is version %lld, this program knows up to %d",
			st->path, (long long)*ret_version, (int)VERSION);
	return HT_OK;
}

/* --- one step ------------------------------------------------------------ */

/* The same tables as SQLite before 3.37 makes them, which does not know the
 * word STRICT: any release can open those, and what is written is the same. */
static void make_plain(char *sql)
{
	static const char strict[] = ") STRICT";
	char *at = sql;

	if (sqlite3_libversion_number() >= 3037000)
		return;
	while ((at = strstr(at, strict))) {
		memset(at + 1, ' ', strlen(strict) - 1);
		at += strlen(strict);
		if (*at == ',') /* another option follows */
			*at = ' ';
	}
}

/* Where the next statement begins: behind spaces and comments. */
static const char *next_statement(const char *sql)
{
	for (;;) {
		sql += strspn(sql, " \t\n;");
		if (strncmp(sql, "--", 2) != 0)
			return sql;
		sql += strcspn(sql, "\n");
	}
}

/* Behind the statement, which has no text with a semicolon in it. */
static const char *statement_end(const char *sql)
{
	while (*sql && *sql != ';')
		sql += strncmp(sql, "--", 2) ? 1 : strcspn(sql, "\n");
	return *sql ? sql + 1 : sql;
}

static bool is_alter(const char *sql)
{
	return !strncmp(sql, "ALTER TABLE ", strlen("ALTER TABLE "));
}

/* The statements of a step that are ALTER TABLE, or the others. */
static enum ht_code run_some(struct ht_store *st, sqlite3 *db, const char *sql,
			     bool alters, struct ht_err *err)
{
	HT_AUTO_FREE char *copy = strdup(sql);

	if (!copy)
		return ht_fail(err, HT_NOMEM, "no memory for the schema");
	make_plain(copy);
	for (const char *at = next_statement(copy); *at;
	     at = next_statement(at)) {
		sqlite3_stmt *stmt = NULL;
		int result;

		if (is_alter(at) != alters) {
			at = statement_end(at);
			continue;
		}
		result = sqlite3_prepare_v2(db, at, -1, &stmt, &at);
		while (result == SQLITE_OK || result == SQLITE_ROW)
			result = sqlite3_step(stmt);
		sqlite3_finalize(stmt);
		if (result != SQLITE_DONE)
			return ht_fail(err, HT_STORE, "%s: schema: %s",
				       st->path, sqlite3_errmsg(db));
	}
	return HT_OK;
}

/* --- columns ------------------------------------------------------------- */

/* One statement, and nothing behind it: what a file's schema has there SQLite
 * itself never runs. */
static enum ht_code make_table(const struct ht_store *st, sqlite3 *memory,
			       const char *sql, struct ht_err *err)
{
	sqlite3_stmt *stmt = NULL;
	const char *rest = "";
	int result = sqlite3_prepare_v2(memory, sql, -1, &stmt, &rest);

	if (result == SQLITE_OK && *next_statement(rest))
		result = SQLITE_CORRUPT;
	else if (result == SQLITE_OK)
		result = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return result == SQLITE_DONE
		       ? HT_OK
		       : ht_fail(err, HT_STORE,
				 "%s: its schema has a table of no sound text",
				 st->path);
}

/*
 * SQLite reads a STRICT or checked table from end to end for each column that
 * ALTER TABLE adds, to prove what holds for any column that may be NULL: a
 * year's roll-ups, fifty times. So empty tables of the same texts in memory get
 * the columns, and the file gets the texts that SQLite made of theirs: all that
 * ADD COLUMN changes in a file (sqlite.org/lang_altertable.html, part 7).
 */
static enum ht_code step_columns(struct ht_store *st, sqlite3 *memory,
				 const char *sql, struct ht_err *err)
{
	sqlite3_stmt *table;
	enum ht_code code = ht_store_sql(
		st,
		"SELECT sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
		&table, err);
	bool row = false;

	while (code == HT_OK &&
	       (code = ht_store_step(st, table, &row, err)) == HT_OK && row)
		code = make_table(st, memory,
				  (const char *)sqlite3_column_text(table, 0),
				  err);
	if (row)
		sqlite3_reset(table);
	return code == HT_OK ? run_some(st, memory, sql, true, err) : code;
}

static enum ht_code take_text(struct ht_store *st, sqlite3_stmt *table,
			      struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(
		st,
		"UPDATE sqlite_schema SET sql = ?2 WHERE type = 'table' AND name = ?1 AND sql <> ?2",
		&stmt, err);

	if (code != HT_OK)
		return code;
	ht_bind_text(stmt, 1, (const char *)sqlite3_column_text(table, 0));
	ht_bind_text(stmt, 2, (const char *)sqlite3_column_text(table, 1));
	return ht_store_run(st, stmt, err);
}

static enum ht_code take_texts(struct ht_store *st, sqlite3 *memory,
			       struct ht_err *err)
{
	sqlite3_stmt *table = NULL;
	enum ht_code code = HT_OK;

	if (sqlite3_prepare_v2(
		    memory,
		    "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
		    -1, &table, NULL) != SQLITE_OK)
		return ht_fail(err, HT_STORE, "%s: schema: %s", st->path,
			       sqlite3_errmsg(memory));
	while (code == HT_OK && sqlite3_step(table) == SQLITE_ROW)
		code = take_text(st, table, err);
	sqlite3_finalize(table);
	return code;
}

static void close_db(sqlite3 **db)
{
	sqlite3_close(*db);
}

static enum ht_code add_columns(struct ht_store *st, const char *sql,
				struct ht_err *err)
{
	HT_CLEANUP(close_db) sqlite3 *memory = NULL;
	char reload[160];
	int64_t version = 0;
	enum ht_code code;

	if (!strstr(sql, "\nALTER TABLE "))
		return HT_OK;
	if (sqlite3_open(":memory:", &memory) != SQLITE_OK)
		return ht_fail(err, HT_NOMEM, "no memory for the schema");
	code = step_columns(st, memory, sql, err);
	if (code == HT_OK)
		code = pragma(st, "PRAGMA schema_version", &version, err);
	if (code == HT_OK)
		code = ht_store_exec(st, "PRAGMA writable_schema = ON", err);
	if (code != HT_OK)
		return code;
	code = take_texts(st, memory, err);
	/* A new number has every connection read the schema anew: this one too,
	 * when it next looks at a table, which a PRAGMA does not. */
	snprintf(
		reload, sizeof(reload),
		"PRAGMA writable_schema = OFF; PRAGMA schema_version = %lld; SELECT count(*) FROM sqlite_schema",
		(long long)version + 1);
	ht_store_sql_fini(st);
	if (code != HT_OK)
		sqlite3_exec(st->db, "PRAGMA writable_schema = OFF", NULL, NULL,
			     NULL);
	return code == HT_OK ? ht_store_exec(st, reload, err) : code;
}

/* --- all steps ----------------------------------------------------------- */

/* What a long migration says, from SQLite's own loop. */
struct telling {
	const struct ht_store *st;
	int64_t begin_ns, told_ns, from, step;
};

static int tell(void *ctx)
{
	struct telling *t = ctx;
	int64_t now_ns = ht_mono_ns();
	char text[160];

	if (now_ns - t->told_ns < HT_NS_PER_S)
		return 0;
	t->told_ns = now_ns;
	snprintf(text, sizeof(text),
		 "brings the history up to date: step %" PRId64 " of %" PRId64
		 ", %" PRId64 " s",
		 t->step - t->from + 1, VERSION - t->from,
		 (now_ns - t->begin_ns) / HT_NS_PER_S);
	t->st->tell(t->st->tell_ctx, text);
	return 0;
}

static enum ht_code apply(struct ht_store *st, void *ctx, struct ht_err *err)
{
	struct telling *t = ctx;
	char set[64];
	int64_t version = 0;
	enum ht_code code = look(st, &version, err); /* now under the lock */

	t->from = version;
	for (t->step = version; t->step < VERSION && code == HT_OK; t->step++) {
		code = add_columns(st, migrations[t->step], err);
		if (code == HT_OK)
			code = run_some(st, st->db, migrations[t->step], false,
					err);
	}
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
	struct telling telling = {
		.st = st, .begin_ns = ht_mono_ns(), .told_ns = ht_mono_ns()};
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
					 "%s is of an older version (%lld, this program has %d): open it once with heaptided or 'heaptide record' to bring it up to date",
					 st->path, (long long)version,
					 (int)VERSION);
	if (st->tell)
		sqlite3_progress_handler(st->db, TELL_STEPS, tell, &telling);
	code = ht_store_in_transaction(st, apply, &telling, err);
	sqlite3_progress_handler(st->db, 0, NULL, NULL);
	ht_store_sql_fini(st); /* made for the old schema */
	return code;
}
