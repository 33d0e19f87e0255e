/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Helper: a second thread of ours, which shares the work of a long walk.
 *
 * It traces nothing and decides nothing: it is handed a job, and its result is
 * waited for. It exists so that a stop is shorter, and ends in time although a
 * read hangs. Where there is none, or it is busy, the caller does the job
 * itself: the figures are the same.
 */
#ifndef HT_AGENT_SELF_HELPER_H
#define HT_AGENT_SELF_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Starts the thread, once a process: before the sandbox, which lets none be
 * created. Without effect when it cannot be had. A child of fork has none. */
void ht_helper_start(void);
/* Hands it a job. false: there is no helper, or it has a job already. Whoever
 * got true must wait. */
bool ht_helper_run(void (*job)(void *ctx), void *ctx);
void ht_helper_wait(void);
/* At most so long; true: it is done. */
bool ht_helper_wait_for(int64_t ns);
/* 0: there is none. */
pid_t ht_helper_tid(void);

#endif
