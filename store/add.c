/* SPDX-License-Identifier: Apache-2.0 */
/* Ingest: one snapshot becomes one row of `sample` and the rows that changed.
 */
#include "store/store_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

/* All rows are written anew this often, so that any time can be put together
 * from few samples. */
#define BASE_EVERY_NS (600 * HT_NS_PER_S)
#define HOUR_NS	      (3600 * HT_NS_PER_S)
#define NEAR	      64

struct add {
	const char *target;
	const struct ht_snapshot *s;
	int64_t sample_id;
};

/* --- the sample row ------------------------------------------------------ */

/* "limit" and its like are words of SQL: all names are quoted. */
static char *build_sample_sql(void)
{
	char *text = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&text, &length);

	if (!f)
		return NULL;
	fprintf(f,
		"INSERT INTO sample (id, process_id, at_ns, base_id, detail, lists");
	for (int m = 0; m < HT_METRIC_COUNT; m++)
		fprintf(f, ", \"%s\"", ht_metric_infos[m].name);
	fprintf(f, ") VALUES (?, ?, ?, ?, ?, ?");
	for (int m = 0; m < HT_METRIC_COUNT; m++)
		fprintf(f, ", ?");
	fprintf(f, ")");
	return fclose(f) == 0 ? text : NULL;
}

/* Asked once a transaction, in which nobody else adds any. */
static enum ht_code next_id(struct ht_store *st, int64_t *ret,
			    struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;
	bool row;

	if (st->next_id) {
		*ret = st->next_id++;
		return HT_OK;
	}
	code = ht_store_sql(st, "SELECT ifnull(max(id), 0) + 1 FROM sample",
			    &stmt, err);
	if (code == HT_OK)
		code = ht_store_step(st, stmt, &row, err);
	if (code != HT_OK)
		return code;
	*ret = sqlite3_column_int64(stmt, 0);
	st->next_id = *ret + 1;
	sqlite3_reset(stmt);
	return HT_OK;
}

static int64_t lists_of(const struct ht_snapshot *s)
{
	int64_t lists = 0;

	for (int id = HT_RECORD_rss_cause; id < HT_RECORD_COUNT; id++)
		if (ht_record_measured(s, (enum ht_record_id)id))
			lists |= INT64_C(1) << id;
	return lists;
}

static enum ht_code insert_sample(struct ht_store *st, const struct add *a,
				  const struct ht_store_state *state,
				  struct ht_err *err)
{
	double values[HT_METRIC_COUNT];
	sqlite3_stmt *stmt;
	enum ht_code code;

	if (!st->sample_sql)
		st->sample_sql = build_sample_sql();
	if (!st->sample_sql)
		return ht_fail(err, HT_NOMEM, "no memory for SQL");
	code = ht_store_sql(st, st->sample_sql, &stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, a->sample_id);
	sqlite3_bind_int64(stmt, 2, state->process_id);
	sqlite3_bind_int64(stmt, 3, a->s->head.taken_at);
	sqlite3_bind_int64(stmt, 4, state->base_id);
	sqlite3_bind_int64(stmt, 5,
			   state->base_id == a->sample_id ? HT_DETAIL_FULL
							  : HT_DETAIL_CHANGES);
	sqlite3_bind_int64(stmt, 6, lists_of(a->s));
	ht_metrics_of(a->s, values);
	for (int m = 0; m < HT_METRIC_COUNT; m++)
		ht_bind_metric(stmt, 7 + m, (enum ht_metric)m, values[m]);
	return ht_store_run(st, stmt, err);
}

static enum ht_code update_process(struct ht_store *st, const struct add *a,
				   const struct ht_store_state *state,
				   struct ht_err *err)
{
	int64_t at_s = a->s->head.taken_at / HT_NS_PER_S;
	sqlite3_stmt *stmt;
	enum ht_code code;

