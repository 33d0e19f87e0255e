/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A heap with something in every place, in several arenas, and the process's
 * own account of it. Commands on standard input, one a line: info
 * malloc_info(3), mallinfo2(3), each thread's tcache -> "done" trim
 * malloc_trim(0) -> "trim BEFORE AFTER" (resident bytes) Reporting allocates
 * nothing: stdout has a static buffer.
 */
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS	     6
#define BLOCKS	     4000
#define TCACHE_CHUNK 0x290 /* glibc 2.30 to 2.41, 64 bit */

struct worker {
	pthread_t thread;
	long tid;
	const uint8_t *tcache;
	void *block[BLOCKS];
	uint64_t seed;
};

static struct worker workers[THREADS + 1];
static pthread_barrier_t built;

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	return *s ^= *s << 17;
}

static size_t pick_size(uint64_t *s)
{
	uint64_t r = next_random(s);

	switch (r % 10) {
	case 0:
		return 200 + next_random(s) % 900;
	case 1:
		return 1100 + next_random(s) % 60000;
	default:
		return 1 + next_random(s) % 150;
	}
}

/* The cache was made for the first allocation of the thread, right before it.
 */
static void remember_tcache(struct worker *w)
{
	uint8_t *first = malloc(24);
	size_t head;

	w->tcache = first - TCACHE_CHUNK;
	memcpy(&head, w->tcache - 8, sizeof(head));
	if ((head & ~(size_t)7) != TCACHE_CHUNK)
		w->tcache = NULL;
	w->block[0] = first;
}

static void fill(struct worker *w)
{
	w->tid = syscall(SYS_gettid);
	remember_tcache(w);
	for (int i = 1; i < BLOCKS; i++) {
		w->block[i] = malloc(pick_size(&w->seed));
		memset(w->block[i], 0x5a, 1);
	}
	for (int i = 1; i < BLOCKS; i++)
		if (next_random(&w->seed) % 3 == 0) {
			free(w->block[i]);
			w->block[i] = NULL;
		}
	/* sorts the unsorted bin, leaves a last remainder, then frees more */
	w->block[1] = w->block[1] ?: malloc(90000);
	for (int i = 2; i < BLOCKS; i++)
		if (w->block[i] && next_random(&w->seed) % 4 == 0) {
			free(w->block[i]);
			w->block[i] = NULL;
		}
}

static void *work(void *arg)
{
	fill(arg);
	pthread_barrier_wait(&built);
	for (;;)
		pause();
	return NULL;
}

static void mmapped_blocks(void)
{
	static void *keep[8];

	for (int i = 0; i < 5; i++)
		keep[i] = malloc(200000 + (size_t)i * 4096);
	free(keep[2]);
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	keep[2] = memalign(65536, 300000);
	keep[5] = realloc(malloc(500000), 900000);
	keep[6] = memalign(4096, 140000);
}

static void report_tcache(const struct worker *w)
{
	uint64_t chunks = 0, bytes = 0;

	for (int i = 0; w->tcache && i < 64; i++) {
		uint16_t count;

		memcpy(&count, w->tcache + 2 * i, sizeof(count));
		chunks += count;
		bytes += (uint64_t)count * (32 + (uint64_t)i * 16);
	}
	printf("tcache %ld %lu %lu\n", w->tid, chunks, bytes);
}

static void report(void)
{
	struct mallinfo2 m = mallinfo2();

	malloc_info(0, stdout);
	printf("mallinfo arena %zu ordblks %zu smblks %zu hblks %zu hblkhd %zu "
	       "fsmblks %zu uordblks %zu fordblks %zu keepcost %zu\n",
	       m.arena, m.ordblks, m.smblks, m.hblks, m.hblkhd, m.fsmblks,
	       m.uordblks, m.fordblks, m.keepcost);
	for (int i = 0; i <= THREADS; i++)
		report_tcache(&workers[i]);
	printf("done\n");
	fflush(stdout);
}

/* Anonymous, not Rss: running malloc_trim maps pages of libc's code. */
static unsigned long resident(void)
{
	static char text[8192];
	int fd = open("/proc/self/smaps_rollup", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	const char *at;

	close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, "Anonymous:");
	return at ? strtoul(at + 10, NULL, 10) * 1024 : 0;
}

int main(void)
{
	static char out[1 << 20], in[64];
	ssize_t n;

	setvbuf(stdout, out, _IOFBF, sizeof(out));
	pthread_barrier_init(&built, NULL, THREADS + 1);
	workers[THREADS].seed = 4711;
	fill(&workers[THREADS]);
	for (int i = 0; i < THREADS; i++) {
		workers[i].seed = 99 + (uint64_t)i;
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	pthread_barrier_wait(&built);
	mmapped_blocks();
	printf("ready\n");
	fflush(stdout);
	while ((n = read(0, in, sizeof(in))) > 0) {
		if (in[0] == 'i') {
			report();
		} else if (in[0] == 't') {
			unsigned long before = resident();

			malloc_trim(0);
			printf("trim %lu %lu\n", before, resident());
			fflush(stdout);
		}
	}
	return 0;
}
