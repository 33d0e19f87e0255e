/* SPDX-License-Identifier: Apache-2.0 */
/* A process that grows by one kind of memory, a little every 10 ms, for ever or
 * until what it fills is full: grower KIND [FILE | N]. Prints "ready" first.
 *
 *   shared       an anonymous shared segment of 512 MiB is touched
 *   segment F    the same of a file (in /dev/shm)
 *   private F    a private mapping of a file is written to
 *   clean F      a shared mapping of a file is read
 *   segments D   a file of 2 MiB more in directory D every half second, mapped
 *                whole
 *   written D    a file in directory D, by write(), that nobody maps
 *   lengthened   a memfd that is made longer and written to the end
 *   static       a static table is filled
 *   pool         blocks of its own by mmap()
 *   unjoined     a thread that ends and is never joined
 *   joined       a thread that ends and is joined
 *   threads      a thread that never ends
 *   descriptors  a file that is not closed
 *   protected    a mapping of one page, apart from its neighbours
 *   aligned N    a buffer aligned to N, a small record that stays, the buffer
 *                goes: older mallocs do not find its hole again
 *   deeper       the main thread's stack, by recursion
 *   cache N      ten blocks of 1000 bytes every 10 ms, of which the last N stay
 *   opened       the same as descriptors, with a buffer of 4000 bytes for each
 *   locked       blocks of 20,000 bytes, locked in memory
 *   advised      blocks of 256 KiB that malloc maps, a part of each under
 *                MADV_DONTDUMP and its last page protected
 *   strangers    memory by sbrk(), between blocks of malloc's heap
 *   libraries F  a copy of the library F more, loaded and never closed
 *   leak N       N bytes every 10 ms, beside 64 MiB that malloc_trim(0) returns
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MIB  (1024u * 1024u)
#define STEP (64u * 1024u) /* 6 MiB a second */

#define STACKS ((size_t)10000)
#define STACK  ((size_t)65536)

