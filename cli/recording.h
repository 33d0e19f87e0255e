/* SPDX-License-Identifier: Apache-2.0 */
/* Recording: a process, or a command from its start, sampled into a database by
 * an agent of our own. */
#ifndef HT_CLI_RECORDING_H
#define HT_CLI_RECORDING_H

#include <sys/types.h>

#include "cli/commands.h"

/* What was recorded. */
struct ht_recorded {
	pid_t pid;	/* 0: nothing was started */
	char text[512]; /* "the process ended; 9 samples of ..." */
};

/* Records what the options say (a process or, quoted, a command; --output is
 * set) until it ends, the time is up or a signal comes. cli->exit_status
 * becomes that of the command, also where this fails: HT_NODATA, no sample
 * could be taken; HT_SYS, the command could not be run (126, or 127 when there
 * is none). */
enum ht_code ht_recording(struct ht_cli *cli, struct ht_recorded *ret,
			  struct ht_err *err) HT_MUST_CHECK;

#endif
