/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frozen: whether a freezer of control groups holds the process. Under v1's no
 * thread can be stopped, and one that was seized is not let go but by our end;
 * under v2's threads can be stopped and let go, yet none runs a line. Either
 * may be told only a moment later that a process is to be frozen: what is begun
 * has a limit of its own.
 */
#ifndef HT_AGENT_STOP_FROZEN_H
#define HT_AGENT_STOP_FROZEN_H

#include <sys/types.h>

#include "common/err.h"

/* HT_REFUSED: no thread of it can be stopped. */
enum ht_code ht_frozen_check_stop(pid_t pid, struct ht_err *err) HT_MUST_CHECK;
/* HT_REFUSED: no thread of it runs what we would have it run. Where control
 * groups are not to be seen this is not known, and HT_OK. */
enum ht_code ht_frozen_check_run(pid_t pid, struct ht_err *err) HT_MUST_CHECK;

#endif
