/* SPDX-License-Identifier: Apache-2.0 */
#include "store/types.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/demangle.h"
#include "store/store_int.h"

/* --- writing -------------------------------------------------------------- */

struct look {
	int64_t process_id;
	const struct ht_snapshot *s;
	const struct ht_chunk_type **v; /* most bytes first */
	size_t n;
};

static int largest_first(const void *a, const void *b)
{
	const struct ht_chunk_type *x = *(const struct ht_chunk_type *const *)a;
	const struct ht_chunk_type *y = *(const struct ht_chunk_type *const *)b;

	return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

static size_t listed(const struct look *l)
{
	return l->n < HT_STORE_TYPES_MAX ? l->n : HT_STORE_TYPES_MAX;
}

static enum ht_code add_look(struct ht_store *st, const struct look *l,
			     int64_t *ret, struct ht_err *err)
{
	const struct ht_graph *g = &l->s->graphs.v[0];
	uint64_t chunks = 0, bytes = 0;
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(
		st,
		"INSERT INTO type_look (process_id, at_ns, chunks, bytes, unknown_chunks, unknown_bytes, other_types, other_chunks, other_bytes)\n"
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		&stmt, err);

	if (code != HT_OK)
		return code;
	for (size_t i = listed(l); i < l->n; i++) {
		chunks += l->v[i]->chunks;
		bytes += l->v[i]->bytes;
	}
	sqlite3_bind_int64(stmt, 1, l->process_id);
	sqlite3_bind_int64(stmt, 2, l->s->head.taken_at);
	ht_bind_figure(stmt, 3, g->chunks);
	ht_bind_figure(stmt, 4, g->bytes);
	ht_bind_figure(stmt, 5, g->unknown_chunks);
	ht_bind_figure(stmt, 6, g->unknown_bytes);
	ht_bind_figure(stmt, 7, l->n - listed(l));
	ht_bind_figure(stmt, 8, chunks);
	ht_bind_figure(stmt, 9, bytes);
	code = ht_store_run(st, stmt, err);
	*ret = sqlite3_last_insert_rowid(st->db);
	return code;
}

/* Binds from `at` on what tells a type apart; name stays the caller's until the
 * statement was run. */
static void bind_type(sqlite3_stmt *stmt, int at, const struct ht_chunk_type *t,
		      const char *name)
{
	ht_bind_text(stmt, at, name);
	ht_bind_text(stmt, at + 1,
		     t->kind < HT_TYPE_KIND_COUNT ? ht_type_kind_names[t->kind]
						  : "");
	ht_bind_text(stmt, at + 2, t->module);
}

/* Names that are cut short may be the same: such types are one. */
static enum ht_code add_use(struct ht_store *st, int64_t look_id,
			    const struct ht_chunk_type *t, struct ht_err *err)
{
	char out[HT_TYPE_NAME];
	const char *name = ht_demangle(t->name, out, sizeof(out));
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(
		st,
		"INSERT OR IGNORE INTO type (name, kind, module) VALUES (?, ?, ?)",
		&stmt, err);

	if (code != HT_OK)
		return code;
	bind_type(stmt, 1, t, name);
	code = ht_store_run(st, stmt, err);
	if (code == HT_OK)
		code = ht_store_sql(
			st,
			"INSERT INTO type_use (look_id, type_id, chunks, bytes)\n"
			"SELECT ?, id, ?, ? FROM type WHERE name = ? AND kind = ? AND module = ?\n"
			"ON CONFLICT (look_id, type_id) DO UPDATE SET chunks = chunks + excluded.chunks, bytes = bytes + excluded.bytes",
			&stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, look_id);
	ht_bind_figure(stmt, 2, t->chunks);
	ht_bind_figure(stmt, 3, t->bytes);
	bind_type(stmt, 4, t, name);
	return ht_store_run(st, stmt, err);
}

static enum ht_code add_all(struct ht_store *st, void *ctx, struct ht_err *err)
{
	const struct look *l = ctx;
	int64_t look_id;
	enum ht_code code = add_look(st, l, &look_id, err);

	for (size_t i = 0; i < listed(l) && code == HT_OK; i++)
		code = add_use(st, look_id, l->v[i], err);
	return code;
}

enum ht_code ht_store_add_types(struct ht_store *st, int64_t process_id,
				const struct ht_snapshot *s, struct ht_err *err)
{
	HT_AUTO_FREE const struct ht_chunk_type **v =
		calloc(s->chunk_types.n + 1, sizeof(*v));
	struct look l = {process_id, s, v, 0};

	if (!v)
		return ht_fail(err, HT_NOMEM, "no memory for types");
	if (s->graphs.n == 0)
		return HT_OK;
	for (size_t i = 0; i < s->chunk_types.n; i++)
		if (s->chunk_types.v[i].bytes != HT_UNKNOWN &&
		    s->chunk_types.v[i].chunks != HT_UNKNOWN)
			v[l.n++] = &s->chunk_types.v[i];
	qsort(v, l.n, sizeof(*v), largest_first);
	return ht_store_in_transaction(st, add_all, &l, err);
}

/* --- reading -------------------------------------------------------------- */

struct reading {
	struct ht_type_looks *to;
	int64_t *type_id; /* of its lines */
	size_t room;
	double other_types[HT_TYPE_LOOKS_MAX];
	int64_t look_id[HT_TYPE_LOOKS_MAX];
};

struct window {
	int64_t process_id, from_ns, to_ns;
};

static enum ht_code of_window(struct ht_store *st, const char *sql,
			      const struct window *w, sqlite3_stmt **ret,
			      struct ht_err *err)
{
	enum ht_code code = ht_store_sql(st, sql, ret, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(*ret, 1, w->process_id);
	sqlite3_bind_int64(*ret, 2, w->from_ns);
	sqlite3_bind_int64(*ret, 3, w->to_ns);
	return HT_OK;
}

static enum ht_code count_looks(struct ht_store *st, const struct window *w,
				size_t *ret, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	bool row;
	enum ht_code code = of_window(
		st,
		"SELECT count(*) FROM type_look WHERE process_id = ? AND at_ns BETWEEN ? AND ?",
		w, &stmt, err);

	*ret = 0;
	if (code != HT_OK)
		return code;
	code = ht_store_step(st, stmt, &row, err);
	if (code == HT_OK)
		*ret = (size_t)sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return code;
}

static void take_look(struct reading *r, sqlite3_stmt *stmt)
{
	struct ht_type_looks *l = r->to;

	r->look_id[l->n] = sqlite3_column_int64(stmt, 0);
	l->at_ns[l->n] = sqlite3_column_int64(stmt, 1);
	l->bytes[l->n] = ht_column_number(stmt, 2);
	l->unknown[l->n] = ht_column_number(stmt, 3);
	l->others[l->n] = ht_column_number(stmt, 4);
	r->other_types[l->n++] = ht_column_number(stmt, 5);
}

/* Of `all` looks those that there is room for, the first and the last among
 * them. */
static enum ht_code read_looks(struct ht_store *st, const struct window *w,
			       size_t all, struct reading *r,
			       struct ht_err *err)
{
	size_t room = all < HT_TYPE_LOOKS_MAX ? all : HT_TYPE_LOOKS_MAX, i = 0;
	sqlite3_stmt *stmt;
	bool row;
	enum ht_code code = of_window(
		st,
		"SELECT id, at_ns, bytes, unknown_bytes, other_bytes, other_types FROM type_look WHERE process_id = ? AND at_ns BETWEEN ? AND ? ORDER BY at_ns, id",
		w, &stmt, err);

	if (code != HT_OK)
		return code;
	while ((code = ht_store_step(st, stmt, &row, err)) == HT_OK && row) {
		size_t n = r->to->n;

		if (n < room &&
		    i++ == (room < 2 ? 0 : n * (all - 1) / (room - 1)))
			take_look(r, stmt);
	}
	return code;
}

static bool make_room(struct reading *r)
{
	size_t room = r->room ? 2 * r->room : HT_STORE_TYPES_MAX;
	int64_t *ids = reallocarray(r->type_id, room, sizeof(*ids));
	struct ht_type_line *v;

	if (!ids)
		return false;
	r->type_id = ids;
	v = reallocarray(r->to->v, room, sizeof(*v));
	if (!v)
		return false;
	r->to->v = v;
	r->room = room;
	return true;
}

static struct ht_type_line *line_of(struct reading *r, int64_t type_id)
{
	struct ht_type_looks *l = r->to;
	size_t i = 0;

	while (i < l->lines && r->type_id[i] != type_id)
		i++;
	if (i < l->lines)
		return &l->v[i];
	if (l->lines == r->room && !make_room(r))
		return NULL;
	r->type_id[i] = type_id;
	l->v[i] = (struct ht_type_line){.name = ""};
	for (size_t k = 0; k < l->n; k++)
		l->v[i].chunks[k] = l->v[i].bytes[k] =
			r->other_types[k] == 0 ? 0 : NAN;
	return &l->v[l->lines++];
}

/* What the types of a look had; the last look's most bytes first. */
static enum ht_code read_uses(struct ht_store *st, struct reading *r,
			      size_t look, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	bool row;
	enum ht_code code = ht_store_sql(
		st,
		"SELECT u.type_id, t.name, t.kind, t.module, u.chunks, u.bytes FROM type_use u JOIN type t ON t.id = u.type_id WHERE u.look_id = ? ORDER BY u.bytes DESC, t.name",
		&stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, r->look_id[look]);
	r->to->least[look] = 0;
	while ((code = ht_store_step(st, stmt, &row, err)) == HT_OK && row) {
		struct ht_type_line *l =
			line_of(r, sqlite3_column_int64(stmt, 0));

		if (!l) {
			sqlite3_reset(stmt);
			return ht_fail(err, HT_NOMEM, "no memory for types");
		}
		ht_column_text(stmt, 1, l->name, sizeof(l->name));
		ht_column_text(stmt, 2, l->kind, sizeof(l->kind));
		ht_column_text(stmt, 3, l->module, sizeof(l->module));
		l->chunks[look] = ht_column_number(stmt, 4);
		l->bytes[look] = ht_column_number(stmt, 5);
		r->to->least[look] =
			r->other_types[look] == 0 ? 0 : l->bytes[look];
	}
	return code;
}

enum ht_code ht_store_types(struct ht_store *st, int64_t process_id,
			    int64_t from_ns, int64_t to_ns,
			    struct ht_type_looks *ret, struct ht_err *err)
{
	const struct window w = {process_id, from_ns, to_ns};
	struct reading r = {.to = ret};
	size_t all;
	enum ht_code code = count_looks(st, &w, &all, err);

	*ret = (struct ht_type_looks){0};
	if (code == HT_OK && all)
		code = read_looks(st, &w, all, &r, err);
	for (size_t i = ret->n; i-- > 0 && code == HT_OK;)
		code = read_uses(st, &r, i, err);
	free(r.type_id);
	return code;
}

enum ht_code ht_store_types_near(struct ht_store *st, int64_t process_id,
				 int64_t at_ns, int64_t *ret_ns,
				 struct ht_err *err)
{
	bool found;

	*ret_ns = 0;
	return ht_store_number(
		st,
		"SELECT at_ns FROM type_look WHERE process_id = ? ORDER BY abs(at_ns - ?), at_ns LIMIT 1",
		process_id, at_ns, ret_ns, &found, err);
}
