/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thread pointer of a thread that is not stopped. glibc registers each thread's
 * robust futex list, whose head lies in the thread's descriptor; the descriptor
 * begins with a pointer to itself, twice (tcbhead_t: tcb, dtv, self), which is
 * looked for below the head and proves itself.
 */
#ifndef HT_AGENT_STOP_THREAD_POINTER_H
#define HT_AGENT_STOP_THREAD_POINTER_H

#include "agent/memory/reader.h"

/* 0 when it cannot be told: not glibc's thread, or gone. */
uint64_t ht_thread_pointer(pid_t tid, struct ht_reader *reader);

#endif
