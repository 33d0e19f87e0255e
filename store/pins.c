/* SPDX-License-Identifier: Apache-2.0 */
/* Pins: which chunk holds memory below a top, and since when. */
#include "store/store_int.h"

#include <inttypes.h>

/* The largest pin of a snapshot; false: there is none. */
static bool largest(const struct ht_snapshot *s, struct ht_store_pin *ret)
{
	bool any = false;

	for (size_t i = 0; i < s->arenas.n; i++) {
		const struct ht_arena *a = &s->arenas.v[i];

		if (a->pin_address == HT_UNKNOWN ||
		    a->pin_holds == HT_UNKNOWN ||
		    (any && a->pin_holds <= ret->holds))
			continue;
		*ret = (struct ht_store_pin){.arena = a->address,
					     .address = a->pin_address,
					     .size = a->pin_size,
					     .holds = a->pin_holds};
		any = true;
	}
	return any;
}

/* From the first sample that names this chunk after the last that names
 * another, or none, for the same arena. */
static enum ht_code read_since(struct ht_store *st, int64_t process_id,
			       struct ht_store_pin *p, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;
	bool row;

	code = ht_store_sql(
		st,
		"SELECT min(s.at_ns), min(a.pin_holds), max(a.pin_holds)\n"
		"FROM sample s\n"
		"JOIN arena a ON a.sample_id = s.id\n"
		"WHERE s.process_id = ?1 AND s.detail > 0 AND a.address = ?2 AND a.pin_address = ?3 AND s.at_ns <= ?4 AND s.at_ns > ifnull((SELECT max(t.at_ns) FROM sample t JOIN arena b ON b.sample_id = t.id WHERE t.process_id = ?1 AND t.detail > 0 AND b.address = ?2 AND b.pin_address IS NOT ?3 AND t.at_ns <= ?4), 0)",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, process_id);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)p->arena);
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)p->address);
	sqlite3_bind_int64(stmt, 4, p->seen_ns);
	code = ht_store_step(st, stmt, &row, err);
	if (code == HT_OK && row &&
	    sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
		p->since_ns = sqlite3_column_int64(stmt, 0);
		p->least = ht_column_figure(stmt, 1);
		p->most = ht_column_figure(stmt, 2);
	}
	sqlite3_reset(stmt);
	return code;
}

enum ht_code ht_store_pin_at(struct ht_store *st, int64_t process_id,
			     int64_t at_ns, struct ht_store_pin *ret,
			     struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	enum ht_code code;

	ht_snapshot_init(&s);
	code = ht_store_snapshot_at(st, process_id, at_ns, &s, err);
	if (code != HT_OK)
		return code;
	if (!largest(&s, ret))
		return ht_fail(err, HT_NODATA,
			       "%s: no chunk held a top of process #%" PRId64,
			       st->path, process_id);
	ret->seen_ns = ret->since_ns = s.head.taken_at;
	ret->least = ret->most = ret->holds;
	return read_since(st, process_id, ret, err);
}
