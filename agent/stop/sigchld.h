/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGCHLD, blocked and never handled, tells that some thread has stopped: to
 * wait for it costs no processor time, and has a limit.
 */
#ifndef HT_AGENT_STOP_SIGCHLD_H
#define HT_AGENT_STOP_SIGCHLD_H

#include <signal.h>
#include <stdint.h>

/* Blocks it; sigprocmask(SIG_SETMASK, old) undoes that. */
void ht_sigchld_block(sigset_t *ret_old);
/* Sleeps until some thread stops or the deadline (CLOCK_MONOTONIC) comes. */
void ht_sigchld_wait(int64_t deadline_ns);
/* The same, but not for long: when a thread has stopped is known only to lie
 * between two looks at it. */
void ht_sigchld_wait_briefly(void);

#endif
