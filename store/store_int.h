/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the store, for its own files only. */
#ifndef HT_STORE_STORE_INT_H
#define HT_STORE_STORE_INT_H

#include <sqlite3.h>
#include <stdbool.h>

#include "common/clock.h"
#include "schema/packed.h"
#include "schema/snapshot_packed.h"
#include "store/store.h"

#define HT_STORE_STMTS	 256 /* slots; about half are used */
#define HT_STORE_SELECTS 8   /* of some metrics each: see raw.c */
#define HT_STORE_SETS	 256 /* of what is known of processes: state.c */
#define HT_STORE_WAYS	 8
#define HT_STORE_STATES	 (HT_STORE_SETS * HT_STORE_WAYS)
#define HT_ROLLUP_SPAN_S 3600 /* rolled up an hour at a time */
#define HT_STORE_FEW	 10   /* samples: their 10th percentile is the lowest */

/* One row of table process, as ht_store_read_process() takes it. */
#define HT_PROCESS_COLUMNS                                                     \
	"SELECT id, pid, target, comm, exe, boot_id, started_ns, first_ns, last_ns, ifnull(ended_ns, 0), samples FROM process "
void ht_store_read_process(sqlite3_stmt *stmt, struct ht_store_process *ret);

/* sample.detail: what is kept beside the metrics. */
enum ht_detail {
	HT_DETAIL_NONE,
	HT_DETAIL_CHANGES, /* rows that changed since sample.base_id */
	HT_DETAIL_FULL,	   /* all rows */
	HT_DETAIL_HOURLY,  /* all rows, kept as the hour's */
	HT_DETAIL_DAILY,   /* all rows, kept as the day's */
};

/* The lives before a process, as they were found: see lives.c. */
struct ht_store_before {
	int64_t from_ns, until_ns; /* asked then, and it holds until; 0: not */
	size_t n;
	int64_t ids[HT_STORE_LIVES]; /* the newest first */
};

/* What the writer remembers of a process, so that only changes are written. */
struct ht_store_state {
	int64_t process_id;	  /* 0: free */
	int64_t base_id, base_ns; /* newest sample with all rows */
	int64_t last_ns;	  /* newest sample */
	uint64_t used;		  /* when: the oldest makes room */
	char boot_id[40];
	uint64_t pid, start_ticks, exe_dev, exe_inode, image, uid;
	char target[128], comm[64], cgroup[256];
	size_t heaps_max; /* most that were ever seen; 0: none yet */
	struct ht_snapshot_packed last; /* lists sorted by key */
	int64_t moved_id; /* newest sample with rows of a series' lists */
	struct ht_store_before before;
};

/* The lists as of one sample, carried on to the next. */
struct ht_store_carried {
	int64_t base_id, last_id; /* 0: nothing yet */
	struct ht_snapshot lists;
};

/* How far samples were read, some at a time. */
struct ht_store_pass {
	int64_t at_ns, id; /* of the last one; 0: none yet */
	bool done;
	struct ht_store_carried carried;
};

/* An hour that is being rolled up, over many slices of maintenance: see
 * rollup.c. */
enum ht_roll_phase {
	HT_ROLL_READ,	/* its samples */
	HT_ROLL_FILL,	/* lines that came late */
	HT_ROLL_FORGET, /* what an earlier time made of it */
	HT_ROLL_BEGIN,	/* a bucket */
	HT_ROLL_REDUCE, /* its figures */
	HT_ROLL_WRITE,
	HT_ROLL_DONE,
};
struct ht_store_roll {
	int64_t process_id, hour_s; /* process 0: none */
	enum ht_roll_phase phase;
	struct ht_store_pass pass;
	struct ht_series raw;		/* its samples */
	size_t level;			/* that goes on */
	struct ht_series buckets;	/* of that level, so far */
	struct ht_series_bucket bucket; /* that goes on */
	int64_t at_s;			/* where it begins */
	size_t filled;			/* of the lines of raw */
	size_t written;			/* of its rows: see rollup.c */
};

