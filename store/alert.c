/* SPDX-License-Identifier: Apache-2.0 */
#include "store/alert.h"

#include <math.h>
#include <string.h>

#include "store/store_int.h"

static const char *const states[] = {
#define STATE_NAME(c, s) s,
	HT_ALERT_STATE_NAMES(STATE_NAME)};

static void bind_time(sqlite3_stmt *stmt, int at, int64_t ns)
{
	if (ns)
		sqlite3_bind_int64(stmt, at, ns);
}

static void bind_number(sqlite3_stmt *stmt, int at, double v)
{
	if (isfinite(v))
		sqlite3_bind_double(stmt, at, v);
}

/* SQL, its parameters as texts, run to the end. */
static enum ht_code run_texts(struct ht_store *st, const char *sql,
			      const char *const *texts, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(st, sql, &stmt, err);

	if (code != HT_OK)
		return code;
	for (int i = 0; texts[i]; i++)
		sqlite3_bind_text(stmt, i + 1, texts[i], -1, SQLITE_TRANSIENT);
	return ht_store_run(st, stmt, err);
}

/* --- alerts -------------------------------------------------------------- */

enum ht_code ht_store_alert_put(struct ht_store *st, const struct ht_alert *a,
				struct ht_err *err)
{
	static const char sql[] =
		"INSERT INTO alert (id, rule, target, process_key, severity, state, summary, evidence, process_id, pending_ns, firing_ns, resolved_ns, seen_ns, value, level)\n"
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)\n"
		"ON CONFLICT (id) DO UPDATE\n"
		"SET process_key = excluded.process_key, severity = excluded.severity, state = excluded.state, summary = excluded.summary, evidence = excluded.evidence, process_id = excluded.process_id, firing_ns = excluded.firing_ns, resolved_ns = excluded.resolved_ns, seen_ns = excluded.seen_ns, value = excluded.value, level = excluded.level";
	const char *texts[] = {a->id,	       a->rule,	    a->target,
			       a->process_key, a->severity, states[a->state],
			       a->summary,     a->evidence};
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(st, sql, &stmt, err);

	if (code != HT_OK)
		return code;
	for (int i = 0; i < 8; i++)
		sqlite3_bind_text(stmt, i + 1, texts[i], -1, SQLITE_TRANSIENT);
	if (a->process_id)
		sqlite3_bind_int64(stmt, 9, a->process_id);
	sqlite3_bind_int64(stmt, 10, a->pending_ns);
	bind_time(stmt, 11, a->firing_ns);
	bind_time(stmt, 12, a->resolved_ns);
	sqlite3_bind_int64(stmt, 13, a->seen_ns);
	bind_number(stmt, 14, a->value);
	bind_number(stmt, 15, a->level);
	return ht_store_run(st, stmt, err);
}

enum ht_code ht_store_alert_forget(struct ht_store *st, const char *id,
				   struct ht_err *err)
{
	return run_texts(st,
			 "DELETE FROM alert WHERE id = ? AND state = 'pending'",
			 (const char *const[]){id, NULL}, err);
}

#define ALERT_COLUMNS                                                          \
	"a.id, a.rule, a.target, a.process_key, a.severity, a.state, a.summary, a.evidence, a.process_id, a.pending_ns, a.firing_ns, a.resolved_ns, a.seen_ns, a.value, a.level"

static double number_at(sqlite3_stmt *stmt, int column)
{
	return sqlite3_column_type(stmt, column) == SQLITE_NULL
		       ? (double)NAN
		       : sqlite3_column_double(stmt, column);
}

