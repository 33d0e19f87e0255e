/* SPDX-License-Identifier: Apache-2.0 */
/* Reading back: processes, and whole snapshots. */
#include "store/store_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

/* --- processes ----------------------------------------------------------- */

void ht_store_read_process(sqlite3_stmt *stmt, struct ht_store_process *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->id = sqlite3_column_int64(stmt, 0);
	ret->pid = (uint64_t)sqlite3_column_int64(stmt, 1);
	ht_column_text(stmt, 2, ret->target, sizeof(ret->target));
	ht_column_text(stmt, 3, ret->comm, sizeof(ret->comm));
	ht_column_text(stmt, 4, ret->exe, sizeof(ret->exe));
	ht_column_text(stmt, 5, ret->boot_id, sizeof(ret->boot_id));
	ret->started_ns = sqlite3_column_int64(stmt, 6);
	ret->first_ns = sqlite3_column_int64(stmt, 7);
	ret->last_ns = sqlite3_column_int64(stmt, 8);
	ret->ended_ns = sqlite3_column_int64(stmt, 9);
	ret->samples = (uint64_t)sqlite3_column_int64(stmt, 10);
}

/* What a word may mean, tried in this order. ?1 is the word, ?2 its number. */
static const struct {
	bool number, hash;
	const char *sql;
} meanings[] = {
	{true, true, HT_PROCESS_COLUMNS "WHERE id = ?2"},
	{true, false,
	 HT_PROCESS_COLUMNS "WHERE pid = ?2 ORDER BY last_ns DESC LIMIT 1"},
	{false, false,
	 HT_PROCESS_COLUMNS "WHERE target = ?1 ORDER BY last_ns DESC LIMIT 1"},
	{false, false,
	 HT_PROCESS_COLUMNS
	 "WHERE comm = ?1 OR exe = ?1 OR exe LIKE '%/' || ?1 ORDER BY last_ns DESC LIMIT 1"},
	{true, false, HT_PROCESS_COLUMNS "WHERE id = ?2"},
};

static enum ht_code try_meaning(struct ht_store *st, const char *sql,
				const char *word, int64_t number,
				struct ht_store_process *ret, bool *ret_found,
				struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(st, sql, &stmt, err);

	if (code != HT_OK)
		return code;
	ht_bind_text(stmt, 1, word);
	sqlite3_bind_int64(stmt, 2, number);
	code = ht_store_step(st, stmt, ret_found, err);
	if (code == HT_OK && *ret_found)
		ht_store_read_process(stmt, ret);
	sqlite3_reset(stmt);
	return code;
}

enum ht_code ht_store_find(struct ht_store *st, const char *word,
			   struct ht_store_process *ret, struct ht_err *err)
{
	bool hash = word[0] == '#', found = false;
	const char *digits = hash ? word + 1 : word;
	char *end;
	int64_t number = strtoll(digits, &end, 10);
	bool is_number = *digits >= '0' && *digits <= '9' && *end == '\0';
	enum ht_code code = HT_OK;

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		if ((meanings[i].number && !is_number) ||
		    meanings[i].hash != hash)
			continue;
		code = try_meaning(st, meanings[i].sql, word, number, ret,
				   &found, err);
		if (code != HT_OK || found)
			return code;
	}
	return ht_fail(err, HT_NODATA, "%s: nothing recorded for %s", st->path,
		       word);
}

enum ht_code ht_store_processes(struct ht_store *st,
				int (*each)(void *ctx,
					    const struct ht_store_process *p),
				void *ctx, struct ht_err *err)
{
	struct ht_store_process p;
	sqlite3_stmt *stmt;
	enum ht_code code;
	bool row;

	code = ht_store_sql(st, HT_PROCESS_COLUMNS "ORDER BY last_ns DESC, id",
			    &stmt, err);
	if (code != HT_OK)
		return code;
	while ((code = ht_store_step(st, stmt, &row, err)) == HT_OK && row) {
		ht_store_read_process(stmt, &p);
		if (each(ctx, &p))
			break;
	}
	sqlite3_reset(stmt);
	return code;
}

/* --- snapshots ----------------------------------------------------------- */

struct sample {
	int64_t id, process_id, base_id, at_ns, lists;
	uint64_t cpu_ns;
};

static enum ht_code find_sample(struct ht_store *st, int64_t process_id,
				int64_t at_ns, struct sample *ret,
				struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;
	char text[HT_TIME_TEXT];
	bool row;

	code = ht_store_sql(
		st,
		"SELECT id, base_id, at_ns, lists, cpu_ns\n"
		"FROM sample\n"
		"WHERE process_id = ? AND at_ns <= ? AND detail > 0\n"
		"ORDER BY at_ns DESC LIMIT 1",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, process_id);
	sqlite3_bind_int64(stmt, 2, at_ns);
	code = ht_store_step(st, stmt, &row, err);
	if (code != HT_OK)
		return code;
	ht_time_text(at_ns, text);
	if (!row)
		return ht_fail(err, HT_NODATA,
			       "%s: no snapshot of process #%" PRId64
			       " is kept from %s or before",
			       st->path, process_id, text);
	*ret = (struct sample){
		sqlite3_column_int64(stmt, 0), process_id,
		sqlite3_column_int64(stmt, 1), sqlite3_column_int64(stmt, 2),
		sqlite3_column_int64(stmt, 3), ht_column_figure(stmt, 4)};
	sqlite3_reset(stmt);
	return HT_OK;
}

