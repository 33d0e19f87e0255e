/* SPDX-License-Identifier: Apache-2.0 */
/* Launch: a command of the user's as our child, measured from its start. */
#ifndef HT_CLI_LAUNCH_H
#define HT_CLI_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"

/* Starts argv[0] (looked up in PATH) with our descriptors and default signals;
 * where Yama restricts tracing, our agents may still trace it. Returns when the
 * command has been executed: HT_SYS when it could not be, and *ret_status is
 * what a shell ends with then: 127 when there is no such command, else 126.
 * What it leaves behind when it ends becomes our child, not init's. */
enum ht_code ht_launch(char *const *argv, pid_t *ret, int *ret_status,
		       struct ht_err *err) HT_MUST_CHECK;

/* A process that our child left behind when it ended. */
struct ht_left {
	pid_t pid;	   /* 0: none */
	char comm[64];	   /* its command name; control characters as \xNN */
	bool same_program; /* the child's own name: it went into the background
			    */
	size_t all;	   /* how many it left */
};

/* Waits for the child, which has ended, and for all others of ours that have;
 * its exit status, as ht_launch_wait. ret: what it left behind, the eldest of
 * those with its name, else of all. */
int ht_launch_end(pid_t pid, struct ht_left *ret);
/* Waits for those that were left behind and have ended; not for these two. */
void ht_launch_reap(pid_t child, pid_t other);

/* Waits for the child; its exit status, or 128 + the signal that ended it. */
int ht_launch_wait(pid_t pid);

#endif
