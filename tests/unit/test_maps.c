/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of /proc/PID/maps, ours and hostile ones. */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/memory/maps.h"

static const char good[] =
	"1000-3000 r-xp 00002000 08:02 77                 /lib/a b.so "
	"(deleted)\n"
	"3000-4000 rw-p 00000000 00:00 0 \n"
	"4000-5000 rw-s 00000000 00:05 9                  /dev/zero (deleted)\n"
	"9000-a000 ---p 00000000 00:00 0                  [anon: glibc: "
	"malloc]\n";

static void every_field_of_a_line_is_read(void **state)
{
	struct ht_maps m;
	struct ht_err err;

	(void)state;
	assert_int_equal(ht_maps_parse(good, strlen(good), &m, &err), HT_OK);
	assert_int_equal(m.n, 4);
	assert_int_equal(m.v[0].start, 0x1000);
	assert_int_equal(m.v[0].end, 0x3000);
	assert_int_equal(m.v[0].offset, 0x2000);
	assert_int_equal(m.v[0].dev, makedev(8, 2));
	assert_int_equal(m.v[0].inode, 77);
	assert_int_equal(m.v[0].flags,
			 HT_VMA_READ | HT_VMA_EXEC | HT_VMA_DELETED);
	assert_string_equal(ht_vma_path(&m, &m.v[0]), "/lib/a b.so");
	assert_string_equal(ht_vma_path(&m, &m.v[1]), "");
	assert_true(m.v[2].flags & HT_VMA_SHARED);
	assert_string_equal(ht_vma_path(&m, &m.v[3]), "[anon: glibc: malloc]");
	ht_maps_fini(&m);
}

static void an_address_leads_to_its_mapping(void **state)
{
	struct ht_maps m;
	struct ht_err err;

	(void)state;
	assert_int_equal(ht_maps_parse(good, strlen(good), &m, &err), HT_OK);
	assert_null(ht_maps_at(&m, 0xfff));
	assert_ptr_equal(ht_maps_at(&m, 0x1000), &m.v[0]);
	assert_ptr_equal(ht_maps_at(&m, 0x2fff), &m.v[0]);
	assert_ptr_equal(ht_maps_at(&m, 0x3000), &m.v[1]);
	assert_null(ht_maps_at(&m, 0x5000));
	assert_null(ht_maps_at(&m, UINT64_MAX));
	assert_int_equal(ht_maps_writable_end(&m, 0x3100), 0x5000);
	assert_int_equal(ht_maps_writable_end(&m, 0x1000), 0x1000);
	ht_maps_fini(&m);
}

static void lines_that_make_no_sense_are_refused(void **state)
{
	static const char *const bad[] = {
		"3000-1000 rw-p 0 0:0 0\n",
		"1000-2000 rwzp 0 0:0 0\n",
		"1000-2000\n",
		"\n",
		"fffffffffffffffff-1 rw-p 0 0:0 0\n",
		"5000-6000 rw-p 0 0:0 0\n1000-2000 rw-p 0 0:0 0\n",
		"1000-3000 rw-p 0 0:0 0\n2000-3000 rw-p 0 0:0 0\n",
		"1000-3000 rw-p 0 0:0 0\n1000-3000 rw-p 0 0:0 0\n",
		"1000-9000 rw-p 0 0:0 0\n2000-4000 rw-p 0 0:0 0\n",
		"1000-2000 rw-p 0 0:0 0\n3000-",
	};
	struct ht_maps m;
	struct ht_err err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
			ht_maps_parse(bad[i], strlen(bad[i]), &m, &err),
			HT_SYS);
}

/* --- pieces that were read while mappings changed ------------------------ */

/* What the parser made of it, in the kernel's own words. */
static void write_out(const struct ht_maps *m, char *to, size_t size)
{
	size_t used = 0;

	*to = '\0';
	for (size_t i = 0; i < m->n; i++)
		used += (size_t)snprintf(
			to + used, size - used, "%" PRIx64 "-%" PRIx64 "%s%s ",
			m->v[i].start, m->v[i].end,
			m->v[i].flags & HT_VMA_WRITE ? "w" : "r",
			ht_vma_path(m, &m->v[i]));
}

#define R " r--p 0 0:0 0\n"
#define W " rw-p 0 0:0 0\n"

static void later_pieces_win_and_overlaps_are_clipped(void **state)
{
	static const struct {
		const char *what, *text, *want;
	} tears[] = {
		{"it grew at its end", "1000-3000" W "1000-5000" W,
		 "1000-5000w "},
		{"it grew, and others follow",
		 "1000-3000" W "1000-5000" W "6000-7000" R,
		 "1000-5000w 6000-7000r "},
		{"it grew over what others were",
		 "1000-2000" W "2000-3000" R "3000-4000" W "1000-5000" W,
		 "1000-5000w "},
		{"two became one with what came before",
		 "500-1000" R "1000-2000" W "2000-3000" R "1000-4000" W,
		 "500-1000r 1000-4000w "},
		{"its end became another's", "1000-4000" W "3000-6000" R,
		 "1000-3000w 3000-6000r "},
		{"its end, and all of the next",
		 "1000-4000" W "4000-5000" R "3000-8000" R,
		 "1000-3000w 3000-8000r "},
		{"a neighbour merged downwards",
		 "1000-2000" W "4000-5000" W "2000-6000" W,
		 "1000-2000w 2000-6000w "},
		{"torn twice at one place",
		 "1000-2000" W "1000-3000" W "1000-4000" R, "1000-4000r "},
		{"torn at two places",
		 "1000-2000" W "1000-3000" W "7000-8000" R "6000-9000" W,
		 "1000-3000w 6000-9000w "},
		{"a hole came into it", "1000-9000" W "8000-a000" W,
		 "1000-8000w 8000-a000w "},
		{"its name came later",
		 "1000-3000" W "1000-5000 rw-p 0 0:0 0 [heap]\n",
		 "1000-5000w[heap] "},
	};
	char got[512];

	(void)state;
	for (size_t i = 0; i < sizeof(tears) / sizeof(tears[0]); i++) {
		struct ht_maps m;
		struct ht_err err;

		assert_int_equal(ht_maps_parse(tears[i].text,
					       strlen(tears[i].text), &m, &err),
				 HT_OK);
		write_out(&m, got, sizeof(got));
		if (strcmp(got, tears[i].want) != 0)
			fail_msg("%s: %s", tears[i].what, got);
		ht_maps_fini(&m);
	}
}