/* Kinds of steps that upkeep is made of: see slice.c. */
enum ht_step {
	HT_STEP_READ, /* a sample */
	HT_STEP_FILL,
	HT_STEP_FORGET,	 /* a bucket */
	HT_STEP_MINUTES, /* the same, of a minute */
	HT_STEP_BEGIN,
	HT_STEP_REDUCE,
	HT_STEP_WRITE,
	HT_STEP_DROP,  /* samples, or what changed with them */
	HT_STEP_WHOLE, /* what is kept with a whole one */
	HT_STEP_TOLD,  /* events, verdicts */
	HT_STEP_VACUUM,
	HT_STEP_CHECKPOINT,
	HT_STEP_COUNT,
};
struct ht_step_pace {
	size_t rows;	 /* of the next one; 0: as many as may be */
	int64_t cost_ns; /* processor time, the dearest lately */
};
struct ht_slice {
	int64_t end_ns;	   /* monotonic: when the budget is used */
	int64_t step_ns;   /* processor time when the step began */
	enum ht_step kind; /* of the last one, or of one that did not fit */
	struct ht_step_pace pace[HT_STEP_COUNT];
};

/* What was read of a process's history, of one level: its rows in a window. */
#define HT_PAST_LEVELS	    4 /* samples, and what they are rolled up to */
#define HT_PAST_CHAINS	    256
#define HT_STORE_PAST_BYTES (6 << 20)
struct ht_past_level {
	int64_t from_ns, to_ns; /* both inclusive */
	struct ht_packed rows;
};
struct ht_past {
	int64_t process_id, first_ns;
	int parts; /* that were asked for */
	bool metrics[HT_METRIC_COUNT];
	int64_t used_ns; /* monotonic */
	size_t bytes;	 /* of it and its rows */
	struct ht_past_level level[HT_PAST_LEVELS];
	struct ht_past *next; /* in its chain */
};
struct ht_pasts {
	struct ht_past *chain[HT_PAST_CHAINS];
	size_t bytes, most;
	int64_t version; /* of the file, when they were read */
};

/* Start of the hour in which the sparse rows of a roll-up begin anew, seconds.
 */
static inline int64_t ht_rollup_hour(int64_t at_s)
{
	return at_s - at_s % HT_ROLLUP_SPAN_S;
}

/* Start of the roll-up bucket of `level_s` seconds that a row of a series is
 * in. */
static inline int64_t ht_rollup_bucket(const struct ht_series *s, size_t row,
				       int64_t level_s)
{
	int64_t at_s = s->time_ns[row] / HT_NS_PER_S;

	return at_s - at_s % level_s;
}

struct ht_store {
	sqlite3 *db;
	char *path;
	enum ht_store_mode mode;
	ht_store_tell *tell; /* while it is opened; NULL: nobody listens */
	void *tell_ctx;
	bool begun;	 /* between ht_store_begin() and _commit() */
	int64_t next_id; /* of a sample, while begun; 0: to be asked */
	int64_t added_id, added_process; /* the sample added last, whose */
	bool damaged;			 /* some statement found it so */
	struct ht_held held;		 /* writing: what is open */
	struct {
		const char *sql; /* static text, or owned by `built` */
		sqlite3_stmt *stmt;
	} stmts[HT_STORE_STMTS];
	size_t stmts_n;
	struct {
		const char *tail;
		bool metrics[HT_METRIC_COUNT]; /* that it reads */
		uint64_t used;		       /* when: the oldest goes */
		sqlite3_stmt *stmt;
	} selects[HT_STORE_SELECTS];
	/* SQL made from the record tables; see records.c. */
	char *insert_sql[HT_RECORD_COUNT], *gone_sql[HT_RECORD_COUNT];
	char *select_sql[HT_RECORD_COUNT];
	char *delete_sql[HT_RECORD_COUNT];
	char *sample_sql, *rollup_sql;
	char *line_insert_sql[HT_LINES_COUNT], *line_select_sql[HT_LINES_COUNT];
	char *line_median_sql[HT_LINES_COUNT];
	struct ht_store_state *states;	  /* HT_STORE_STATES, NULL: reading */
	uint16_t by_pid[HT_STORE_STATES]; /* where one may stand */
	/* of the process that a sample is added of: the one before, and it */
	struct ht_snapshot last, now;
	uint64_t tick;
	struct ht_store_roll roll;
	struct ht_pasts pasts;
	struct ht_slice slice;
	size_t journal_pages; /* that a checkpoint would copy */
	/* Maintenance: see maintain.c. */
	double squeeze;	    /* share of the ages that is kept, 0..1 */
	int64_t round_done; /* hour since 1970 of the last whole round */
	int64_t round_at;   /* last process of the round that goes on */
	int64_t eased;	    /* hour when squeeze last rose */
};

