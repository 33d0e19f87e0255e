/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/tracee.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/stop/access.h"
#include "agent/stop/restart.h"
#include "agent/stop/thread_pointer.h"

/* The counter is read before the look: if it is the same at the end, the thread
 * has been asleep from the look on. */
static bool watch(struct ht_tracee *h, DIR *tasks, unsigned word,
		  enum ht_tracee_watch which)
{
	h->runs = ht_task_runs(tasks, h->tid);
	if (h->runs == HT_RUNS_UNKNOWN ||
	    !ht_task_asleep(tasks, h->tid, &h->sleep))
		return false;
	if (ht_restart_brief(&h->sleep, word))
		return false;
	h->repair = ht_restart_needs_repair(&h->sleep, word);
	if (ht_restart_survives(&h->sleep, word) &&
	    which < (h->repair ? HT_WATCH_REPAIRED : HT_WATCH_SLEEPERS))
		return false;
	h->state = HT_TRACEE_WATCHED;
	return true;
}

/* Stopped by its owner or another tracer: no call, and no brief sleep. */
static bool is_stopped(const struct ht_tracee *h, DIR *tasks)
{
	char state;

	if (h->sleep.nr != HT_SLEEP_NO_CALL)
		return false;
	state = ht_task_state(tasks, h->tid);
	return state == 'T' || state == 't';
}

static uint64_t runs_of(const struct ht_tracee *h, DIR *tasks)
{
	return h->schedstat ? ht_task_runs_at(tasks, h->tid, h->schedstat - 1)
			    : ht_task_runs(tasks, h->tid);
}

static bool watch_any(struct ht_tracee *h, DIR *tasks, unsigned word)
{
	h->runs = runs_of(h, tasks);
	if (h->runs == HT_RUNS_UNKNOWN ||
	    !ht_task_asleep(tasks, h->tid, &h->sleep))
		return false;
	if (ht_restart_brief(&h->sleep, word) && !is_stopped(h, tasks))
		return false;
	h->state = HT_TRACEE_WATCHED;
	return true;
}

bool ht_tracee_watch(struct ht_tracee *h, DIR *tasks, pid_t tid, unsigned word)
{
	*h = (struct ht_tracee){.tid = tid, .state = HT_TRACEE_GONE};
	return watch_any(h, tasks, word);
}

bool ht_tracee_watch_open(struct ht_tracee *h, DIR *tasks, pid_t tid,
			  unsigned word)
{
	*h = (struct ht_tracee){.tid = tid, .state = HT_TRACEE_GONE};
	h->schedstat = ht_task_runs_open(tasks, tid) + 1;
	return watch_any(h, tasks, word);
}

void ht_tracee_hold_counter(struct ht_tracee *h, DIR *tasks)
{
	if (h->state == HT_TRACEE_WATCHED && !h->schedstat)
		h->schedstat = ht_task_runs_open(tasks, h->tid) + 1;
}

void ht_tracee_unwatch(struct ht_tracee *h)
{
	if (h->schedstat)
		close(h->schedstat - 1);
	h->schedstat = 0;
}

/* A sleep that was interrupted goes on as restart_syscall(2), which the filter
 * judges anew, and may punish with death. What it allows is hidden. */
static enum ht_code refuse_filtered(DIR *tasks, pid_t tid, struct ht_err *err)
{
	/* In this order: what cannot be read of one that ended is no filter. */
	if (!ht_task_filtered(tasks, tid) || ht_task_state(tasks, tid) == 0)
		return HT_OK;
	return ht_fail(
		err, HT_REFUSED,
		"thread %d has a seccomp filter, which might end the process if the thread were stopped; mode none stops nothing",
		(int)tid);
}

enum ht_code ht_tracee_seize_filtered(struct ht_tracee *h, DIR *tasks,
				      pid_t tid, struct ht_err *err)
{
	int why;
	char state;

	*h = (struct ht_tracee){.tid = tid, .state = HT_TRACEE_GONE};
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) == 0) {
		h->state = HT_TRACEE_SEIZED;
		return HT_OK;
	}
	why = errno;
	state = ht_task_state(tasks, tid);
	if (why == ESRCH || state == 0 || state == 'Z' || state == 'X')
		return HT_OK;
	return ht_access_explain(tid, why, err);
}

enum ht_code ht_tracee_seize(struct ht_tracee *h, DIR *tasks, pid_t tid,
			     struct ht_err *err)
{
	enum ht_code code = refuse_filtered(tasks, tid, err);

	*h = (struct ht_tracee){.tid = tid, .state = HT_TRACEE_GONE};
	return code == HT_OK ? ht_tracee_seize_filtered(h, tasks, tid, err)
			     : code;
}

enum ht_code ht_tracee_begin(struct ht_tracee *h, DIR *tasks, pid_t tid,
			     unsigned word, enum ht_tracee_watch which,
			     struct ht_err *err)
{
	*h = (struct ht_tracee){.tid = tid, .state = HT_TRACEE_GONE};
	if (watch(h, tasks, word, which))
		return HT_OK;
	return ht_tracee_seize(h, tasks, tid, err);
}

