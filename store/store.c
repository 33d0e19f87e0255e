/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "store/store_int.h"

/* FULL: every commit is on the disk before it returns, so that a power loss
 * takes no more than a kill does. The journal's limit gives disk back after a
 * long reader made it grow. */
static const char writer_settings[] =
	"PRAGMA journal_mode = WAL;PRAGMA synchronous = FULL;PRAGMA foreign_keys = ON;PRAGMA cache_size = -2000;PRAGMA journal_size_limit = 8388608";
static const char reader_settings[] =
	"PRAGMA query_only = ON;PRAGMA cache_size = -8000";

enum {
	WRITER_WAIT_MS = 20,   /* a loop must not stand still for a lock */
	READER_WAIT_MS = 2000, /* readers wait for recovery only */
	/* heaptided looks each second whether its file is in place. */
	JOURNAL_WAIT_MS = 3000,
	JOURNAL_PAGES = 1000, /* copied at once where nobody does upkeep */
};

/* Upkeep copies the journal's pages into the file when they are some hundred,
 * for a commit that did so would take twice as long. */
static int on_commit(void *ctx, sqlite3 *db, const char *name, int pages)
{
	struct ht_store *st = ctx;

	st->journal_pages = (size_t)pages;
	if (pages < JOURNAL_PAGES)
		return SQLITE_OK;
	sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL,
				  NULL);
	st->journal_pages = 0;
	return SQLITE_OK;
}

static enum ht_code connect(struct ht_store *st, const char *uri, int flags,
			    struct ht_err *err)
{
	sqlite3_close(st->db);
	st->db = NULL;
	if (sqlite3_open_v2(uri, &st->db,
			    flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI,
			    NULL) != SQLITE_OK)
		return ht_store_fail(st, "open", err);
	sqlite3_extended_result_codes(st->db, 1);
	return HT_OK;
}

/* Pages given back by retention shrink the file. Must come before the first
 * table; harmless later. */
static enum ht_code open_writer(struct ht_store *st, struct ht_err *err)
{
	enum ht_code code = connect(
		st, st->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);

	if (code != HT_OK)
		return code;
	sqlite3_busy_timeout(st->db, WRITER_WAIT_MS);
	code = ht_store_exec(st, "PRAGMA auto_vacuum = INCREMENTAL", err);
	/* The other settings write: a file that is refused stays as it is. */
	if (code == HT_OK)
		code = ht_store_accept(st, err);
	if (code == HT_OK)
		code = ht_store_exec(st, writer_settings, err);
	sqlite3_wal_hook(st->db, on_commit, st);
	return code;
}

/* The first read; SQLite opens nothing before. */
static int try_read(struct ht_store *st)
{
	return sqlite3_exec(st->db, "SELECT 1 FROM sqlite_schema", NULL, NULL,
			    NULL);
}

static bool has_journal(const char *path)
{
	HT_AUTO_FREE char *journal = NULL;

	return asprintf(&journal, "%s-wal", path) < 0 ||
	       access(journal, F_OK) == 0;
}

/* "file:PATH?immutable=1" with what an URI gives a meaning written as %XX. */
static char *immutable_uri(const char *path)
{
	char *uri = malloc(strlen(path) * 3 + 32);
	char *to = uri;

	if (!uri)
		return NULL;
	to = stpcpy(to, "file:");
	for (const char *p = path; *p; p++)
		if (strchr("%?#", *p))
			to += sprintf(to, "%%%02X", (unsigned char)*p);
		else
			*to++ = *p;
	strcpy(to, "?immutable=1");
	return uri;
}

/* A reader needs the writer's -shm file or the right to make one. Without
 * either it can still read a file that nobody has open: the last writer left no
 * journal, so all is in the file itself. With a journal there, that would show
 * an old state, and is refused. */
static enum ht_code open_reader(struct ht_store *st, struct ht_err *err)
{
	HT_AUTO_FREE char *uri = NULL;
	enum ht_code code;
	int result;

	if (access(st->path, R_OK) < 0)
		return ht_fail_sys(err, errno == ENOENT ? HT_NODATA : HT_STORE,
				   errno, "%s", st->path);
	code = connect(st, st->path, SQLITE_OPEN_READONLY, err);
	if (code != HT_OK)
		return code;
	sqlite3_busy_timeout(st->db, READER_WAIT_MS);
	result = try_read(st);
	if (result != SQLITE_OK && (result & 0xff) != SQLITE_CANTOPEN &&
	    (result & 0xff) != SQLITE_READONLY)
		return ht_store_fail(st, "read", err);
	if (result != SQLITE_OK && has_journal(st->path))
		return ht_fail(
			err, HT_STORE,
			"%s: its writer's files beside it (-wal, -shm) cannot be used: run as the user or group that owns them",
			st->path);
	if (result != SQLITE_OK) {
		uri = immutable_uri(st->path);
		if (!uri)
			return ht_fail(err, HT_NOMEM, "no memory for a path");
		code = connect(st, uri, SQLITE_OPEN_READONLY, err);
		if (code == HT_OK && try_read(st) != SQLITE_OK)
			code = ht_store_fail(st, "read", err);
		if (code != HT_OK)
			return code;
	}
	return ht_store_exec(st, reader_settings, err);
}

