/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as rows: one table a record, one column a field, made from the record
 * tables. Lists are sparse: a row is written when it differs from the one
 * before with the same key, and one with gone = 1 when the key is no more.
 */
#include "store/store_int.h"

#include <stdlib.h>
#include <string.h>

enum { KEYS_MAX = 3 };

struct key {
	uint16_t offset; /* in the record's struct */
	uint16_t type;
};
#define U(record, field)                                                       \
	{                                                                      \
		offsetof(struct ht_##record, field), HT_T_U64                  \
	}
#define T(record, field)                                                       \
	{                                                                      \
		offsetof(struct ht_##record, field), HT_T_TEXT                 \
	}

/* Tables, and what tells the rows of a list apart. */
static const struct {
	const char *table;
	size_t keys_n;
	struct key keys[KEYS_MAX];
} shapes[HT_RECORD_COUNT] = {
	[HT_RECORD_libc] = {.table = "libc"},
	[HT_RECORD_stop] = {.table = "stop"},
	[HT_RECORD_process] = {.table = "memory"},
	[HT_RECORD_limits] = {.table = "limits"},
	[HT_RECORD_params] = {.table = "params"},
	[HT_RECORD_totals] = {.table = "totals"},
	[HT_RECORD_fragmentation] = {.table = "fragmentation"},
	[HT_RECORD_blocked] = {.table = "blocked"},
	[HT_RECORD_rss_cause] = {"rss_cause", 1, {U(rss_cause, cause)}},
	[HT_RECORD_arena] = {"arena", 1, {U(arena, index)}},
	[HT_RECORD_heap] = {"heap", 1, {U(heap, address)}},
	[HT_RECORD_bin] = {"bin",
			   3,
			   {U(bin, arena), U(bin, kind), U(bin, index)}},
	[HT_RECORD_thread] = {"thread", 1, {U(thread, tid)}},
	[HT_RECORD_size_class] = {"size_class", 1, {U(size_class, max_size)}},
	[HT_RECORD_mapping] = {"mapping",
			       2,
			       {U(mapping, kind), T(mapping, name)}},
	[HT_RECORD_warning] = {"warning", 1, {T(warning, text)}},
	[HT_RECORD_finding] = {"finding",
			       3,
			       {T(finding, code), U(finding, address),
				T(finding, text)}},
};

const char *ht_record_table(enum ht_record_id id)
{
	return shapes[id].table;
}

/* `index` is a word of SQL's own. */
const char *ht_record_column(enum ht_record_id id, const struct ht_field *f)
{
	if (strcmp(f->name, "index") != 0)
		return f->name;
	return id == HT_RECORD_arena ? "arena" : "bin";
}

static bool is_key(enum ht_record_id id, const struct ht_field *f)
{
	for (size_t i = 0; i < shapes[id].keys_n; i++)
		if (shapes[id].keys[i].offset == f->offset)
			return true;
	return false;
}

/* --- keys ---------------------------------------------------------------- */

static int compare_key(const struct key *k, const char *a, const char *b)
{
	uint64_t left, right;

	if (k->type == HT_T_TEXT)
		return strcmp(a + k->offset, b + k->offset);
	memcpy(&left, a + k->offset, sizeof(left));
	memcpy(&right, b + k->offset, sizeof(right));
	return (left > right) - (left < right);
}

int ht_record_compare(enum ht_record_id id, const void *a, const void *b)
{
	int order = 0;

	for (size_t i = 0; i < shapes[id].keys_n && order == 0; i++)
		order = compare_key(&shapes[id].keys[i], a, b);
	return order;
}

static int compare_rows(const void *a, const void *b, void *id)
{
	return ht_record_compare(*(enum ht_record_id *)id, a, b);
}

void ht_record_sort(struct ht_snapshot *s, enum ht_record_id id)
{
	size_t size = ht_record_types[id].size;
	size_t n = ht_snapshot_count(s, id), kept = 0;
	char *rows;

	if (!ht_record_is_list(id) || n == 0)
		return;
	rows = ht_snapshot_row(s, id, 0);
	for (size_t i = 1; i < n; i++)
		if (ht_record_compare(id, rows + (i - 1) * size,
				      rows + i * size) >= 0) {
			qsort_r(rows, n, size, compare_rows, &id);
			break;
		}
	for (size_t i = 1; i < n; i++) {
		if (ht_record_compare(id, rows + kept * size,
				      rows + i * size) != 0)
			kept++;
		if (kept != i)
			memcpy(rows + kept * size, rows + i * size, size);
	}
	ht_snapshot_cut(s, id, kept + 1);
}

bool ht_record_measured(const struct ht_snapshot *s, enum ht_record_id id)
{
	const struct ht_totals *t = &s->totals;

	if (ht_snapshot_count(s, id) > 0 || id == HT_RECORD_warning ||
	    id == HT_RECORD_finding)
		return true;
	return id == HT_RECORD_bin && t->fastbin == 0 && t->unsorted == 0 &&
	       t->small == 0 && t->large == 0;
}

/* --- SQL from the tables ------------------------------------------------- */

/* "INSERT INTO t (sample_id, a, b) VALUES (?, ?, ?)", and the like. */
static char *build(enum ht_record_id id, const char *head, bool keys_only,
		   const char *extra, const char *tail)
{
	const struct ht_record_type *type = &ht_record_types[id];
	char *text = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&text, &length);

	if (!f)
		return NULL;
	fprintf(f, "%s", head);
	for (size_t i = 0; i < type->fields_count; i++)
		if (!keys_only || is_key(id, &type->fields[i]))
			fprintf(f, ", %s",
				ht_record_column(id, &type->fields[i]));
	fprintf(f, "%s", extra);
	if (tail) {
		fprintf(f, " FROM %s WHERE sample_id = ?", shapes[id].table);
	} else {
		fprintf(f, ") VALUES (?");
		for (size_t i = 0; i < type->fields_count; i++)
			if (!keys_only || is_key(id, &type->fields[i]))
				fprintf(f, ", ?");
		fprintf(f, "%s)", keys_only ? ", 1" : "");
	}
	if (fclose(f) != 0)
		return NULL;
	return text;
}

static enum ht_code prepared(struct ht_store *st, char **sql,
			     enum ht_record_id id, bool gone,
			     sqlite3_stmt **ret, struct ht_err *err)
{
	char head[96];

	/* Keys are unique but for names that nobody knows, which are all ''.
	 * REPLACE would cost a third more. */
	if (!*sql) {
		snprintf(head, sizeof(head),
			 "INSERT OR IGNORE INTO %s (sample_id",
			 shapes[id].table);
		*sql = build(id, head, gone, gone ? ", gone" : "", NULL);
		if (!*sql)
			return ht_fail(err, HT_NOMEM, "no memory for SQL");
	}
	return ht_store_sql(st, *sql, ret, err);
}

/* --- rows ---------------------------------------------------------------- */

static const char *name_of(const struct ht_field *f, uint64_t v)
{
	return v < f->names_count ? f->names[v] : NULL;
}

/* A key is never NULL: -1 and '' stand for "not known" there. */
static void bind_field(sqlite3_stmt *stmt, int at, const struct ht_field *f,
		       const void *record, bool key)
{
	const char *from = (const char *)record + f->offset;
	uint64_t bits;
	double real;

	if (f->type == HT_T_TEXT) {
		ht_bind_text(stmt, at, from);
		return;
	}
	memcpy(&bits, from, sizeof(bits));
	memcpy(&real, from, sizeof(real));
	if (f->type == HT_T_F64)
		sqlite3_bind_double(stmt, at, real); /* NaN: NULL */
	else if (f->type == HT_T_ENUM && (key || bits < f->names_count))
		ht_bind_text(stmt, at, name_of(f, bits) ?: "");
	else if (bits == HT_UNKNOWN && !key)
		sqlite3_bind_null(stmt, at);
	else
		sqlite3_bind_int64(stmt, at, (sqlite3_int64)bits);
}

static uint64_t enum_of(const struct ht_field *f, const char *name)
{
	for (uint64_t v = 0; name && v < f->names_count; v++)
		if (!strcmp(f->names[v], name))
			return v;
	return HT_UNKNOWN;
}

/* `record` is cleared before: what is NULL stays unknown. */
static void read_field(sqlite3_stmt *stmt, int at, const struct ht_field *f,
		       void *record)
{
	char *to = (char *)record + f->offset;
	uint64_t bits;
	double real;

	if (sqlite3_column_type(stmt, at) == SQLITE_NULL)
		return;
	if (f->type == HT_T_TEXT) {
		ht_column_text(stmt, at, to, f->size);
	} else if (f->type == HT_T_F64) {
		real = sqlite3_column_double(stmt, at);
		memcpy(to, &real, sizeof(real));
	} else {
		bits = f->type == HT_T_ENUM
			       ? enum_of(f, (const char *)sqlite3_column_text(
						    stmt, at))
			       : (uint64_t)sqlite3_column_int64(stmt, at);
		memcpy(to, &bits, sizeof(bits));
	}
}

static enum ht_code write_row(struct ht_store *st, enum ht_record_id id,
			      int64_t sample_id, const void *record, bool gone,
			      struct ht_err *err)
{
	const struct ht_record_type *type = &ht_record_types[id];
	char **sql = gone ? &st->gone_sql[id] : &st->insert_sql[id];
	sqlite3_stmt *stmt;
	enum ht_code code = prepared(st, sql, id, gone, &stmt, err);
	int at = 1;

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, at++, sample_id);
	for (size_t i = 0; i < type->fields_count; i++) {
		bool key = is_key(id, &type->fields[i]);

		if (key || !gone)
			bind_field(stmt, at++, &type->fields[i], record, key);
	}
	return ht_store_run(st, stmt, err);
}