static void read_alert(sqlite3_stmt *stmt, struct ht_alert *ret)
{
	struct ht_alert a = {.state = HT_ALERT_PENDING};
	char state[16];

	ht_column_text(stmt, 0, a.id, sizeof(a.id));
	ht_column_text(stmt, 1, a.rule, sizeof(a.rule));
	ht_column_text(stmt, 2, a.target, sizeof(a.target));
	ht_column_text(stmt, 3, a.process_key, sizeof(a.process_key));
	ht_column_text(stmt, 4, a.severity, sizeof(a.severity));
	ht_column_text(stmt, 5, state, sizeof(state));
	ht_column_text(stmt, 6, a.summary, sizeof(a.summary));
	ht_column_text(stmt, 7, a.evidence, sizeof(a.evidence));
	for (size_t i = 0; i < HT_ALERT_STATE_COUNT; i++) {
		if (strcmp(states[i], state) == 0)
			a.state = (enum ht_alert_state)i;
	}
	a.process_id = sqlite3_column_int64(stmt, 8);
	a.pending_ns = sqlite3_column_int64(stmt, 9);
	a.firing_ns = sqlite3_column_int64(stmt, 10);
	a.resolved_ns = sqlite3_column_int64(stmt, 11);
	a.seen_ns = sqlite3_column_int64(stmt, 12);
	a.value = number_at(stmt, 13);
	a.level = number_at(stmt, 14);
	*ret = a;
}

enum ht_code ht_store_alerts(struct ht_store *st, bool active_only,
			     int64_t since_ns,
			     int (*each)(void *ctx, const struct ht_alert *a),
			     void *ctx, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	bool row = true;
	enum ht_code code = ht_store_sql(
		st,
		active_only
			? "SELECT " ALERT_COLUMNS
			  " FROM alert a WHERE a.state <> 'resolved' ORDER BY a.pending_ns DESC"
			: "SELECT " ALERT_COLUMNS
			  " FROM alert a WHERE a.seen_ns >= ? ORDER BY a.pending_ns DESC",
		&stmt, err);

	if (code == HT_OK && !active_only)
		sqlite3_bind_int64(stmt, 1, since_ns);
	while (code == HT_OK) {
		struct ht_alert a;

		code = ht_store_step(st, stmt, &row, err);
		if (code != HT_OK || !row)
			break;
		read_alert(stmt, &a);
		if (each(ctx, &a) != 0)
			break;
	}
	if (row && code == HT_OK)
		sqlite3_reset(stmt);
	return code;
}

/* --- deliveries ---------------------------------------------------------- */