/* Stores that this process has open; a child has none of its parent's. */
static struct {
	pid_t pid;
	unsigned n;
} own;

static void count(void)
{
	if (own.pid != getpid())
		own.n = 0;
	own.pid = getpid();
	own.n++;
}

static struct ht_store *new_store(const char *path, enum ht_store_mode mode,
				  struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *st = calloc(1, sizeof(*st));

	if (st) {
		count();
		st->held = HT_HELD_NONE;
		st->path = strdup(path);
		st->mode = mode;
		ht_snapshot_init(&st->last);
		ht_snapshot_init(&st->now);
		st->squeeze = 1;
		st->pasts.most = HT_STORE_PAST_BYTES;
		if (mode == HT_STORE_WRITE)
			st->states =
				calloc(HT_STORE_STATES, sizeof(*st->states));
	}
	if (!st || !st->path || (mode == HT_STORE_WRITE && !st->states)) {
		ht_err_put(err, HT_NOMEM, 0, 0, "no memory for a store");
		return NULL;
	}
	return ht_take_ptr(st);
}

enum ht_code ht_store_open(const char *path, enum ht_store_mode mode,
			   struct ht_store **ret, struct ht_err *err)
{
	return ht_store_open_telling(path, mode, NULL, NULL, ret, err);
}

enum ht_code ht_store_open_telling(const char *path, enum ht_store_mode mode,
				   ht_store_tell *tell, void *ctx,
				   struct ht_store **ret, struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *st = new_store(path, mode, err);
	enum ht_code code;

	if (!st)
		return HT_NOMEM;
	st->tell = tell;
	st->tell_ctx = ctx;
	code = ht_file_check(path, HT_STORE, err);
	/* Who writes tries again; readers wait for who does not see it yet. */
	if (code == HT_OK && own.n == 1)
		code = ht_journal_check(
			path, mode == HT_STORE_WRITE ? 0 : JOURNAL_WAIT_MS,
			err);
	if (code == HT_OK)
		code = mode == HT_STORE_WRITE ? open_writer(st, err)
					      : open_reader(st, err);
	if (code == HT_OK)
		code = ht_store_migrate(st, err);
	if (code == HT_OK && mode == HT_STORE_WRITE)
		code = ht_held_take(st, &st->held, err);
	if (code == HT_OK && mode == HT_STORE_WRITE)
		code = ht_store_past_begin(st, err);
	if (code != HT_OK)
		return code;
	*ret = ht_take_ptr(st);
	return HT_OK;
}

void ht_store_close(struct ht_store *st)
{
	if (!st)
		return;
	ht_store_forget_all(st);
	free(st->states);
	ht_snapshot_fini(&st->last);
	ht_snapshot_fini(&st->now);
	ht_store_sql_fini(st);
	sqlite3_close(st->db); /* an open transaction is undone */
	if (own.pid == getpid() && own.n > 0)
		own.n--;
	ht_held_fini(&st->held);
	for (int id = 0; id < HT_RECORD_COUNT; id++) {
		free(st->insert_sql[id]);
		free(st->gone_sql[id]);
		free(st->select_sql[id]);
		free(st->delete_sql[id]);
	}
	free(st->sample_sql);
	free(st->rollup_sql);
	for (int i = 0; i < HT_LINES_COUNT; i++) {
		free(st->line_insert_sql[i]);
		free(st->line_select_sql[i]);
		free(st->line_median_sql[i]);
	}
	free(st->path);
	free(st);
}

void ht_store_wait(struct ht_store *st, int64_t ns)
{
	sqlite3_busy_timeout(st->db, (int)(ns / HT_NS_PER_MS));
}

/* The file of that name is another: nothing is done to it. */
static void close_moved(struct ht_store *st)
{
	HT_AUTO_HELD struct ht_held held = HT_HELD_NONE;
	HT_AUTO_FREE char *path = ht_take_ptr(st->path);
	char aside[PATH_MAX + 16];

	ht_store_close_held(st, &held);
	if (ht_held_set_aside(&held, path, aside, sizeof(aside), NULL) != HT_OK)
		return; /* it stays as it is */
}

