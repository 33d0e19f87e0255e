/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Past: what was read of a history lately. A judge asks for the same week again
 * and again, of which minutes are new: the writer keeps the rest, packed, each
 * level by itself. What is kept is what a whole reading would give:
 *
 * - Roll-ups behind process.rolled_s are final, and samples of the last two
 *   hours are all there. Only at the old end rows go: those are left out.
 * - Where the wall clock stepped back in the window, nothing is kept or used.
 * - Whatever another program wrote, and what is undone, makes all of it void.
 *
 * All together take HT_STORE_PAST_BYTES at most. Who was not asked about for an
 * hour makes room, and nobody else: a thousand in turn would push each other
 * out before any is asked about again.
 */
#include "store/store_int.h"

#include <stdlib.h>
#include <string.h>

#define IDLE_NS (3600 * HT_NS_PER_S)

static void forget(struct ht_store *st, struct ht_past **at)
{
	struct ht_past *past = *at;

	*at = past->next;
	for (size_t i = 0; i < HT_PAST_LEVELS; i++)
		ht_packed_fini(&past->level[i].rows);
	st->pasts.bytes -= past->bytes;
	free(past);
}

void ht_store_past_forget_all(struct ht_store *st)
{
	for (size_t i = 0; i < HT_PAST_CHAINS; i++)
		while (st->pasts.chain[i])
			forget(st, &st->pasts.chain[i]);
}

static void forget_idle(struct ht_store *st, int64_t before_ns)
{
	for (size_t i = 0; i < HT_PAST_CHAINS; i++) {
		struct ht_past **at = &st->pasts.chain[i];

		while (*at)
			if ((*at)->used_ns < before_ns)
				forget(st, at);
			else
				at = &(*at)->next;
	}
}

/* Room for as many bytes more. */
static bool has_room(struct ht_store *st, size_t bytes)
{
	if (st->pasts.bytes + bytes > st->pasts.most)
		forget_idle(st, ht_mono_ns() - IDLE_NS);
	return st->pasts.bytes + bytes <= st->pasts.most;
}

/* Whether someone else wrote to the file since we asked; it is asked for the
 * first time when the file is opened. */
static enum ht_code is_void(struct ht_store *st, bool *ret, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(st, "PRAGMA data_version", &stmt, err);
	int64_t version;
	bool row;

	if (code == HT_OK)
		code = ht_store_step(st, stmt, &row, err);
	if (code != HT_OK)
		return code;
	version = row ? sqlite3_column_int64(stmt, 0) : 0;
	sqlite3_reset(stmt);
	*ret = version != st->pasts.version;
	st->pasts.version = version;
	return HT_OK;
}

enum ht_code ht_store_past_begin(struct ht_store *st, struct ht_err *err)
{
	bool is_not;

	return is_void(st, &is_not, err);
}

static struct ht_past **find(struct ht_store *st,
			     const struct ht_store_window *w)
{
	struct ht_past **at =
		&st->pasts.chain[(uint64_t)w->process_id % HT_PAST_CHAINS];

	while (*at && ((*at)->process_id != w->process_id ||
		       (*at)->parts != w->parts ||
		       memcmp((*at)->metrics, w->metrics,
			      sizeof((*at)->metrics)) != 0))
		at = &(*at)->next;
	return at;
}

static enum ht_code begin(struct ht_store *st, const struct ht_store_window *w,
			  int64_t first_ns, struct ht_past **ret,
			  struct ht_err *err)
{
	struct ht_past *past = calloc(1, sizeof(*past));
	struct ht_past **chain =
		&st->pasts.chain[(uint64_t)w->process_id % HT_PAST_CHAINS];

	if (!past)
		return ht_fail(err, HT_NOMEM, "no memory for a past");
	past->process_id = w->process_id;
	past->first_ns = first_ns;
	past->parts = w->parts;
	memcpy(past->metrics, w->metrics, sizeof(past->metrics));
	past->used_ns = ht_mono_ns();
	past->bytes = sizeof(*past);
	past->next = *chain;
	*chain = past;
	st->pasts.bytes += past->bytes;
	*ret = past;
	return HT_OK;
}

enum ht_code ht_store_past(struct ht_store *st, const struct ht_store_window *w,
			   int64_t first_ns, struct ht_past **ret,
			   struct ht_err *err)
{
	const int kept = HT_SERIES_CLASSES | HT_SERIES_MAPPINGS;
	struct ht_past **at;
	bool is_not;
	enum ht_code code;

	*ret = NULL;
	if (st->mode != HT_STORE_WRITE || !w->metrics || w->parts & ~kept)
		return HT_OK;
	code = is_void(st, &is_not, err);
	if (code != HT_OK)
		return code;
	if (is_not) {
		ht_store_past_forget_all(st);
		ht_store_states_doubt(st);
	}
	at = find(st, w);
	code = ht_store_stepped_back(st, w, &is_not, err);
	if (code != HT_OK)
		return code;
	if (*at && (is_not || (*at)->first_ns != first_ns))
		forget(st, at);
	if (is_not)
		return HT_OK;
	if (!*at && has_room(st, sizeof(**at)))
		return begin(st, w, first_ns, ret, err);
	*ret = *at;
	if (*ret)
		(*ret)->used_ns = ht_mono_ns();
	return HT_OK;
}

static void drop_level(struct ht_store *st, struct ht_past *past, size_t level)
{
	past->bytes -= past->level[level].rows.n;
	st->pasts.bytes -= past->level[level].rows.n;
	ht_packed_fini(&past->level[level].rows);
}

enum ht_code ht_store_past_read(struct ht_store *st, struct ht_past *past,
				size_t level, struct ht_store_window *w,
				int64_t from_ns, struct ht_series *ret,
				struct ht_err *err)
{
	const struct ht_past_level *l = past ? &past->level[level] : NULL;
	enum ht_code code;

	if (!l || !l->rows.bytes)
		return HT_OK;
	if (l->from_ns > w->from_ns || l->to_ns > w->to_ns ||
	    l->to_ns < w->from_ns) {
		drop_level(st, past, level);
		return HT_OK;
	}
	code = ht_packed_append(&l->rows, from_ns, ret, err);
	if (code == HT_OK)
		w->from_ns = l->to_ns + 1;
	return code;
}

enum ht_code ht_store_past_keep(struct ht_store *st, struct ht_past *past,
				size_t level, const struct ht_store_window *w,
				const struct ht_series *s, size_t first,
				struct ht_err *err)
{
	struct ht_past_level *l = past ? &past->level[level] : NULL;
	enum ht_code code;

	if (!l || (l->rows.bytes && l->to_ns == w->to_ns))
		return HT_OK; /* nothing is new */
	drop_level(st, past, level);
	code = ht_packed_make(s, first, s->rows, &l->rows, err);
	if (code != HT_OK)
		return code;
	if (!has_room(st, l->rows.n)) {
		ht_packed_fini(&l->rows);
		return HT_OK;
	}
	l->from_ns = w->from_ns;
	l->to_ns = w->to_ns;
	past->bytes += l->rows.n;
	st->pasts.bytes += l->rows.n;
	return HT_OK;
}
