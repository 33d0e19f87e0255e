/* SPDX-License-Identifier: Apache-2.0 */
/* The copy, from its birth to its end; and how those on the chain stop. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/self/guard.h"
#include "agent/stop/inject.h"
#include "agent/stop/inject_int.h"
#include "agent/stop/sigchld.h"
#include "common/system.h"

int ht_inject_next_stop(pid_t pid, int64_t deadline_ns)
{
	for (;;) {
		siginfo_t info = {0};

		if (waitid(P_PID, (id_t)pid, &info,
			   WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
			return ENDED;
		if (info.si_pid != 0 && info.si_code != CLD_TRAPPED &&
		    info.si_code != CLD_STOPPED) {
			waitid(P_PID, (id_t)pid, &info,
			       WEXITED | WNOHANG | __WALL);
			return ENDED;
		}
		if (info.si_pid != 0)
			return info.si_status;
		if (ht_mono_ns() >= deadline_ns)
			return NO_STOP;
		ht_sigchld_wait(deadline_ns);
	}
}

void *ht_inject_signal_of(int status)
{
	int signal = status > 0 && status >> 8 == 0 ? status & 0x7f : 0;

	return (void *)(intptr_t)signal;
}

bool ht_inject_run_on(pid_t pid, int status)
{
	return ptrace(PTRACE_CONT, pid, NULL, ht_inject_signal_of(status)) == 0;
}

void ht_inject_ask_to_stop(pid_t pid, struct timespec *moment)
{
	nanosleep(moment, NULL);
	if (moment->tv_nsec < FETCH_MAX_NS)
		moment->tv_nsec *= 2;
	ht_guard_beat();
	if (ht_inject_next_stop(pid, 0) == NO_STOP)
		ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
}

/* The copy stands at its birth. Its descriptors go first, in a table of its
 * own: what they hold open (a port, a lock, the end of a pipe) is the target's
 * to close. Then the links of build_copy(). */
static bool send_copy_off(pid_t copy)
{
	struct ht_regs r;

	if (!ht_regs_read(copy, &r))
		return false;
	/* at the system call that it was born in */
	ht_regs_call_anew(&r, AT(to_adjust) - AT(to_copy_exit), SYS_close_range,
			  (uint64_t[3]){0, UINT32_MAX, CLOSE_RANGE_UNSHARE});
	return ht_regs_write(copy, &r);
}

/* Its next step is then its exit, not the same sleep again. */
static bool stays(pid_t copy)
{
	struct ht_regs r;

	if (!ht_regs_read(copy, &r) || !ht_call_is_pause(ht_regs_call(&r)))
		return false;
	ht_regs_leave_call(&r);
	return ht_regs_write(copy, &r);
}

/* Until it stands where it stays. */
static bool settle_copy(pid_t copy, int64_t deadline_ns)
{
	struct timespec moment = {.tv_nsec = FETCH_NS};

	while (!stays(copy)) {
		if (ht_mono_ns() >= deadline_ns || !ht_inject_run_on(copy, 0))
			return false;
		ht_inject_ask_to_stop(copy, &moment);
		if (ht_inject_next_stop(copy, deadline_ns) < 0)
			return false;
	}
	return true;
}

enum ht_code ht_inject_take(pid_t copy, int64_t deadline_ns, struct ht_err *err)
{
	const struct sched_param ordinary = {.sched_priority = 0};
	int status = ht_inject_next_stop(copy, deadline_ns);

	sched_setscheduler(copy, SCHED_OTHER, &ordinary);
	if (status >= 0 &&
	    ptrace(PTRACE_SETOPTIONS, copy, NULL,
		   (void *)(uintptr_t)PTRACE_O_EXITKILL) == 0 &&
	    send_copy_off(copy) && settle_copy(copy, deadline_ns))
		return HT_OK;
	if (status != ENDED)
		ht_inject_end(copy);
	return ht_fail(err, HT_SYS, "the copy %d ended", (int)copy);
}

void ht_inject_end(pid_t copy)
{
	if (copy <= 0)
		return;
	/* Ours since birth: the id cannot have passed to another process. It is
	 * another user's, whom kill(2) needs CAP_KILL for; a tracer needs none.
	 * (Before Linux 5.18 that lets it run on, into its exit_group.) */
	ptrace(PTRACE_KILL, copy, NULL, NULL);
	for (;;) {
		siginfo_t info = {0};

		/* A stop of one that we trace is told whether asked for or not.
		 */
		if (waitid(P_PID, (id_t)copy, &info, WEXITED | __WALL) < 0 ||
		    info.si_code == CLD_EXITED || info.si_code == CLD_KILLED ||
		    info.si_code == CLD_DUMPED)
			return;
		ptrace(PTRACE_KILL, copy, NULL, NULL);
	}
}
