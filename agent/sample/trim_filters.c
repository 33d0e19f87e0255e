/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls that malloc_trim(0) and the way to it and back make. */
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "agent/arch/arch.h"
#include "agent/sample/trim.h"

#define FIRST  (1u << 0)
#define SECOND (1u << 1)
#define THIRD  (1u << 2)

static const struct ht_filter_call calls[] = {
	{"rt_sigreturn", SYS_rt_sigreturn, 0, {0}},
	{"madvise", SYS_madvise, THIRD, {[2] = MADV_DONTNEED}},
	{"brk", SYS_brk, 0, {0}},
	/* the arena's lock */
	{"futex", SYS_futex, SECOND, {[1] = FUTEX_WAIT_PRIVATE}},
	{"futex", SYS_futex, SECOND, {[1] = FUTEX_WAKE_PRIVATE}},
	/* errno as it was, and the wait to be fetched home (agent/stop/call.c)
	 */
	{"futex", SYS_futex, SECOND, {[1] = FUTEX_WAKE_OP_PRIVATE}},
	{"poll", HT_CALL_SLEEP, FIRST | SECOND, {0}},
	/* should we be gone by then */
	{"restart_syscall", HT_CALL_RESUME, 0, {0}},
};

void ht_trim_read_filters(struct ht_target *t)
{
	ht_filtered_read(t->pid, calls, sizeof(calls) / sizeof(*calls),
			 &t->filtered);
}
