/* SPDX-License-Identifier: Apache-2.0 */
/* LDFLAGS: -Wl,--wrap=clock_gettime,--wrap=ioctl,--wrap=pread,--wrap=open
 * Limit: 180 s
 *
 * A machine on which each question about a target's memory takes long, by a
 * clock that we move: the answer of a look comes within its time limit all the
 * same, and says what was not asked for.
 */
#include <fcntl.h>
#include <inttypes.h>
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
	return flux_look(&flux, flags, be_slow, ret, err);
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
		fail_msg("%s: its answer took %.1f s, in %u calls of %.3f s",
			 kind_names[slow], (double)took_ns / HT_NS_PER_S, calls,
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

static void check_kind(uint64_t flags)
{
	static const int64_t thousandths[] = {100,  500,  700,	 800,	900,
					      1000, 2000, 10000, 100000};
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct outcome sum = {0};
	struct ht_err err = {0};
	unsigned usual;

	if (look(flags, 0, &s, &err) != HT_OK)
		fail_msg("%s", err.msg);
	usual = calls;
	assert_true(usual > 0);
	for (size_t i = 0; i < sizeof(thousandths) / sizeof(*thousandths); i++)
		slow_look(flags, usual, thousandths[i], &sum);
	print_message("[   NOTE   ] %s%s: %u looks whole, %u late, %u without "
		      "residency; %u without an answer\n",
		      kind_names[slow],
		      flags & HT_LOOK_LIGHTLY ? ", light" : "", sum.whole,
		      sum.late, sum.unknown, sum.none);
	assert_true(sum.whole > 0);
	assert_true(sum.late + sum.none > 0);
}

static void check_kinds(uint64_t flags)
{
	for (slow = 0; slow < KINDS; slow++)
		check_kind(flags);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
