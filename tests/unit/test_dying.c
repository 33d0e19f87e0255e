/* SPDX-License-Identifier: Apache-2.0 */
/* LDFLAGS: -Wl,--wrap=clock_gettime -Wl,--wrap=pread -Wl,--wrap=__pread_chk
 * Limit: 180 s
 *
 * A process that is killed at any moment of a look, in each mode: the look says
 * that it is gone, or has what it read before, and never that its heap is
 * damaged. Moments are looks at the clock and reads, of which there are
 * hundreds.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/sample/session.h"
#include "agent/sample/target.h"
#include "tests/lib/target.h"

#define MOMENTS 24

static pid_t victim; /* 0: nobody */
static unsigned asked, last;

static void a_moment(void)
{
	if (++asked == last && victim)
		kill(victim, SIGKILL);
}

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	if (id == CLOCK_MONOTONIC)
		a_moment();
	return __real_clock_gettime(id, t);
}

ssize_t __real_pread(int fd, void *buf, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t at)
{
	a_moment();
	return __real_pread(fd, buf, n, at);
}

ssize_t __real___pread_chk(int fd, void *buf, size_t n, off_t at, size_t room);
ssize_t __wrap___pread_chk(int fd, void *buf, size_t n, off_t at, size_t room);
ssize_t __wrap___pread_chk(int fd, void *buf, size_t n, off_t at, size_t room)
{
	a_moment();
	return __real___pread_chk(fd, buf, n, at, room);
}

/* One look at a new process, which is killed at that moment; 0: never. */
static enum ht_code look(enum ht_mode mode, const char *const *program,
			 unsigned moment, struct ht_snapshot *ret,
			 struct ht_err *err)
{
	struct program p =
		program_start(program[0], program[1], program[2], NULL);
	struct ht_target target = HT_TARGET_NONE;
	struct ht_request request = HT_REQUEST_DEFAULT;
	struct ht_session session = {
		.target = &target, .request = &request, .snapshot = ret};
	char line[80];
	enum ht_code code;

	request.mode = mode;
	assert_true(program_line(&p, line, sizeof(line), 80000));
	ht_snapshot_init(ret);
	code = ht_target_open_process(p.pid, &target, err);
	asked = 0;
	last = moment;
	victim = moment ? p.pid : 0;
	if (code == HT_OK)
		code = ht_target_locate(&target, false, NULL, err);
	if (code == HT_OK)
		code = ht_session_sample(&session, err);
	victim = 0;
	ht_target_close(&target);
	program_end(&p);
	return code;
}

static void kill_throughout(enum ht_mode mode, const char *const *program)
{
	unsigned calls, gone = 0, answered = 0;
	struct ht_err err = {0};

	for (unsigned i = 0; i <= MOMENTS; i++) {
		HT_AUTO_SNAPSHOT struct ht_snapshot s;
		unsigned moment = i ? 1 + calls * (i - 1) / MOMENTS : 0;
		enum ht_code code = look(mode, program, moment, &s, &err);

		if (i == 0)
			calls = asked;
		if (code != HT_OK && code != HT_GONE && code != HT_BUSY)
			fail_msg("%s, killed at %u of %u: %s",
				 ht_mode_names[mode], moment, calls, err.msg);
		if (code == HT_OK && s.findings.n > 0)
			fail_msg("%s, killed at %u of %u: %s",
				 ht_mode_names[mode], moment, calls,
				 s.findings.v[0].text);
		gone += code == HT_GONE;
		answered += code == HT_OK;
	}
	print_message("[   NOTE   ] %s, %s: %u moments, %u gone, %u answered\n",
		      ht_mode_names[mode], program[0], calls, gone, answered);
	assert_true(gone > 0);
}

static void of_one_that_is_killed_nothing_is_said_to_be_damaged(void **state)
{
	static const char *const resting[] = {"threads", "4", "sleep"};
	static const char *const running[] = {"flux", "2", "realloc"};

	(void)state;
	kill_throughout(HT_MODE_NONE, resting);
	kill_throughout(HT_MODE_NONE, running);
	kill_throughout(HT_MODE_BOUNDED, running);
	kill_throughout(HT_MODE_EXACT, resting);
	kill_throughout(HT_MODE_SNAPSHOT, resting);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			of_one_that_is_killed_nothing_is_said_to_be_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
