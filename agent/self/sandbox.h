/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sandbox: what the agent may still do once it looks at a target's bytes.
 * docs/privileges.md has the table.
 */
#ifndef HT_AGENT_SELF_SANDBOX_H
#define HT_AGENT_SELF_SANDBOX_H

#include "common/err.h"

/* no_new_privs and a seccomp filter: read files, read and hold the target,
 * answer on the socket; no network, no new process, no writing to any file, no
 * exec. Any other system call ends the agent, and the target runs on. */
enum ht_code ht_sandbox_enter(struct ht_err *err) HT_MUST_CHECK;
/* From now on no file is opened and nobody is seized: both are refused with
 * EACCES. What is open and held stays so. After ht_sandbox_enter(). */
enum ht_code ht_sandbox_close(struct ht_err *err) HT_MUST_CHECK;

#endif
