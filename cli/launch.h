/* SPDX-License-Identifier: Apache-2.0 */
/* Launch: a command of the user's as our child, measured from its start. */
#ifndef HT_CLI_LAUNCH_H
#define HT_CLI_LAUNCH_H

#include <sys/types.h>

#include "common/err.h"

/* Starts argv[0] (looked up in PATH) with our descriptors and default signals;
 * where Yama restricts tracing, our agents may still trace it. Returns when the
 * command has been executed: HT_SYS when it could not be, and *ret_status is
 * what a shell ends with then: 127 when there is no such command, else 126. */
enum ht_code ht_launch(char *const *argv, pid_t *ret, int *ret_status,
		       struct ht_err *err) HT_MUST_CHECK;

/* Waits for the child; its exit status, or 128 + the signal that ended it. */
int ht_launch_wait(pid_t pid);

#endif
