/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store_int.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/invariant.h"

/* --- errors -------------------------------------------------------------- */

static const struct {
	int result; /* primary result code of SQLite */
	enum ht_code code;
	const char *why;
	enum ht_hint hint;
} reasons[] = {
	{SQLITE_FULL, HT_STORE, "the disk is full", HT_HINT_DISK},
	{SQLITE_BUSY, HT_STORE, "another program holds its lock",
	 HT_HINT_LOCKED},
	{SQLITE_LOCKED, HT_STORE, "another program holds its lock",
	 HT_HINT_LOCKED},
	{SQLITE_CORRUPT, HT_STORE,
	 "the file is damaged; keep a copy and start a new one", HT_HINT_CODE},
	{SQLITE_NOTADB, HT_STORE, "the file is damaged or no database",
	 HT_HINT_CODE},
	{SQLITE_READONLY, HT_STORE, "no permission to write", HT_HINT_CODE},
	{SQLITE_PERM, HT_STORE, "no permission", HT_HINT_CODE},
	{SQLITE_CANTOPEN, HT_STORE, "it cannot be opened", HT_HINT_CODE},
	{SQLITE_NOMEM, HT_NOMEM, "no memory", HT_HINT_CODE},
};

enum ht_code ht_store_fail(struct ht_store *st, const char *what,
			   struct ht_err *err)
{
	int result = sqlite3_errcode(st->db); /* no memory: when db is NULL */
	int number = st->db ? sqlite3_system_errno(st->db) : ENOMEM;

	if (result == SQLITE_FULL && number == 0)
		number = ENOSPC;
	if ((result & 0xff) == SQLITE_CORRUPT ||
	    (result & 0xff) == SQLITE_NOTADB)
		st->damaged = true;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].result == (result & 0xff)) {
			ht_err_put(err, reasons[i].code, 0, 0, "%s: %s: %s",
				   st->path, what, reasons[i].why);
			if (err)
				err->os_errno = number;
			ht_err_advise(err, reasons[i].hint);
			return reasons[i].code;
		}
	if ((result & 0xff) == SQLITE_IOERR)
		return ht_fail_sys(err, HT_STORE, number ?: EIO,
				   "%s: %s: input or output", st->path, what);
	return ht_fail(err, HT_STORE, "%s: %s: %s", st->path, what,
		       sqlite3_errmsg(st->db));
}

bool ht_store_damaged(const struct ht_store *st)
{
	return st->damaged;
}

/* --- statements ---------------------------------------------------------- */

/* Slot of a text, by its address; an empty one when it is not there yet. */
static size_t slot_of(const struct ht_store *st, const char *sql)
{
	size_t at = ((uintptr_t)sql >> 3) * 31 % HT_STORE_STMTS;

	while (st->stmts[at].sql && st->stmts[at].sql != sql)
		at = (at + 1) % HT_STORE_STMTS;
	return at;
}

enum ht_code ht_store_sql(struct ht_store *st, const char *sql,
			  sqlite3_stmt **ret, struct ht_err *err)
{
	size_t at = slot_of(st, sql);
	sqlite3_stmt *stmt;

	if (st->stmts[at].sql) {
		*ret = st->stmts[at].stmt;
		/* who is still stepping through it would begin anew */
		HT_ASSERT(!sqlite3_stmt_busy(*ret));
		sqlite3_reset(*ret);
		sqlite3_clear_bindings(*ret);
		return HT_OK;
	}
	if (st->stmts_n == HT_STORE_STMTS - 1)
		return ht_fail(err, HT_BUG, "more than %d kinds of statements",
			       HT_STORE_STMTS - 1);
	if (sqlite3_prepare_v3(st->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
			       &stmt, NULL) != SQLITE_OK)
		return ht_store_fail(st, "prepare", err);
	st->stmts[at].sql = sql;
	st->stmts[at].stmt = stmt;
	st->stmts_n++;
	*ret = stmt;
	return HT_OK;
}

void ht_store_sql_fini(struct ht_store *st)
{
	for (size_t i = 0; i < HT_STORE_STMTS; i++)
		sqlite3_finalize(st->stmts[i].stmt);
	for (size_t i = 0; i < HT_STORE_SELECTS; i++)
		sqlite3_finalize(st->selects[i].stmt);
	memset(st->stmts, 0, sizeof(st->stmts));
	memset(st->selects, 0, sizeof(st->selects));
	st->stmts_n = 0;
}

enum ht_code ht_store_step(struct ht_store *st, sqlite3_stmt *stmt,
			   bool *ret_row, struct ht_err *err)
{
	int result = sqlite3_step(stmt);

	if (result != SQLITE_ROW && result != SQLITE_DONE) {
		enum ht_code code = ht_store_fail(
			st, sqlite3_stmt_readonly(stmt) ? "read" : "write",
			err);

		sqlite3_reset(stmt);
		return code;
	}
	*ret_row = result == SQLITE_ROW;
	if (!*ret_row)
		sqlite3_reset(stmt);
	return HT_OK;
}

