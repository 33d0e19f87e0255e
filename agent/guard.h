/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guard: what ends the agent when our own code cannot. The kernel does it in
 * every case, and a tracer's end lets its tracees run on.
 */
#ifndef HT_AGENT_GUARD_H
#define HT_AGENT_GUARD_H

#include "common/err.h"

/* Dies with its parent; no core file; no descriptor but 0-3. HT_GONE: the
 * parent has ended already. */
enum ht_code ht_guard_arrive(struct ht_err *err) HT_MUST_CHECK;
/* SIGALRM at its default action after timeout_ms from now; 0: never. */
void ht_guard_alarm(uint64_t timeout_ms);

#endif