enum ht_code ht_store_delivery_queue(struct ht_store *st, const char *alert_id,
				     const char *state, const char *sink,
				     int64_t at_ns, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(
		st,
		"INSERT OR IGNORE INTO delivery (alert_id, state, sink, queued_ns) VALUES (?, ?, ?, ?)",
		&stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_text(stmt, 1, alert_id, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(stmt, 2, state, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(stmt, 3, sink, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(stmt, 4, at_ns);
	return ht_store_run(st, stmt, err);
}

enum ht_code ht_store_delivery_settle(struct ht_store *st, const char *alert_id,
				      const char *state, const char *sink,
				      int64_t at_ns, const char *error,
				      struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(
		st,
		"UPDATE delivery\n"
		"SET attempts = attempts + 1, delivered_ns = ?, error = ?\n"
		"WHERE alert_id = ? AND state = ? AND sink = ?",
		&stmt, err);

	if (code != HT_OK)
		return code;
	if (!error)
		sqlite3_bind_int64(stmt, 1, at_ns);
	if (error)
		sqlite3_bind_text(stmt, 2, error, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(stmt, 3, alert_id, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(stmt, 4, state, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(stmt, 5, sink, -1, SQLITE_TRANSIENT);
	return ht_store_run(st, stmt, err);
}

enum ht_code ht_store_deliveries(struct ht_store *st,
				 int (*each)(void *ctx,
					     const struct ht_store_delivery *d),
				 void *ctx, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	bool row = true;
	enum ht_code code = ht_store_sql(st,
					 "SELECT " ALERT_COLUMNS
					 ", d.state, d.sink, d.attempts\n"
					 "FROM delivery d\n"
					 "JOIN alert a ON a.id = d.alert_id\n"
					 "WHERE d.delivered_ns IS NULL\n"
					 "ORDER BY d.queued_ns, d.state",
					 &stmt, err);

	while (code == HT_OK) {
		struct ht_store_delivery d = {0};

		code = ht_store_step(st, stmt, &row, err);
		if (code != HT_OK || !row)
			break;
		read_alert(stmt, &d.alert);
		ht_column_text(stmt, 15, d.state, sizeof(d.state));
		ht_column_text(stmt, 16, d.sink, sizeof(d.sink));
		d.attempts = (uint32_t)sqlite3_column_int64(stmt, 17);
		if (each(ctx, &d) != 0)
			break;
	}
	if (row && code == HT_OK)
		sqlite3_reset(stmt);
	return code;
}

enum ht_code ht_store_delivery_known(struct ht_store *st, const char *alert_id,
				     const char *state, bool *ret,
				     struct ht_err *err)
{
	sqlite3_stmt *stmt;
	bool row = false;
	enum ht_code code = ht_store_sql(
		st,
		"SELECT 1 FROM delivery WHERE alert_id = ? AND state = ? LIMIT 1",
		&stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_text(stmt, 1, alert_id, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(stmt, 2, state, -1, SQLITE_TRANSIENT);
	code = ht_store_step(st, stmt, &row, err);
	if (code != HT_OK)
		return code;
	sqlite3_reset(stmt);
	*ret = row;
	return HT_OK;
}

/* --- silences ------------------------------------------------------------ */

enum ht_code ht_store_silence_add(struct ht_store *st, struct ht_silence *s,
				  struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(
		st,
		"INSERT INTO silence (rule, target, author, comment, from_ns, until_ns) VALUES (?, ?, ?, ?, ?, ?)",
		&stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_text(stmt, 1, s->rule, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(stmt, 2, s->target, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(stmt, 3, s->author, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(stmt, 4, s->comment, -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(stmt, 5, s->from_ns);
	sqlite3_bind_int64(stmt, 6, s->until_ns);
	code = ht_store_run(st, stmt, err);
	if (code == HT_OK)
		s->id = sqlite3_last_insert_rowid(st->db);
	return code;
}

enum ht_code ht_store_silence_end(struct ht_store *st, int64_t id,
				  int64_t now_ns, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(
		st,
		"UPDATE silence SET until_ns = ?1 WHERE id = ?2 AND until_ns > ?1",
		&stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, now_ns);
	sqlite3_bind_int64(stmt, 2, id);
	code = ht_store_run(st, stmt, err);
	if (code == HT_OK && sqlite3_changes(st->db) == 0)
		return ht_fail(err, HT_NODATA, "no silence %lld is running",
			       (long long)id);
	return code;
}

enum ht_code ht_store_silences(struct ht_store *st, int64_t since_ns,
			       int (*each)(void *ctx,
					   const struct ht_silence *s),
			       void *ctx, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	bool row = true;
	enum ht_code code = ht_store_sql(
		st,
		"SELECT id, rule, target, author, comment, from_ns, until_ns FROM silence WHERE until_ns > ? ORDER BY id",
		&stmt, err);

	if (code == HT_OK)
		sqlite3_bind_int64(stmt, 1, since_ns);
	while (code == HT_OK) {
		struct ht_silence s = {0};

		code = ht_store_step(st, stmt, &row, err);
		if (code != HT_OK || !row)
			break;
		s.id = sqlite3_column_int64(stmt, 0);
		ht_column_text(stmt, 1, s.rule, sizeof(s.rule));
		ht_column_text(stmt, 2, s.target, sizeof(s.target));
		ht_column_text(stmt, 3, s.author, sizeof(s.author));
		ht_column_text(stmt, 4, s.comment, sizeof(s.comment));
		s.from_ns = sqlite3_column_int64(stmt, 5);
		s.until_ns = sqlite3_column_int64(stmt, 6);
		if (each(ctx, &s) != 0)
			break;
	}
	if (row && code == HT_OK)
		sqlite3_reset(stmt);
	return code;
}
