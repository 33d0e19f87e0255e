/* SPDX-License-Identifier: Apache-2.0 */
/* LDFLAGS:-Wl,--wrap=clock_gettime,--wrap=ioctl,--wrap=pread,--wrap=open,--wrap=pthread_cond_clockwait
 * Limit: 240 s
 *
 * A machine on which each question about a target's memory takes long, by a
 * clock that we move: the answer of a look comes within its time limit all the
 * same, and says what was not asked for.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/lib/flux.h"

/* One call at most: none can be called off. */
#define CALL_NS (FLUX_LIMIT_NS / 20)

/* What is slow: to ask which pages there are, to read what is in them, or both.
 */
enum kind { PAGES, MEMORY, BOTH, KINDS };
static const char *const kind_names[] = {"pages", "memory", "both"};

static int64_t skew_ns, cost_ns; /* of each call of that kind */
static enum kind slow;
static uint64_t in_mode;
static unsigned calls;

static void take_time(enum kind kind)
{
	if (slow != BOTH && slow != kind)
		return;
	calls++;
	skew_ns += cost_ns;
}

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	int code = __real_clock_gettime(id, t);
	int64_t ns = t->tv_nsec + skew_ns;

	if (id == CLOCK_MONOTONIC) {
		t->tv_sec += ns / HT_NS_PER_S;
		t->tv_nsec = ns % HT_NS_PER_S;
	}
	return code;
}

/* The kernel waits by its own. */
int __real_pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m,
				  clockid_t id, const struct timespec *until);
int __wrap_pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m,
				  clockid_t id, const struct timespec *until);
int __wrap_pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m,
				  clockid_t id, const struct timespec *until)
{
	const int64_t ns =
		until->tv_sec * HT_NS_PER_S + until->tv_nsec - skew_ns;
	const struct timespec real = {ns / HT_NS_PER_S, ns % HT_NS_PER_S};

	return __real_pthread_cond_clockwait(c, m, id, &real);
}

/* Files of the target's memory: mem, pagemap. */
static bool is_memory[1024];

int __real_open(const char *path, int how, mode_t mode);
int __wrap_open(const char *path, int how, mode_t mode);
int __wrap_open(const char *path, int how, mode_t mode)
{
	const char *name = strrchr(path, '/');
	int fd = __real_open(path, how, mode);

	if (fd >= 0 && (size_t)fd < sizeof(is_memory))
		is_memory[fd] = name && (strcmp(name, "/mem") == 0 ||
					 strcmp(name, "/pagemap") == 0);
	return fd;
}

ssize_t __real_pread(int fd, void *to, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *to, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *to, size_t n, off_t at)
{
	if (fd >= 0 && (size_t)fd < sizeof(is_memory) && is_memory[fd])
		take_time(MEMORY);
	return __real_pread(fd, to, n, at);
}

int __real_ioctl(int fd, unsigned long what, void *arg);
int __wrap_ioctl(int fd, unsigned long what, void *arg);
int __wrap_ioctl(int fd, unsigned long what, void *arg)
{
	take_time(PAGES);
	return __real_ioctl(fd, what, arg);
}

static struct flux flux;

static int begin(void **state)
{
	(void)state;
	return flux_begin(&flux, "16", "arenas", "maps");
}

/* They stand in turn, and are asked to at once. */
static int begin_few(void **state)
{
	(void)state;
	return flux_begin(&flux, "4", "arenas", "maps");
}

/* Many mmapped chunks, many mappings. */
static int begin_mapped(void **state)
{
	(void)state;
	return flux_begin(&flux, "2", "mremap", "maps");
}

static int end(void **state)
{
	(void)state;
	flux_end(&flux);
	return 0;
}

/* One look of which each call costs so much. */
static int64_t cost_wanted, begun_ns, took_ns;

static void be_slow(bool now)
{
	if (now) {
		calls = 0;
		begun_ns = ht_mono_ns();
	}
	cost_ns = now ? cost_wanted : 0;
	if (!now)
		took_ns = ht_mono_ns() - begun_ns;
}

static enum ht_code look(uint64_t flags, int64_t cost, struct ht_snapshot *ret,
			 struct ht_err *err)
{
	cost_wanted = cost;
	return flux_look_by(&flux, in_mode, flags, be_slow, ret, err);
}

static void check_told(const struct ht_snapshot *s, int64_t cost)
{
	char when[64];

	snprintf(when, sizeof(when), "%" PRId64 " ns a call", cost);
	flux_check(&flux, s, when);
	if (s->rss_causes.n == 0)
		assert_true(flux_says(s, "what is resident is unknown"));
}

struct outcome {
	unsigned whole, late, unknown, none; /* looks */
};