/* --- journal.c: whose the journal beside a file is ---------------------- */

/* What a writer has open. HT_STORE where it was moved meanwhile. */
enum ht_code ht_held_take(struct ht_store *st, struct ht_held *ret,
			  struct ht_err *err) HT_MUST_CHECK;
/* HT_STORE when processes have the journal beside `path` open, but not the
 * file. Waits for them to see that. Gives up the locks of this process on both:
 * nothing of it may have them open. */
enum ht_code ht_journal_check(const char *path, int wait_ms,
			      struct ht_err *err) HT_MUST_CHECK;

/* --- sql.c: statements and errors ---------------------------------------- */

/* A prepared statement, reset and with no value bound. `sql` must live as long
 * as the store: its address is the key under which it is kept. */
enum ht_code ht_store_sql(struct ht_store *st, const char *sql,
			  sqlite3_stmt **ret, struct ht_err *err) HT_MUST_CHECK;
/* One step: *ret_row true for a row, false for the end (then it is reset). */
enum ht_code ht_store_step(struct ht_store *st, sqlite3_stmt *stmt,
			   bool *ret_row, struct ht_err *err) HT_MUST_CHECK;
/* Steps to the end, rows ignored. */
enum ht_code ht_store_run(struct ht_store *st, sqlite3_stmt *stmt,
			  struct ht_err *err) HT_MUST_CHECK;
/* The first column of the first row of a query with two parameters; *ret_row:
 * there is one. */
enum ht_code ht_store_number(struct ht_store *st, const char *sql, int64_t a,
			     int64_t b, int64_t *ret, bool *ret_row,
			     struct ht_err *err) HT_MUST_CHECK;
/* A statement with two parameters that writes. */
enum ht_code ht_store_change(struct ht_store *st, const char *sql, int64_t a,
			     int64_t b, struct ht_err *err) HT_MUST_CHECK;
/* Statements without parameters or rows, several allowed. */
enum ht_code ht_store_exec(struct ht_store *st, const char *sql,
			   struct ht_err *err) HT_MUST_CHECK;
/* The last error of SQLite in words: what failed, on which file, why. */
enum ht_code ht_store_fail(struct ht_store *st, const char *what,
			   struct ht_err *err);
void ht_store_sql_fini(struct ht_store *st);

/* Runs `body` in a transaction of its own, or in the one that is open. When it
 * fails, everything since the transaction's begin is undone. */
enum ht_code
ht_store_in_transaction(struct ht_store *st,
			enum ht_code (*body)(struct ht_store *st, void *ctx,
					     struct ht_err *err),
			void *ctx, struct ht_err *err) HT_MUST_CHECK;

/* Runs `body`, which only reads, so that it sees one state of the database
 * throughout. */
enum ht_code ht_store_reading(struct ht_store *st,
			      enum ht_code (*body)(struct ht_store *st,
						   void *ctx,
						   struct ht_err *err),
			      void *ctx, struct ht_err *err) HT_MUST_CHECK;

