/* SPDX-License-Identifier: Apache-2.0 */
/* What a look asks of the kernel, call by call: a count, not a time. The look
 * is made by a child that is traced from call to call. And what is kept from
 * look to look to ask less tells the same.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/sample/session.h"
#include "agent/sample/target.h"
#include "tests/lib/machine.h"
#include "tests/lib/target.h"

#define LOOKS  3 /* the last of them is counted */
#define CALLS  512
#define MARK   SYS_getppid /* of the child: a look begins, a look ended */
#define WANTED (HT_WANT_CLASSES | HT_WANT_MAPPINGS)
#define FAILED 70
#define MOVED  71 /* some thread ran */

struct counts {
	unsigned of[CALLS], all;
};

/* One look of the default mode; ret: to be finished in any case. */
static enum ht_code sample(struct ht_target *target, uint64_t flags,
			   struct ht_snapshot *ret, struct ht_err *err)
{
	struct ht_request request = HT_REQUEST_DEFAULT;
	struct ht_session session = {
		.target = target, .request = &request, .snapshot = ret};

	request.mode = HT_MODE_NONE;
	request.flags = flags;
	ht_snapshot_init(ret);
	return ht_session_sample(&session, err);
}

/* --- the child ----------------------------------------------------------- */

/* Whether it was one of a single instant. */
static bool look(struct ht_target *target, uint64_t flags)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot snapshot;
	struct ht_err err = {0};

	if (sample(target, flags, &snapshot, &err) != HT_OK)
		_exit(FAILED);
	return snapshot.stop.attempts == 1;
}

_Noreturn static void be_child(pid_t pid, uint64_t flags)
{
	struct ht_target target = HT_TARGET_NONE;
	struct ht_err err = {0};
	bool rested = true;

	if (ht_target_open_process(pid, &target, &err) != HT_OK ||
	    ht_target_locate(&target, false, NULL, &err) != HT_OK)
		_exit(FAILED);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0)
		_exit(FAILED);
	for (int i = 0; i < LOOKS; i++) {
		syscall(MARK);
		rested = look(&target, flags);
		syscall(MARK);
	}
	_exit(rested ? 0 : MOVED);
}

/* --- who counts ---------------------------------------------------------- */

static long call_of(pid_t child)
{
	struct __ptrace_syscall_info info = {0};

	if (ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return -1;
	return (long)info.entry.nr;
}

/* Its exit status; the calls of its last look. */
static int count(pid_t child, struct counts *ret)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSTOPPED(status));
	ptrace(PTRACE_SETOPTIONS, child, NULL,
	       PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (;;) {
		long nr;

		assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, 0), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		assert_true(WIFSTOPPED(status));
		nr = call_of(child);
		if (nr == MARK && ret->of[MARK] % 2 == 0) { /* a new look */
			memset(ret, 0, sizeof(*ret));
			ret->of[MARK] = 1;
		} else if (nr == MARK) {
			ret->of[MARK] = 0;
		} else if (nr >= 0 && ret->of[MARK] == 1) {
			assert_true(nr < CALLS);
			ret->of[nr]++;
			ret->all++;
		}
	}
}

/* Its threads may still be on their way to sleep. */
static void counts_at_rest(pid_t pid, uint64_t flags, struct counts *ret)
{
	for (int i = 0; i < 100; i++) {
		pid_t child = fork();
		int status;

		assert_true(child >= 0);
		if (child == 0)
			be_child(pid, flags);
		*ret = (struct counts){0};
		status = count(child, ret);
		if (status == 0)
			break;
		assert_int_equal(status, MOVED);
	}
	for (unsigned i = 0; i < CALLS; i++)
		if (ret->of[i])
			print_message("call %u: %u times\n", i, ret->of[i]);
}

static void a_look_at_rest_makes_few_calls_of_the_kernel(void **state)
{
	struct counts c;
	struct program p;

	(void)state;
	needs("pagemap_scan"); /* or each mapping is a call */
	p = program_start("threads", "1", "sleep", NULL);
	assert_true(program_says(&p, "ready", 10000));
	counts_at_rest(p.pid, WANTED, &c);
	program_end(&p);
	assert_in_range(c.all, 40, 100);
	assert_in_range(c.of[SYS_openat] + c.of[SYS_open], 0, 12);
	assert_in_range(c.of[SYS_ioctl], 1, 6);
	assert_in_range(c.of[SYS_mmap] + c.of[SYS_brk], 0, 4);
	assert_int_equal(c.of[SYS_ptrace], 0);
}

static uint64_t mapping_of(uint64_t chunk)
{
	return (chunk + 16 + 4095) & ~UINT64_C(4095);
}

static void check_mmapped(struct ht_target *target, uint64_t a, uint64_t b)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot snapshot;
	struct ht_err err = {0};

	if (sample(target, WANTED, &snapshot, &err) != HT_OK)
		fail_msg("%s", err.msg);
	assert_int_equal(snapshot.totals.mmapped_chunks, 2);
	assert_int_equal(snapshot.totals.mmapped,
			 mapping_of(a) + mapping_of(b));
}

static void chunks_amid_others_memory_are_found_where_they_were(void **state)
{
	struct ht_target target = HT_TARGET_NONE;
	struct ht_err err = {0};
	struct program p;
	struct counts c;

	(void)state;
	needs("pagemap_scan");
	p = program_start("amid", NULL);
	assert_true(program_says(&p, "ready", 10000));
	if (ht_target_open_process(p.pid, &target, &err) != HT_OK ||
	    ht_target_locate(&target, false, NULL, &err) != HT_OK)
		fail_msg("%s", err.msg);
	check_mmapped(&target, 300000, 400000);
	check_mmapped(&target, 300000, 400000);
	/* of some 6,000 pages none but theirs is asked for */
	counts_at_rest(p.pid, WANTED, &c);
	assert_in_range(c.all, 40, 100);
	assert_in_range(c.of[SYS_process_vm_readv], 0, 8);
	program_tell(&p, "move\n");
	assert_true(program_says(&p, "moved", 10000));
	check_mmapped(&target, 400000, 500000);
	check_mmapped(&target, 400000, 500000);
	ht_target_close(&target);
	program_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_look_at_rest_makes_few_calls_of_the_kernel),
		cmocka_unit_test(
			chunks_amid_others_memory_are_found_where_they_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
