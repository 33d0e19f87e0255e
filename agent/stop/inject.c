/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/inject.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/stop/inject_int.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/system.h"

/* A thread that was let run shows within that time what came of it. */
#define PATIENCE_NS (2 * HT_NS_PER_MS)

/* Without us it comes home by itself after that time, in milliseconds. */
#define PARK_MS 20

struct injection {
	pid_t tid;
	const struct ht_regs *regs;
	struct ht_reader *reader;
	const struct ht_inject_code *code;
	const struct ht_inject_limits *limits;
	uint64_t at; /* where the chain lies in the target */
	uint64_t sigmask;
	bool hasten; /* its usual scheduling is known, and an ordinary one */
	bool late;   /* the others have been let go: no fork any more */
	bool lost;   /* something on the chain did not stop at all */
	struct chain chain;
	size_t vector_size;
};

bool ht_inject_usable(const struct ht_regs *regs)
{
	const int64_t result = ht_regs_result(regs);

	/* About to go on with a sleep that an earlier stop broke off: how much
	 * of it is left is forgotten by any return from a signal frame. */
	if (ht_regs_word(regs) != 8 || ht_regs_resumes_sleep(regs))
		return false;
	if (ht_regs_call(regs) < 0)
		return true;
	/* ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND; any other result is one.
	 */
	return (result <= -HT_ERESTARTSYS && result >= -HT_ERESTARTNOHAND) ||
	       result < -4095 || result >= 0;
}

/* --- the chain ----------------------------------------------------------- */

static struct ht_sigframe *link_at(struct injection *j, size_t offset)
{
	return (struct ht_sigframe *)(void *)((char *)&j->chain + offset);
}

/* A frame that makes one system call, and returns into the link at `next`. */
static struct ht_sigframe *put_call(struct injection *j, size_t offset,
				    size_t next)
{
	struct ht_sigframe *l = link_at(j, offset);

	ht_sigframe_enter(l, j->regs, j->code->restorer, j->code->syscall_ret,
			  j->at + next);
	return l;
}

static size_t chain_size(const struct injection *j)
{
	return AT(vector) + j->vector_size;
}

/* A thread that is in real time already needs no haste. */
static bool put_usual(struct injection *j)
{
	struct scheduling *usual = &j->chain.usual;

	return syscall(SYS_sched_getattr, j->tid, usual, sizeof(*usual), 0) ==
		       0 &&
	       (usual->policy == SCHED_OTHER || usual->policy == SCHED_BATCH ||
		usual->policy == SCHED_IDLE);
}

static size_t frame_back(const struct injection *j)
{
	return j->hasten ? AT(to_background) : AT(to_park);
}

/* What the copy does before it is read: it becomes the first that a lack of
 * memory takes, and stays until we end it. */
static void build_copy(struct injection *j)
{
	snprintf(j->chain.adjust_path, sizeof(j->chain.adjust_path),
		 "/proc/self/oom_score_adj");
	memcpy(j->chain.adjust, "1000", 4);
	ht_sigframe_open(put_call(j, AT(to_adjust), AT(to_write)),
			 j->at + AT(adjust_path), O_WRONLY);
	/* 0: all others are closed. Where there is no such file, nothing. */
	ht_sigframe_call(put_call(j, AT(to_write), AT(to_stay)), SYS_write,
			 (uint64_t[6]){0, j->at + AT(adjust), 4});
	ht_sigframe_pause(put_call(j, AT(to_stay), AT(to_copy_exit)));
	ht_sigframe_call(put_call(j, AT(to_copy_exit), AT(to_copy_exit)),
			 SYS_exit_group, (uint64_t[6]){0});
}

static enum ht_code build(struct injection *j, struct ht_err *err)
{
	enum ht_code code = ht_sigframe_vector(j->tid, j->chain.vector,
					       &j->vector_size, err);

	if (code != HT_OK)
		return code;
	j->hasten = put_usual(j);
	if (ptrace(PTRACE_GETSIGMASK, j->tid, (void *)8, &j->sigmask) < 0)
		return ht_fail_sys(err, HT_REFUSED, errno,
				   "thread %d: signal mask", (int)j->tid);
	/* The vector state must lie on a multiple of 64. */
	j->at = (ht_regs_sp(j->regs) - HT_RED_ZONE - chain_size(j) +
		 AT(vector)) &
		~UINT64_C(63);
	j->at -= AT(vector);
	build_copy(j);
	ht_sigframe_call(put_call(j, AT(to_fork), AT(to_copy_exit)), SYS_clone,
			 (uint64_t[6]){CLONE_FILES | CLONE_FS});
	ht_sigframe_call(
		put_call(j, AT(to_wait), frame_back(j)), SYS_wait4,
		(uint64_t[6]){(uint64_t)-1, 0, __WCLONE | __WNOTHREAD});
	ht_sigframe_call(put_call(j, AT(to_background), AT(to_park)),
			 SYS_sched_setattr,
			 (uint64_t[6]){0, j->at + AT(usual)});
	ht_sigframe_sleep(put_call(j, AT(to_park), AT(to_home)), PARK_MS);
	ht_sigframe_home(&j->chain.to_home, j->regs, j->code->restorer,
			 j->at + AT(vector), j->sigmask);
	return HT_OK;
}