static enum ht_code read_head(struct ht_store *st, const struct sample *at,
			      struct ht_head *h, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;
	bool row;

	code = ht_store_sql(
		st,
		"SELECT pid, comm, exe, started_ns, arch, boot_id, start_ticks, exe_dev, exe_inode, cgroup, uid\n"
		"FROM process\n"
		"WHERE id = ?",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, at->process_id);
	code = ht_store_step(st, stmt, &row, err);
	if (code != HT_OK || !row)
		return code;
	h->pid = (uint64_t)sqlite3_column_int64(stmt, 0);
	ht_column_text(stmt, 1, h->comm, sizeof(h->comm));
	ht_column_text(stmt, 2, h->exe, sizeof(h->exe));
	h->started_at = sqlite3_column_int64(stmt, 3);
	ht_column_text(stmt, 4, h->arch, sizeof(h->arch));
	ht_column_text(stmt, 5, h->boot_id, sizeof(h->boot_id));
	h->start_ticks = (uint64_t)sqlite3_column_int64(stmt, 6);
	h->exe_dev = ht_column_figure(stmt, 7);
	h->exe_inode = ht_column_figure(stmt, 8);
	ht_column_text(stmt, 9, h->cgroup, sizeof(h->cgroup));
	h->uid = ht_column_figure(stmt, 10);
	h->taken_at = at->at_ns;
	h->cpu_ns = at->cpu_ns;
	sqlite3_reset(stmt);
	return HT_OK;
}

/* A list that this sample did not measure is shown as it was last measured,
 * and that is said. */
static void warn_older(const struct sample *at, struct ht_snapshot *s)
{
	for (int id = HT_RECORD_rss_cause; id < HT_RECORD_COUNT; id++)
		if (!(at->lists & (INT64_C(1) << id)) &&
		    ht_snapshot_count(s, (enum ht_record_id)id) > 0)
			ht_snapshot_warn(
				s,
				"%s rows are of an earlier sample: this one did not measure them",
				ht_record_types[id].name);
}

struct snapshot_query {
	int64_t process_id, at_ns;
	struct ht_snapshot *ret;
};

static enum ht_code read_snapshot(struct ht_store *st, void *ctx,
				  struct ht_err *err)
{
	const struct snapshot_query *q = ctx;
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct ht_snapshot emptied;
	struct sample at;
	enum ht_code code = find_sample(st, q->process_id, q->at_ns, &at, err);

	ht_snapshot_init(&s);
	if (code == HT_OK)
		code = ht_records_rebuild(
			st, UINT64_MAX,
			&(struct ht_sample_range){at.base_id, at.id,
						  at.process_id},
			&s, err);
	if (code == HT_OK)
		code = read_head(st, &at, &s.head, err);
	if (code != HT_OK)
		return code;
	warn_older(&at, &s);
	emptied = *q->ret;
	*q->ret = s;
	s = emptied; /* freed on the way out */
	return HT_OK;
}

enum ht_code ht_store_snapshot_at(struct ht_store *st, int64_t process_id,
				  int64_t at_ns, struct ht_snapshot *ret,
				  struct ht_err *err)
{
	struct snapshot_query q = {process_id, at_ns, ret};

	return ht_store_reading(st, read_snapshot, &q, err);
}

enum ht_code ht_store_sample_process(struct ht_store *st, int64_t sample_id,
				     int64_t *ret_process_id,
				     struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;
	bool row;

	if (sample_id == st->added_id) {
		*ret_process_id = st->added_process;
		return HT_OK;
	}
	code = ht_store_sql(st, "SELECT process_id FROM sample WHERE id = ?",
			    &stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, sample_id);
	code = ht_store_step(st, stmt, &row, err);
	if (code != HT_OK)
		return code;
	if (!row)
		return ht_fail(err, HT_NODATA, "%s: no sample %" PRId64,
			       st->path, sample_id);
	*ret_process_id = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return HT_OK;
}

/* --- events -------------------------------------------------------------- */

enum ht_code ht_store_events(struct ht_store *st, int64_t process_id,
			     int64_t from_ns, int64_t to_ns,
			     int (*each)(void *ctx,
					 const struct ht_store_event_row *e),
			     void *ctx, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;
	bool row;

	code = ht_store_sql(
		st,
		"SELECT at_ns, kind, text FROM event WHERE process_id = ? AND at_ns BETWEEN ? AND ? ORDER BY at_ns, id",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, process_id);
	sqlite3_bind_int64(stmt, 2, from_ns);
	sqlite3_bind_int64(stmt, 3, to_ns);
	while ((code = ht_store_step(st, stmt, &row, err)) == HT_OK && row) {
		const struct ht_store_event_row e = {
			sqlite3_column_int64(stmt, 0),
			(const char *)sqlite3_column_text(stmt, 1),
			(const char *)sqlite3_column_text(stmt, 2)};

		if (each(ctx, &e))
			break;
	}
	sqlite3_reset(stmt);
	return code;
}