	if (st->roll.process_id == state->process_id &&
	    at_s < st->roll.hour_s + HT_ROLLUP_SPAN_S)
		ht_store_roll_stop(st); /* it read its samples before this */
	/* A clock that stepped back means an hour to be rolled up again, but
	 * not one whose other samples are gone: its roll-ups know more. */
	code = ht_store_sql(
		st,
		"UPDATE process\n"
		"SET first_ns = min(first_ns, ?1), last_ns = ?1, last_id = ?2, samples = samples + 1, ended_ns = NULL, rolled_s = CASE WHEN raw_from_ns > ?3 * 1000000000 THEN rolled_s ELSE min(rolled_s, ?3) END\n"
		"WHERE id = ?4",
		&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, a->s->head.taken_at);
	sqlite3_bind_int64(stmt, 2, a->sample_id);
	sqlite3_bind_int64(stmt, 3, at_s - at_s % HT_ROLLUP_SPAN_S);
	sqlite3_bind_int64(stmt, 4, state->process_id);
	return ht_store_run(st, stmt, err);
}

/* --- details ------------------------------------------------------------- */

/* Within a 64th of what was written. */
static void as_written(uint64_t *now, uint64_t written)
{
	uint64_t apart = *now > written ? *now - written : written - *now;

	if (*now != HT_UNKNOWN && written != HT_UNKNOWN &&
	    apart <= written / NEAR)
		*now = written;
}

/* What the whole machine, or a group of processes, has left moves from look to
 * look while the limits stay: a row for each would say nothing new. The sample
 * itself has the nearest limit as it was. */
static void settle_limits(struct ht_limits *now, const struct ht_limits *last)
{
	struct ht_limits settled = *now;

	as_written(&settled.mem_available, last->mem_available);
	as_written(&settled.swap_free, last->swap_free);
	as_written(&settled.cgroup_used, last->cgroup_used);
	as_written(&settled.threads_max, last->threads_max);
	if (!memcmp(&settled, last, sizeof(settled)))
		*now = settled;
}

static enum ht_code write_single(struct ht_store *st, enum ht_record_id id,
				 struct ht_snapshot *now,
				 const struct ht_store_state *state,
				 const struct add *a, struct ht_err *err)
{
	if (id == HT_RECORD_limits && state->base_id != a->sample_id)
		settle_limits(&now->limits, &st->last.limits);
	if (state->base_id != a->sample_id &&
	    !memcmp(ht_snapshot_single(now, id),
		    ht_snapshot_single(&st->last, id),
		    ht_record_types[id].size))
		return HT_OK;
	return ht_record_insert(st, id, a->sample_id,
				ht_snapshot_single(now, id), err);
}

/* Both lists are sorted by key: one pass finds what is new, changed or gone. */
static enum ht_code write_list(struct ht_store *st, enum ht_record_id id,
			       struct ht_snapshot *now,
			       struct ht_snapshot *last, int64_t sample_id,
			       bool *moved, struct ht_err *err)
{
	size_t size = ht_record_types[id].size;
	size_t n = ht_snapshot_count(now, id), i = 0;
	size_t m = ht_snapshot_count(last, id), j = 0;
	enum ht_code code = HT_OK;

	while (code == HT_OK && (i < n || j < m)) {
		const void *new = i < n ? ht_snapshot_row(now, id, i) : NULL;
		const void *old = j < m ? ht_snapshot_row(last, id, j) : NULL;
		int order = !new   ? 1
			    : !old ? -1
				   : ht_record_compare(id, new, old);

		if (order < 0 || (order == 0 && memcmp(new, old, size) != 0))
			code = ht_record_insert(st, id, sample_id, new, err);
		else if (order > 0)
			code = ht_record_gone(st, id, sample_id, old, err);
		*moved |= order != 0 || memcmp(new, old, size) != 0;
		i += order <= 0;
		j += order >= 0;
	}
	return code;
}

/* What is new beside st->last, which becomes the newest; a list that was not
 * measured stays in it as it was last known. */
static enum ht_code write_details(struct ht_store *st, const struct add *a,
				  struct ht_store_state *state,
				  struct ht_err *err)
{
	struct ht_snapshot *now = &st->now, *last = &st->last;
	bool moved = state->base_id == a->sample_id;
	enum ht_code code = HT_OK;

