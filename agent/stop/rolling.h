/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rolling stop: each thread of a process stands still for a moment, in turn,
 * where to hold all of them at once would take longer than was allowed. A
 * thread that sleeps is watched, as in a stop. One that runs is asked to stop:
 * if it was on a processor it does so at once, is looked at and let go; if it
 * was waiting for one it runs nothing before it stops, is looked at meanwhile,
 * and let go as soon as it gets there. None is ever held for longer than its
 * own look.
 *
 * Where nobody may be stopped, the same with every thread running: most of many
 * wait for a processor, and a cache that is caught in the midst of a change is
 * looked at again.
 */
#ifndef HT_AGENT_STOP_ROLLING_H
#define HT_AGENT_STOP_ROLLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/memory/reader.h"
#include "agent/memory/thread_state.h"
#include "common/err.h"

struct ht_rolling_limits {
	int64_t hold_ns;  /* no thread is held longer; 0: none is stopped */
	int64_t until_ns; /* CLOCK_MONOTONIC: no turn begins later */
	bool realtime;	  /* SCHED_FIFO, if allowed */
};

/* What is done in a thread's turn. */
struct ht_rolling_visit {
	/* HT_BUSY: it stands in the midst of something, at another moment.
	 * last: there is none, what can be read counts. */
	enum ht_code (*look)(void *ctx, const struct ht_thread_state *t,
			     bool last, struct ht_err *err);
	/* Takes the last look back: the thread did not stand still. */
	void (*forget)(void *ctx);
	void *ctx;
};

struct ht_rolling_report {
	uint64_t pause_us; /* the longest that one thread was held */
	size_t held;	   /* threads that were stopped */
	size_t missed;	   /* threads that were looked at while they ran */
	size_t spared;	   /* and those that were not asked to stop, because
			      their program might notice (tracee.h) */
	size_t unread;	   /* threads of which nothing was read in time */
	bool stuck;	   /* as in ht_stop_report */
};

/* A turn for every thread, those that appear meanwhile too. Each thread is
 * looked at once: where no turn succeeded, while it runs. Nothing is held
 * afterwards. The report is filled on errors too. */
enum ht_code ht_rolling_stop(pid_t pid, const struct ht_rolling_limits *limits,
			     struct ht_reader *reader,
			     const struct ht_rolling_visit *look,
			     struct ht_rolling_report *ret,
			     struct ht_err *err) HT_MUST_CHECK;

#endif