/* HT_UNKNOWN and what no signed 64-bit number holds: NULL. */
void ht_bind_figure(sqlite3_stmt *stmt, int at, uint64_t v);
uint64_t ht_column_figure(sqlite3_stmt *stmt, int at);
/* A whole number; NaN and what no signed 64-bit number holds: NULL. */
void ht_bind_number(sqlite3_stmt *stmt, int at, double v);
/* The same for a metric: a ratio goes in as it is. */
void ht_bind_metric(sqlite3_stmt *stmt, int at, enum ht_metric m, double v);
/* NaN for NULL. */
double ht_column_number(sqlite3_stmt *stmt, int at);
void ht_bind_text(sqlite3_stmt *stmt, int at, const char *text);
void ht_column_text(sqlite3_stmt *stmt, int at, char *ret, size_t size);

/* --- migrate.c ----------------------------------------------------------- */

/* Refuses a file of another program or of a newer version; writes nothing. */
enum ht_code ht_store_accept(struct ht_store *st,
			     struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_store_migrate(struct ht_store *st,
			      struct ht_err *err) HT_MUST_CHECK;

/* --- records.c: records as rows of their tables -------------------------- */

/* Table of a record; NULL: it is not stored in one of its own. */
const char *ht_record_table(enum ht_record_id id);
/* Column of a field; NULL: not stored. */
const char *ht_record_column(enum ht_record_id id, const struct ht_field *f);
/* Orders two rows of a list by their key. */
int ht_record_compare(enum ht_record_id id, const void *a, const void *b);
/* Sorts a list by its key and drops all but the last row of each key. */
void ht_record_sort(struct ht_snapshot *s, enum ht_record_id id);
/* Whether this snapshot says anything about the list: an empty one may mean
 * "none" or "not asked for". */
bool ht_record_measured(const struct ht_snapshot *s, enum ht_record_id id);
enum ht_code ht_record_insert(struct ht_store *st, enum ht_record_id id,
			      int64_t sample_id, const void *record,
			      struct ht_err *err) HT_MUST_CHECK;
/* The row's key ends with this sample. */
enum ht_code ht_record_gone(struct ht_store *st, enum ht_record_id id,
			    int64_t sample_id, const void *record,
			    struct ht_err *err) HT_MUST_CHECK;
/* All rows of the samples with these numbers. */
enum ht_code ht_record_delete(struct ht_store *st, enum ht_record_id id,
			      int64_t first_id, int64_t last_id,
			      struct ht_err *err) HT_MUST_CHECK;
/* The record's rows of one sample, applied to `into`, whose list is sorted by
 * key and stays so: new ones added, known keys replaced, gone ones removed. */
enum ht_code ht_record_apply(struct ht_store *st, enum ht_record_id id,
			     int64_t sample_id, struct ht_snapshot *into,
			     struct ht_err *err) HT_MUST_CHECK;

/* The records flagged in `ids` (1 << id) that are stored, of one sample. */
enum ht_code ht_records_apply(struct ht_store *st, uint64_t ids,
			      int64_t sample_id, struct ht_snapshot *into,
			      struct ht_err *err) HT_MUST_CHECK;
/* The same of the sample with all rows (its base) and of all up to this one:
 * then `into` is as it was then. */
struct ht_sample_range {
	int64_t base_id, id, process_id;
};
enum ht_code ht_records_rebuild(struct ht_store *st, uint64_t ids,
				const struct ht_sample_range *r,
				struct ht_snapshot *into,
				struct ht_err *err) HT_MUST_CHECK;

/* --- slice.c: steps of upkeep -------------------------------------------- */

/* The steps of one slice follow, until the budget is used. */
void ht_slice_begin(struct ht_store *st, int64_t budget_ns);
/* Rows that the next step of this kind takes. */
size_t ht_slice_rows(const struct ht_store *st, enum ht_step kind);
/* A step of this kind is over: what it cost since the one before, or the
 * slice's begin, decides on the next. */
void ht_slice_step(struct ht_store *st, enum ht_step kind);
/* Whether there is time left for one. A slice has one at least. */
bool ht_slice_fits(struct ht_store *st, enum ht_step kind);
/* The same for one as the last, or as the one that did not fit. */
bool ht_slice_goes_on(struct ht_store *st);

/* --- space.c: the file's pages ------------------------------------------- */

/* Gives some disk back when more than a quarter of the file is empty. */
enum ht_code ht_store_shrink(struct ht_store *st, bool *ret_did,
			     struct ht_err *err) HT_MUST_CHECK;
/* Copies the journal into the file; what readers still need of it stays. */
enum ht_code ht_store_checkpoint(struct ht_store *st,
				 struct ht_err *err) HT_MUST_CHECK;

/* --- state.c: what the writer remembers ---------------------------------- */

/* The process's memory, empty when it is new or was forgotten. */
struct ht_store_state *ht_store_state(struct ht_store *st, int64_t process_id);
/* The one that this pid had when it was last asked for: perhaps another's, or
 * none's. A hint, whoever takes it compares. */
struct ht_store_state *ht_store_state_hint(struct ht_store *st, uint64_t pid);
/* NULL: nothing is remembered of it. */
struct ht_store_state *ht_store_state_known(struct ht_store *st,
					    int64_t process_id);
/* Somebody else wrote to the file: what is read of it may be other than what is
 * remembered. */
void ht_store_states_doubt(struct ht_store *st);
void ht_store_state_note(struct ht_store *st, const struct ht_store_state *s);
void ht_store_forget(struct ht_store *st, int64_t process_id);
void ht_store_forget_all(struct ht_store *st);

/* --- births.c ------------------------------------------------------------ */

/* `last`: the sample before. */
enum ht_code ht_store_note_births(struct ht_store *st,
				  struct ht_store_state *state,
				  const struct ht_snapshot *last,
				  const struct ht_snapshot *now,
				  struct ht_err *err) HT_MUST_CHECK;

/* --- process.c: whose sample it is --------------------------------------- */

/* The process's row, made when new, and what is remembered of it. Borrowed:
 * valid until the next call. */
enum ht_code ht_store_process_of(struct ht_store *st, const char *target,
				 const struct ht_snapshot *s,
				 struct ht_store_state **ret,
				 struct ht_err *err) HT_MUST_CHECK;

/* --- raw.c, rolled.c: rows of a series ----------------------------------- */

struct ht_store_window {
	int64_t process_id, from_ns, to_ns; /* both inclusive */
	int parts;
	const bool *metrics; /* HT_METRIC_COUNT flags; NULL: all */
	bool by_clock; /* as the wall clock said, even where it stepped back */
};
/* The wall clock stepped back within the window. */
enum ht_code ht_store_stepped_back(struct ht_store *st,
				   const struct ht_store_window *w, bool *ret,
				   struct ht_err *err) HT_MUST_CHECK;
/* Appends the samples of a window, in the order they were taken. */
enum ht_code ht_store_raw(struct ht_store *st, const struct ht_store_window *w,
			  struct ht_series *ret,
			  struct ht_err *err) HT_MUST_CHECK;
/* The same some at a time, by the wall clock: goes on behind what the pass
 * read, to the end (p->done) or as far as the slice allows; at least one. A
 * pass begins cleared. */
enum ht_code ht_store_raw_some(struct ht_store *st,
			       const struct ht_store_window *w,
			       struct ht_store_pass *p, struct ht_series *ret,
			       struct ht_err *err) HT_MUST_CHECK;
void ht_store_pass_fini(struct ht_store_pass *p);
/* Appends the buckets that begin in a window. */
enum ht_code ht_store_rolled(struct ht_store *st, int64_t level_s,
			     const struct ht_store_window *w,
			     struct ht_series *ret,
			     struct ht_err *err) HT_MUST_CHECK;
/* --- past.c: what was read lately ---------------------------------------- */

/* Before anything is remembered: from now on others' writing makes it void. */
enum ht_code ht_store_past_begin(struct ht_store *st,
				 struct ht_err *err) HT_MUST_CHECK;
/* What is kept of the process as the window asks for it, which began at
 * first_ns; NULL: nothing is or will be. Borrowed: until the next call. */
enum ht_code ht_store_past(struct ht_store *st, const struct ht_store_window *w,
			   int64_t first_ns, struct ht_past **ret,
			   struct ht_err *err) HT_MUST_CHECK;
/* Appends what is kept of the window's rows, but those before from_ns; the
 * window then begins where it ends. */
enum ht_code ht_store_past_read(struct ht_store *st, struct ht_past *past,
				size_t level, struct ht_store_window *w,
				int64_t from_ns, struct ht_series *ret,
				struct ht_err *err) HT_MUST_CHECK;
/* Keeps the rows of s from `first` on, which are those of the window; not where
 * there is no room. */
enum ht_code ht_store_past_keep(struct ht_store *st, struct ht_past *past,
				size_t level, const struct ht_store_window *w,
				const struct ht_series *s, size_t first,
				struct ht_err *err) HT_MUST_CHECK;
void ht_store_past_forget_all(struct ht_store *st);

/* --- rollup.c ------------------------------------------------------------ */

/* Rolls up an hour of a process, if one is due, or a part of it: as far as the
 * slice allows, one step at least (some hundred rows at most); the next call
 * goes on. Hours without samples are passed over. Readers
 * do not look at an hour before process.rolled_s says so. */
enum ht_code ht_store_roll(struct ht_store *st, int64_t now_s, bool *ret_did,
			   struct ht_err *err) HT_MUST_CHECK;
/* A bucket that is written. */
struct ht_bucket {
	int64_t process_id, level_s, at_s;
	int64_t samples;
	const struct ht_series *s; /* its buckets so far; this is the last */
	bool first;		   /* of its hour */
};
/* --- lines.c: roll-ups of lists ------------------------------------------ */

/* A line of a bucket, if it changed. */
enum ht_code ht_store_write_line(struct ht_store *st, const struct ht_bucket *b,
				 const struct ht_list_line *l,
				 struct ht_err *err) HT_MUST_CHECK;
/* The wanted lists of the rows from `first` on, whose buckets say in s->listed
 * what was measured. */
enum ht_code ht_store_read_lines(struct ht_store *st, int64_t level_s,
				 const struct ht_store_window *w, size_t first,
				 struct ht_series *s,
				 struct ht_err *err) HT_MUST_CHECK;
/* Where no roll-up lists what is wanted: as the whole samples say that are kept
 * of each bucket. */
enum ht_code ht_store_whole_lines(struct ht_store *st, int64_t level_s,
				  const struct ht_store_window *w, size_t first,
				  struct ht_series *s,
				  struct ht_err *err) HT_MUST_CHECK;
/* All roll-ups of a process and a level in [from, to]. */
enum ht_code ht_store_forget_rollups(struct ht_store *st, int64_t process_id,
				     int64_t level_s, int64_t from_s,
				     int64_t to_s,
				     struct ht_err *err) HT_MUST_CHECK;
/* Start of the newest bucket of a level in the hour that begins at hour_s. */
enum ht_code ht_store_newest_bucket(struct ht_store *st, int64_t process_id,
				    int64_t level_s, int64_t hour_s,
				    int64_t *ret_at_s, bool *ret_found,
				    struct ht_err *err) HT_MUST_CHECK;
/* Whether the list is kept at this level. */
bool ht_store_line_level(enum ht_lines list, int64_t level_s);

/* The hour that goes on, if any, begins anew: its samples changed, or what was
 * written of it was undone. */
void ht_store_roll_stop(struct ht_store *st);
/* "SELECT head, "metric", ... tail": columns of the wanted metrics, in their
 * order. `tail` is static text, and stands for its head. The store keeps the
 * statement; the caller resets it. */
enum ht_code ht_store_select_metrics(struct ht_store *st, const char *head,
				     const bool *metrics, const char *tail,
				     sqlite3_stmt **ret,
				     struct ht_err *err) HT_MUST_CHECK;

#endif