	if (ht_snapshot_copy(now, a->s) < 0)
		return ht_fail(err, HT_NOMEM, "no memory for a snapshot");
	if (state->base_id == a->sample_id) {
		ht_snapshot_fini(last);
		ht_snapshot_init(last);
	}
	for (enum ht_record_id id = 0; id < HT_RECORD_COUNT && code == HT_OK;
	     id++) {
		if (!ht_record_table(id))
			continue;
		if (!ht_record_is_list(id)) {
			code = write_single(st, id, now, state, a, err);
		} else if (ht_record_measured(a->s, id)) {
			bool some = false;

			ht_record_sort(now, id);
			code = write_list(st, id, now, last, a->sample_id,
					  &some, err);
			moved |= some && (id == HT_RECORD_size_class ||
					  id == HT_RECORD_mapping);
			ht_snapshot_swap_list(now, last, id);
		}
	}
	if (code != HT_OK)
		return code;
	if (moved)
		state->moved_id = a->sample_id;
	ht_snapshot_take_singles(last, now);
	return ht_snapshot_pack(last, &state->last, err);
}

/* --- one sample ---------------------------------------------------------- */

/* Also after the clock went back: within one base, number and time agree. */
static bool needs_base(const struct ht_store_state *state, int64_t at_ns)
{
	return state->base_id == 0 || at_ns <= state->last_ns ||
	       at_ns - state->base_ns >= BASE_EVERY_NS ||
	       at_ns / HOUR_NS != state->base_ns / HOUR_NS;
}

static enum ht_code note_step_back(struct ht_store *st,
				   const struct ht_store_state *state,
				   int64_t at_ns, struct ht_err *err)
{
	char text[96], by[32];

	if (state->last_ns == 0 || at_ns > state->last_ns)
		return HT_OK;
	ht_duration_text(state->last_ns - at_ns, by, sizeof(by));
	snprintf(text, sizeof(text), "the wall clock went back by %s", by);
	return ht_store_event(st, state->process_id, at_ns, "clock", text, err);
}

static enum ht_code add(struct ht_store *st, void *ctx, struct ht_err *err)
{
	struct add *a = ctx;
	int64_t at_ns = a->s->head.taken_at;
	struct ht_store_state *state = NULL;
	enum ht_code code = next_id(st, &a->sample_id, err);

	if (code == HT_OK)
		code = ht_store_process_of(st, a->target, a->s, &state, err);
	if (code == HT_OK)
		code = note_step_back(st, state, at_ns, err);
	if (code != HT_OK)
		return code;
	code = ht_snapshot_unpack(&state->last, &st->last, err);
	if (code == HT_OK)
		code = ht_store_note_births(st, state, &st->last, a->s, err);
	if (code != HT_OK)
		return code;
	if (needs_base(state, at_ns)) {
		state->base_id = a->sample_id;
		state->base_ns = at_ns;
	}
	code = insert_sample(st, a, state, err);
	if (code == HT_OK)
		code = write_details(st, a, state, err);
	if (code == HT_OK)
		code = update_process(st, a, state, err);
	state->last_ns = at_ns;
	st->added_id = a->sample_id;
	st->added_process = state->process_id;
	return code;
}

enum ht_code ht_store_add(struct ht_store *st, const char *target,
			  const struct ht_snapshot *s, int64_t *ret_sample_id,
			  struct ht_err *err)
{
	struct add a = {.target = target ?: "", .s = s};
	enum ht_code code;

	if (st->mode != HT_STORE_WRITE)
		return ht_fail(err, HT_BUG, "%s is open for reading", st->path);
	if (s->head.taken_at <= 0)
		return ht_fail(err, HT_PROTOCOL, "a sample without its time");
	code = ht_store_in_transaction(st, add, &a, err);
	if (code == HT_OK && ret_sample_id)
		*ret_sample_id = a.sample_id;
	return code;
}
