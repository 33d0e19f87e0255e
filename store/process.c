/* SPDX-License-Identifier: Apache-2.0 */
/* Which row of table `process` a snapshot belongs to. */
#include "store/store_int.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"

/* Where exec can be seen: the main arena moves with every image (but in a
 * static program that is not position-independent). */
static uint64_t image_of(const struct ht_snapshot *s)
{
	return s->arenas.n > 0 && s->arenas.v[0].kind == HT_ARENA_MAIN
		       ? s->arenas.v[0].address
		       : HT_UNKNOWN;
}

static bool agree(uint64_t a, uint64_t b)
{
	return a == b || a == HT_UNKNOWN || b == HT_UNKNOWN;
}

static bool same_program(const struct ht_store_state *state,
			 const struct ht_snapshot *s)
{
	return agree(state->exe_dev, s->head.exe_dev) &&
	       agree(state->exe_inode, s->head.exe_inode) &&
	       agree(state->image, image_of(s));
}

static bool same_process(const struct ht_store_state *state,
			 const struct ht_snapshot *s)
{
	return state->process_id > 0 && state->pid == s->head.pid &&
	       state->start_ticks == s->head.start_ticks &&
	       !strcmp(state->boot_id, s->head.boot_id) &&
	       same_program(state, s);
}

/* The newest row with this boot, pid and start; exec -1: none. */
struct found {
	int64_t id, exec, last_ns;
};

static void bind_life(sqlite3_stmt *stmt, int at, const struct ht_head *h)
{
	ht_bind_text(stmt, at, h->boot_id);
	sqlite3_bind_int64(stmt, at + 1, (sqlite3_int64)h->pid);
	sqlite3_bind_int64(stmt, at + 2, (sqlite3_int64)h->start_ticks);
}

static enum ht_code look_up(struct ht_store *st, const struct ht_snapshot *s,
			    struct ht_store_state *known, struct found *ret,
			    struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;
	bool row;

	*ret = (struct found){0, -1, 0};
	code = ht_store_sql(
		st,
		"SELECT id, exec, last_ns, exe_dev, exe_inode, image\n"
		"FROM process\n"
		"WHERE boot_id = ? AND pid = ? AND start_ticks = ?\n"
		"ORDER BY exec DESC LIMIT 1",
		&stmt, err);
	if (code != HT_OK)
		return code;
	bind_life(stmt, 1, &s->head);
	code = ht_store_step(st, stmt, &row, err);
	if (code != HT_OK || !row)
		return code;
	*ret = (struct found){sqlite3_column_int64(stmt, 0),
			      sqlite3_column_int64(stmt, 1),
			      sqlite3_column_int64(stmt, 2)};
	known->exe_dev = ht_column_figure(stmt, 3);
	known->exe_inode = ht_column_figure(stmt, 4);
	known->image = ht_column_figure(stmt, 5);
	sqlite3_reset(stmt);
	return HT_OK;
}

static enum ht_code insert(struct ht_store *st, const char *target,
			   const struct ht_snapshot *s, int64_t exec,
			   int64_t *ret_id, struct ht_err *err)
{
	const struct ht_head *h = &s->head;
	int64_t at_s = h->taken_at / HT_NS_PER_S;
	sqlite3_stmt *stmt;
	enum ht_code code;

	code = ht_store_sql(
		st,
		"INSERT INTO process (boot_id, pid, start_ticks, exec, exe_dev, exe_inode, image, target, comm, exe, arch, cgroup, uid, started_ns, first_ns, last_ns, samples, raw_from_ns, rolled_s)\n"
		"VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?15, 0, 0, ?16)",
		&stmt, err);
	if (code != HT_OK)
		return code;
	bind_life(stmt, 1, h);
	sqlite3_bind_int64(stmt, 4, exec);
	ht_bind_figure(stmt, 5, h->exe_dev);
	ht_bind_figure(stmt, 6, h->exe_inode);
	ht_bind_figure(stmt, 7, image_of(s));
	ht_bind_text(stmt, 8, target);
	ht_bind_text(stmt, 9, h->comm);
	ht_bind_text(stmt, 10, h->exe);
	ht_bind_text(stmt, 11, h->arch);
	ht_bind_text(stmt, 12, h->cgroup);
	ht_bind_figure(stmt, 13, h->uid);
	sqlite3_bind_int64(stmt, 14, h->started_at);
	sqlite3_bind_int64(stmt, 15, h->taken_at);
	sqlite3_bind_int64(stmt, 16, at_s - at_s % HT_ROLLUP_SPAN_S);
	code = ht_store_run(st, stmt, err);
	if (code == HT_OK)
		*ret_id = sqlite3_last_insert_rowid(st->db);
	return code;
}

/* What may change within one life. */
static enum ht_code refresh(struct ht_store *st, struct ht_store_state *state,
			    const char *target, const struct ht_snapshot *s,
			    struct ht_err *err)
{
	const struct ht_head *h = &s->head;
	sqlite3_stmt *stmt;
	enum ht_code code;

