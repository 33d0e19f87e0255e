/* SPDX-License-Identifier: Apache-2.0 */
/* Recording: a process, or a command from its start, sampled into a database by
 * an agent of our own. */
#ifndef HT_CLI_RECORDING_H
#define HT_CLI_RECORDING_H

#include <sys/types.h>

#include "cli/commands.h"
#include "schema/snapshot.h"

enum ht_record_end {
	HT_RECORD_ENDED,   /* the process did */
	HT_RECORD_TIME,	   /* the time was up */
	HT_RECORD_STOPPED, /* a signal came */
	HT_RECORD_GOES_ON, /* not over yet */
};
extern const char *const ht_record_end_names[]; /* "process", "time", ... */

/* What was recorded. */
struct ht_recorded {
	pid_t pid;	    /* 0: nothing was started */
	int64_t process_id; /* in the store; of the last sample, 0: none */
	uint64_t samples, failures;
	enum ht_record_end end; /* known without a sample, too */
	char text[768];		/* "the process ended; 9 samples of ..." */
	char how[400];		/* "the process ended; 2 failed, ..." */
};

/* Who follows a recording. */
struct ht_follow {
	/* Called for each sample that was stored. What it returns, some words
	 * or "", is shown on the progress line. */
	const char *(*sampled)(void *ctx, const struct ht_snapshot *s,
			       int64_t process_id);
	void *ctx;
};

/* Records what the options say (a process or, quoted, a command; --output is
 * set) until it ends, the time is up or a signal comes. SIGINT, SIGTERM and
 * SIGHUP stay blocked (ending.h): a second Ctrl-C takes nobody's answer.
 * follow: NULL, nobody does. cli->exit_status becomes that of the command, also
 * where this fails: HT_NODATA, no sample could be taken; HT_SYS, the command
 * could not be run (126, or 127 when there is none). Without a sample no new
 * file is left. HT_STORE with samples in ret: it could not be written any more;
 * the command was waited for all the same. */
enum ht_code ht_recording(struct ht_cli *cli, const struct ht_follow *follow,
			  struct ht_recorded *ret,
			  struct ht_err *err) HT_MUST_CHECK;

#endif