enum ht_code ht_record_insert(struct ht_store *st, enum ht_record_id id,
			      int64_t sample_id, const void *record,
			      struct ht_err *err)
{
	return write_row(st, id, sample_id, record, false, err);
}

enum ht_code ht_record_gone(struct ht_store *st, enum ht_record_id id,
			    int64_t sample_id, const void *record,
			    struct ht_err *err)
{
	return write_row(st, id, sample_id, record, true, err);
}

enum ht_code ht_record_delete(struct ht_store *st, enum ht_record_id id,
			      int64_t first_id, int64_t last_id,
			      struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;

	if (!st->delete_sql[id] &&
	    asprintf(&st->delete_sql[id],
		     "DELETE FROM %s WHERE sample_id BETWEEN ? AND ?",
		     shapes[id].table) < 0)
		return ht_fail(err, HT_NOMEM, "no memory for SQL");
	code = ht_store_sql(st, st->delete_sql[id], &stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, first_id);
	sqlite3_bind_int64(stmt, 2, last_id);
	return ht_store_run(st, stmt, err);
}

/* --- reading back -------------------------------------------------------- */

/* First position whose row is not below the record's key. */
static size_t lower_bound(struct ht_snapshot *s, enum ht_record_id id,
			  const void *record)
{
	size_t low = 0, high = ht_snapshot_count(s, id);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ht_record_compare(id, ht_snapshot_row(s, id, middle),
				      record) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static enum ht_code apply_row(enum ht_record_id id, const void *record,
			      bool gone, struct ht_snapshot *into,
			      struct ht_err *err)
{
	size_t size = ht_record_types[id].size;
	size_t n = ht_snapshot_count(into, id);
	size_t at = lower_bound(into, id, record);
	char *row = ht_snapshot_row(into, id, at);
	bool there = at < n && ht_record_compare(id, row, record) == 0;

	if (gone && there) {
		memmove(row, row + size, (n - at - 1) * size);
		ht_snapshot_cut(into, id, n - 1);
	}
	if (gone)
		return HT_OK;
	if (!there) {
		if (!ht_snapshot_add(into, id))
			return ht_fail(err, HT_NOMEM, "no memory for %s rows",
				       shapes[id].table);
		row = ht_snapshot_row(into, id, at);
		memmove(row + size, row, (n - at) * size);
	}
	memcpy(row, record, size);
	return HT_OK;
}

enum ht_code ht_record_apply(struct ht_store *st, enum ht_record_id id,
			     int64_t sample_id, struct ht_snapshot *into,
			     struct ht_err *err)
{
	const struct ht_record_type *type = &ht_record_types[id];
	HT_AUTO_FREE void *record = malloc(type->size);
	bool list = ht_record_is_list(id), row;
	sqlite3_stmt *stmt;
	enum ht_code code;

	if (record && !st->select_sql[id])
		st->select_sql[id] = build(id, "SELECT sample_id", false,
					   list ? ", gone" : "", "");
	if (!record || !st->select_sql[id])
		return ht_fail(err, HT_NOMEM, "no memory for a snapshot");
	code = ht_store_sql(st, st->select_sql[id], &stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, sample_id);
	while ((code = ht_store_step(st, stmt, &row, err)) == HT_OK && row) {
		int last = type->fields_count + 1;

		ht_record_clear(id, record);
		for (int i = 0; i < type->fields_count; i++)
			read_field(stmt, i + 1, &type->fields[i], record);
		if (!list)
			memcpy(ht_snapshot_single(into, id), record,
			       type->size);
		else
			code = apply_row(id, record,
					 sqlite3_column_int64(stmt, last) != 0,
					 into, err);
		if (code != HT_OK)
			break;
	}
	sqlite3_reset(stmt);
	return code;
}

enum ht_code ht_records_apply(struct ht_store *st, uint64_t ids,
			      int64_t sample_id, struct ht_snapshot *into,
			      struct ht_err *err)
{
	enum ht_code code = HT_OK;

	for (enum ht_record_id id = 0; id < HT_RECORD_COUNT && code == HT_OK;
	     id++)
		if ((ids >> id & 1) && ht_record_table(id))
			code = ht_record_apply(st, id, sample_id, into, err);
	return code;
}

enum ht_code ht_records_rebuild(struct ht_store *st, uint64_t ids,
				const struct ht_sample_range *r,
				struct ht_snapshot *into, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;
	bool row;

	if (r->id == r->base_id)
		return ht_records_apply(st, ids, r->id, into, err);
	/* Within one base, number and time agree; by time there is an index. */
	code = ht_store_sql(
		st,
		"SELECT id\n"
		"FROM sample\n"
		"WHERE id BETWEEN ?1 AND ?2 AND process_id = ?3 AND at_ns BETWEEN (SELECT at_ns FROM sample WHERE id = ?1) AND (SELECT at_ns FROM sample WHERE id = ?2) AND detail > 0\n"
		"ORDER BY at_ns, id",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, r->base_id);
	sqlite3_bind_int64(stmt, 2, r->id);
	sqlite3_bind_int64(stmt, 3, r->process_id);
	while ((code = ht_store_step(st, stmt, &row, err)) == HT_OK && row) {
		code = ht_records_apply(st, ids, sqlite3_column_int64(stmt, 0),
					into, err);
		if (code != HT_OK)
			break;
	}
	sqlite3_reset(stmt);
	return code;
}