/* Needs the right to trace, and memory that the target itself may write. */
static enum ht_code write_chain(const struct injection *j, struct ht_err *err)
{
	size_t n = chain_size(j);
	const struct iovec ours = {(void *)(uintptr_t)&j->chain, n};
	const struct iovec theirs = {(void *)j->at, n};

	if (process_vm_writev(j->tid, &ours, 1, &theirs, 1, 0) != (ssize_t)n)
		return ht_fail(err, HT_REFUSED,
			       "thread %d has no %zu bytes of stack left",
			       (int)j->tid, n + HT_RED_ZONE);
	return HT_OK;
}

/* --- the fork ------------------------------------------------------------ */

/* Whether the stopped thread or helper is on the chain still. Where the kernel
 * refused the first fork, the thread has come home already. */
static bool on_chain(const struct injection *j, pid_t pid)
{
	struct ht_regs r;

	return ht_regs_read(pid, &r) && ht_regs_sp(&r) >= j->at &&
	       ht_regs_sp(&r) < j->at + chain_size(j);
}

/* The others have stood still for long enough. */
static void be_late(struct injection *j)
{
	if (j->late || ht_mono_ns() < j->limits->soon_ns)
		return;
	j->late = true;
	j->limits->let_others_go(j->limits->ctx);
}

/* The next stop of a process on the chain, asked for if none comes by itself: a
 * fork that was refused shows by nothing else. Negative: it is not there any
 * more. */
static int stop_on_chain(struct injection *j, pid_t pid)
{
	int status = NO_STOP;

	while (status == NO_STOP && ht_mono_ns() < j->limits->deadline_ns) {
		status = ht_inject_next_stop(pid, ht_mono_ns() + PATIENCE_NS);
		if (status != NO_STOP)
			break;
		ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
		be_late(j);
	}
	j->lost |= status == NO_STOP;
	return status >= 0 && on_chain(j, pid) ? status : NO_STOP;
}

/* Sets the registers of one that is stopped on the chain to make this call and
 * to return into the link at `next`. */
static bool set_call(const struct injection *j, pid_t pid, long nr, uint64_t a,
		     uint64_t b, size_t next)
{
	struct ht_regs r = *j->regs;

	ht_regs_make_call(&r, j->code->syscall_ret, j->at + next, nr,
			  (uint64_t[3]){a, b});
	return ht_regs_write(pid, &r);
}

/* Lets pid run until it stops for this event. The event's message is the new
 * process; -1: there will be none: pid has stopped elsewhere, or it is late and
 * pid, stopped, will go on without the call it was sent for. On the way stops
 * that we asked for are passed over, and a SIGSTOP (all other signals are
 * blocked) takes effect, which the kernel remembers when the thread is let go.
 * PTRACE_CONT only: a stop at a system call (PTRACE_SYSCALL)
 * would leave a SIGTRAP behind if we died in it; the stop for an event does
 * not. */
static pid_t run_to_event(struct injection *j, pid_t pid, int event)
{
	unsigned long message = 0;
	int status = 0;

	do {
		if (!ht_inject_run_on(pid, status))
			return -1;
		status = stop_on_chain(j, pid);
	} while (status >= 0 && status >> 8 != event && !j->late);
	if (status >= 0 && status >> 8 != event)
		set_call(j, pid, SYS_getpid, 0, 0,
			 pid == j->tid ? frame_back(j) : AT(to_copy_exit));
	if (status < 0 || status >> 8 != event ||
	    ptrace(PTRACE_GETEVENTMSG, pid, NULL, &message) < 0)
		return -1;
	return (pid_t)message;
}

/* Before all ordinary work, as we are, and behind us: its way on the chain is
 * short, and every thread of its process waits for it. It ends that by itself
 * (to_background). Where it is refused the way only takes longer. */
static void hasten(const struct injection *j)
{
	const struct sched_param lowest = {.sched_priority = 1};

	if (j->hasten)
		sched_setscheduler(j->tid, SCHED_FIFO, &lowest);
}

