/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watch: all threads of a target while they sleep, none of them touched. A
 * thread asleep in the kernel changes nothing of its program's; its run counter
 * tells afterwards whether it slept all the time. So a target that rests is
 * read as of one instant without being stopped, or traced, at all.
 */
#ifndef HT_AGENT_STOP_WATCH_H
#define HT_AGENT_STOP_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "agent/memory/reader.h"
#include "agent/memory/thread_state.h"
#include "common/cleanup.h"
#include "common/err.h"

struct ht_watch; /* opaque: every thread, and what its counter was */

/* HT_BUSY: some thread runs, or is about to. reader: borrowed, for thread
 * pointers. The caller frees *ret with ht_watch_end. */
enum ht_code ht_watch_begin(pid_t pid, struct ht_reader *reader,
			    struct ht_watch **ret,
			    struct ht_err *err) HT_MUST_CHECK;
/* Each thread as far as it can be known; borrowed until the end. */
const struct ht_thread_state *ht_watch_threads(const struct ht_watch *w,
					       size_t *ret_n);
/* Whether every thread has slept since the beginning: what was read since is of
 * one instant. It needs no privilege. */
bool ht_watch_unbroken(const struct ht_watch *w);
/* NULL is fine. */
void ht_watch_end(struct ht_watch *w);

#endif
