/* SPDX-License-Identifier: Apache-2.0 */
/* Readers: all or how much, holes, batches, the budget; page states beside. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/memory/pages.h"
#include "agent/memory/reader.h"
#include "agent/memory/reader_image.h"
#include "common/cleanup.h"
#include "tests/lib/machine.h"

#define PAGE  4096ul
#define AT(p) ((uint64_t)(uintptr_t)(p))

/* Eight pages, made for each test anew: all written but the third, the sixth
 * unmapped. A read of the third, from outside too, gives it a frame where the
 * kernel maps no zero page. */
static char *pages;

static int make_pages(void **state)
{
	(void)state;
	pages = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(madvise(pages, 8 * PAGE, MADV_NOHUGEPAGE), 0);
	for (unsigned i = 0; i < 8; i++)
		if (i != 2)
			memset(pages + i * PAGE, 'a' + (int)i, PAGE);
	assert_int_equal(munmap(pages + 5 * PAGE, PAGE), 0);
	return 0;
}

static int drop_pages(void **state)
{
	(void)state;
	return munmap(pages, 8 * PAGE);
}

static void a_read_ends_at_a_hole_and_says_where(void **state)
{
	static char buf[8 * PAGE];
	struct ht_reader r;
	struct ht_err err;

	(void)state;
	assert_int_equal(ht_reader_open_process(getpid(), 8, false, &r, &err),
			 HT_OK);
	assert_int_equal(ht_reader_some(&r, AT(pages), buf, sizeof(buf)),
			 5 * PAGE);
	assert_int_equal(buf[4 * PAGE], 'e');
	assert_int_equal(
		ht_reader_read(&r, AT(pages) + 4 * PAGE, buf, 2 * PAGE, &err),
		HT_FAULT);
	assert_int_equal(err.addr, AT(pages) + 5 * PAGE);
	ht_reader_close(&r);
}

/* Bytes that this process alone has. */
static long private_of(pid_t pid)
{
	char path[64], line[256];
	long sum = 0, kib;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Private_Dirty: %ld", &kib) == 1 ||
		    sscanf(line, "Private_Clean: %ld", &kib) == 1)
			sum += kib << 10;
	fclose(f);
	return sum;
}

static void what_a_fork_left_shared_stays_shared(void **state)
{
	const size_t size = (size_t)16 << 20;
	char *area = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	HT_AUTO_FREE char *buf = malloc(size);
	struct ht_piece pieces[64];
	struct ht_reader r;
	struct ht_err err;
	long before;
	pid_t child;

	(void)state;
	assert_ptr_not_equal(area, MAP_FAILED);
	assert_non_null(buf);
	memset(area, 7, size);
	child = fork();
	if (child == 0)
		for (;;)
			pause();
	assert_int_equal(ht_reader_open_process(child, 8, false, &r, &err),
			 HT_OK);
	before = private_of(child);
	assert_int_equal(ht_reader_read(&r, AT(area), buf, size, &err), HT_OK);
	assert_int_equal(buf[size - 1], 7);
	for (size_t i = 0; i < 64; i++)
		pieces[i] = (struct ht_piece){AT(area) + i * 8 * PAGE,
					      buf + 8 * i, 8, false};
	ht_reader_batch(&r, pieces, 64);
	assert_true(pieces[63].ok);
	memset(buf, 0, size);
	for (size_t i = 0; i < 64; i++) /* stretches of seven pages */
		pieces[i] =
			(struct ht_piece){AT(area) + i * 8 * PAGE,
					  buf + i * 8 * PAGE, 7 * PAGE, false};
	ht_reader_batch(&r, pieces, 64);
	for (size_t i = 0; i < 64; i++)
		assert_true(pieces[i].ok && buf[(i * 8 + 7) * PAGE - 1] == 7);
	assert_true(private_of(child) - before < (long)size / 8);
	ht_reader_close(&r);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	munmap(area, size);
}

static void a_batch_fills_every_piece_that_can_be_read(void **state)
{
	static const unsigned page[] = {0, 5, 1, 5, 7};
	struct ht_piece piece[5];
	char buf[5][16];
	struct ht_reader r;
	struct ht_err err;

	(void)state;
	assert_int_equal(ht_reader_open_process(getpid(), 8, false, &r, &err),
			 HT_OK);
	for (int i = 0; i < 5; i++)
		piece[i] = (struct ht_piece){.addr = AT(pages) + page[i] * PAGE,
					     .buf = buf[i],
					     .len = 16};
	ht_reader_batch(&r, piece, 5);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(piece[i].ok, page[i] != 5);
		if (piece[i].ok)
			assert_int_equal(buf[i][15], 'a' + (int)page[i]);
	}
	ht_reader_close(&r);
}