/* All its calls together take so many thousandths of its time limit. */
static void slow_look(uint64_t flags, unsigned usual, int64_t thousandths,
		      struct outcome *sum)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	const int64_t all = FLUX_LIMIT_NS / 1000 * thousandths;
	const int64_t cost = all / usual < CALL_NS ? all / usual : CALL_NS;
	struct ht_err err = {0};
	enum ht_code code = look(flags, cost, &s, &err);

	if (took_ns > FLUX_LIMIT_NS)
		fail_msg(
			"%s, %s: its answer took %.1f s, in %u calls of %.3f s",
			ht_mode_names[in_mode], kind_names[slow],
			(double)took_ns / HT_NS_PER_S, calls,
			(double)cost / HT_NS_PER_S);
	if (code != HT_OK) {
		assert_true(code == HT_TIMEOUT || code == HT_BUSY);
		sum->none++;
		return;
	}
	check_told(&s, cost);
	sum->late += flux_says(&s, "the time limit");
	sum->whole += !flux_says(&s, "the time limit");
	sum->unknown += s.rss_causes.n == 0;
}

/* Where it has threads stop, one may be amid malloc at each try. */
#define TRIES 20

/* Calls of a look that no call is slow for. */
static unsigned usual_calls(uint64_t flags)
{
	struct ht_err err = {0};
	enum ht_code code = HT_BUSY;

	for (int i = 0; i < TRIES && code == HT_BUSY; i++) {
		HT_AUTO_SNAPSHOT struct ht_snapshot s;

		code = look(flags, 0, &s, &err);
	}
	if (code != HT_OK)
		fail_msg("%s", err.msg);
	assert_true(calls > 0);
	return calls;
}

static void check_kind(uint64_t flags)
{
	/* Of modes that stop fewer: each look waits for threads that run. */
	static const int64_t thousandths[] = {100, 900, 2000, 100000, 500,
					      700, 800, 1000, 10000};
	const size_t n = in_mode == HT_MODE_NONE ? 9 : 4;
	const unsigned usual = usual_calls(flags);
	struct outcome sum = {0};

	for (size_t i = 0; i < n; i++)
		slow_look(flags, usual, thousandths[i], &sum);
	print_message(
		"[   NOTE   ] %s, %s%s: %u looks whole, %u late, %u without "
		"residency; %u without an answer\n",
		ht_mode_names[in_mode], kind_names[slow],
		flags & HT_LOOK_LIGHTLY ? ", light" : "", sum.whole, sum.late,
		sum.unknown, sum.none);
	/* of threads that never leave malloc those modes may see none at rest
	 */
	assert_true(sum.whole > 0 || in_mode != HT_MODE_NONE);
	assert_true(sum.late + sum.none > 0);
}

static void check_kinds(uint64_t flags)
{
	for (slow = 0; slow < KINDS; slow++)
		check_kind(flags);
}

static void by(uint64_t wanted, uint64_t flags)
{
	in_mode = wanted;
	check_kinds(flags);
	in_mode = HT_MODE_NONE;
}

static void one_that_stops_for_a_moment_does(void **state)
{
	(void)state;
	by(HT_MODE_BOUNDED, 0);
}

static void one_that_stops_does(void **state)
{
	(void)state;
	by(HT_MODE_EXACT, 0);
}

static void one_of_a_copy_does(void **state)
{
	(void)state;
	by(HT_MODE_SNAPSHOT, 0);
}

static void one_that_tells_who_holds_what_does(void **state)
{
	struct ht_err err;

	(void)state;
	assert_int_equal(ht_target_open_modules(&flux.target, &err), HT_OK);
	by(HT_MODE_SNAPSHOT,
	   HT_WANT_OWNERS | HT_WANT_LEAKS | HT_WANT_TYPES | HT_WANT_CLASSES);
}

static void a_look_answers_in_time(void **state)
{
	(void)state;
	check_kinds(0);
}

static void a_light_one_does(void **state)
{
	(void)state;
	check_kinds(HT_LOOK_LIGHTLY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_look_answers_in_time, begin,
						end),
		cmocka_unit_test_setup_teardown(a_look_answers_in_time,
						begin_mapped, end),
		cmocka_unit_test_setup_teardown(a_light_one_does, begin, end),
		cmocka_unit_test_setup_teardown(
			one_that_stops_for_a_moment_does, begin_few, end),
		cmocka_unit_test_setup_teardown(one_that_stops_does, begin_few,
						end),
		cmocka_unit_test_setup_teardown(one_of_a_copy_does, begin_few,
						end),
		cmocka_unit_test_setup_teardown(
			one_that_tells_who_holds_what_does, begin_few, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
