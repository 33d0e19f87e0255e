/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restart: what a stop does to a system call, and how it is undone.
 *
 * PTRACE_INTERRUPT wakes a sleeping thread. Most calls then restart by
 * themselves, keeping their deadline. Some return EINTR although no signal came
 * (epoll_wait, semop, sigtimedwait, io_getevents, sockets with a timeout), and
 * a few return early with a short count (a pipe half written). docs/adr/0004
 * lists each with what was measured.
 *
 * Two rules follow. A thread asleep in a call that is not known to survive an
 * interrupt is not interrupted, it is watched. And where EINTR came up all the
 * same, because the thread fell asleep between our look and our interrupt, rax
 * becomes -ERESTARTNOHAND: the kernel then restarts the call, unless a signal
 * handler is to run, which is when EINTR is what the program must get.
 */
#ifndef HT_AGENT_STOP_RESTART_H
#define HT_AGENT_STOP_RESTART_H

#include <stdbool.h>

#include "agent/arch/arch.h"
#include "agent/stop/tasks.h"

/* Whether a thread sleeping there can be interrupted without its program
 * noticing. word: 8 or 4, the target's. */
bool ht_restart_survives(const struct ht_sleep *sleep, unsigned word);

/* Whether it survives only because its EINTR is mended before it goes on:
 * should we end in between, its program sees that. */
bool ht_restart_needs_repair(const struct ht_sleep *sleep, unsigned word);

/* Whether the call sleeps only for a moment, and uninterruptibly: on the
 * mapping lock, on a page. Such a thread is held: it stops when the call is
 * over. */
bool ht_restart_brief(const struct ht_sleep *sleep, unsigned word);

/* Turns an EINTR that only our interrupt can have caused into a restart. True
 * when regs were changed and must be written back. */
bool ht_restart_repair(struct ht_regs *regs);

#endif