	if (!strcmp(state->target, target) && !strcmp(state->comm, h->comm) &&
	    !strcmp(state->cgroup, h->cgroup) && agree(state->uid, h->uid) &&
	    agree(state->image, image_of(s)))
		return HT_OK;
	code = ht_store_sql(
		st,
		"UPDATE process SET target = ?, comm = ?, cgroup = ?, uid = ifnull(?, uid), image = ifnull(?, image) WHERE id = ?",
		&stmt, err);
	if (code != HT_OK)
		return code;
	ht_bind_text(stmt, 1, target);
	ht_bind_text(stmt, 2, h->comm);
	ht_bind_text(stmt, 3, h->cgroup);
	ht_bind_figure(stmt, 4, h->uid);
	ht_bind_figure(stmt, 5, image_of(s));
	sqlite3_bind_int64(stmt, 6, state->process_id);
	return ht_store_run(st, stmt, err);
}

static void remember(struct ht_store_state *state, const char *target,
		     const struct ht_snapshot *s)
{
	const struct ht_head *h = &s->head;

	state->pid = h->pid;
	state->start_ticks = h->start_ticks;
	state->exe_dev = h->exe_dev;
	state->exe_inode = h->exe_inode;
	state->uid = h->uid;
	if (image_of(s) != HT_UNKNOWN || state->image == 0)
		state->image = image_of(s);
	snprintf(state->boot_id, sizeof(state->boot_id), "%s", h->boot_id);
	snprintf(state->target, sizeof(state->target), "%s", target);
	snprintf(state->comm, sizeof(state->comm), "%s", h->comm);
	snprintf(state->cgroup, sizeof(state->cgroup), "%s", h->cgroup);
}

/* The program before is over: nobody else will say so. */
static enum ht_code note_exec(struct ht_store *st, int64_t old_id, int64_t id,
			      int64_t at_ns, struct ht_err *err)
{
	enum ht_code code = ht_store_change(
		st,
		"UPDATE process SET ended_ns = ?2 WHERE id = ?1 AND ended_ns IS NULL",
		old_id, at_ns, err);

	if (code == HT_OK)
		code = ht_store_event(st, id, at_ns, "exec",
				      "the process runs another program now",
				      err);
	return code;
}

/* In the database, or made there. */
static enum ht_code settle(struct ht_store *st, const char *target,
			   const struct ht_snapshot *s,
			   struct ht_store_state **ret, struct ht_err *err)
{
	struct ht_store_state known = {0};
	struct found old;
	int64_t id;
	enum ht_code code = look_up(st, s, &known, &old, err);

	if (code != HT_OK)
		return code;
	id = old.id;
	if (old.exec < 0 || !same_program(&known, s)) {
		code = insert(st, target, s, old.exec + 1, &id, err);
		old.last_ns = 0;
	}
	if (code == HT_OK && old.exec >= 0 && id != old.id)
		code = note_exec(st, old.id, id, s->head.taken_at, err);
	if (code != HT_OK)
		return code;
	*ret = ht_store_state(st, id);
	(*ret)->last_ns = old.last_ns;
	(*ret)->image = 0;
	return HT_OK;
}

enum ht_code ht_store_process_of(struct ht_store *st, const char *target,
				 const struct ht_snapshot *s,
				 struct ht_store_state **ret,
				 struct ht_err *err)
{
	struct ht_store_state *state;
	enum ht_code code = HT_OK;

	state = ht_store_state_hint(st, s->head.pid);
	if (same_process(state, s))
		state = ht_store_state(st, state->process_id); /* used now */
	else
		code = settle(st, target, s, &state, err);
	if (code == HT_OK)
		code = refresh(st, state, target, s, err);
	if (code != HT_OK)
		return code;
	remember(state, target, s);
	ht_store_state_note(st, state);
	*ret = state;
	return HT_OK;
}

enum ht_code ht_store_ended(struct ht_store *st, const struct ht_store_end *e,
			    struct ht_err *err)
{
	sqlite3_stmt *stmt;
	enum ht_code code;
	int64_t id;
	bool row;

	code = ht_store_sql(
		st,
		"SELECT id FROM process WHERE boot_id = ? AND pid = ? AND start_ticks = ? ORDER BY exec DESC LIMIT 1",
		&stmt, err);
	if (code != HT_OK)
		return code;
	ht_bind_text(stmt, 1, e->boot_id);
	sqlite3_bind_int64(stmt, 2, (sqlite3_int64)e->pid);
	sqlite3_bind_int64(stmt, 3, (sqlite3_int64)e->start_ticks);
	code = ht_store_step(st, stmt, &row, err);
	if (code != HT_OK || !row)
		return code;
	id = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return ht_store_event(st, id, e->at_ns, "ended", "", err);
}