/* Pages of a range that are in the page tables, by our own look at pagemap. */
static size_t mapped_pages(const char *area, size_t n)
{
	FILE *f = fopen("/proc/self/pagemap", "r");
	size_t count = 0;

	assert_non_null(f);
	assert_int_equal(fseek(f, (long)(AT(area) / PAGE * 8), SEEK_SET), 0);
	for (size_t i = 0; i < n; i++) {
		uint64_t entry;

		assert_int_equal(fread(&entry, sizeof(entry), 1, f), 1);
		count += entry >> 63;
	}
	fclose(f);
	return count;
}

static void *map(size_t n, int flags, int fd)
{
	void *area = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);

	assert_ptr_not_equal(area, MAP_FAILED);
	madvise(area, n * PAGE, MADV_NOHUGEPAGE);
	return area;
}

static void untouched_pages_read_as_zeros_and_stay_untouched(void **state)
{
	char *area = map(600, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	HT_AUTO_FREE char *buf = malloc(600 * PAGE);
	struct ht_reader r;
	struct ht_err err;
	uint64_t word = 1;

	(void)state;
	assert_non_null(buf);
	area[300 * PAGE] = 'x';
	area[301 * PAGE - 1] = 'y';
	memset(buf, 1, 600 * PAGE);
	assert_int_equal(ht_reader_open_process(getpid(), 8, false, &r, &err),
			 HT_OK);
	assert_int_equal(ht_reader_read(&r, AT(area), buf, 600 * PAGE, &err),
			 HT_OK);
	for (size_t i = 0; i < 600 * PAGE; i++)
		if (buf[i] != (i == 300 * PAGE	     ? 'x'
			       : i == 301 * PAGE - 1 ? 'y'
						     : 0))
			fail_msg("%zu: %d", i, buf[i]);
	assert_int_equal(ht_reader_word(&r, AT(area) + 5 * PAGE, &word, &err),
			 HT_OK);
	assert_int_equal(word, 0);
	assert_int_equal(mapped_pages(area, 600), 1);
	ht_reader_close(&r);
	munmap(area, 600 * PAGE);
}

/* A file of two pages and a bit, mapped and not looked at. */
/* Stretches between pages that were never touched, one with such a page amid,
 * out of order, one that ends in no memory. */
static void
stretches_are_read_and_what_lies_between_stays_untouched(void **state)
{
	enum { N = 100, EACH = 9, LONG = EACH - 1 };
	char *area = map((size_t)N * EACH, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	HT_AUTO_FREE char *buf = malloc((size_t)N * EACH * PAGE);
	struct ht_piece piece[N + 2];
	static char nowhere[3 * PAGE];
	struct ht_reader r;
	struct ht_err err;

	(void)state;
	assert_non_null(buf);
	memset(buf, 1, (size_t)N * EACH * PAGE);
	for (size_t i = 0; i < (size_t)N * EACH; i++)
		if (i % EACH != LONG)
			memset(area + i * PAGE, 2 + (int)i / EACH, PAGE);
	assert_int_equal(ht_reader_open_process(getpid(), 8, false, &r, &err),
			 HT_OK);
	for (size_t i = 0; i < N; i++) {
		size_t at = (i ^ 1) * EACH * PAGE;

		piece[i] =
			(struct ht_piece){AT(area) + at, buf + at,
					  (i == 7 ? EACH : LONG) * PAGE, false};
	}
	piece[N] = (struct ht_piece){AT(pages) + 3 * PAGE, nowhere, 3 * PAGE,
				     true};
	piece[N + 1] =
		(struct ht_piece){UINT64_MAX - PAGE, nowhere, 2 * PAGE, true};
	ht_reader_batch(&r, piece, N + 2);
	for (size_t i = 0; i < N; i++) {
		const char *end = (char *)piece[i].buf + piece[i].len;

		assert_true(piece[i].ok);
		assert_int_equal(end[-1], i == 7 ? 0 : 2 + (int)(i ^ 1));
		assert_int_equal(((char *)piece[i].buf)[0], 2 + (int)(i ^ 1));
	}
	assert_false(piece[N].ok);
	assert_false(piece[N + 1].ok);
	assert_int_equal(mapped_pages(area, (size_t)N * EACH), N * LONG);
	ht_reader_close(&r);
	munmap(area, (size_t)N * EACH * PAGE);
}

static void untouched_pages_of_a_file_are_read_from_it(void **state)
{
	char path[] = "/tmp/heaptide.XXXXXX", bytes[3 * PAGE] = {0};
	char buf[3 * PAGE];
	int fd = mkstemp(path);
	struct ht_reader r;
	struct ht_err err;
	char *area;

	(void)state;
	memset(bytes, 'f', 2 * PAGE + 10);
	assert_int_equal(write(fd, bytes, 2 * PAGE + 10), 2 * PAGE + 10);
	area = map(4, MAP_PRIVATE, fd);
	close(fd);
	assert_int_equal(ht_reader_open_process(getpid(), 8, false, &r, &err),
			 HT_OK);
	assert_int_equal(ht_reader_some(&r, AT(area), buf, sizeof(buf)),
			 3 * PAGE);
	assert_memory_equal(buf, bytes, 3 * PAGE);
	assert_int_equal(ht_reader_some(&r, AT(area) + 3 * PAGE, buf, 8), 0);
	assert_int_equal(mapped_pages(area, 4), 0);
	ht_reader_close(&r);
	munmap(area, 4 * PAGE);
	unlink(path);
}

static void untouched_shared_memory_is_unknown_and_stays_untouched(void **state)
{
	char *area = map(4, MAP_SHARED | MAP_ANONYMOUS, -1), buf[PAGE];
	struct ht_reader r;
	struct ht_err err;

	(void)state;
	area[2 * PAGE] = 's';
	assert_int_equal(ht_reader_open_process(getpid(), 8, false, &r, &err),
			 HT_OK);
	assert_int_equal(ht_reader_some(&r, AT(area), buf, PAGE), 0);
	assert_int_equal(ht_reader_some(&r, AT(area) + 2 * PAGE, buf, PAGE),
			 PAGE);
	assert_int_equal(buf[0], 's');
	assert_int_equal(mapped_pages(area, 4), 1);
	ht_reader_close(&r);
	munmap(area, 4 * PAGE);
}

static void a_budget_is_never_exceeded(void **state)
{
	const struct ht_image_part part = {0x1000, "0123456789abcdef", 16};
	struct ht_image image = {&part, 1};
	struct ht_reader r;
	struct ht_err err;
	char buf[16];
	uint64_t word = 0;

	(void)state;
	ht_reader_open_image(&image, 4, 20, &r);
	assert_int_equal(ht_reader_read(&r, 0x1000, buf, 16, &err), HT_OK);
	assert_int_equal(ht_reader_word(&r, 0x1000, &word, &err), HT_OK);
	assert_int_equal(word, 0x33323130);
	assert_int_equal(ht_reader_read(&r, 0x1000, buf, 1, &err), HT_FAULT);
	assert_int_equal(r.bytes_read, 20);
	ht_reader_close(&r);
}

static void page_states_tell_resident_from_untouched(void **state)
{
	struct ht_pages_source s;
	struct ht_pages p;
	struct ht_err err;

	(void)state;
	assert_int_equal(ht_pages_source_open(getpid(), &s, &err), HT_OK);
	assert_int_equal(
		ht_pages_get(&s, AT(pages), AT(pages) + 5 * PAGE, &p, &err),
		HT_OK);
	assert_true(p.known);
	assert_int_equal(ht_pages_state(&p, AT(pages)), HT_PAGE_PRESENT);
	assert_int_equal(ht_pages_state(&p, AT(pages) + 2 * PAGE),
			 HT_PAGE_ABSENT);
	assert_int_equal(ht_pages_state(&p, AT(pages) + 5 * PAGE),
			 HT_PAGE_UNKNOWN);
	assert_int_equal(ht_pages_resident(&p, AT(pages) + 100,
					   AT(pages) + 4 * PAGE + 1),
			 3 * PAGE - 100 + 1);
	assert_int_equal(ht_pages_resident(&p, AT(pages) + 10, AT(pages) + 20),
			 10);
	assert_int_equal(ht_pages_resident(&p, 0, UINT64_MAX), 4 * PAGE);
	ht_pages_fini(&p);
	ht_pages_source_close(&s);
}

static void asking_for_states_touches_no_page(void **state)
{
	struct ht_pages_source s;
	struct ht_page_tally t;
	struct ht_err err;

	(void)state;
	assert_int_equal(ht_pages_source_open(getpid(), &s, &err), HT_OK);
	for (int i = 0; i < 3; i++) {
		assert_true(ht_pages_tally(&s, AT(pages), AT(pages) + 5 * PAGE,
					   i % 2, &t));
		assert_int_equal(t.anon, 4);
		assert_int_equal(t.file + t.swapped, 0);
	}
	ht_pages_source_close(&s);
}

/* The shared page of zeros is nobody's memory, though the table has an entry.
 */
static void a_page_that_was_only_read_is_not_resident(void **state)
{
	struct ht_pages_source s;
	struct ht_page_tally t;
	struct ht_pages p;
	struct ht_err err;

	(void)state;
	needs("zero_page");
	needs("pagemap_scan"); /* without it they cannot be told apart */
	assert_int_equal(*(volatile char *)(pages + 2 * PAGE), 0);
	assert_int_equal(ht_pages_source_open(getpid(), &s, &err), HT_OK);
	assert_true(
		ht_pages_tally(&s, AT(pages), AT(pages) + 5 * PAGE, true, &t));
	assert_int_equal(t.anon, 4);
	assert_int_equal(
		ht_pages_get(&s, AT(pages), AT(pages) + 5 * PAGE, &p, &err),
		HT_OK);
	assert_int_equal(ht_pages_state(&p, AT(pages) + 2 * PAGE),
			 HT_PAGE_ABSENT);
	ht_pages_fini(&p);
	ht_pages_source_close(&s);
}

/* Alternating pages make more regions than one call of the kernel returns. */
static void see_alternating_pages(bool scan)
{
	const size_t n = 10000;
	struct ht_pages_source s;
	struct ht_pages p;
	struct ht_err err;
	char *area = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(area, MAP_FAILED);
	madvise(area, n * PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < n; i += 2)
		area[i * PAGE] = 1;
	assert_int_equal(ht_pages_source_open(getpid(), &s, &err), HT_OK);
	assert_true(s.has_scan || !scan);
	s.has_scan = scan;
	assert_int_equal(
		ht_pages_get(&s, AT(area), AT(area) + n * PAGE, &p, &err),
		HT_OK);
	assert_int_equal(ht_pages_resident(&p, AT(area), AT(area) + n * PAGE),
			 n / 2 * PAGE);
	ht_pages_fini(&p);
	ht_pages_source_close(&s);
	munmap(area, n * PAGE);
}

static void many_alternating_pages_are_all_seen(void **state)
{
	(void)state;
	needs("pagemap_scan");
	see_alternating_pages(true);
}

static void so_they_are_by_kernels_before_6_7(void **state)
{
	(void)state;
	see_alternating_pages(false);
}

/* Long runs of resident pages, short ones, and single pages. */
static enum ht_page_state in_runs(void *ctx, uint64_t addr)
{
	uint64_t page = addr / PAGE;

	(void)ctx;
	if (page % 700 < 300)
		return HT_PAGE_PRESENT;
	return page % 700 < 400 && page % 3 ? HT_PAGE_PRESENT : HT_PAGE_ABSENT;
}

static void what_is_resident_is_the_same_by_runs_whatever_is_asked(void **state)
{
	const uint64_t start = 50 * PAGE, end = 5003 * PAGE;
	struct ht_pages_there there = {0, 0};
	struct ht_pages_source s;
	struct ht_pages p;
	uint64_t at = 0, to, random = 1;

	(void)state;
	ht_pages_source_none(&s);
	s.state = in_runs;
	assert_int_equal(ht_pages_get(&s, start, end, &p, NULL), HT_OK);
	for (int i = 0; i < 200000; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		/* now and then back, and beyond both ends */
		at = i % 64 ? at + random % 900 : random % (end + 20 * PAGE);
		to = at + (random >> 20) % (i % 9 ? 600 : 700 * PAGE);
		assert_int_equal(ht_pages_resident_near(&p, &there, at, to),
				 ht_pages_resident(&p, at, to));
		at = i % 3 ? to : at;
	}
	ht_pages_fini(&p);
	ht_pages_source_close(&s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, make_pages, drop_pages)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_read_ends_at_a_hole_and_says_where),
		T(what_a_fork_left_shared_stays_shared),
		T(a_batch_fills_every_piece_that_can_be_read),
		T(untouched_pages_read_as_zeros_and_stay_untouched),
		T(stretches_are_read_and_what_lies_between_stays_untouched),
		T(untouched_pages_of_a_file_are_read_from_it),
		T(untouched_shared_memory_is_unknown_and_stays_untouched),
		T(a_budget_is_never_exceeded),
		T(page_states_tell_resident_from_untouched),
		T(asking_for_states_touches_no_page),
		T(a_page_that_was_only_read_is_not_resident),
		T(many_alternating_pages_are_all_seen),
		T(so_they_are_by_kernels_before_6_7),
		cmocka_unit_test(
			what_is_resident_is_the_same_by_runs_whatever_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
