/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Store: the history in SQLite (WAL, STRICT tables, user_version migrations,
 * views with plain names). One writer; readers never block it. A crash at any
 * instant loses at most the sample in flight. Tables and views are documented
 * in docs/store.md; the SQL is in store/sql/.
 */
#ifndef HT_STORE_STORE_H
#define HT_STORE_STORE_H

#include "schema/series.h"

struct ht_store; /* opaque */

enum ht_store_mode { HT_STORE_READ, HT_STORE_WRITE };

/* WRITE creates and migrates; READ opens read-only, works while a writer is
 * active or gone. A newer version than ours is refused by name. */
enum ht_code ht_store_open(const char *path, enum ht_store_mode mode,
			   struct ht_store **ret,
			   struct ht_err *err) HT_MUST_CHECK;
/* The same. What takes longer than a second (a history of an older version is
 * brought up to date) is told each second, in words; `tell` must not use the
 * store. */
typedef void ht_store_tell(void *ctx, const char *text);
enum ht_code ht_store_open_telling(const char *path, enum ht_store_mode mode,
				   ht_store_tell *tell, void *ctx,
				   struct ht_store **ret,
				   struct ht_err *err) HT_MUST_CHECK;
void ht_store_close(struct ht_store *st);
/* How long a write waits for another writer (20 ms: the daemon's loop must not
 * stand still). */
void ht_store_wait(struct ht_store *st, int64_t ns);
/* Closes a writer's file that nobody is to write next: it is one file then, and
 * whoever reads it leaves none beside it. */
void ht_store_close_alone(struct ht_store *st);

#define HT_AUTO_STORE HT_CLEANUP(ht_cleanup_store)
static inline void ht_cleanup_store(struct ht_store **st)
{
	ht_store_close(*st);
}

/* Samples are added one by one and become durable together, at the commit.
 * When anything between fails (full disk, lock), all since the begin is undone
 * and the store is as it was; the next begin tries anew. */
