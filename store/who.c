/* SPDX-License-Identifier: Apache-2.0 */
#include "store/who.h"

#include <string.h>

#include "common/fnv.h"
#include "store/store_int.h"

/* --- writing -------------------------------------------------------------- */

/* Of a stack's frames: the same code, at the same lines. */
static int64_t hash_of(const struct ht_snapshot *s, size_t site)
{
	uint64_t hash = HT_FNV_BASIS;

	for (size_t i = 0; i < s->stack_frames.n; i++) {
		const struct ht_stack_frame *f = &s->stack_frames.v[i];

		if (f->site != site)
			continue;
		hash = ht_fnv(hash, f->function, strlen(f->function) + 1);
		hash = ht_fnv(hash, f->module, strlen(f->module) + 1);
		hash = ht_fnv(hash, &f->offset, sizeof(f->offset));
		hash = ht_fnv(hash, f->file, strlen(f->file) + 1);
		hash = ht_fnv(hash, &f->line, sizeof(f->line));
	}
	return (int64_t)hash;
}

/* An empty text is one that is not known. */
static void bind_known(sqlite3_stmt *stmt, int at, const char *text)
{
	if (*text)
		ht_bind_text(stmt, at, text);
}

static enum ht_code add_frames(struct ht_store *st, int64_t stack_id,
			       const struct ht_snapshot *s, size_t site,
			       struct ht_err *err)
{
	enum ht_code code = HT_OK;
	int64_t depth = 0;

	for (size_t i = 0; i < s->stack_frames.n && code == HT_OK; i++) {
		const struct ht_stack_frame *f = &s->stack_frames.v[i];
		sqlite3_stmt *stmt;

		if (f->site != site)
			continue;
		code = ht_store_sql(
			st,
			"INSERT INTO stack_frame (stack_id, depth, function, module, \"offset\", within, file, line, inlined) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			&stmt, err);
		if (code != HT_OK)
			return code;
		sqlite3_bind_int64(stmt, 1, stack_id);
		sqlite3_bind_int64(stmt, 2, depth++);
		bind_known(stmt, 3, f->function);
		bind_known(stmt, 4, f->module);
		ht_bind_figure(stmt, 5, f->offset);
		ht_bind_figure(stmt, 6, f->within);
		bind_known(stmt, 7, f->file);
		ht_bind_figure(stmt, 8, f->line);
		ht_bind_figure(stmt, 9, f->inlined);
		code = ht_store_run(st, stmt, err);
	}
	return code;
}

static enum ht_code find_stack(struct ht_store *st, int64_t hash,
			       const char *name, int64_t *ret, bool *ret_found,
			       struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(
		st, "SELECT id FROM stack WHERE hash = ? AND name = ?", &stmt,
		err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, hash);
	ht_bind_text(stmt, 2, name);
	code = ht_store_step(st, stmt, ret_found, err);
	if (code == HT_OK && *ret_found)
		*ret = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return code;
}

/* The stack's number; its frames are written when it is new. */
static enum ht_code stack_of(struct ht_store *st,
			     const struct ht_snapshot *seen,
			     const struct ht_store_site *site, int64_t *ret,
			     struct ht_err *err)
{
	int64_t hash = hash_of(seen, site->row);
	sqlite3_stmt *stmt;
	bool found;
	enum ht_code code = find_stack(st, hash, site->name, ret, &found, err);

	if (code != HT_OK || found)
		return code;
	code = ht_store_sql(st, "INSERT INTO stack (hash, name) VALUES (?, ?)",
			    &stmt, err);
	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, hash);
	ht_bind_text(stmt, 2, site->name);
	code = ht_store_run(st, stmt, err);
	if (code != HT_OK)
		return code;
	*ret = sqlite3_last_insert_rowid(st->db);
	return add_frames(st, *ret, seen, site->row, err);
}

#define SITE_FIGURES                                                           \
	"samples, alive, freed, unknown, moved, bytes, alive_bytes, min_size, max_size, old_samples, old_alive, old_freed, whole, growing"
#define SITE_REALS                                                             \
	"survival, survival_low, survival_high, bytes_per_s, share_of_growth, confidence"
enum { FIGURES = 14, REALS = 6 };

