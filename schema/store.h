/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Store: the history in SQLite (WAL, STRICT tables, user_version migrations,
 * views with plain names). One writer; readers never block it. A crash at any
 * instant loses at most the sample in flight. Tables and views are documented in
 * docs/store.md; the SQL is in schema/sql/.
 */
#ifndef HT_SCHEMA_STORE_H
#define HT_SCHEMA_STORE_H

#include "schema/series.h"

struct ht_store; /* opaque */

enum ht_store_mode { HT_STORE_READ, HT_STORE_WRITE };

/* WRITE creates and migrates; READ opens read-only, works while a writer is
 * active or gone. A newer version than ours is refused by name. */
enum ht_code ht_store_open(const char *path, enum ht_store_mode mode,
			   struct ht_store **ret, struct ht_err *err) HT_MUST_CHECK;
void ht_store_close(struct ht_store *st);

/* Samples are added one by one and become durable together. */
enum ht_code ht_store_begin(struct ht_store *st, struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_store_commit(struct ht_store *st, struct ht_err *err) HT_MUST_CHECK;
/* target: the configured name ("" for a bare record). The process row (boot id,
 * pid, start time, exe inode, exec) is made when new. */
enum ht_code ht_store_add(struct ht_store *st, const char *target,
			  const struct ht_snapshot *s, int64_t *ret_sample_id,
			  struct ht_err *err) HT_MUST_CHECK;
/* A process that ended, a gap, a failed sample, an operator's trim: kind is
 * "ended", "gap", "failed", "trim", "exec", ... */
enum ht_code ht_store_event(struct ht_store *st, int64_t process_id, int64_t at_ns,
			    const char *kind, const char *text,
			    struct ht_err *err) HT_MUST_CHECK;

/* Which process or target a word means: an id, a pid, a target's name, a comm.
 * The newest life when several match; earlier ones by id. */
struct ht_store_process {
	int64_t id;
	uint64_t pid;
	char target[128], comm[64], exe[256], boot_id[40];
	int64_t started_ns, first_ns, last_ns, ended_ns; /* ended 0: not known */
	uint64_t samples;
};
enum ht_code ht_store_find(struct ht_store *st, const char *word,
			   struct ht_store_process *ret, struct ht_err *err) HT_MUST_CHECK;
/* Calls `each` for every process, newest first, until it returns non-zero. */
enum ht_code ht_store_processes(struct ht_store *st,
				int (*each)(void *ctx, const struct ht_store_process *p),
				void *ctx, struct ht_err *err) HT_MUST_CHECK;

/* History of one process in [from, to], at most max_rows rows: coarser roll-ups
 * are chosen when the window holds more (0: the finest there is). Size classes
 * and mappings come along when wanted. ret is initialised by the caller. */
enum { HT_SERIES_METRICS = 0, HT_SERIES_CLASSES = 1, HT_SERIES_MAPPINGS = 2 };
enum ht_code ht_store_series(struct ht_store *st, int64_t process_id,
			     int64_t from_ns, int64_t to_ns, size_t max_rows,
			     int parts, struct ht_series *ret,
			     struct ht_err *err) HT_MUST_CHECK;

/* The whole snapshot as it was at or before a time: arenas, heaps, bins, size
 * classes, threads where kept. HT_NODATA when there is none. */
enum ht_code ht_store_snapshot_at(struct ht_store *st, int64_t process_id,
				  int64_t at_ns, struct ht_snapshot *ret,
				  struct ht_err *err) HT_MUST_CHECK;

#endif
