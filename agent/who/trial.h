/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trial: on Linux 6.11 and some of its successors the return of a function that
 * is looked at is a system call of the process's own, which a seccomp filter
 * kills it for. Whether this kernel is such a one is tried on a child of ours
 * before a process with a filter is looked at.
 */
#ifndef HT_AGENT_WHO_TRIAL_H
#define HT_AGENT_WHO_TRIAL_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"

/* Whether any thread of the process has a seccomp filter, or it is not known.
 */
bool ht_trial_is_due(pid_t pid);
/* HT_REFUSED: a child with a filter did not outlive it, or was not seen.
 * filter: the child's own, which ends with 0 where it could be set; NULL: one
 * that kills for all but its end. Before the sandbox. */
enum ht_code ht_trial(const char *probe, bool (*filter)(void),
		      struct ht_err *err) HT_MUST_CHECK;

#endif
