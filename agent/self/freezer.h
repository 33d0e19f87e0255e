/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Freezer: the freezer of cgroup v1 stops us so that not even SIGKILL ends us.
 * Whoever freezes our group while we hold a thread would freeze it, too. (The
 * one of v2 lets a frozen process be killed.)
 */
#ifndef HT_AGENT_SELF_FREEZER_H
#define HT_AGENT_SELF_FREEZER_H

#include "common/err.h"

/* Moves this process, and nothing else of it, to the root of that hierarchy,
 * which cannot be frozen. Before the sandbox; root may, others may not. */
void ht_freezer_leave(void);
/* HT_REFUSED: we can be frozen, nothing may be held. */
enum ht_code ht_freezer_check(struct ht_err *err) HT_MUST_CHECK;

#endif