static enum ht_code add_site(struct ht_store *st, int64_t who_id, int64_t rank,
			     int64_t stack_id, const struct ht_store_site *site,
			     struct ht_err *err)
{
	const struct ht_site *s = &site->seen;
	const uint64_t figures[FIGURES] = {
		s->samples,  s->alive,	     s->freed,	     s->unknown,
		s->moved,    s->bytes,	     s->alive_bytes, s->min_size,
		s->max_size, s->old_samples, s->old_alive,   s->old_freed,
		s->whole,    s->growing};
	const double reals[REALS] = {site->survival,
				     site->low,
				     site->high,
				     site->bytes_per_s,
				     site->share_of_growth,
				     site->confidence};
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(
		st,
		"INSERT INTO site (who_id, rank, stack_id, leaking, " SITE_FIGURES
		", " SITE_REALS
		") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		&stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, who_id);
	sqlite3_bind_int64(stmt, 2, rank);
	sqlite3_bind_int64(stmt, 3, stack_id);
	if (site->leaking >= 0)
		sqlite3_bind_int(stmt, 4, site->leaking);
	for (int i = 0; i < FIGURES; i++)
		ht_bind_figure(stmt, 5 + i, figures[i]);
	for (int i = 0; i < REALS; i++) /* NaN: NULL */
		sqlite3_bind_double(stmt, 5 + FIGURES + i, reals[i]);
	return ht_store_run(st, stmt, err);
}

static enum ht_code add_answer(struct ht_store *st, int64_t process_id,
			       const struct ht_store_who *who, int64_t *ret,
			       struct ht_err *err)
{
	const struct ht_windows *w = &who->windows;
	const uint64_t figures[] = {w->windows, w->armed_us, w->hits,
				    w->samples, w->lost,     w->followed_us};
	sqlite3_stmt *stmt;
	enum ht_code code = ht_store_sql(
		st,
		"INSERT INTO who (process_id, at_ns, max_size, way, growth, windows, armed_us, hits, samples, lost, followed_us)\n"
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		&stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, process_id);
	sqlite3_bind_int64(stmt, 2, who->at_ns);
	ht_bind_figure(stmt, 3, who->max_size ?: HT_UNKNOWN);
	ht_bind_text(stmt, 4,
		     w->way < HT_WAY_COUNT ? ht_way_names[w->way] : "");
	sqlite3_bind_double(stmt, 5, who->growth);
	for (size_t i = 0; i < sizeof(figures) / sizeof(*figures); i++)
		ht_bind_figure(stmt, 6 + (int)i, figures[i]);
	code = ht_store_run(st, stmt, err);
	*ret = sqlite3_last_insert_rowid(st->db);
	return code;
}

struct answer {
	int64_t process_id;
	const struct ht_store_who *who;
	const struct ht_snapshot *seen;
	const struct ht_store_site *sites;
	size_t n;
};

static enum ht_code add_all(struct ht_store *st, void *ctx, struct ht_err *err)
{
	const struct answer *a = ctx;
	int64_t who_id, stack_id = 0;
	enum ht_code code = add_answer(st, a->process_id, a->who, &who_id, err);

	for (size_t i = 0; i < a->n && code == HT_OK; i++) {
		code = stack_of(st, a->seen, &a->sites[i], &stack_id, err);
		if (code == HT_OK)
			code = add_site(st, who_id, (int64_t)i, stack_id,
					&a->sites[i], err);
	}
	return code;
}

enum ht_code ht_store_add_who(struct ht_store *st, int64_t process_id,
			      const struct ht_store_who *who,
			      const struct ht_snapshot *seen,
			      const struct ht_store_site *sites, size_t n,
			      struct ht_err *err)
{
	struct answer a = {process_id, who, seen, sites,
			   n < HT_STORE_SITES_MAX ? n : HT_STORE_SITES_MAX};

