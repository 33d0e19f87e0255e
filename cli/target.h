/* SPDX-License-Identifier: Apache-2.0 */
/* Target: which process a word on the command line means, and one look at it
 * by an agent of our own. */
#ifndef HT_CLI_TARGET_H
#define HT_CLI_TARGET_H

#include <sys/types.h>

#include "cli/commands.h"
#include "link/client.h"
#include "store/store.h"

/* A pid, or a command name that exactly one process has. HT_USAGE lists the
 * pids when there are several; HT_GONE when there is none. */
enum ht_code ht_target_pid(const char *word, pid_t *ret,
			   struct ht_err *err) HT_MUST_CHECK;

/* The request that the options ask for; flags as in link/request.h. */
struct ht_request ht_target_request(const struct ht_options *o, uint64_t flags);

/* Starts an agent for it, which is then asked. */
enum ht_code ht_target_start(const struct ht_options *o, pid_t pid,
			     struct ht_client *ret,
			     struct ht_err *err) HT_MUST_CHECK;

/* Starts an agent, takes one snapshot, ends the agent. pid 0: the core file of
 * the options. Draws a progress line when it takes long. ret: initialised. */
enum ht_code ht_target_measure(struct ht_cli *cli, pid_t pid, uint64_t flags,
			       struct ht_snapshot *ret,
			       struct ht_err *err) HT_MUST_CHECK;

/* The same for malloc_trim(0) in a process: its forecast with the snapshot of
 * before, and, where `now`, what came of the call with the one of after;
 * ret_after stays empty where it was refused. Both initialised. */
struct ht_target_trim {
	struct ht_trim forecast, act;
	struct ht_snapshot before, after;
};
enum ht_code ht_target_trim(struct ht_cli *cli, pid_t pid, bool now,
			    struct ht_target_trim *ret,
			    struct ht_err *err) HT_MUST_CHECK;

/* The database that is asked: --db, HEAPTIDE_DB or heaptided's. */
const char *ht_history_path(const struct ht_options *o);
/* Opens the database of --db, $HEAPTIDE_DB or the daemon's, read-only. */
enum ht_code ht_history_open(const struct ht_options *o, struct ht_store **ret,
			     struct ht_err *err) HT_MUST_CHECK;

/* One snapshot as the options ask: with --at or --db from the history (what
 * TARGET was at that time), else of the process as it is now. */
enum ht_code ht_target_look(struct ht_cli *cli, const char *word,
			    uint64_t flags, struct ht_snapshot *ret,
			    struct ht_err *err) HT_MUST_CHECK;
/* Whether it is of the history, as asked for. */
bool ht_target_looks_back(const struct ht_cli *cli);

/* What to read of a history. */
struct ht_history_ask {
	size_t max_rows;     /* 0: the finest there is */
	int parts;	     /* HT_SERIES_... */
	const bool *metrics; /* flags, one a metric; NULL: all */
	bool mixed;	     /* coarser the older, as the analysis wants it */
};

/* The history of a process in the window of the options. At least one row, else
 * HT_NODATA. */
enum ht_code
ht_history_read(struct ht_store *store, const struct ht_store_process *p,
		const struct ht_options *o, const struct ht_history_ask *ask,
		struct ht_series *ret, struct ht_err *err) HT_MUST_CHECK;
/* The history of TARGET, one process, in the window of --since and --until.
 * Without either: the whole life. At least one row, else HT_NODATA. */
enum ht_code ht_history_series(struct ht_cli *cli, const char *word,
			       const struct ht_history_ask *ask,
			       struct ht_store_process *ret_process,
			       struct ht_series *ret,
			       struct ht_err *err) HT_MUST_CHECK;

#endif