enum ht_code ht_store_begin(struct ht_store *st,
			    struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_store_commit(struct ht_store *st,
			     struct ht_err *err) HT_MUST_CHECK;
/* Undoes all since the begin. Closing does so too. */
void ht_store_rollback(struct ht_store *st);
/* target: the configured name ("" for a bare record). The process row (boot id,
 * pid, start time, exe inode, exec) is made when new. Outside of a begin, the
 * sample is a transaction of its own. ret_sample_id may be NULL. */
enum ht_code ht_store_add(struct ht_store *st, const char *target,
			  const struct ht_snapshot *s, int64_t *ret_sample_id,
			  struct ht_err *err) HT_MUST_CHECK;
/* Which process (table process) a sample belongs to. */
enum ht_code ht_store_sample_process(struct ht_store *st, int64_t sample_id,
				     int64_t *ret_process_id,
				     struct ht_err *err) HT_MUST_CHECK;
/* A process that ended, a gap, a failed sample, an operator's trim: kind is
 * "ended", "gap", "failed", "trim", "exec", ... process_id 0: of none. */
enum ht_code ht_store_event(struct ht_store *st, int64_t process_id,
			    int64_t at_ns, const char *kind, const char *text,
			    struct ht_err *err) HT_MUST_CHECK;

/* The event "ended" of the process with that boot id, pid and start; none where
 * the store does not know it. */
struct ht_store_end {
	char boot_id[40];
	uint64_t pid, start_ticks;
	int64_t at_ns;
};
enum ht_code ht_store_ended(struct ht_store *st, const struct ht_store_end *e,
			    struct ht_err *err) HT_MUST_CHECK;

struct ht_store_event_row {
	int64_t at_ns;
	const char *kind, *text; /* borrowed for the call */
};
/* Calls `each` for the events of a process in [from, to], in order of time,
 * until it returns non-zero. */
enum ht_code ht_store_events(struct ht_store *st, int64_t process_id,
			     int64_t from_ns, int64_t to_ns,
			     int (*each)(void *ctx,
					 const struct ht_store_event_row *e),
			     void *ctx, struct ht_err *err) HT_MUST_CHECK;

/* The chunk that holds most below a top, in the newest snapshot at or before
 * at_ns, and since when the same chunk is seen there: as far back as samples
 * with their arenas are kept. HT_NODATA: there is none. */
struct ht_store_pin {
	uint64_t arena, address, size, holds;
	uint64_t least, most; /* that it held in that time */
	int64_t since_ns, seen_ns;
};
enum ht_code ht_store_pin_at(struct ht_store *st, int64_t process_id,
			     int64_t at_ns, struct ht_store_pin *ret,
			     struct ht_err *err) HT_MUST_CHECK;

/* label, json: of a verdict (analysis/verdict.h), which the store keeps as it
 * is. since_ns 0: not known. */
enum ht_code ht_store_add_verdict(struct ht_store *st, int64_t process_id,
				  int64_t at_ns, int64_t since_ns,
				  const char *label, double confidence,
				  const char *json,
				  struct ht_err *err) HT_MUST_CHECK;

/* The newest one; *ret_json is freed by the caller. HT_NODATA: none was
 * recorded. */
enum ht_code ht_store_last_verdict(struct ht_store *st, int64_t process_id,
				   int64_t *ret_at_ns, char **ret_json,
				   struct ht_err *err) HT_MUST_CHECK;

/* Which process or target a word means: "#ID" (table process), a pid, a
 * target's name, a comm, the last part of an executable's path, an ID. The
 * newest life when several match; earlier ones by "#ID". HT_NODATA. */
struct ht_store_process {
	int64_t id;
	uint64_t pid;
	char target[128], comm[64], exe[256], boot_id[40];
	int64_t started_ns, first_ns, last_ns,
		ended_ns; /* ended 0: not known */
	uint64_t samples;
};
enum ht_code ht_store_find(struct ht_store *st, const char *word,
			   struct ht_store_process *ret,
			   struct ht_err *err) HT_MUST_CHECK;
/* Calls `each` for every process, newest first, until it returns non-zero. */
enum ht_code ht_store_processes(struct ht_store *st,
				int (*each)(void *ctx,
					    const struct ht_store_process *p),
				void *ctx, struct ht_err *err) HT_MUST_CHECK;

/* History of one process in [from, to], at most max_rows rows (0: the finest
 * there is): samples when they cover the window and fit, else the finest
 * roll-up that does, of 1 min, 10 min and 1 h; what is newer than the last
 * roll-up comes from the samples. Size classes and mappings come along when
 * wanted; so do the lines of lists (schema/lines.h), for which samples count as
 * covering only where their rows are kept, and where no roll-up of them is kept
 * the whole samples of those hours stand. ret is initialised by the caller;
 * what it held is freed. Events of kind gap, trim, suspend, exec and clock mark
 * a cut. */
enum {
	HT_SERIES_METRICS = 0,
	HT_SERIES_CLASSES = 1,
	HT_SERIES_MAPPINGS = 2,
	HT_SERIES_MEDIANS =
		4,	     /* min, p10 and max are not read: as the median */
	HT_SERIES_LISTS = 8, /* << enum ht_lines: that list's lines */
};
#define HT_SERIES_LIST(list) (HT_SERIES_LISTS << (list))
enum ht_code ht_store_series(struct ht_store *st, int64_t process_id,
			     int64_t from_ns, int64_t to_ns, size_t max_rows,
			     int parts, struct ht_series *ret,
			     struct ht_err *err) HT_MUST_CHECK;
/* The same with the flagged metrics only (the others stay unknown): reading a
 * few of them is several times as fast. NULL: all. */
enum ht_code ht_store_series_of(struct ht_store *st, int64_t process_id,
				int64_t from_ns, int64_t to_ns, size_t max_rows,
				int parts, const bool metrics[HT_METRIC_COUNT],
				struct ht_series *ret,
				struct ht_err *err) HT_MUST_CHECK;
/* Fine where it is new, coarse where it is old: samples of the last hour before
 * to_ns, then minutes for 6 h, 10 minutes for 24 h, hours before that. */
enum ht_code ht_store_series_mixed(struct ht_store *st, int64_t process_id,
				   int64_t from_ns, int64_t to_ns, int parts,
				   const bool metrics[HT_METRIC_COUNT],
				   struct ht_series *ret,
				   struct ht_err *err) HT_MUST_CHECK;

/* The life before: the newest of the same target and command name that began
 * earlier. One that ran beside it for more than half of the shorter of both is
 * none: a restart lets the old process run on for a while only. */
enum ht_code ht_store_life_before(struct ht_store *st,
				  const struct ht_store_process *than,
				  struct ht_store_process *ret, bool *ret_found,
				  struct ht_err *err) HT_MUST_CHECK;

/* The lives before a process, the oldest first, each as it was at its end, with
 * its size classes: those that lasted an hour and began within a week before
 * at_ns, the newest seven among the target's newest 1,024 processes. None
 * before the process itself is five minutes old: who restarts in a loop is
 * asked about often, and nothing is told of it; a writer remembers which they
 * are for as long, or a quarter of its age. None once it is three days old:
 * it tells more than they do. What ret held is freed; {.n = 0} at first. */
#define HT_STORE_LIVES		 7
#define HT_STORE_LIVES_ROWS	 1024
#define HT_STORE_LIVES_LEAST_NS	 (INT64_C(3600) * HT_NS_PER_S)
#define HT_STORE_LIVES_FROM_NS	 (HT_STORE_LIVES_LEAST_NS / 12)
#define HT_STORE_LIVES_UNTIL_NS	 (72 * HT_STORE_LIVES_LEAST_NS)
#define HT_STORE_LIVES_WITHIN_NS (168 * HT_STORE_LIVES_LEAST_NS)
struct ht_store_lives {
	struct ht_series life[HT_STORE_LIVES];
	size_t n;
};
enum ht_code ht_store_lives(struct ht_store *st, int64_t process_id,
			    int64_t at_ns, const bool metrics[HT_METRIC_COUNT],
			    struct ht_store_lives *ret,
			    struct ht_err *err) HT_MUST_CHECK;
void ht_store_lives_fini(struct ht_store_lives *l);
#define HT_AUTO_LIVES HT_CLEANUP(ht_store_lives_fini)

/* The whole snapshot as it was at or before a time: all but the advice, which
 * is made from it. Lists come sorted. HT_NODATA when none is kept from then.
 * ret is initialised by the caller; what it held is freed. */
enum ht_code ht_store_snapshot_at(struct ht_store *st, int64_t process_id,
				  int64_t at_ns, struct ht_snapshot *ret,
				  struct ht_err *err) HT_MUST_CHECK;

/* How long things are kept. */
struct ht_store_policy {
	int64_t detail_s;      /* all rows of all samples; then one an hour */
	int64_t hourly_s;      /* the hour's; then one a day, for hour_s */
	int64_t raw_s;	       /* the metrics of all samples */
	int64_t minute_s;      /* roll-ups of 1 min, and verdicts */
	int64_t ten_minutes_s; /* roll-ups of 10 min */
	int64_t hour_s;	       /* roll-ups of 1 h, and events */
	int64_t max_bytes;     /* larger: all ages shrink. 0: no limit */
};
#define HT_STORE_POLICY_DEFAULT                                                \
	((struct ht_store_policy){6 * 3600, 30 * 86400, 2 * 86400, 35 * 86400, \
				  120 * 86400, 400 * 86400, 0})

/* Rolls up and thins out, step by step, until nothing is left to do (*ret_done)
 * or the budget is used; a step touches some hundred rows at most, fewer where
 * they are dear. Call it outside of begin and commit, some times a minute. The
 * usual budget leaves room for the last step and the commit in 5 ms. */
#define HT_STORE_SLICE_NS (3 * HT_NS_PER_MS / 2)
enum ht_code ht_store_maintain(struct ht_store *st,
			       const struct ht_store_policy *policy,
			       int64_t now_ns, int64_t budget_ns,
			       bool *ret_done,
			       struct ht_err *err) HT_MUST_CHECK;
/* Upkeep should come soon: the journal is long. */
bool ht_store_is_due(const struct ht_store *st);
/* Bytes in use in the file, without its empty pages and the journal. */
enum ht_code ht_store_size(struct ht_store *st, int64_t *ret_bytes,
			   struct ht_err *err) HT_MUST_CHECK;
/* HT_STORE when the file was moved or removed while it is open: what is written
 * would go with it. */
enum ht_code ht_store_in_place(struct ht_store *st,
			       struct ht_err *err) HT_MUST_CHECK;

/* --- journal.c: whose the journal beside a file is ---------------------- */

/* A database that was open and its journal, whatever has their names by now.
 * Descriptors that open nothing (O_PATH) but keep the inodes from being
 * others'; -1: none. */
struct ht_held {
	int file, journal;
};
#define HT_HELD_NONE ((struct ht_held){-1, -1})
void ht_held_fini(struct ht_held *h);
#define HT_AUTO_HELD HT_CLEANUP(ht_held_fini)
/* As ht_store_close(); *h: what it had open, in place of what was held. NULL
 * for st leaves that as it is. What was moved away while it was open is given
 * all that is in its journal. */
void ht_store_close_held(struct ht_store *st, struct ht_held *h);
/* Before a file is opened again at `path`: a journal there that is the one
 * held, while the file is another or none, gets the name FILE-wal.old (.old.2,
 * ...); `ret` is that name then, else "". One with nothing in it is removed. */
enum ht_code ht_held_set_aside(const struct ht_held *h, const char *path,
			       char *ret, size_t size,
			       struct ht_err *err) HT_MUST_CHECK;

/* Some statement found the file damaged, or no database. What others read or
 * wrote may seem right: no reason to go on. */
bool ht_store_damaged(const struct ht_store *st);
/* Reads the whole file: HT_STORE says what is damaged. */
enum ht_code ht_store_check(struct ht_store *st,
			    struct ht_err *err) HT_MUST_CHECK;

#endif
