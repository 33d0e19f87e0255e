/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process with a big glibc heap that then holds still, to be measured.
 *
 *   heapgen [-n CHUNKS] [-f FREE] [-l LOST] [-t THREADS] [-s SEED] [-T FILE]
 * [-m] [-L]
 *
 * CHUNKS (10 million) are allocated with churn, the share FREE (0.3) of them is
 * freed, half in runs and half singly, and of the share LOST (0.01) only the
 * pointer is dropped. With THREADS each thread builds its part in its own
 * arena. -T notes each gap above 3 ms of a 0.1 ms ticker in FILE: the pauses
 * that the process feels. -m times glibc's own calls and says so on stderr, -L
 * the leak check of LeakSanitizer, where that was preloaded.
 * Prints "READY PID" when the heap stands.
 */
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { RUN = 64, MAX_THREADS = 1024 };

static struct {
	long chunks;
	double free_share, lost_share;
	int threads;
	uint64_t seed;
	const char *ticks;
	int time_calls, time_lsan;
} options = {
	.chunks = 10000000, .free_share = 0.3, .lost_share = 0.01, .seed = 1};

/* One thread's chunks. The table is an mmapped chunk of its own. */
struct part {
	void **blocks;
	long n;
	uint64_t random;
};

static struct part parts[MAX_THREADS];
static pthread_barrier_t built;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t draw(struct part *p, uint64_t below)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return p->random % below;
}

/* Sizes as programs have them: mostly small, a few large. */
static size_t pick_size(struct part *p)
{
	uint64_t kind = draw(p, 1000);

	if (kind < 900)
		return 16 + draw(p, 105);
	if (kind < 998)
		return 128 + draw(p, 385);
	return 1024 + draw(p, 15000);
}

static void *block(struct part *p)
{
	uint64_t *b = malloc(pick_size(p));

	if (!b)
		abort();
	*b = 0;
	return b;
}

static void drop(struct part *p, long i, long *count)
{
	if (!p->blocks[i])
		return;
	free(p->blocks[i]);
	p->blocks[i] = NULL;
	++*count;
}

static long pick(struct part *p, long below)
{
	return (long)draw(p, (uint64_t)below);
}

static void allocate(struct part *p)
{
	for (long i = 0; i < p->n; i++) {
		p->blocks[i] = block(p);
		if (i > 100 && draw(p, 8) == 0) {
			long old = pick(p, i);

			free(p->blocks[old]);
			p->blocks[old] = block(p);
		}
	}
}

static void release(struct part *p)
{
	long wanted = (long)((double)p->n * options.free_share);
	long lost = (long)((double)p->n * options.lost_share);
	long freed = 0;

	while (freed < wanted / 2) {
		long from = pick(p, p->n);

		for (long i = from; i < from + RUN && i < p->n; i++)
			drop(p, i, &freed);
	}
	while (freed < wanted)
		drop(p, pick(p, p->n), &freed);
	while (lost-- > 0)
		p->blocks[pick(p, p->n)] = NULL;
}

static void build(struct part *p, int index, long n)
{
	p->n = n;
	p->random = options.seed * 0x9E3779B97F4A7C15u +
		    (uint64_t)index * 77777 + 1;
	p->blocks = malloc((size_t)n * sizeof(*p->blocks));
	if (!p->blocks)
		abort();
	allocate(p);
	release(p);
}

static void *build_thread(void *arg)
{
	int index = (int)(intptr_t)arg;

	build(&parts[index], index, options.chunks / options.threads);
	pthread_barrier_wait(&built);
	for (;;)
		pause();
	return NULL;
}

static void build_all(void)
{
	pthread_barrier_init(&built, NULL, (unsigned)options.threads + 1);
	for (int i = 0; i < options.threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, build_thread,
				   (void *)(intptr_t)i))
			abort();
	}
	if (options.threads == 0)
		build(&parts[0], 0, options.chunks);
	pthread_barrier_wait(&built);
}

/* glibc's own ways to know: each holds the arena's lock as long as it takes. */
static void time_calls(void)
{
	FILE *sink = fopen("/dev/null", "w");
	double start = now(), counted, listed;
	struct mallinfo2 info = mallinfo2();

	counted = now();
	if (sink)
		malloc_info(0, sink);
	listed = now();
	fprintf(stderr,
		"in-process: mallinfo2 %.4f s, malloc_info %.4f s, free %zu\n",
		counted - start, listed - counted, info.fordblks);
	if (sink)
		fclose(sink);
}

static void *tick(void *arg)
{
	int fd = (int)(intptr_t)arg;
	double last = now();

	for (;;) {
		struct timespec pause = {.tv_nsec = 100000};
		double gap;

		nanosleep(&pause, NULL);
		gap = now() - last;
		if (gap > 0.003)
			dprintf(fd, "%.6f gap_ms %.3f\n", last, gap * 1e3);
		last = now();
	}
	return NULL;
}

static void start_ticker(void)
{
	int fd = open(options.ticks, O_CREAT | O_TRUNC | O_WRONLY, 0644);
	pthread_t thread;

	if (fd < 0 || pthread_create(&thread, NULL, tick, (void *)(intptr_t)fd))
		abort();
}

static void parse(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "n:f:l:t:s:T:mL")) > 0) {
		switch (option) {
		case 'n':
			options.chunks = atol(optarg);
			break;
		case 'f':
			options.free_share = atof(optarg);
			break;
		case 'l':
			options.lost_share = atof(optarg);
			break;
		case 't':
			options.threads = atoi(optarg);
			break;
		case 's':
			options.seed = strtoull(optarg, NULL, 0);
			break;
		case 'T':
			options.ticks = optarg;
			break;
		case 'm':
			options.time_calls = 1;
			break;
		case 'L':
			options.time_lsan = 1;
			break;
		default:
			exit(2);
		}
	}
	if (options.threads < 0 || options.threads > MAX_THREADS)
		exit(2);
}

/* Of liblsan, if it is there. */
__attribute__((weak)) int __lsan_do_recoverable_leak_check(void);

/* Ours, and that of the process by which it looks at ours. */
static double processor(void)
{
	static const int whose[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
	double sum = 0;

	for (size_t i = 0; i < sizeof(whose) / sizeof(*whose); i++) {
		struct rusage u;

		getrusage(whose[i], &u);
		sum += (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
	}
	return sum;
}

static void time_lsan(void)
{
	double start = now(), used = processor();

	if (__lsan_do_recoverable_leak_check)
		__lsan_do_recoverable_leak_check();
	fprintf(stderr, "lsan: %.2f %.2f\n", now() - start, processor() - used);
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	build_all();
	if (options.time_lsan)
		time_lsan();
	if (options.time_calls)
		time_calls();
	if (options.ticks)
		start_ticker();
	printf("READY %d\n", (int)getpid());
	fflush(stdout);
	for (;;)
		pause();
}
