/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Privilege: the two capabilities of the agent, and where they count.
 *
 *   CAP_SYS_PTRACE       to seize, and to pass /proc's checks of who may look
 *   CAP_DAC_READ_SEARCH  for the files of /proc that belong to the target's
 *                        user alone (mem, pagemap, task/TID/syscall, exe), and
 *                        for a program or library that only its user may read
 *
 * Both come from the agent's file, as permitted only: where one may not be had
 * (a bounding set, no_new_privs) the agent still starts, and can say what is
 * missing. docs/privileges.md tells what each could be misused for.
 */
#ifndef HT_AGENT_SELF_PRIVILEGE_H
#define HT_AGENT_SELF_PRIVILEGE_H

#include <stdbool.h>

#include "common/err.h"

/* What is permitted is in effect from now on. First of all. */
enum ht_code ht_privilege_arrive(struct ht_err *err) HT_MUST_CHECK;
/* For files that a person named (a core file): what the agent's file gave is
 * given up, and the person's own rights decide. */
enum ht_code ht_privilege_only_own(struct ht_err *err) HT_MUST_CHECK;
/* Gives up every capability for good, in both threads. What is open and held
 * stays so. */
enum ht_code ht_privilege_drop(struct ht_err *err) HT_MUST_CHECK;

/* Whether the capability (CAP_...) is in effect in this thread. */
bool ht_privilege_has(unsigned capability);
/* In a child that opens what another process may have chosen, and then ends:
 * CAP_DAC_READ_SEARCH counts no more, so that nothing opens that we could not
 * open by ourselves. */
void ht_privilege_without_dac(void);

#endif