void ht_store_close_alone(struct ht_store *st)
{
	if (ht_store_in_place(st, NULL) != HT_OK) {
		close_moved(st);
		return;
	}
	/* Refused while others have it open: then the last of them tidies. */
	sqlite3_busy_timeout(st->db, 0);
	ht_store_forget_all(st);
	ht_store_sql_fini(st);
	sqlite3_exec(st->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	ht_store_close(st);
}

/* --- checking ------------------------------------------------------------ */

static enum ht_code check_with(struct ht_store *st, const char *sql,
			       const char *fine, int column, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(st, sql, &stmt, err);
	char text[160];
	bool row;

	if (code == HT_OK)
		code = ht_store_step(st, stmt, &row, err);
	if (code != HT_OK || !row)
		return code;
	ht_column_text(stmt, column, text, sizeof(text));
	sqlite3_reset(stmt);
	if (!strcmp(text, fine))
		return HT_OK;
	return ht_fail(err, HT_STORE, "%s is damaged: %s", st->path, text);
}

enum ht_code ht_store_in_place(struct ht_store *st, struct ht_err *err)
{
	int moved = 0;

	if (sqlite3_file_control(st->db, "main", SQLITE_FCNTL_HAS_MOVED,
				 &moved) == SQLITE_OK &&
	    moved)
		return ht_fail(err, HT_STORE,
			       "%s was moved or removed while in use",
			       st->path);
	return HT_OK;
}

enum ht_code ht_store_check(struct ht_store *st, struct ht_err *err)
{
	enum ht_code code =
		check_with(st, "PRAGMA integrity_check(1)", "ok", 0, err);

	if (code == HT_OK)
		code = check_with(st, "PRAGMA foreign_key_check", "", 0, err);
	return code;
}

/* --- events and verdicts ------------------------------------------------- */

static void bind_process(sqlite3_stmt *stmt, int at, int64_t process_id)
{
	if (process_id > 0)
		sqlite3_bind_int64(stmt, at, process_id);
	else
		sqlite3_bind_null(stmt, at);
}

struct event {
	int64_t process_id, at_ns;
	const char *kind, *text;
};

static enum ht_code add_event(struct ht_store *st, void *ctx,
			      struct ht_err *err)
{
	const struct event *e = ctx;
	sqlite3_stmt *stmt;
	enum ht_code code;

	code = ht_store_sql(
		st,
		"INSERT INTO event (process_id, at_ns, kind, text) VALUES (?, ?, ?, ?)",
		&stmt, err);
	if (code != HT_OK)
		return code;
	bind_process(stmt, 1, e->process_id);
	sqlite3_bind_int64(stmt, 2, e->at_ns);
	ht_bind_text(stmt, 3, e->kind);
	ht_bind_text(stmt, 4, e->text);
	code = ht_store_run(st, stmt, err);
	if (code != HT_OK || strcmp(e->kind, "ended") != 0)
		return code;
	ht_store_forget(st, e->process_id);
	code = ht_store_sql(st, "UPDATE process SET ended_ns = ? WHERE id = ?",
			    &stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, e->at_ns);
	sqlite3_bind_int64(stmt, 2, e->process_id);
	return ht_store_run(st, stmt, err);
}

enum ht_code ht_store_event(struct ht_store *st, int64_t process_id,
			    int64_t at_ns, const char *kind, const char *text,
			    struct ht_err *err)
{
	struct event e = {process_id, at_ns, kind, text ?: ""};

	return ht_store_in_transaction(st, add_event, &e, err);
}

struct verdict {
	int64_t process_id, at_ns, since_ns;
	const char *label, *json;
	double confidence;
};

static enum ht_code add_verdict(struct ht_store *st, void *ctx,
				struct ht_err *err)
{
	const struct verdict *v = ctx;
	sqlite3_stmt *stmt;
	enum ht_code code;

	code = ht_store_sql(
		st,
		"INSERT INTO verdict (process_id, at_ns, since_ns, label, confidence, json) VALUES (?, ?, ?, ?, ?, ?)",
		&stmt, err);
	if (code != HT_OK)
		return code;
	bind_process(stmt, 1, v->process_id);
	sqlite3_bind_int64(stmt, 2, v->at_ns);
	if (v->since_ns)
		sqlite3_bind_int64(stmt, 3, v->since_ns);
	ht_bind_text(stmt, 4, v->label);
	sqlite3_bind_double(stmt, 5, v->confidence);
	ht_bind_text(stmt, 6, v->json);
	return ht_store_run(st, stmt, err);
}

enum ht_code ht_store_add_verdict(struct ht_store *st, int64_t process_id,
				  int64_t at_ns, int64_t since_ns,
				  const char *label, double confidence,
				  const char *json, struct ht_err *err)
{
	struct verdict v = {process_id, at_ns, since_ns,
			    label,	json,  confidence};

	return ht_store_in_transaction(st, add_verdict, &v, err);
}
