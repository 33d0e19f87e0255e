/* SPDX-License-Identifier: Apache-2.0 */
/* Samples as rows of a series. */
#include "store/store_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

static enum ht_code prepare(struct ht_store *st, const char *head,
			    const bool *metrics, const char *tail,
			    sqlite3_stmt **ret, struct ht_err *err)
{
	HT_AUTO_FREE char *sql = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&sql, &length);

	if (!f)
		return ht_fail(err, HT_NOMEM, "no memory for SQL");
	fprintf(f, "SELECT %s", head);
	for (int m = 0; m < HT_METRIC_COUNT; m++)
		if (metrics[m])
			fprintf(f, ", \"%s\"", ht_metric_infos[m].name);
	fprintf(f, " %s", tail);
	if (fclose(f) != 0)
		return ht_fail(err, HT_NOMEM, "no memory for SQL");
	if (sqlite3_prepare_v3(st->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret,
			       NULL) != SQLITE_OK)
		return ht_store_fail(st, "prepare", err);
	return HT_OK;
}

/* Preparing takes longer than running: a judge asks the same again and again.
 */
enum ht_code ht_store_select_metrics(struct ht_store *st, const char *head,
				     const bool *metrics, const char *tail,
				     sqlite3_stmt **ret, struct ht_err *err)
{
	bool wanted[HT_METRIC_COUNT];
	size_t at = 0;
	sqlite3_stmt *stmt;
	enum ht_code code;

	for (int m = 0; m < HT_METRIC_COUNT; m++)
		wanted[m] = !metrics || metrics[m];
	for (size_t i = 0; i < HT_STORE_SELECTS; i++) {
		if (st->selects[i].tail == tail &&
		    !memcmp(st->selects[i].metrics, wanted, sizeof(wanted))) {
			st->selects[i].used = ++st->tick;
			*ret = st->selects[i].stmt;
			return HT_OK;
		}
		if (st->selects[i].used < st->selects[at].used)
			at = i;
	}
	code = prepare(st, head, wanted, tail, &stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_finalize(st->selects[at].stmt);
	st->selects[at].tail = tail;
	memcpy(st->selects[at].metrics, wanted, sizeof(wanted));
	st->selects[at].used = ++st->tick;
	*ret = st->selects[at].stmt = stmt;
	return HT_OK;
}

/* --- size classes and mappings at each sample ---------------------------- */

struct sample {
	int64_t id, base_id, process_id;
	int64_t detail, lists;
};

static const struct {
	int part;
	enum ht_record_id id;
	enum ht_code (*put)(struct ht_series *s, const struct ht_snapshot *from,
			    struct ht_err *err);
} parts[] = {
	{HT_SERIES_CLASSES, HT_RECORD_size_class, ht_series_put_classes},
	{HT_SERIES_MAPPINGS, HT_RECORD_mapping, ht_series_put_mappings},
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

static uint64_t ids_of(int wanted)
{
	uint64_t ids = 0;

	for (size_t i = 0; i < PARTS; i++)
		if (wanted & parts[i].part)
			ids |= UINT64_C(1) << parts[i].id;
	for (int i = 0; i < HT_LINES_COUNT; i++)
		if (wanted & HT_SERIES_LIST(i))
			ids |= ht_line_kinds[i].records;
	return ids;
}

/* The wanted lists that a sample measured, into a row that lacks them. */
static enum ht_code put_lists(int wanted, const struct ht_snapshot *from,
			      int64_t records, size_t row,
			      struct ht_series *ret, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	for (int i = 0; i < HT_LINES_COUNT && code == HT_OK; i++)
		if ((wanted & HT_SERIES_LIST(i)) && !ret->listed[i][row])
			code = ht_series_put_lines(ret, (enum ht_lines)i, row,
						   from, (uint64_t)records,
						   err);
	return code;
}

/* What the writer remembers of a process whose classes and mappings are since
 * this sample what they are now: nothing is read of them then. NULL: else. */
static const struct ht_store_state *
rested_since(struct ht_store *st, int wanted, const struct sample *at)
{
	const struct ht_store_state *state =
		ht_store_state_known(st, at->process_id);

	if (wanted &
	    ~(HT_SERIES_CLASSES | HT_SERIES_MAPPINGS | HT_SERIES_MEDIANS))
		return NULL;
	return state && state->moved_id && at->id >= state->moved_id ? state
								     : NULL;
}

/* The lists as of a sample. */
static enum ht_code carry_on(struct ht_store *st, int wanted,
			     const struct sample *at,
			     struct ht_store_carried *c, struct ht_err *err)
{
	const struct ht_sample_range range = {at->base_id, at->id,
					      at->process_id};
	const struct ht_store_state *state = rested_since(st, wanted, at);

	if (state && c->base_id == at->base_id && c->last_id >= state->moved_id)
		return HT_OK;
	if (!state && c->base_id == at->base_id && at->id > c->last_id)
		return ht_records_apply(st, ids_of(wanted), at->id, &c->lists,
					err);
	ht_snapshot_fini(&c->lists);
	ht_snapshot_init(&c->lists);
	if (state)
		return ht_snapshot_unpack(&state->last, &c->lists, err);
	return ht_records_rebuild(st, ids_of(wanted), &range, &c->lists, err);
}

static enum ht_code put_parts(struct ht_store *st, int wanted,
			      const struct sample *at,
			      struct ht_store_carried *c, struct ht_series *ret,
			      struct ht_err *err)
{
	enum ht_code code;

	if (at->detail == HT_DETAIL_NONE)
		return HT_OK; /* not kept: stays unknown */
	code = carry_on(st, wanted, at, c, err);
	c->base_id = at->base_id;
	c->last_id = at->id;
	for (size_t i = 0; i < PARTS && code == HT_OK; i++)
		if ((wanted & parts[i].part) &&
		    (at->lists & (INT64_C(1) << parts[i].id)))
			code = parts[i].put(ret, &c->lists, err);
	if (code == HT_OK)
		code = put_lists(wanted, &c->lists, at->lists, ret->rows - 1,
				 ret, err);
	return code;
}

/* --- rows ---------------------------------------------------------------- */

enum { FIXED_COLUMNS = 5 };

static enum ht_code put_row(struct ht_store *st, sqlite3_stmt *stmt,
			    const struct ht_store_window *w,
			    struct ht_store_carried *c, struct ht_series *ret,
			    struct ht_err *err)
{
	struct sample at = {sqlite3_column_int64(stmt, 0),
			    sqlite3_column_int64(stmt, 2), w->process_id,
			    sqlite3_column_int64(stmt, 3),
			    sqlite3_column_int64(stmt, 4)};
	enum ht_code code =
		ht_series_add_row(ret, sqlite3_column_int64(stmt, 1), err);
	int column = FIXED_COLUMNS;

	if (code != HT_OK)
		return code;
	for (int m = 0; m < HT_METRIC_COUNT; m++) {
		double v;

		if (w->metrics && !w->metrics[m])
			continue;
		v = ht_column_number(stmt, column++);
		for (int k = 0; k < HT_STAT_COUNT; k++)
			ret->metric[m][k][ret->rows - 1] = v;
	}
	if (!(w->parts & ~HT_SERIES_MEDIANS))
		return HT_OK;
	return put_parts(st, w->parts, &at, c, ret, err);
}

enum ht_code ht_store_stepped_back(struct ht_store *st,
				   const struct ht_store_window *w, bool *ret,
				   struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;

	code = ht_store_sql(
		st,
		"SELECT 1 FROM event WHERE process_id = ? AND kind = 'clock' AND at_ns BETWEEN ? AND ?",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, w->process_id);
	sqlite3_bind_int64(stmt, 2, w->from_ns);
	sqlite3_bind_int64(stmt, 3, w->to_ns);
	code = ht_store_step(st, stmt, ret, err);
	sqlite3_reset(stmt);
	return code;
}

static void reset(sqlite3_stmt **stmt)
{
	sqlite3_reset(*stmt);
}

static void fini_carried(struct ht_store_carried *c)
{
	ht_snapshot_fini(&c->lists);
}

/* Samples in the order they were taken: by time, but by number where the wall
 * clock stepped back (slower: has to sort). */
enum ht_code ht_store_raw(struct ht_store *st, const struct ht_store_window *w,
			  struct ht_series *ret, struct ht_err *err)
{
	HT_CLEANUP(reset) sqlite3_stmt *stmt = NULL;
	HT_CLEANUP(fini_carried) struct ht_store_carried c = {0};
	bool by_number = false;
	bool row;
	enum ht_code code =
		w->by_clock ? HT_OK
			    : ht_store_stepped_back(st, w, &by_number, err);

	ht_snapshot_init(&c.lists);
	if (code == HT_OK)
		code = ht_store_select_metrics(
			st, "id, at_ns, base_id, detail, lists", w->metrics,
			by_number
				? "FROM sample WHERE process_id = ? AND at_ns BETWEEN ? AND ? ORDER BY id"
				: "FROM sample WHERE process_id = ? AND at_ns BETWEEN ? AND ? ORDER BY at_ns, id",
			&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, w->process_id);
	sqlite3_bind_int64(stmt, 2, w->from_ns);
	sqlite3_bind_int64(stmt, 3, w->to_ns);
	while ((code = ht_store_step(st, stmt, &row, err)) == HT_OK && row) {
		code = put_row(st, stmt, w, &c, ret, err);
		if (code != HT_OK)
			break;
	}
	return code;
}

/* --- some at a time ------------------------------------------------------ */

void ht_store_pass_fini(struct ht_store_pass *p)
{
	ht_snapshot_fini(&p->carried.lists);
	memset(p, 0, sizeof(*p));
}

enum ht_code ht_store_raw_some(struct ht_store *st,
			       const struct ht_store_window *w,
			       struct ht_store_pass *p, struct ht_series *ret,
			       struct ht_err *err)
{
	HT_CLEANUP(reset) sqlite3_stmt *stmt = NULL;
	bool row = true;
	enum ht_code code = ht_store_select_metrics(
		st, "id, at_ns, base_id, detail, lists", w->metrics,
		"FROM sample WHERE process_id = ? AND at_ns BETWEEN ? AND ? AND (at_ns > ? OR id > ?) ORDER BY at_ns, id",
		&stmt, err);

	if (code != HT_OK)
		return code;
	if (p->carried.last_id == 0 && p->at_ns == 0)
		ht_snapshot_init(&p->carried.lists);
	sqlite3_bind_int64(stmt, 1, w->process_id);
	sqlite3_bind_int64(stmt, 2,
			   p->at_ns > w->from_ns ? p->at_ns : w->from_ns);
	sqlite3_bind_int64(stmt, 3, w->to_ns);
	sqlite3_bind_int64(stmt, 4, p->at_ns);
	sqlite3_bind_int64(stmt, 5, p->id);
	do {
		code = ht_store_step(st, stmt, &row, err);
		if (code == HT_OK && row) {
			p->id = sqlite3_column_int64(stmt, 0);
			p->at_ns = sqlite3_column_int64(stmt, 1);
			code = put_row(st, stmt, w, &p->carried, ret, err);
		}
		ht_slice_step(st, HT_STEP_READ);
	} while (code == HT_OK && row && ht_slice_fits(st, HT_STEP_READ));
	p->done = !row;
	return code;
}

/* --- whole samples ------------------------------------------------------- */

/* A row from `first` on that lacks a wanted list, at or after `from`;
 * s->rows: none. */
static size_t lacking(const struct ht_series *s, int wanted, size_t from)
{
	for (size_t row = from; row < s->rows; row++)
		for (int i = 0; i < HT_LINES_COUNT; i++)
			if ((wanted & HT_SERIES_LIST(i)) && !s->listed[i][row])
				return row;
	return s->rows;
}

/* Row of the bucket that this moment is in; s->rows: none. */
static size_t row_at(const struct ht_series *s, int64_t level_s, size_t from,
		     int64_t at_ns)
{
	int64_t step = level_s * HT_NS_PER_S;

	while (from < s->rows && s->time_ns[from] / step < at_ns / step)
		from++;
	return from < s->rows && s->time_ns[from] / step == at_ns / step
		       ? from
		       : s->rows;
}

static enum ht_code put_whole(struct ht_store *st, int wanted, int64_t id,
			      int64_t records, size_t row, struct ht_series *s,
			      struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot whole;
	enum ht_code code;

	ht_snapshot_init(&whole);
	code = ht_records_apply(st, ids_of(wanted), id, &whole, err);
	if (code == HT_OK)
		code = put_lists(wanted, &whole, records, row, s, err);
	return code;
}

enum ht_code ht_store_whole_lines(struct ht_store *st, int64_t level_s,
				  const struct ht_store_window *w, size_t first,
				  struct ht_series *s, struct ht_err *err)
{
	size_t at = lacking(s, w->parts, first);
	sqlite3_stmt *stmt;
	enum ht_code code;
	bool row;

	if (at == s->rows)
		return HT_OK;
	code = ht_store_sql(
		st,
		"SELECT id, at_ns, lists FROM sample WHERE process_id = ? AND at_ns BETWEEN ? AND ? AND detail >= 2 ORDER BY at_ns",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, w->process_id);
	sqlite3_bind_int64(stmt, 2, s->time_ns[at] - level_s * HT_NS_PER_S / 2);
	sqlite3_bind_int64(stmt, 3, w->to_ns);
	while ((code = ht_store_step(st, stmt, &row, err)) == HT_OK && row) {
		size_t there =
			row_at(s, level_s, at, sqlite3_column_int64(stmt, 1));

		if (there == s->rows)
			continue;
		at = there;
		code = put_whole(st, w->parts, sqlite3_column_int64(stmt, 0),
				 sqlite3_column_int64(stmt, 2), at, s, err);
		if (code != HT_OK)
			break;
	}
	sqlite3_reset(stmt);
	return code;
}
