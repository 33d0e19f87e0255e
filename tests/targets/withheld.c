/* SPDX-License-Identifier: Apache-2.0 */
/*
 * withheld [late]: heaps under userfaultfd, of which a part is absent: each
 * 64th page of brk, the first with its thread cache among them, of a thread's
 * arena and of a mapping of malloc's. It is kept elsewhere, and a thread fills
 * it in when somebody touches it. Prints "ready"; with "late" it does so before
 * that, and "withheld" when it is done, after a line of input.
 *
 * At each further line it says "faults N wrong M": faults that there were until
 * then, and words of the heaps, which it only then reads, that are not what it
 * wrote.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE   ((size_t)4096)
#define CHUNKS 3000
#define SIZE   2000
#define LARGE  ((size_t)1 << 20)
#define PLACES 3
#define APART  64 /* pages */

static struct place {
	char *at, *copy;
	size_t pages;
} place[PLACES];
static uint64_t *chunk[2][CHUNKS];
static uint64_t *large;
static atomic_int faults;
static int uffd;
static pthread_barrier_t made;

static void need(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	_exit(1);
}

static void fill(uint64_t *p, size_t bytes)
{
	need(p != NULL, "malloc");
	for (size_t i = 0; i < bytes / sizeof(*p); i++)
		p[i] = (uint64_t)(uintptr_t)&p[i];
}

static size_t wrong(const uint64_t *p, size_t bytes)
{
	size_t n = 0;

	for (size_t i = 0; i < bytes / sizeof(*p); i++)
		n += p[i] != (uint64_t)(uintptr_t)&p[i];
	return n;
}

static void make(unsigned which)
{
	for (size_t i = 0; i < CHUNKS; i++)
		fill(chunk[which][i] = malloc(SIZE), SIZE);
	for (size_t i = 0; i < 8; i++) /* for the cache, and some bins */
		free(chunk[which][i * 100]);
	for (size_t i = 0; i < 8; i++)
		chunk[which][i * 100] = NULL;
}

static void *in_thread(void *unused)
{
	make(1);
	pthread_barrier_wait(&made);
	for (;;)
		pause();
	return unused;
}

/* Whole pages from the one at `from` to the one at `to`. */
static void note(struct place *p, const void *from, const void *to)
{
	uintptr_t start = (uintptr_t)from & -PAGE;
	uintptr_t end = ((uintptr_t)to + PAGE - 1) & -PAGE;

	p->at = (char *)from - ((uintptr_t)from - start);
	p->pages = (end - start) / PAGE;
	p->copy = mmap(NULL, end - start, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(p->copy != MAP_FAILED, "mmap");
}

static void withhold(const struct place *p)
{
	struct uffdio_register all = {
		.range = {(uintptr_t)p->at, p->pages * PAGE},
		.mode = UFFDIO_REGISTER_MODE_MISSING};

	memcpy(p->copy, p->at, p->pages * PAGE);
	need(ioctl(uffd, UFFDIO_REGISTER, &all) == 0, "register");
	for (size_t i = 0; i < p->pages; i += APART)
		need(madvise(p->at + i * PAGE, PAGE, MADV_DONTNEED) == 0,
		     "madvise");
}

static void *handle(void *unused)
{
	struct uffd_msg m;

	while (read(uffd, &m, sizeof(m)) == sizeof(m)) {
		uintptr_t at = (uintptr_t)m.arg.pagefault.address & -PAGE;

		atomic_fetch_add(&faults, 1);
		for (size_t i = 0; i < PLACES; i++) {
			struct uffdio_copy c = {.dst = at, .len = PAGE};
			uintptr_t start = (uintptr_t)place[i].at;

			if (at < start || at >= start + place[i].pages * PAGE)
				continue;
			c.src = (uintptr_t)place[i].copy + (at - start);
			ioctl(uffd, UFFDIO_COPY, &c);
		}
	}
	return unused;
}

/* Without stdio, whose buffers lie on the heap. */
static void say(const char *text)
{
	need(write(1, text, strlen(text)) > 0, "write");
}

static void wait_for_line(void)
{
	char line[64];

	if (read(0, line, sizeof(line)) <= 0)
		_exit(0);
}

static void report(void)
{
	int before = atomic_load(&faults);
	size_t bad = wrong(large, LARGE);
	char line[64];

	for (unsigned which = 0; which < 2; which++)
		for (size_t i = 0; i < CHUNKS; i++)
			if (chunk[which][i])
				bad += wrong(chunk[which][i], SIZE);
	snprintf(line, sizeof(line), "faults %d wrong %zu\n", before, bad);
	say(line);
}

int main(int argc, char **argv)
{
	struct uffdio_api api = {.api = UFFD_API};
	pthread_t thread;

	(void)argv;
	uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	need(uffd >= 0 && ioctl(uffd, UFFDIO_API, &api) == 0, "userfaultfd");
	pthread_barrier_init(&made, NULL, 2);
	need(!pthread_create(&thread, NULL, handle, NULL), "thread");
	need(!pthread_create(&thread, NULL, in_thread, NULL), "thread");
	make(0);
	fill(large = malloc(LARGE), LARGE);
	pthread_barrier_wait(&made);
	note(&place[0], chunk[0][1], chunk[0][CHUNKS - 1]);
	note(&place[1], chunk[1][1], chunk[1][CHUNKS - 1]);
	note(&place[2], large, (char *)large + LARGE);
	if (argc > 1) {
		say("ready\n");
		wait_for_line();
	}
	for (size_t i = 0; i < PLACES; i++)
		withhold(&place[i]);
	say(argc > 1 ? "withheld\n" : "ready\n");
	for (;;) {
		wait_for_line();
		report();
	}
}
