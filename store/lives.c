/* SPDX-License-Identifier: Apache-2.0 */
/* Which processes of the history are one program, started again. */
#include <string.h>

#include "store/store_int.h"

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

/* In one pass, the newest first: a program that crashes in a loop has tens of
 * thousands of processes, and nobody waits for all of these. A thousand of one
 * target may live beside it: only numbers are read of those. */
static enum ht_code find_lives(struct ht_store *st,
			       const struct ht_store_process *of,
			       int64_t from_ns,
			       struct ht_store_process ret[HT_STORE_LIVES],
			       size_t *ret_n, struct ht_err *err)
{
	const struct ht_store_process *than = of;
	struct ht_store_process p;
	sqlite3_stmt *stmt;
	enum ht_code code;
	bool row;

	code = ht_store_sql(
		st,
		HT_PROCESS_COLUMNS
		"WHERE id IN (SELECT id FROM (SELECT id, first_ns, last_ns FROM process WHERE target = ?1 AND last_ns >= ?2 ORDER BY last_ns DESC, id LIMIT ?3) WHERE first_ns >= ?2 AND first_ns < ?4 AND last_ns - first_ns >= ?5)\n"
		"ORDER BY last_ns DESC, id",
		&stmt, err);
	if (code != HT_OK)
		return code;
	ht_bind_text(stmt, 1, of->target);
	sqlite3_bind_int64(stmt, 2, from_ns);
	sqlite3_bind_int64(stmt, 3, HT_STORE_LIVES_ROWS);
	sqlite3_bind_int64(stmt, 4, of->first_ns);
	sqlite3_bind_int64(stmt, 5, HT_STORE_LIVES_LEAST_NS);
	while (*ret_n < HT_STORE_LIVES &&
	       (code = ht_store_step(st, stmt, &row, err)) == HT_OK && row) {
		ht_store_read_process(stmt, &p);
		if (p.first_ns >= than->first_ns ||
		    strcmp(p.comm, of->comm) != 0 || beside(&p, than))
			continue;
		than = &ret[*ret_n];
		ret[(*ret_n)++] = p;
	}
	sqlite3_reset(stmt);
	return code;
}

/* What its writer found is asked for again when the process is a quarter older,
 * or five minutes: new is only who ended beside it, and is beside it less and
 * less. NULL: who reads remembers nothing. */
static struct ht_store_before *remembered(struct ht_store *st,
					  int64_t process_id)
{
	return st->states ? &ht_store_state(st, process_id)->before : NULL;
}

static void remember(struct ht_store_before *b,
		     const struct ht_store_process *of, int64_t at_ns,
		     const struct ht_store_process *found, size_t n)
{
	const int64_t quarter_ns = (at_ns - of->first_ns) / 4;

	if (!b)
		return;
	b->from_ns = at_ns;
	b->until_ns = at_ns + (quarter_ns > HT_STORE_LIVES_FROM_NS
				       ? quarter_ns
				       : HT_STORE_LIVES_FROM_NS);
	b->n = n;
	for (size_t i = 0; i < n; i++)
		b->ids[i] = found[i].id;
}

/* Those that are in the history still. */
static enum ht_code recall(struct ht_store *st, const struct ht_store_before *b,
			   struct ht_store_process ret[HT_STORE_LIVES],
			   size_t *ret_n, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	for (size_t i = 0; code == HT_OK && i < b->n; i++) {
		bool is_there;

		code = process_of(st, b->ids[i], &ret[*ret_n], &is_there, err);
		*ret_n += code == HT_OK && is_there;
	}
	return code;
}

static enum ht_code lives_of(struct ht_store *st,
			     const struct ht_store_process *of, int64_t at_ns,
			     struct ht_store_process ret[HT_STORE_LIVES],
			     size_t *ret_n, struct ht_err *err)
{
	struct ht_store_before *b = remembered(st, of->id);
	enum ht_code code;

	if (b && at_ns >= b->from_ns && at_ns < b->until_ns)
		return recall(st, b, ret, ret_n, err);
	code = find_lives(st, of, at_ns - HT_STORE_LIVES_WITHIN_NS, ret, ret_n,
			  err);
	if (code == HT_OK)
		remember(b, of, at_ns, ret, *ret_n);
	return code;
}

enum ht_code ht_store_lives(struct ht_store *st, int64_t process_id,
			    int64_t at_ns, const bool metrics[HT_METRIC_COUNT],
			    struct ht_store_lives *ret, struct ht_err *err)
{
	struct ht_store_process p, found[HT_STORE_LIVES];
	size_t n = 0;
	bool is_known;
	enum ht_code code = process_of(st, process_id, &p, &is_known, err);

	ht_store_lives_fini(ret);
	if (code != HT_OK || !is_known ||
	    at_ns - p.first_ns < HT_STORE_LIVES_FROM_NS ||
	    at_ns - p.first_ns > HT_STORE_LIVES_UNTIL_NS)
		return code;
	code = lives_of(st, &p, at_ns, found, &n, err);
	while (code == HT_OK && n-- > 0) {
		struct ht_series *life = &ret->life[ret->n];

		code = read_life(st, &found[n], metrics, life, err);
		if (code == HT_OK)
			ret->n++;
		else
			ht_series_fini(life);
		code = code == HT_NODATA ? HT_OK : code;
	}
	if (code != HT_OK)
		ht_store_lives_fini(ret);
	return code;
}
