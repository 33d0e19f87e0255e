/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stop/call.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "agent/stop/inject_int.h"
#include "agent/stop/tasks.h"
#include "common/cleanup.h"
#include "common/clock.h"

/* Without us it comes home by itself after that time, in milliseconds. */
#define PARK_MS 100

/* All that is written below the stack, lowest address first. A function is
 * entered with sp on its return address and sp % 16 == HT_ENTRY_SP: where the
 * link lies that it returns to. */
struct path {
	struct ht_sigframe to_function;
	struct ht_sigframe to_errno;
	struct ht_sigframe to_park;
	struct ht_sigframe to_home;
	uint64_t nobody; /* a futex that nobody waits for */
	uint64_t padding[7];
	uint8_t vector[HT_VECTOR_MAX + 4];
};
#define ON_PATH(member) offsetof(struct path, member)

struct ht_call {
	pid_t tid;
	const struct ht_regs *regs;
	uint64_t at; /* where the path lies in the target */
	uint64_t sigmask;
	size_t vector_size;
	DIR *tasks;
	bool gone;
	struct path path;
};

size_t ht_call_room(void)
{
	return HT_RED_ZONE + sizeof(struct path) + 64 + HT_CALL_FUNCTION_ROOM;
}

static size_t path_size(const struct ht_call *c)
{
	return ON_PATH(vector) + c->vector_size;
}

/* --- building ------------------------------------------------------------ */

/* A system call that makes a word of the caller's what it was: FUTEX_WAKE_OP
 * sets its second word, whoever waits. The value has twelve bits there. */
static enum ht_code put_errno(struct ht_call *c, uint64_t at,
			      const struct ht_inject_code *code,
			      struct ht_reader *reader, struct ht_err *err)
{
	uint32_t word = 0;
	enum ht_code made = ht_reader_u32(reader, at, &word, err);

	if (made != HT_OK || (int32_t)word < -2048 || (int32_t)word > 2047)
		return ht_fail(err, HT_REFUSED,
			       "thread %d: its errno could not be put back",
			       (int)c->tid);
	ht_sigframe_enter(&c->path.to_errno, c->regs, code->restorer,
			  code->syscall_ret, c->at + ON_PATH(to_park));
	ht_sigframe_call(&c->path.to_errno, SYS_futex,
			 (uint64_t[6]){
				 c->at + ON_PATH(nobody),
				 FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG,
				 [4] = at,
				 [5] = (uint32_t)FUTEX_OP_SET << 28 |
				       (word & 0xfffu) << 12,
			 });
	return HT_OK;
}

static enum ht_code build(struct ht_call *c, const struct ht_call_what *what,
			  const struct ht_inject_code *code,
			  struct ht_reader *reader, struct ht_err *err)
{
	enum ht_code made = ht_sigframe_vector(c->tid, c->path.vector,
					       &c->vector_size, err);

	if (made != HT_OK)
		return made;
	if (ptrace(PTRACE_GETSIGMASK, c->tid, (void *)8, &c->sigmask) < 0)
		return ht_fail_sys(err, HT_REFUSED, errno,
				   "thread %d: signal mask", (int)c->tid);
	/* The vector state must lie on a multiple of 64. */
	c->at = (ht_regs_sp(c->regs) - HT_RED_ZONE - path_size(c) +
		 ON_PATH(vector)) &
		~UINT64_C(63);
	c->at -= ON_PATH(vector);
	ht_sigframe_enter(&c->path.to_function, c->regs, code->restorer,
			  what->function, c->at + ON_PATH(to_errno));
	ht_sigframe_enter(&c->path.to_park, c->regs, code->restorer,
			  code->syscall_ret, c->at + ON_PATH(to_home));
	ht_sigframe_sleep(&c->path.to_park, PARK_MS);
	ht_sigframe_home(&c->path.to_home, c->regs, code->restorer,
			 c->at + ON_PATH(vector), c->sigmask);
	return put_errno(c, what->errno_at, code, reader, err);
}

_Static_assert((ON_PATH(vector) - ON_PATH(to_errno)) % 16 == HT_ENTRY_SP,
	       "a function is entered with another sp");

/* Whether the function has its stack: a guard page, or the end of the mapping,
 * cannot be read. */
static bool has_room(const struct ht_call *c, struct ht_reader *reader)
{
	const uint64_t lowest = c->at - HT_CALL_FUNCTION_ROOM;
	char byte;

	if (ht_regs_sp(c->regs) < 2 * ht_call_room())
		return false;
	for (uint64_t at = lowest; at < c->at; at += HT_PAGE_SIZE)
		if (ht_reader_some(reader, at, &byte, 1) != 1)
			return false;
	return true;
}

static enum ht_code write_path(const struct ht_call *c,
			       struct ht_reader *reader, struct ht_err *err)
{
	size_t n = path_size(c);
	const struct iovec ours = {(void *)(uintptr_t)&c->path, n};
	const struct iovec theirs = {(void *)c->at, n};

	if (!has_room(c, reader) ||
	    process_vm_writev(c->tid, &ours, 1, &theirs, 1, 0) != (ssize_t)n)
		return ht_fail(err, HT_REFUSED,
			       "thread %d has no %zu bytes of stack left",
			       (int)c->tid, ht_call_room());
	return HT_OK;
}