static char table[256 * MIB];
static size_t size; /* of what is filled */
static unsigned char *at;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static unsigned char *map(size_t bytes, int protection, int flags, int fd)
{
	void *p = mmap(NULL, bytes, protection, flags, fd, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static int open_file(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	size = (size_t)st.st_size;
	return fd;
}

static void fill(size_t i)
{
	if ((i + 1) * STEP <= size)
		memset(at + i * STEP, 1, STEP);
}

static void begin_shared(const char *arg)
{
	(void)arg;
	size = 512 * MIB;
	at = map(size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
}

static void begin_segment(const char *path)
{
	int fd = open_file(path);

	at = map(size, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
}

static void begin_private(const char *path)
{
	int fd = open_file(path);

	at = map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
}

static void begin_clean(const char *path)
{
	begin_segment(path);
	madvise(at, size,
		MADV_RANDOM); /* no page comes before it is asked for */
}

static void look(size_t i)
{
	for (size_t k = i * STEP; k < (i + 1) * STEP && k < size; k += 4096)
		__asm__ volatile("" ::"r"(at[k]) : "memory");
}

static const char *directory;

static void begin_in(const char *path)
{
	directory = path;
}

static int new_file(size_t i)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/grown.%zu", directory, i);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		die(path);
	return fd;
}

static void segment(size_t i)
{
	int fd;

	if (i % 50)
		return;
	fd = new_file(i / 50);
	if (ftruncate(fd, 2 * MIB) < 0)
		die("ftruncate");
	map(2 * MIB, PROT_READ, MAP_SHARED | MAP_POPULATE, fd);
	close(fd);
}

static void write_on(size_t i)
{
	static const char zeros[STEP];
	static int fd;

	if (i == 0)
		fd = new_file(0);
	if (write(fd, zeros, sizeof(zeros)) < 0)
		die("write");
}

static void begin_static(const char *arg)
{
	(void)arg;
	at = (unsigned char *)table;
	size = sizeof(table);
}

static int memory_fd;

static void begin_lengthened(const char *arg)
{
	(void)arg;
	memory_fd = memfd_create("lengthened", MFD_CLOEXEC);
	if (memory_fd < 0 || ftruncate(memory_fd, STEP) < 0)
		die("memfd");
	size = STEP;
	at = map(size, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd);
}

static void lengthen(size_t i)
{
	size_t longer = (i + 1) * STEP;

	if (ftruncate(memory_fd, (off_t)longer) < 0)
		die("ftruncate");
	at = mremap(at, size, longer, MREMAP_MAYMOVE);
	if (at == MAP_FAILED)
		die("mremap");
	size = longer;
	fill(i);
}

static void pool(size_t i)
{
	(void)i;
	memset(map(STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1),
	       1, STEP);
}

static void *ends(void *p)
{
	char deep[4096]; /* little: mappings are to run out before memory */

	memset(deep, 1, sizeof(deep));
	__asm__ volatile("" ::"r"(deep) : "memory");
	return p;
}

/* Its end is never met. */
static void deeper(size_t i)
{
	const struct timespec rest = {.tv_nsec = 10000000};
	char frame[4096];

	memset(frame, (int)i, sizeof(frame));
	nanosleep(&rest, NULL);
	if (i < SIZE_MAX / 4096)
		deeper(i + 1);
	__asm__ volatile("" ::"r"(frame) : "memory");
}

static void *stays(void *p)
{
	pause();
	return p;
}

static pthread_t begin_thread(void *(*run)(void *), size_t stack)
{
	pthread_attr_t attr;
	pthread_t t;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, stack);
	if (pthread_create(&t, &attr, run, NULL))
		die("pthread_create");
	pthread_attr_destroy(&attr);
	return t;
}

static void unjoined(size_t i)
{
	if (i % 2 == 0)
		begin_thread(ends, 8 * MIB);
}

static void joined(size_t i)
{
	(void)i;
	pthread_join(begin_thread(ends, 8 * MIB), NULL);
}

/* All stacks in one mapping: what runs out is threads, on every machine, and
 * not mappings. */
static void more_threads(size_t i)
{
	static unsigned char *stacks;
	pthread_attr_t attr;
	pthread_t t;

	if (i % 4 != 0 || i / 4 >= STACKS)
		return;
	if (!stacks)
		stacks = map(STACKS * STACK, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	pthread_attr_init(&attr);
	if (pthread_attr_setstack(&attr, stacks + i / 4 * STACK, STACK) ||
	    pthread_create(&t, &attr, stays, NULL))
		die("pthread_create");
	pthread_attr_destroy(&attr);
}

static void open_one(size_t i)
{
	(void)i;
	if (open("/dev/null", O_RDONLY) < 0)
		pause();
}

/* Neighbours of the same rights would become one mapping. */
static void protect_one(size_t i)
{
	map(4096, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static size_t number;

static void begin_aligned(const char *n)
{
	number = (size_t)atol(n);
	mallopt(M_MMAP_THRESHOLD, 32 * MIB);
	mallopt(M_TRIM_THRESHOLD, 64 * MIB);
}

static void aligned(size_t i)
{
	void *buffer, *record;

	if (i % 25)
		return;
	if (posix_memalign(&buffer, number, 2 * MIB))
		die("posix_memalign");
	memset(buffer, 1, 2 * MIB);
	record = malloc(100);
	memset(record, 1, 100);
	__asm__ volatile("" ::"r"(buffer), "r"(record) : "memory");
	free(buffer);
}

static void begin_leak(const char *n)
{
	static void *block[16384];

	number = (size_t)atol(n);
	for (size_t i = 0; i < 16384; i++) {
		block[i] = malloc(4000);
		memset(block[i], 1, 4000);
	}
	for (size_t i = 0; i < 16384; i++)
		if (i % 64)
			free(block[i]);
}

static void locked(size_t i)
{
	void *p = malloc(20000);

	if (i % 10)
		return;
	if (!p || mlock(p, 20000))
		pause(); /* it is at its limit */
	memset(p, 1, 20000);
}

/* The kernel cuts such a mapping in several. */
static void advised(size_t i)
{
	unsigned char *p;
	const size_t bytes = 256u << 10;

	if (i % 4)
		return;
	p = aligned_alloc(4096, bytes);
	if (!p)
		die("aligned_alloc");
	memset(p, 1, bytes);
	if (madvise(p + 8192, bytes / 2, MADV_DONTDUMP) ||
	    mprotect(p + bytes - 4096, 4096, PROT_NONE))
		die("madvise");
}

/* Somebody else's memory amid malloc's: 2 MiB a second beside 50 KB. */
static void stranger(size_t i)
{
	char *taken = sbrk(20000);
	void *p = malloc(500);

	(void)i;
	if (taken == (void *)-1 || !p)
		die("sbrk");
	memset(taken, 1, 20000);
	memset(p, 1, 500);
	for (int k = 0; k < 20; k++) {
		p = malloc(9000);
		__asm__ volatile("" ::"r"(p) : "memory");
		free(p);
	}
}

static const char *library;

static void begin_library(const char *path)
{
	library = path;
}

/* Each under another name, or the loader would give the first again. */
static void load_library(size_t i)
{
	char copy[4096], bytes[4096];
	int from, to;
	ssize_t n;

	if (i % 20)
		return;
	snprintf(copy, sizeof(copy), "%s.%zu", library, i);
	from = open(library, O_RDONLY | O_CLOEXEC);
	to = open(copy, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		if (write(to, bytes, (size_t)n) != n)
			die(copy);
	close(from);
	close(to);
	if (!dlopen(copy, RTLD_NOW))
		die(dlerror());
	unlink(copy);
}

/* Larger than the holes. */
static void leak(size_t i)
{
	void *p = malloc(number);

	(void)i;
	memset(p, 1, number);
	__asm__ volatile("" ::"r"(p) : "memory");
}

/* The oldest goes for each that comes, once it is full. */
static void **cached;

static void begin_cache(const char *n)
{
	number = (size_t)atol(n);
	cached = calloc(number, sizeof(*cached));
	if (!cached)
		die("calloc");
}

static void cache(size_t i)
{
	for (size_t k = 0; k < 10; k++) {
		void **p = &cached[(10 * i + k) % number];

		free(*p);
		*p = malloc(1000);
		memset(*p, 1, 1000);
	}
}

static void open_buffered(size_t i)
{
	void *p = malloc(4000);

	memset(p, 1, 4000);
	__asm__ volatile("" ::"r"(p) : "memory");
	open_one(i);
}

static const struct {
	const char *name;
	void (*begin)(const char *arg); /* or NULL */
	void (*step)(size_t i);
} kinds[] = {
	{"shared", begin_shared, fill},
	{"segment", begin_segment, fill},
	{"private", begin_private, fill},
	{"clean", begin_clean, look},
	{"segments", begin_in, segment},
	{"written", begin_in, write_on},
	{"lengthened", begin_lengthened, lengthen},
	{"static", begin_static, fill},
	{"pool", NULL, pool},
	{"unjoined", NULL, unjoined},
	{"joined", NULL, joined},
	{"threads", NULL, more_threads},
	{"descriptors", NULL, open_one},
	{"protected", NULL, protect_one},
	{"aligned", begin_aligned, aligned},
	{"deeper", NULL, deeper},
	{"cache", begin_cache, cache},
	{"opened", NULL, open_buffered},
	{"locked", NULL, locked},
	{"advised", NULL, advised},
	{"strangers", NULL, stranger},
	{"libraries", begin_library, load_library},
	{"leak", begin_leak, leak},
};

int main(int argc, char **argv)
{
	const struct timespec rest = {.tv_nsec = 10000000};

	for (size_t k = 0; argc > 1 && k < sizeof(kinds) / sizeof(*kinds);
	     k++) {
		if (strcmp(kinds[k].name, argv[1]) != 0)
			continue;
		free(malloc(100)); /* a heap there is, however it grows */
		if (kinds[k].begin)
			kinds[k].begin(argc > 2 ? argv[2] : "64");
		puts("ready");
		fflush(stdout);
		for (size_t i = 0;; i++) {
			kinds[k].step(i);
			nanosleep(&rest, NULL);
		}
	}
	fputs("grower KIND [FILE | N]\n", stderr);
	return 2;
}
