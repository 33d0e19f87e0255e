/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile KIND [DIRECTORY]: a process whose own doings are to lead a reader
 * astray. Of its second thread's arena (200 MB in four heaps):
 *   heap-loop     the oldest heap's prev is the newest
 *   heap-self     the newest heap's prev is itself
 *   heap-wild     ... is no heap's address
 *   heap-size     the newest heap is as large as can be said
 *   heap-empty    ... is of no size
 *   heap-arena    the oldest heap belongs to no arena
 * Of that thread's cache, with three chunks in one list:
 *   cache-self    the first is the next after itself
 *   cache-loop    the last leads to the first
 *   cache-wild    one leads into nothing
 * Beside a usual heap:
 *   arenas        two hundred copies of libc's data, half of them written over
 *   names         its own name and those of mapped files have line ends and
 *                 escapes (in DIRECTORY)
 *   fifo          where the file of a mapping was stands a FIFO now
 *   files         it can open no file any more
 *   maps          as many mappings as it may have
 *   vfork         a thread waits for its child of vfork()
 * Prints "ready", ends with its input.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enemy.h"

#define HEAP_MAX ((uintptr_t)64 << 20)
#define LARGE	 2000
#define COPIES	 200
#define MAPPINGS 65600L

struct heap {
	void *arena;
	struct heap *prev;
	size_t size, writable;
};

static struct heap *heap_of(void *chunk)
{
	uintptr_t at = (uintptr_t)chunk;

	return known_to_nobody((char *)chunk - at % HEAP_MAX);
}

static void break_heaps(void)
{
	void *first = malloc(100000), *last = first;
	struct heap *oldest, *newest;

	for (int i = 0; i < LARGE; i++)
		memset(last = malloc(100000), 1, 100000);
	oldest = heap_of(first);
	newest = heap_of(last);
	if (is("heap-loop"))
		oldest->prev = newest;
	else if (is("heap-self"))
		newest->prev = newest;
	else if (is("heap-wild"))
		newest->prev = (struct heap *)0x7ffffffff000;
	else if (is("heap-size"))
		newest->size = ~(size_t)4095;
	else if (is("heap-empty"))
		newest->size = 0;
	else if (is("heap-arena"))
		oldest->arena = (void *)0x4141414141414141;
	known_to_nobody(NULL);
}

/* As glibc mangles its links. */
static void lead(void *from, uintptr_t to)
{
	uintptr_t link = (uintptr_t)from >> 12 ^ to;

	memcpy(known_to_nobody(from), &link, sizeof(link));
	known_to_nobody(NULL);
}

static void break_cache(void)
{
	void *last = malloc(40), *amid = malloc(40), *first = malloc(40);

	free(last);
	free(amid);
	free(first);
	if (is("cache-self"))
		lead(first, (uintptr_t)first);
	else if (is("cache-loop"))
		lead(last, (uintptr_t)first);
	else if (is("cache-wild"))
		lead(amid, 0x4141414141414140);
}

static void *second(void *started)
{
	if (strncmp(kind, "heap-", 5) == 0)
		break_heaps();
	if (strncmp(kind, "cache-", 6) == 0)
		break_cache();
	pthread_barrier_wait(started);
	for (;;)
		pause();
	return NULL;
}

static void copy(const char *from, size_t size, int scribble)
{
	char *to = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (to == MAP_FAILED)
		abort();
	memcpy(to, from, size);
	for (size_t i = 0; scribble && i + 8 < size; i += 56)
		memcpy(to + i, &(char *){to + i}, 8);
}

static void copy_arenas(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], may[8];
	unsigned long start, end;

	while (maps && fgets(line, sizeof(line), maps))
		for (int i = 0;
		     strstr(line, "libc.so") &&
		     sscanf(line, "%lx-%lx %7s", &start, &end, may) == 3 &&
		     may[1] == 'w' && i < COPIES;
		     i++)
			copy((const char *)start, end - start, i % 2);
	if (maps)
		fclose(maps);
}

static char *map_file(const char *path)
{
	int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
	char *p;

	if (fd < 0 || ftruncate(fd, 8192) < 0)
		abort();
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	return p;
}

static void take_names(void)
{
	char path[4096];

	prctl(PR_SET_NAME, "x\n\033[31m\ay");
	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "%s/a\n\033]0;%d\a\\012 (deleted)",
			 directory, i);
		map_file(path)[0] = 1;
	}
}

static void take_fifo(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/file", directory);
	map_file(path);
	unlink(path);
	if (mkfifo(path, 0644) < 0)
		abort();
}

static void take_files(void)
{
	const struct rlimit few = {64, 64};

	setrlimit(RLIMIT_NOFILE, &few);
	while (open("/dev/null", O_RDONLY) >= 0)
		;
}

static void take_mappings(void)
{
	char *p = mmap(NULL, MAPPINGS * 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	for (long i = 0; i < MAPPINGS; i += 2)
		if (mprotect(p + i * 4096, 4096, PROT_READ) < 0)
			break;
}

static void take(char **argv)
{
	(void)argv;
	if (is("arenas"))
		copy_arenas();
	else if (is("names"))
		take_names();
	else if (is("fifo"))
		take_fifo();
	else if (is("files"))
		take_files();
	else if (is("maps"))
		take_mappings();
}

int main(int argc, char **argv)
{
	int status = enemy_begin(argc, argv, 1000, second, take);
	char c;

	if (status)
		return status;
	if (is("vfork") && vfork() == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(read(0, &c, 1) < 0);
	}
	return enemy_stay();
}
