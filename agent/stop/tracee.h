/* SPDX-License-Identifier: Apache-2.0 */
/* Tracee: one thread of a stopped target, from the first look to letting go. */
#ifndef HT_AGENT_STOP_TRACEE_H
#define HT_AGENT_STOP_TRACEE_H

#include "agent/arch/arch.h"
#include "agent/memory/reader.h"
#include "agent/memory/thread_state.h"
#include "agent/stop/tasks.h"

enum ht_tracee_state {
	HT_TRACEE_WATCHED, /* asleep in the kernel, not touched */
	HT_TRACEE_SEIZED,  /* ours, still running */
	HT_TRACEE_STOPPED,
	HT_TRACEE_GONE, /* ended, or let go */
};

/* Which of the threads that sleep are not to be interrupted. */
enum ht_tracee_watch {
	HT_WATCH_UNSAFE,   /* those whose program would notice */
	HT_WATCH_REPAIRED, /* and those whose EINTR would have to be mended */
	HT_WATCH_SLEEPERS, /* all */
};

struct ht_tracee {
	pid_t tid;
	enum ht_tracee_state state;
	bool asked;    /* SEIZED: to stop */
	bool repair;   /* it sleeps where an interrupt must be mended at once */
	int signal;    /* STOPPED: to be delivered when it goes on; or 0 */
	uint64_t runs; /* WATCHED: its run counter before we looked */
	int schedstat; /* where to read it again, + 1; 0: by its name */
	struct ht_regs regs;	 /* STOPPED */
	struct ht_sleep sleep;	 /* WATCHED */
	uint64_t thread_pointer; /* WATCHED; 0: unknown */
};

/* Looks at the thread and either watches or seizes it (without stopping it).
 * word: 8 or 4. HT_OK with HT_TRACEE_GONE when it ended meanwhile; HT_REFUSED:
 * to stop it might end the process. */
enum ht_code ht_tracee_begin(struct ht_tracee *h, DIR *tasks, pid_t tid,
			     unsigned word, enum ht_tracee_watch which,
			     struct ht_err *err) HT_MUST_CHECK;
/* Seizes it, wherever it is. HT_REFUSED as above; HT_OK with HT_TRACEE_GONE
 * when it ended. */
enum ht_code ht_tracee_seize(struct ht_tracee *h, DIR *tasks, pid_t tid,
			     struct ht_err *err) HT_MUST_CHECK;
/* The same of one whose filter is known to allow what a stop leads to. */
enum ht_code ht_tracee_seize_filtered(struct ht_tracee *h, DIR *tasks,
				      pid_t tid,
				      struct ht_err *err) HT_MUST_CHECK;
/* Watches a thread that sleeps, whatever in, or is stopped by another; false:
 * it runs, or is about to. Nothing of it is touched. */
bool ht_tracee_watch(struct ht_tracee *h, DIR *tasks, pid_t tid, unsigned word);
/* The same, and its counter, which is asked for some times in a look, is held
 * open until ht_tracee_unwatch, in both cases. */
bool ht_tracee_watch_open(struct ht_tracee *h, DIR *tasks, pid_t tid,
			  unsigned word);
/* Holds the counter of one that is watched open: whoever gives up his rights
 * amid a look can open it no more, and a thread of which nothing is known may
 * have run. */
void ht_tracee_hold_counter(struct ht_tracee *h, DIR *tasks);
void ht_tracee_unwatch(struct ht_tracee *h);
/* The thread pointer of a watched thread is in the target's memory. */
void ht_tracee_find_pointer(struct ht_tracee *h, struct ht_reader *reader);
/* Registers of a thread that is stopped or watched. */
struct ht_thread_state ht_tracee_registers(const struct ht_tracee *h,
					   unsigned word);
/* Asks a seized thread to stop. */
void ht_tracee_interrupt(struct ht_tracee *h);
/* Lets a stopped thread run, still seized; a signal goes with it. */
void ht_tracee_run(struct ht_tracee *h);
/* Takes note if it has stopped or ended; never blocks. False: it was asked to,
 * and still runs. */
bool ht_tracee_collect(struct ht_tracee *h);
/* Whether a watched thread ran since we looked. */
bool ht_tracee_woke(const struct ht_tracee *h, DIR *tasks);
/* Watches a watched thread from now on; false: it does not sleep. */
bool ht_tracee_watch_anew(struct ht_tracee *h, DIR *tasks);
/* Lets it go, with the signal that it was about to get. */
void ht_tracee_release(struct ht_tracee *h);

#endif
