/* SPDX-License-Identifier: Apache-2.0 */
/* Which processes of the history are one program, started again. */
#include "store/store_int.h"

#define HOUR_NS (INT64_C(3600) * HT_NS_PER_S)

static bool beside(const struct ht_store_process *p,
		   const struct ht_store_process *than)
{
	int64_t together = p->last_ns - than->first_ns;
	int64_t a = p->last_ns - p->first_ns,
		b = than->last_ns - than->first_ns;

	return together > 0 && together > (a < b ? a : b) / 2;
}

/* A statement of its own: who goes over all processes asks this for each. */
enum ht_code ht_store_life_before(struct ht_store *st,
				  const struct ht_store_process *than,
				  struct ht_store_process *ret, bool *ret_found,
				  struct ht_err *err)
{
	const struct ht_store_process now = *than;
	struct ht_store_process p;
	sqlite3_stmt *stmt;
	enum ht_code code;
	bool row;

	code = ht_store_sql(
		st,
		HT_PROCESS_COLUMNS
		"WHERE target = ? AND comm = ? AND first_ns < ? ORDER BY first_ns DESC, id DESC",
		&stmt, err);
	if (code != HT_OK)
		return code;
	ht_bind_text(stmt, 1, now.target);
	ht_bind_text(stmt, 2, now.comm);
	sqlite3_bind_int64(stmt, 3, now.first_ns);
	*ret_found = false;
	while (!*ret_found &&
	       (code = ht_store_step(st, stmt, &row, err)) == HT_OK && row) {
		ht_store_read_process(stmt, &p);
		*ret_found = !beside(&p, &now);
	}
	sqlite3_reset(stmt);
	if (code == HT_OK && *ret_found)
		*ret = p;
	return code;
}

void ht_store_lives_fini(struct ht_store_lives *l)
{
	for (size_t i = 0; i < l->n; i++)
		ht_series_fini(&l->life[i]);
	l->n = 0;
}

/* What ended is read as it was at its end. */
static enum ht_code read_life(struct ht_store *st,
			      const struct ht_store_process *p,
			      const bool metrics[HT_METRIC_COUNT],
			      struct ht_series *ret, struct ht_err *err)
{
	ht_series_init(ret);
	return ht_store_series_mixed(
		st, p->id, p->last_ns - HT_STORE_LIVES_WITHIN_NS, p->last_ns,
		HT_SERIES_CLASSES, metrics, ret, err);
}

static void oldest_first(struct ht_store_lives *l)
{
	for (size_t i = 0; i < l->n / 2; i++) {
		struct ht_series newer = l->life[i];

		l->life[i] = l->life[l->n - 1 - i];
		l->life[l->n - 1 - i] = newer;
	}
}

static enum ht_code process_of(struct ht_store *st, int64_t id,
			       struct ht_store_process *ret, bool *ret_found,
			       struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(st, HT_PROCESS_COLUMNS "WHERE id = ?1",
					 &stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, id);
	code = ht_store_step(st, stmt, ret_found, err);
	if (code == HT_OK && *ret_found)
		ht_store_read_process(stmt, ret);
	sqlite3_reset(stmt);
	return code;
}

enum ht_code ht_store_lives(struct ht_store *st, int64_t process_id,
			    int64_t at_ns, const bool metrics[HT_METRIC_COUNT],
			    struct ht_store_lives *ret, struct ht_err *err)
{
	struct ht_store_process p, before;
	bool found;
	enum ht_code code = process_of(st, process_id, &p, &found, err);

	ht_store_lives_fini(ret);
	if (code != HT_OK || !found ||
	    at_ns - p.first_ns > HT_STORE_LIVES_UNTIL_NS)
		return code;
	while (ret->n < HT_STORE_LIVES) {
		code = ht_store_life_before(st, &p, &before, &found, err);
		if (code != HT_OK || !found ||
		    before.first_ns < at_ns - HT_STORE_LIVES_WITHIN_NS)
			break;
		p = before;
		if (p.last_ns - p.first_ns < HT_STORE_LIVES_LEAST_NS)
			continue;
		code = read_life(st, &p, metrics, &ret->life[ret->n], err);
		if (code == HT_OK) {
			ret->n++;
			continue;
		}
		ht_series_fini(&ret->life[ret->n]);
		if (code != HT_NODATA)
			break;
		code = HT_OK;
	}
	if (code != HT_OK)
		ht_store_lives_fini(ret);
	oldest_first(ret);
	return code;
}
