/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prober: each kind of link that a kernel may have sees the calls of the sizes
 * that were asked for, whichever the best one here would be, and is gone when
 * the window is closed.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/memory/maps.h"
#include "agent/who/prober.h"
#include "tests/lib/machine.h"

#define SMALL 24u
#define LARGE 200u
#define TWO   (UINT64_C(1) << 38 | UINT64_C(1) << 39) /* PERFMON, BPF */
#define ADMIN (UINT64_C(1) << 21)
#define TRIES 100 /* windows: the child may not run in one */

static uint64_t chunk[2][64];

/* As malloc: an address behind the chunk's size. */
static __attribute__((noinline)) void *give(size_t size)
{
	uint64_t *c = chunk[size == LARGE];

	__asm__ volatile("" : "+r"(size) : : "memory");
	c[1] = (size + 8) | 1;
	return &c[2];
}

static void *give_for_ever(void *size)
{
	for (;;) {
		give((uintptr_t)size);
		for (volatile unsigned i = 0; i < 100000; i++)
			;
	}
	return NULL;
}

/* The large ones come from another thread. */
static void call_for_ever(void)
{
	pthread_t other;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pthread_create(&other, NULL, give_for_ever,
			   (void *)(uintptr_t)LARGE) == 0)
		give_for_ever((void *)(uintptr_t)SMALL);
	_exit(1);
}

struct seen {
	unsigned small, large, others;
	bool stacks;
};

static void count(void *ctx, const struct ht_probe_sample *s)
{
	struct seen *n = ctx;

	n->small += s->address == (uintptr_t)&chunk[0][2];
	n->large += s->address == (uintptr_t)&chunk[1][2];
	n->others += s->address != (uintptr_t)&chunk[0][2] &&
		     s->address != (uintptr_t)&chunk[1][2];
	n->stacks &= s->stack_len > 0 && s->regs.sp != 0;
}

/* The first byte of `give`, as the child has it. */
static int first_byte(pid_t child)
{
	char path[64];
	unsigned char byte;
	int fd, got;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)child);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = (int)pread(fd, &byte, 1, (off_t)(uintptr_t)give);
	close(fd);
	return got == 1 ? byte : -1;
}

static struct ht_probe_open open_of(pid_t child, enum ht_probe_way way)
{
	struct ht_maps maps = {0};
	struct ht_probe_open o = {.magic = HT_PROBE_MAGIC,
				  .pid = (uint32_t)child,
				  .way = way,
				  .files = 1,
				  .points = 1};
	const struct ht_vma *v;

	assert_int_equal(ht_maps_read(getpid(), &maps, NULL), HT_OK);
	v = ht_maps_at(&maps, (uintptr_t)give);
	assert_non_null(v);
	o.point[0] = (struct ht_probe_point){.offset = (uintptr_t)give -
						       v->start + v->offset,
					     .address = (uintptr_t)give,
					     .kind = HT_PROBE_SIZE_1};
	ht_maps_fini(&maps);
	return o;
}

/* What it may do from then on. */
static uint64_t capabilities(pid_t pid)
{
	char path[64], line[256];
	uint64_t caps = UINT64_MAX;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "CapPrm:", 7) == 0)
			caps = strtoull(line + 7, NULL, 16);
	fclose(f);
	return caps;
}

/* Windows until both sizes could have been seen. */
static struct seen look(struct ht_prober *p, uint64_t min_size)
{
	const struct ht_probe_window q = {.magic = HT_PROBE_MAGIC,
					  .min_size = min_size,
					  .max_size = UINT64_MAX,
					  .max_hits = 50,
					  .max_us = 100000};
	struct seen seen = {.stacks = true};
	struct ht_probe_done done;
	struct ht_err err = {0};

	for (int i = 0;
	     i < TRIES && (seen.large < 5 || (min_size == 0 && seen.small < 5));
	     i++)
		assert_int_equal(
			ht_prober_window(p, &q, count, &seen, &done, &err),
			HT_OK);
	return seen;
}

static void see_by(enum ht_probe_way way)
{
	struct ht_prober prober = HT_PROBER_NONE;
	struct ht_probe_open o;
	struct ht_err err = {0};
	struct seen seen;
	char probe[4096];
	pid_t child;
	int self, before;
	enum ht_code code;

	needs("uprobes");
	snprintf(probe, sizeof(probe), "%s/heaptide-probe",
		 getenv("HT_BUILD") ?: "build");
	child = fork();
	if (child == 0)
		call_for_ever();
	self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	o = open_of(child, way);
	before = first_byte(child);
	code = ht_prober_start(probe, &o,
			       (const int[HT_PROBE_FILES]){self, -1, -1, -1},
			       &prober, &err);
	if (code == HT_UNSUPPORTED && way == HT_PROBE_SESSION) {
		print_message("# not on this kernel: %s\n", err.msg);
	} else {
		if (code != HT_OK)
			fail_msg("%s", err.msg);
		assert_int_equal(prober.way, way);
		assert_int_equal(capabilities(prober.pid),
				 TWO | (way == HT_PROBE_PERF ? ADMIN : 0));
		seen = look(&prober, 0);
		assert_true(seen.small > 0 && seen.large > 0);
		assert_int_equal(seen.others, 0);
		assert_true(seen.stacks);
		seen = look(&prober, LARGE);
		assert_true(seen.large > 0);
		assert_int_equal(seen.small, 0);
	}
	assert_int_equal(first_byte(child), before);
	ht_prober_stop(&prober);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(self);
}

static void links_of_sessions_see_the_sizes_that_were_asked_for(void **state)
{
	(void)state;
	see_by(HT_PROBE_SESSION);
}

static void links_on_returns_see_the_same(void **state)
{
	(void)state;
	see_by(HT_PROBE_MULTI);
}

/* What kernels before 6.6 have; those after it, too. */
static void events_of_perf_see_the_same(void **state)
{
	(void)state;
	see_by(HT_PROBE_PERF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			links_of_sessions_see_the_sizes_that_were_asked_for),
		cmocka_unit_test(links_on_returns_see_the_same),
		cmocka_unit_test(events_of_perf_see_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