/* The registers are the one step: before it nothing has changed, after it the
 * chain does all. The mask comes after it, and goes with the first frame too: a
 * signal that comes while the thread stands is to find it in its own call, when
 * that is given back, and not here, where the handler would run and the call be
 * entered anew. */
static enum ht_code start(const struct ht_call *c,
			  const struct ht_inject_code *code, struct ht_err *err)
{
	const uint64_t all = ~UINT64_C(0);
	struct ht_regs r = *c->regs;

	/* As after the return into the restorer. */
	ht_regs_return_into(&r, code->restorer,
			    c->at + ON_PATH(to_function) + sizeof(uint64_t));
	if (!ht_regs_write(c->tid, &r))
		return ht_fail_sys(err, errno == ESRCH ? HT_GONE : HT_REFUSED,
				   errno, "thread %d: registers", (int)c->tid);
	ptrace(PTRACE_SETSIGMASK, c->tid, (void *)8, &all);
	ht_inject_run_on(c->tid, 0);
	return HT_OK;
}

static void free_call(struct ht_call *c)
{
	if (c->tasks)
		closedir(c->tasks);
	free(c);
}

static enum ht_code begin(struct ht_call *c, const struct ht_call_what *what,
			  const struct ht_inject_code *code,
			  struct ht_reader *reader, struct ht_err *err)
{
	enum ht_code made = ht_tasks_open(c->tid, &c->tasks, err);

	if (made == HT_OK)
		made = ht_inject_check(code, reader, err);
	if (made == HT_OK)
		made = build(c, what, code, reader, err);
	if (made == HT_OK)
		made = write_path(c, reader, err);
	return made == HT_OK ? start(c, code, err) : made;
}

enum ht_code ht_call_begin(pid_t tid, const struct ht_regs *regs,
			   const struct ht_call_what *what,
			   const struct ht_inject_code *code,
			   struct ht_reader *reader, struct ht_call **ret,
			   struct ht_err *err)
{
	struct ht_call *c = calloc(1, sizeof(*c));
	enum ht_code made;

	if (!c)
		return ht_fail(err, HT_REFUSED, "no memory for a call");
	c->tid = tid;
	c->regs = regs;
	made = begin(c, what, code, reader, err);
	if (made == HT_OK)
		*ret = c;
	else
		free_call(c);
	return made;
}

/* --- coming back --------------------------------------------------------- */

static bool on_path(const struct ht_call *c, uint64_t sp)
{
	return sp >= c->at && sp < c->at + path_size(c);
}

bool ht_call_returned(struct ht_call *c)
{
	int status = ht_inject_next_stop(c->tid, 0);
	struct ht_sleep sleep;

	if (status == ENDED) {
		c->gone = true;
		return true;
	}
	/* A stop of its process, on the way: it goes on under it. */
	if (status != NO_STOP)
		ht_inject_run_on(c->tid, status);
	if (!ht_task_asleep(c->tasks, c->tid, &sleep))
		return false;
	/* Parked; or, if we were late, asleep where it was before. */
	return (ht_call_is_sleep(sleep.nr) && on_path(c, sleep.sp)) ||
	       sleep.sp >= ht_regs_sp(c->regs);
}

bool ht_call_alive(const struct ht_call *c)
{
	return !c->gone;
}

/* Stopped, and not inside the function: whether it is parked, or home. */
static bool is_parked(const struct ht_call *c)
{
	struct ht_regs r;

	return ht_regs_read(c->tid, &r) &&
	       ht_regs_sp(&r) == c->at + ON_PATH(to_home);
}

static enum ht_code let_go(struct ht_call *c, int64_t deadline_ns,
			   struct ht_err *err)
{
	bool ours;
	int status;

	ptrace(PTRACE_INTERRUPT, c->tid, NULL, NULL);
	status = ht_inject_next_stop(c->tid, deadline_ns);
	if (status == NO_STOP)
		return ht_fail(err, HT_TIMEOUT,
			       "thread %d did not stop to be let go",
			       (int)c->tid);
	if (status == ENDED)
		return ht_fail(err, HT_GONE, "thread %d ended", (int)c->tid);
	ours = is_parked(c);
	if (ours)
		ht_sigframe_put_back(c->tid, c->regs, c->path.vector,
				     &c->sigmask);
	if (ptrace(PTRACE_DETACH, c->tid, NULL, ht_inject_signal_of(status)) <
	    0)
		return ht_fail(err, HT_GONE, "thread %d ended", (int)c->tid);
	if (ours)
		return HT_OK;
	return ht_fail(err, HT_BUSY,
		       "thread %d goes back to where it was by itself",
		       (int)c->tid);
}

enum ht_code ht_call_end(struct ht_call *c, int64_t deadline_ns,
			 struct ht_err *err)
{
	enum ht_code code = HT_GONE;

	if (c->gone)
		code = ht_fail(err, HT_GONE, "thread %d ended", (int)c->tid);
	else
		code = let_go(c, deadline_ns, err);
	free_call(c);
	return code;
}