	return ht_store_in_transaction(st, add_all, &a, err);
}

/* --- reading -------------------------------------------------------------- */

static enum ht_way way_named(const char *name)
{
	for (unsigned i = 0; i < HT_WAY_COUNT; i++)
		if (strcmp(ht_way_names[i], name) == 0)
			return (enum ht_way)i;
	return HT_WAY_COUNT;
}

static void read_answer(sqlite3_stmt *stmt, struct ht_store_who *ret)
{
	uint64_t *const figures[] = {
		&ret->windows.windows, &ret->windows.armed_us,
		&ret->windows.hits,    &ret->windows.samples,
		&ret->windows.lost,    &ret->windows.followed_us};
	char way[32];

	*ret = (struct ht_store_who){.windows = {.cut = HT_UNKNOWN,
						 .more_sites = HT_UNKNOWN,
						 .seen = HT_UNKNOWN}};
	ret->at_ns = sqlite3_column_int64(stmt, 0);
	ret->max_size = (uint64_t)sqlite3_column_int64(stmt, 1);
	ret->growth = ht_column_number(stmt, 2);
	ht_column_text(stmt, 3, way, sizeof(way));
	ret->windows.way = way_named(way);
	for (size_t i = 0; i < sizeof(figures) / sizeof(*figures); i++)
		*figures[i] = ht_column_figure(stmt, 4 + (int)i);
}

#define SITE_AT 10 /* the first column of a site */

static void read_site(sqlite3_stmt *stmt, struct ht_store_site *ret)
{
	struct ht_site *s = &ret->seen;
	uint64_t *const figures[FIGURES] = {
		&s->samples,  &s->alive,       &s->freed,	&s->unknown,
		&s->moved,    &s->bytes,       &s->alive_bytes, &s->min_size,
		&s->max_size, &s->old_samples, &s->old_alive,	&s->old_freed,
		&s->whole,    &s->growing};
	double *const reals[REALS] = {&ret->survival,
				      &ret->low,
				      &ret->high,
				      &ret->bytes_per_s,
				      &ret->share_of_growth,
				      &ret->confidence};

	*ret = (struct ht_store_site){0};
	ret->stack_id = sqlite3_column_int64(stmt, SITE_AT);
	ret->name = (const char *)sqlite3_column_text(stmt, SITE_AT + 1) ?: "";
	ret->leaking = sqlite3_column_type(stmt, SITE_AT + 2) == SQLITE_NULL
			       ? -1
			       : sqlite3_column_int(stmt, SITE_AT + 2) != 0;
	for (int i = 0; i < FIGURES; i++)
		*figures[i] = ht_column_figure(stmt, SITE_AT + 3 + i);
	for (int i = 0; i < REALS; i++)
		*reals[i] = ht_column_number(stmt, SITE_AT + 3 + FIGURES + i);
}

enum ht_code ht_store_sites(struct ht_store *st, int64_t process_id,
			    int64_t from_ns, int64_t to_ns,
			    ht_store_site_each *each, void *ctx,
			    struct ht_err *err)
{
	sqlite3_stmt *stmt;
	bool row;
	int stop = 0;
	enum ht_code code = ht_store_sql(
		st,
		"SELECT w.at_ns, w.max_size, w.growth, w.way, w.windows, w.armed_us, w.hits, w.samples, w.lost, w.followed_us, s.stack_id, k.name, s.leaking, s.samples, s.alive, s.freed, s.unknown, s.moved, s.bytes, s.alive_bytes, s.min_size, s.max_size, s.old_samples, s.old_alive, s.old_freed, s.whole, s.growing, s.survival, s.survival_low, s.survival_high, s.bytes_per_s, s.share_of_growth, s.confidence\n"
		"FROM who w\n"
		"LEFT JOIN site s ON s.who_id = w.id\n"
		"LEFT JOIN stack k ON k.id = s.stack_id\n"
		"WHERE w.process_id = ? AND w.at_ns BETWEEN ? AND ?\n"
		"ORDER BY w.at_ns, w.id, s.rank",
		&stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, process_id);
	sqlite3_bind_int64(stmt, 2, from_ns);
	sqlite3_bind_int64(stmt, 3, to_ns);
	while (!stop && (code = ht_store_step(st, stmt, &row, err)) == HT_OK &&
	       row) {
		bool has = sqlite3_column_type(stmt, SITE_AT) != SQLITE_NULL;
		struct ht_store_who who;
		struct ht_store_site site;

		read_answer(stmt, &who);
		read_site(stmt, &site);
		stop = each(ctx, &who, has ? &site : NULL);
	}
	sqlite3_reset(stmt);
	return code;
}

enum ht_code ht_store_who_before(struct ht_store *st, int64_t process_id,
				 int64_t at_ns, int64_t *ret_ns,
				 struct ht_err *err)
{
	bool row;

	*ret_ns = 0;
	return ht_store_number(
		st,
		"SELECT ifnull(max(at_ns), 0) FROM who WHERE process_id = ? AND at_ns <= ?",
		process_id, at_ns, ret_ns, &row, err);
}

enum ht_code ht_store_stack(struct ht_store *st, int64_t stack_id,
			    struct ht_snapshot *into, struct ht_err *err)
{
	sqlite3_stmt *stmt;
	bool row;
	enum ht_code code = ht_store_sql(
		st,
		"SELECT function, module, \"offset\", within, file, line, inlined FROM stack_frame WHERE stack_id = ? ORDER BY depth",
		&stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, stack_id);
	while ((code = ht_store_step(st, stmt, &row, err)) == HT_OK && row) {
		struct ht_stack_frame *f = ht_snapshot_add_stack_frame(into);

		if (!f) {
			code = ht_fail(err, HT_NOMEM, "out of memory");
			break;
		}
		ht_column_text(stmt, 0, f->function, sizeof(f->function));
		ht_column_text(stmt, 1, f->module, sizeof(f->module));
		f->offset = ht_column_figure(stmt, 2);
		f->within = ht_column_figure(stmt, 3);
		ht_column_text(stmt, 4, f->file, sizeof(f->file));
		f->line = ht_column_figure(stmt, 5);
		f->inlined = ht_column_figure(stmt, 6);
	}
	sqlite3_reset(stmt);
	return code;
}