void ht_tracee_find_pointer(struct ht_tracee *h, struct ht_reader *reader)
{
	if (h->state == HT_TRACEE_WATCHED)
		h->thread_pointer = ht_thread_pointer(h->tid, reader);
}

struct ht_thread_state ht_tracee_registers(const struct ht_tracee *h,
					   unsigned word)
{
	struct ht_thread_state t = {.tid = h->tid};

	if (h->state == HT_TRACEE_STOPPED) {
		t.thread_pointer = ht_regs_thread_pointer(&h->regs, word);
		t.pc = ht_regs_pc(&h->regs);
		t.sp = ht_regs_sp(&h->regs);
		t.frame = ht_regs_frame(&h->regs);
		t.registers = true;
		t.whole = true;
		ht_regs_general(&h->regs, t.general);
	} else if (h->state == HT_TRACEE_WATCHED) {
		t.thread_pointer = h->thread_pointer;
		t.pc = h->sleep.pc;
		t.sp = h->sleep.sp;
		t.registers = t.thread_pointer != 0;
	}
	return t;
}

void ht_tracee_interrupt(struct ht_tracee *h)
{
	/* ESRCH: it ended; collecting will tell. */
	if (h->state != HT_TRACEE_SEIZED)
		return;
	ptrace(PTRACE_INTERRUPT, h->tid, NULL, NULL);
	h->asked = true;
}

/* An ended thread must be waited for, or it stays as a zombie of ours; its real
 * parent still hears of the process's end. A thread that is not there to be
 * waited for, and is ours still, took this id over by execve: it runs. */
static void reap(struct ht_tracee *h)
{
	siginfo_t info = {0};
	int r = waitid(P_PID, (id_t)h->tid, &info, WEXITED | WNOHANG | __WALL);

	h->state =
		r == 0 && info.si_pid == 0 ? HT_TRACEE_SEIZED : HT_TRACEE_GONE;
}

static void note_stop(struct ht_tracee *h, int status)
{
	int event = status >> 8;

	h->state = HT_TRACEE_STOPPED;
	/* Without an event it is a signal on its way to the program. */
	h->signal = event == 0 ? status & 0x7f : 0;
	if (!ht_regs_read(h->tid, &h->regs)) {
		h->state = HT_TRACEE_SEIZED; /* killed meanwhile: it will end */
		return;
	}
	if (ht_restart_repair(&h->regs))
		ht_regs_write(h->tid, &h->regs);
}

bool ht_tracee_collect(struct ht_tracee *h)
{
	siginfo_t info = {0};

	if (h->state != HT_TRACEE_SEIZED || !h->asked)
		return true;
	/* WNOWAIT: should we die from here on, the kernel still has the signal
	 * that the thread stopped with, and delivers it. */
	if (waitid(P_PID, (id_t)h->tid, &info,
		   WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) < 0) {
		h->state = HT_TRACEE_GONE;
		return true;
	}
	if (info.si_pid == 0)
		return false;
	if (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED)
		note_stop(h, info.si_status);
	else
		reap(h);
	return h->state != HT_TRACEE_SEIZED;
}

/* Where it is counted late, one that runs this very moment is not yet. */
bool ht_tracee_woke(const struct ht_tracee *h, DIR *tasks)
{
	if (h->state != HT_TRACEE_WATCHED)
		return false;
	return (h->runs & HT_RUNS_LATE &&
		ht_task_state(tasks, h->tid) == 'R') ||
	       runs_of(h, tasks) != h->runs;
}

bool ht_tracee_watch_anew(struct ht_tracee *h, DIR *tasks)
{
	if (!ht_tracee_woke(h, tasks))
		return true;
	h->runs = ht_task_runs(tasks, h->tid);
	return h->runs != HT_RUNS_UNKNOWN &&
	       ht_task_asleep(tasks, h->tid, &h->sleep);
}

void ht_tracee_run(struct ht_tracee *h)
{
	void *signal = (void *)(intptr_t)h->signal;

	if (h->state != HT_TRACEE_STOPPED)
		return;
	/* A failure means killed, or replaced: collecting will tell. */
	ptrace(PTRACE_CONT, h->tid, NULL, signal);
	h->state = HT_TRACEE_SEIZED;
	h->asked = false;
}

void ht_tracee_release(struct ht_tracee *h)
{
	void *signal = (void *)(intptr_t)h->signal;

	if (h->state != HT_TRACEE_STOPPED)
		return;
	if (ptrace(PTRACE_DETACH, h->tid, NULL, signal) == 0) {
		h->state = HT_TRACEE_GONE;
		return;
	}
	reap(h); /* killed, or replaced, while it was held */
	ht_tracee_interrupt(h);
}