enum ht_code ht_store_run(struct ht_store *st, sqlite3_stmt *stmt,
			  struct ht_err *err)
{
	enum ht_code code;
	bool row;

	do
		code = ht_store_step(st, stmt, &row, err);
	while (code == HT_OK && row);
	return code;
}

enum ht_code ht_store_exec(struct ht_store *st, const char *sql,
			   struct ht_err *err)
{
	if (sqlite3_exec(st->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return ht_store_fail(st, "write", err);
	return HT_OK;
}

enum ht_code ht_store_number(struct ht_store *st, const char *sql, int64_t a,
			     int64_t b, int64_t *ret, bool *ret_row,
			     struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(st, sql, &stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, a);
	sqlite3_bind_int64(stmt, 2, b);
	code = ht_store_step(st, stmt, ret_row, err);
	if (code == HT_OK && *ret_row)
		*ret = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return code;
}

enum ht_code ht_store_change(struct ht_store *st, const char *sql, int64_t a,
			     int64_t b, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(st, sql, &stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, a);
	sqlite3_bind_int64(stmt, 2, b);
	return ht_store_run(st, stmt, err);
}

/* --- transactions -------------------------------------------------------- */

static void undo(struct ht_store *st)
{
	if (!sqlite3_get_autocommit(st->db))
		sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
	st->begun = false;
	ht_store_forget_all(st); /* what it knew may be undone */
}

enum ht_code ht_store_begin(struct ht_store *st, struct ht_err *err)
{
	enum ht_code code;

	if (st->begun)
		return ht_fail(err, HT_BUG, "%s: begun twice", st->path);
	code = ht_store_exec(st, "BEGIN IMMEDIATE", err);
	st->begun = code == HT_OK;
	st->next_id = 0; /* another writer may have come between */
	return code;
}

enum ht_code ht_store_commit(struct ht_store *st, struct ht_err *err)
{
	enum ht_code code;

	if (!st->begun)
		return HT_OK; /* undone already, and told so */
	code = ht_store_exec(st, "COMMIT", err);
	if (code != HT_OK)
		undo(st);
	st->begun = false;
	return code;
}

enum ht_code ht_store_in_transaction(struct ht_store *st,
				     enum ht_code (*body)(struct ht_store *st,
							  void *ctx,
							  struct ht_err *err),
				     void *ctx, struct ht_err *err)
{
	bool own = !st->begun;
	enum ht_code code = own ? ht_store_begin(st, err) : HT_OK;

	if (code != HT_OK)
		return code;
	code = body(st, ctx, err);
	if (code == HT_OK && own)
		return ht_store_commit(st, err);
	if (code != HT_OK)
		undo(st);
	return code;
}

void ht_store_rollback(struct ht_store *st)
{
	if (st->begun)
		undo(st);
}

enum ht_code ht_store_reading(struct ht_store *st,
			      enum ht_code (*body)(struct ht_store *st,
						   void *ctx,
						   struct ht_err *err),
			      void *ctx, struct ht_err *err)
{
	bool own = sqlite3_get_autocommit(st->db);
	enum ht_code code = own ? ht_store_exec(st, "BEGIN", err) : HT_OK;

	if (code != HT_OK)
		return code;
	code = body(st, ctx, err);
	if (own)
		sqlite3_exec(st->db, "ROLLBACK", NULL, NULL, NULL);
	return code;
}

/* --- values -------------------------------------------------------------- */

void ht_bind_figure(sqlite3_stmt *stmt, int at, uint64_t v)
{
	if (v <= INT64_MAX)
		sqlite3_bind_int64(stmt, at, (sqlite3_int64)v);
	else
		sqlite3_bind_null(stmt, at);
}

uint64_t ht_column_figure(sqlite3_stmt *stmt, int at)
{
	return sqlite3_column_type(stmt, at) == SQLITE_NULL
		       ? HT_UNKNOWN
		       : (uint64_t)sqlite3_column_int64(stmt, at);
}

void ht_bind_number(sqlite3_stmt *stmt, int at, double v)
{
	if (fabs(v) < 0x1p63) /* not NaN */
		sqlite3_bind_int64(stmt, at, (sqlite3_int64)v);
	else
		sqlite3_bind_null(stmt, at);
}

void ht_bind_metric(sqlite3_stmt *stmt, int at, enum ht_metric m, double v)
{
	if (ht_metric_is_ratio(m))
		sqlite3_bind_double(stmt, at, v); /* NaN: NULL */
	else
		ht_bind_number(stmt, at, v);
}

double ht_column_number(sqlite3_stmt *stmt, int at)
{
	/* Two look-ups of the same cell: sqlite3_column_type() is cheap. */
	return sqlite3_column_type(stmt, at) == SQLITE_NULL
		       ? NAN
		       : sqlite3_column_double(stmt, at);
}

/* The text must stay until the statement is reset or bound anew. */
void ht_bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
	sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

void ht_column_text(sqlite3_stmt *stmt, int at, char *ret, size_t size)
{
	const unsigned char *text = sqlite3_column_text(stmt, at);

	snprintf(ret, size, "%s", text ? (const char *)text : "");
}
