/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limit: 120 s
 *
 * Sample after sample of a busy target of 64 threads that counts whatever it
 * should not see. HT_SOAK_SAMPLES: how many (60); three of four are bounded,
 * the rest exact and snapshot.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "tests/lib/agent.h"
#include "tests/lib/target.h"

#define WARM_UP 20 /* samples until caches and tables have their size */
/* malloc's own ups and downs in agent and target. */
#ifdef HT_ASAN /* it keeps what is freed, and a shadow of each new mapping */
#define GROWTH_KB (512 << 10)
#else
#define GROWTH_KB 2048
#endif

static struct program program;
static int sent; /* signals */

static int descriptors(pid_t pid)
{
	HT_AUTO_DIR DIR *d = NULL;
	char path[32];
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	while (d && readdir(d))
		n++;
	return n;
}

static void send_signals(int n)
{
	for (int i = 0; i < n; i++) {
		const union sigval v = {.sival_int = sent + 1};

		while (sigqueue(program.pid, SIGRTMIN, v) < 0 &&
		       errno == EAGAIN)
			usleep(100);
		sent++;
	}
}

static const char *report(void)
{
	static char line[256];

	program_tell(&program, "report\n");
	assert_true(program_line(&program, line, sizeof(line), 20000));
	return line;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void tell(const char *what, uint64_t *v, size_t n)
{
	if (n == 0)
		return;
	qsort(v, n, sizeof(*v), by_size);
	print_message("[   NOTE   ] %s: %zu samples, pause p50 %" PRIu64
		      " us, p99 %" PRIu64 " us, largest %" PRIu64 " us\n",
		      what, n, v[n / 2], v[n * 99 / 100], v[n - 1]);
}

static enum ht_mode mode_of(int i)
{
	if (i % 4 != 3)
		return HT_MODE_BOUNDED;
	return i % 8 == 3 ? HT_MODE_EXACT : HT_MODE_SNAPSHOT;
}

struct pauses {
	uint64_t *v[HT_MODE_COUNT];
	size_t n[HT_MODE_COUNT];
};

/* False: no sample, because threads were in malloc at each attempt, or in calls
 * that snapshot mode cannot use, or did not stop in time. */
static bool sample(struct ht_client *c, enum ht_mode mode, struct pauses *p)
{
	struct ht_request request = HT_REQUEST_DEFAULT;
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct ht_err err = {0};
	enum ht_code code;

	request.mode = mode;
	ht_snapshot_init(&s);
	send_signals(3);
	code = ht_client_sample(c, &request, &s, NULL, NULL, &err);
	if (code != HT_OK && code != HT_BUSY && code != HT_REFUSED &&
	    code != HT_TIMEOUT)
		fail_msg("%s: %s", ht_mode_names[mode], err.msg);
	if (code == HT_OK)
		p->v[mode][p->n[mode]++] = s.stop.pause_us;
	return code == HT_OK;
}

/* What must not grow: of the target, and of an agent while it lives. */
struct sizes {
	long kb;
	int fds;
};

static struct sizes sizes_of(pid_t pid)
{
	return (struct sizes){process_status(pid, "VmRSS"), descriptors(pid)};
}

/* An agent that has answered may have something open still, for a moment. */
#define CLOSES_WITHIN_NS (5 * HT_NS_PER_S)

static void assert_as_before(pid_t pid, const struct sizes *before)
{
	const int64_t until_ns = ht_mono_ns() + CLOSES_WITHIN_NS;
	struct sizes now = sizes_of(pid);

	while (now.fds != before->fds && ht_mono_ns() < until_ns) {
		usleep(1000);
		now = sizes_of(pid);
	}
	assert_int_equal(now.fds, before->fds);
	assert_in_range(now.kb, 1, before->kb + GROWTH_KB);
}

static void sample_again_and_again(int n, struct pauses *p)
{
	struct ht_client client = agent_start(program.pid);
	struct sizes agent = {0}, target = {0};
	int since = 0; /* the agent has taken that many samples */

	for (int i = 0; i < n; i++) {
		if (!sample(&client, mode_of(i), p)) {
			/* An agent ends after an error. */
			ht_client_stop(&client);
			client = agent_start(program.pid);
			since = 0;
			continue;
		}
		if (i == WARM_UP)
			target = sizes_of(program.pid);
		if (++since == WARM_UP)
			agent = sizes_of(client.agent_pid);
	}
	if (target.fds)
		assert_as_before(program.pid, &target);
	if (since > WARM_UP)
		assert_as_before(client.agent_pid, &agent);
	ht_client_stop(&client);
}

static void a_target_that_is_sampled_again_and_again_never_notices(void **state)
{
	int n = atoi(getenv("HT_SOAK_SAMPLES") ?: "60");
	struct pauses p = {0};
	char expected[64];

	(void)state;
	for (size_t m = 0; m < HT_MODE_COUNT; m++)
		p.v[m] = calloc((size_t)n, sizeof(uint64_t));
	program = program_start("soak", NULL);
	assert_true(program_says(&program, "ready", 20000));
	sample_again_and_again(n, &p);
	assert_true(process_runs_free(program.pid, 5000));
	snprintf(expected, sizeof(expected),
		 "signals %d disorder 0 eintr 0 early 0 ", sent);
	if (strncmp(report(), expected, strlen(expected)) != 0)
		fail_msg("%d signals were sent; the target says: %s", sent,
			 report());
	print_message("[   NOTE   ] %s\n", report());
	for (size_t m = 0; m < HT_MODE_COUNT; m++) {
		tell(ht_mode_names[m], p.v[m], p.n[m]);
		free(p.v[m]);
	}
	assert_true(p.n[HT_MODE_BOUNDED] * 2 > (size_t)n);
	program_end(&program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_target_that_is_sampled_again_and_again_never_notices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
