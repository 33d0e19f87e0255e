/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Look: the steps that every mode is made of, over one state: a held target (or
 * none), its mappings, its roots. Whatever way a mode ends, ht_look_end lets
 * the target go.
 */
#ifndef HT_AGENT_SAMPLE_LOOK_H
#define HT_AGENT_SAMPLE_LOOK_H

#include "agent/graph/telling.h"
#include "agent/sample/session.h"
#include "agent/stop/rolling.h"
#include "agent/stop/stop.h"
#include "agent/stop/watch.h"
#include "agent/walk/marks.h"
#include "agent/walk/walk.h"

/* Of what is left of the time limit: a first look, whose roots are read once
 * more, and the roots that count. */
#define HT_LOOK_FIRST_PERCENT 25
#define HT_LOOK_ROOTS_PERCENT 50

struct ht_look {
	struct ht_session *session;
	struct ht_stopped *stop; /* NULL: nothing is held */
	struct ht_watch *watch;	 /* NULL: some thread ran */
	struct ht_maps maps;
	struct ht_roots *roots;
	struct ht_walk_in in;
	struct ht_telling *telling; /* and what is told of each, or NULL */
	struct ht_marks marks; /* the chunks, if what they are to each other is
				  asked for */
	struct ht_thread_state
		*unstopped; /* owned: threads of a running target */
	uint64_t pause_us, attempts, threads;
	uint64_t last_pause_us; /* of the last stop; pause_us is the longest */
	size_t runnable; /* ht_look_unstopped: threads that did not sleep */
	size_t missed;	 /* ht_look_rolling: threads read while they ran */
	size_t spared;	 /* ... because a stop might harm them */
	size_t woken;
	bool inside_malloc; /* the last stop found a thread in malloc */
	bool late;	    /* the time was up before all roots were read */
	/* ... by caches alone that do not add up: no thread's registers say so,
	 * and no arena is locked. */
	bool by_caches;
};

void ht_look_begin(struct ht_look *l, struct ht_session *s);
/* Frees everything, lets the target go. */
void ht_look_end(struct ht_look *l);
#define HT_AUTO_LOOK HT_CLEANUP(ht_look_end)

/* Stops the target. */
enum ht_code ht_look_stop(struct ht_look *l,
			  const struct ht_stop_limits *limits,
			  struct ht_err *err) HT_MUST_CHECK;
/* Watches a target of which every thread sleeps, until the next retry. HT_BUSY:
 * some thread runs. */
enum ht_code ht_look_watch(struct ht_look *l, struct ht_err *err) HT_MUST_CHECK;
/* Whether they all have slept since. */
bool ht_look_rested(const struct ht_look *l);
/* Takes the threads of a running target, as far as they can be known. */
enum ht_code ht_look_unstopped(struct ht_look *l,
			       struct ht_err *err) HT_MUST_CHECK;
/* Where the threads are, if nobody knows any more: it tells their stacks from
 * other mappings. Before ht_look_drop(). */
enum ht_code ht_look_stacks(struct ht_look *l,
			    struct ht_err *err) HT_MUST_CHECK;
/* Mappings of this instant: the target's, or its copy's. */
enum ht_code ht_look_maps(struct ht_look *l, pid_t pid,
			  struct ht_err *err) HT_MUST_CHECK;
/* Held threads that are inside malloc, by the mappings known, are given a
 * moment to leave it, until the deadline. Notes inside_malloc. */
enum ht_code ht_look_rest(struct ht_look *l, int64_t deadline_ns,
			  struct ht_err *err) HT_MUST_CHECK;
/* The roots, by l->in.reader. Notes inside_malloc, too. */
enum ht_code ht_look_roots(struct ht_look *l, struct ht_err *err) HT_MUST_CHECK;
/* No thread is inside malloc: what looked so of a cache is a finding. */
void ht_look_blame_cache(struct ht_look *l);
/* All three. */
enum ht_code ht_look_read(struct ht_look *l, int64_t deadline_ns,
			  struct ht_err *err) HT_MUST_CHECK;
/* As ht_look_release, but what is known of the threads stays. */
enum ht_code ht_look_release_keeping(struct ht_look *l,
				     struct ht_err *err) HT_MUST_CHECK;
/* In place of a stop and ht_look_read: mappings and arenas of the running
 * target, and the threads' caches, each while its thread stands still. */
enum ht_code ht_look_rolling(struct ht_look *l,
			     const struct ht_rolling_limits *limits,
			     struct ht_err *err) HT_MUST_CHECK;
/* When no request follows: gives up every privilege, if reading goes on
 * without. Nothing can be stopped and no file opened afterwards; what is held
 * can be let go. */
enum ht_code ht_look_drop(struct ht_look *l, struct ht_err *err) HT_MUST_CHECK;
/* Reads in so many percent of what is left of the time limit, where there is
 * one, until ht_look_freely(): where a machine has too much to do, a part that
 * is told in time is worth more than nothing. */
void ht_look_within(struct ht_look *l, int64_t percent);
/* Returns whether the time was up. */
bool ht_look_freely(struct ht_look *l);
/* The deadline (CLOCK_MONOTONIC), or the end of that part where it comes
 * before. */
int64_t ht_look_sooner(const struct ht_look *l, int64_t deadline_ns);
/* What the rest hangs on was not read: HT_TIMEOUT. */
enum ht_code ht_look_too_late(const struct ht_look *l,
			      struct ht_err *err) HT_MUST_CHECK;
/* ht_look_rolling and ht_look_stacks, anew. Without what arenas begin with
 * there is nothing to tell: where the time was up before it was read it is
 * asked for again, in a part of what is left. Notes late. HT_TIMEOUT: it never
 * was. */
enum ht_code ht_look_rolling_in_time(struct ht_look *l,
				     const struct ht_rolling_limits *limits,
				     struct ht_err *err) HT_MUST_CHECK;
/* Walks into the session's snapshot. What is at rest for good is also asked
 * what its chunks are to each other, if that is wanted. */
enum ht_code ht_look_walk(struct ht_look *l, struct ht_err *err) HT_MUST_CHECK;
/* The same within the time limit: what is not reached is uncertain, and told
 * so. What chunks are to each other is told of all of them or not at all:
 * HT_TIMEOUT. */
enum ht_code ht_look_walk_in_time(struct ht_look *l,
				  struct ht_err *err) HT_MUST_CHECK;
/* Takes out of the snapshot what the walk put in, for another one. */
void ht_look_unwalk(struct ht_look *l);
/* Lets the target go; notes pause and who ran meanwhile. */
void ht_look_release(struct ht_look *l);
/* Forgets what was read, for another attempt; sleeps a few microseconds, longer
 * with each attempt, so that a thread leaves malloc. */
void ht_look_retry(struct ht_look *l);
/* Fills snapshot.stop. */
void ht_look_report(const struct ht_look *l);

#endif