#define STEADY 2000
#define AREA   ((size_t)64 << 12)

/* Maps, protects in stripes, widens and unmaps; never rests. */
static void *storm(void *unused)
{
	size_t size = AREA;
	char *own = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)unused;
	for (unsigned k = 1;; k = k * 1103515245 + 12345) {
		char *area = mmap(NULL, AREA, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		size_t to = (1 + (k >> 16) % 300) << 12;

		for (size_t i = 0; i < AREA; i += 2 << 12)
			mprotect(area + i, 1 << 12, PROT_READ);
		mprotect(area, AREA, PROT_READ | PROT_WRITE);
		munmap(area, AREA);
		own = mremap(own, size, to, MREMAP_MAYMOVE);
		size = to;
	}
	return NULL;
}

/* Pages of their own that stay where they are, among those that move. */
static char *steady[STEADY];

static void be_a_storm(void)
{
	pthread_t t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, storm, NULL);
	storm(NULL);
}

static void check_steady(const struct ht_maps *m)
{
	for (size_t i = 1; i < m->n; i++)
		assert_true(m->v[i - 1].end <= m->v[i].start);
	for (size_t i = 0; i < STEADY; i++) {
		const struct ht_vma *v =
			ht_maps_at(m, (uint64_t)(uintptr_t)steady[i]);

		assert_non_null(v);
		assert_int_equal(v->flags, i % 2 ? HT_VMA_READ
						 : HT_VMA_READ | HT_VMA_WRITE);
	}
}

static void a_storm_of_mappings_fails_no_read_and_loses_nothing(void **state)
{
	pid_t child;

	(void)state;
	for (size_t i = 0; i < STEADY; i++) {
		steady[i] = mmap(NULL, 1 << 12,
				 i % 2 ? PROT_READ : PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(steady[i], MAP_FAILED);
	}
	child = fork();
	if (child == 0)
		be_a_storm();
	for (unsigned i = 0; i < 300; i++) {
		struct ht_maps m;
		struct ht_err err;

		assert_int_equal(ht_maps_read(child, &m, &err), HT_OK);
		check_steady(&m);
		ht_maps_fini(&m);
	}
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	for (size_t i = 0; i < STEADY; i++)
		munmap(steady[i], 1 << 12);
}

static void mappings_at_rest_add_up_to_the_kernels_total(void **state)
{
	struct ht_maps m;
	struct ht_err err;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		for (;;)
			pause();
	assert_int_equal(ht_maps_read(child, &m, &err), HT_OK);
	assert_int_equal(m.unsure, 0);
	assert_true(m.n > 10);
	ht_maps_fini(&m);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* The door stays open; behind it there is nobody any more. */
static void mappings_of_a_process_that_ended_are_gone(void **state)
{
	struct ht_maps_source s;
	struct ht_maps m;
	struct ht_err err;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		for (;;)
			pause();
	assert_int_equal(ht_maps_source_open(child, &s, &err), HT_OK);
	assert_int_equal(ht_maps_source_read(&s, &m, &err), HT_OK);
	ht_maps_fini(&m);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(ht_maps_source_read(&s, &m, &err), HT_GONE);
	ht_maps_source_close(&s);
}

static void our_own_mappings_are_read(void **state)
{
	struct ht_maps m;
	struct ht_err err;
	const struct ht_vma *v;

	(void)state;
	assert_int_equal(ht_maps_read(getpid(), &m, &err), HT_OK);
	v = ht_maps_at(&m, (uint64_t)(uintptr_t)&good);
	assert_non_null(v);
	assert_true(v->flags & HT_VMA_READ);
	ht_maps_fini(&m);
	assert_int_equal(ht_maps_read(0x3fffffff, &m, &err), HT_GONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_of_a_line_is_read),
		cmocka_unit_test(an_address_leads_to_its_mapping),
		cmocka_unit_test(lines_that_make_no_sense_are_refused),
		cmocka_unit_test(later_pieces_win_and_overlaps_are_clipped),
		cmocka_unit_test(mappings_at_rest_add_up_to_the_kernels_total),
		cmocka_unit_test(
			a_storm_of_mappings_fails_no_read_and_loses_nothing),
		cmocka_unit_test(mappings_of_a_process_that_ended_are_gone),
		cmocka_unit_test(our_own_mappings_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