static bool start(struct injection *j)
{
	const uint64_t all = ~UINT64_C(0);

	if (ptrace(PTRACE_SETOPTIONS, j->tid, NULL,
		   (void *)(uintptr_t)(PTRACE_O_TRACEVFORK |
				       PTRACE_O_TRACECLONE)) < 0 ||
	    !set_call(j, j->tid, SYS_clone,
		      CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_FS,
		      j->at + AT(to_fork), AT(to_wait)) ||
	    ptrace(PTRACE_SETSIGMASK, j->tid, (void *)8, &all) < 0)
		return false;
	hasten(j);
	return true;
}

static enum ht_code explain(const struct injection *j, struct ht_err *err)
{
	if (j->lost)
		return ht_fail(err, HT_TIMEOUT,
			       "thread %d was to fork, and does not stop",
			       (int)j->tid);
	if (j->late)
		return ht_fail(
			err, HT_BUSY,
			"thread %d did not come to fork in time: the machine is too busy",
			(int)j->tid);
	return ht_fail(
		err, HT_SYS,
		"process of thread %d could not be forked: no more processes or memory allowed",
		(int)j->tid);
}

static bool is_parked(const struct injection *j)
{
	struct ht_regs r;

	return ht_regs_read(j->tid, &r) &&
	       ht_regs_sp(&r) == j->at + AT(to_home);
}

/* The chain's last link enters an interrupted call anew, and would hide from it
 * a signal that came meanwhile. So the thread gets all that it had when it was
 * stopped: the kernel itself then decides between restarting the call and
 * EINTR. Its registers last: until then it comes home by itself. */
static void put_back(struct injection *j)
{
	ht_sigframe_put_back(j->tid, j->regs, j->chain.vector, &j->sigmask);
}

/* Leaves the thread stopped where it was before, and returns the status of that
 * stop; or it ended, or it is on its way still at the deadline, and comes home
 * by itself. */
static int fetch_home(struct injection *j)
{
	struct timespec moment = {.tv_nsec = FETCH_NS};
	int status = NO_STOP;

	while (!j->lost && ht_mono_ns() < j->limits->deadline_ns) {
		status = ht_inject_next_stop(j->tid, j->limits->deadline_ns);
		if (status < 0 || !on_chain(j, j->tid))
			break;
		if (is_parked(j)) {
			put_back(j);
			break;
		}
		if (!ht_inject_run_on(j->tid, status))
			break;
		ht_inject_ask_to_stop(j->tid, &moment);
	}
	return status;
}

static enum ht_code fork_it(struct injection *j, pid_t *ret_copy,
			    struct ht_err *err)
{
	pid_t helper, copy = -1;
	bool forked;
	int status;

	if (!start(j))
		return ht_fail_sys(err, HT_SYS, errno, "thread %d: registers",
				   (int)j->tid);
	helper = run_to_event(j, j->tid, PTRACE_EVENT_VFORK);
	if (helper > 0 && stop_on_chain(j, helper) >= 0)
		copy = run_to_event(j, helper, PTRACE_EVENT_CLONE);
	if (helper > 0)
		ptrace(PTRACE_DETACH, helper, NULL, NULL);
	forked = copy > 0 && !j->late;
	if (forked)
		j->limits->let_others_go(j->limits->ctx);
	else
		ht_inject_end(copy);
	status = fetch_home(j);
	if (!forked)
		return explain(j, err);
	if (ptrace(PTRACE_DETACH, j->tid, NULL, ht_inject_signal_of(status)) <
		    0 &&
	    ht_mono_ns() >= j->limits->deadline_ns) {
		j->lost = true;
		ht_inject_end(copy);
		return explain(j, err);
	}
	*ret_copy = copy;
	return HT_OK;
}

enum ht_code ht_inject_fork(pid_t tid, const struct ht_regs *regs,
			    const struct ht_inject_code *found,
			    const struct ht_inject_limits *limits,
			    struct ht_reader *reader, pid_t *ret_copy,
			    struct ht_err *err)
{
	HT_AUTO_FREE struct injection *j = calloc(1, sizeof(*j));
	enum ht_code code;

	if (!j)
		return ht_fail(err, HT_NOMEM, "no memory to fork");
	j->tid = tid;
	j->regs = regs;
	j->reader = reader;
	j->code = found;
	j->limits = limits;
	code = ht_inject_check(found, reader, err);
	if (code == HT_OK)
		code = build(j, err);
	if (code == HT_OK)
		code = write_chain(j, err);
	return code == HT_OK ? fork_it(j, ret_copy, err) : code;
}
