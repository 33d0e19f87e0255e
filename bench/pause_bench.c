/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process notices of being measured:
 *   pause_bench AGENT HEAP_MIB THREADS MODE SAMPLES
 * MODE: none, bounded, exact, snapshot, gcore, or fork (the process forks
 * itself). The process has a heap of HEAP_MIB in chunks of 1 KB, THREADS
 * threads that allocate each millisecond, and one more thread that reads the
 * clock as fast as it can: the longest gap between two readings while one
 * sample was taken is that sample's pause. After each sample as much time
 * passes without one: the longest gap of that is the machine's own. Prints, in
 * microseconds: median, 99th percentile and largest with, the same without, and
 * the median and the largest of what heaptide reports (fork: of what the call
 * took), and the agent's processor time for one sample.
 *
 * MODE map-none, map-bounded...: the thread maps and unmaps a page instead, and
 * its longest pair of calls counts: they wait for whoever reads page tables.
 * MODE wake-...: it sleeps to a deadline each millisecond; how late it is
 * counts. MODE answer-...: it answers a byte over a socket; how long who asks
 * each millisecond waits for it counts.
 *
 * MODE spin-none, spin-wake-none...: the THREADS threads allocate without a
 * pause, so that no processor is free.
 *
 * MODE throughput: THREADS threads allocate, write and free without a pause.
 * SAMPLES times there are two tenths of a second, one of them with a sample in
 * bounded mode. MODE throughput-none: a walk in the default mode;
 * throughput-auto: what the daemon takes of a target of an interval of a
 * second. Prints, in hundredths of a per cent of a second, what a sample
 * costs: the mean of the middle half of all pairs, twice its standard error,
 * the same of pairs of unsampled tenths (what the machine does anyway), and the
 * agent's processor time for one sample in microseconds.
 */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "link/client.h"
#include "link/looks.h"

#define CHUNK	    1000
#define SAMPLES_MAX 2000

/* Between the process and us. */
struct view {
	volatile int ready, fork_now;
	volatile int64_t longest_ns, fork_ns;
	volatile uint64_t readings;
	_Atomic uint64_t work;	    /* pieces done, all threads */
	int busy;		    /* mode throughput */
	int spinning;		    /* mode spin-... */
	void *(*thread)(void *arg); /* that notices */
};

static struct view *view;

static void *watch_the_clock(void *arg)
{
	cpu_set_t last;
	int64_t before = ht_mono_ns();

	(void)arg;
	CPU_ZERO(&last);
	CPU_SET((size_t)sysconf(_SC_NPROCESSORS_ONLN) - 1, &last);
	sched_setaffinity(0, sizeof(last), &last);
	for (;;) {
		int64_t now = ht_mono_ns();

		if (now - before > view->longest_ns)
			view->longest_ns = now - before;
		before = now;
		view->readings++;
	}
	return NULL;
}

static void note(int64_t took)
{
	if (took > view->longest_ns)
		view->longest_ns = took;
	view->readings++;
}

static void *map_and_unmap(void *arg)
{
	(void)arg;
	for (;;) {
		int64_t begin = ht_mono_ns();
		void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		munmap(page, 4096);
		note(ht_mono_ns() - begin);
		usleep(20);
	}
	return NULL;
}

static void *sleep_to_deadlines(void *arg)
{
	int64_t due = ht_mono_ns();

	(void)arg;
	for (;;) {
		struct timespec at;

		due += HT_NS_PER_MS;
		at = (struct timespec){due / HT_NS_PER_S, due % HT_NS_PER_S};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		note(ht_mono_ns() - due);
		if (ht_mono_ns() > due)
			due = ht_mono_ns();
	}
	return NULL;
}

static void *answer(void *arg)
{
	char c;

	for (;;)
		if (read(*(int *)arg, &c, 1) != 1 ||
		    write(*(int *)arg, &c, 1) != 1)
			abort();
	return NULL;
}

static void *be_answered(void *arg)
{
	static int pair[2];
	pthread_t other;
	char c = 0;

	(void)arg;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 ||
	    pthread_create(&other, NULL, answer, &pair[1]) != 0)
		abort();
	for (;;) {
		int64_t begin = ht_mono_ns();

		if (write(pair[0], &c, 1) != 1 || read(pair[0], &c, 1) != 1)
			abort();
		note(ht_mono_ns() - begin);
		usleep(1000);
	}
	return NULL;
}

static void *allocate(void *arg)
{
	(void)arg;
	for (;;) {
		free(malloc(100));
		usleep(1000);
	}
	return NULL;
}

static void *work_hard(void *arg)
{
	void *slot[64] = {0};
	unsigned at = (unsigned)(uintptr_t)&slot;

	(void)arg;
	for (;;) {
		for (int i = 0; i < 1000; i++) {
			size_t size;

			at = at * 1664525u + 1013904223u;
			size = 16 + (at >> 8) % 1000;
			free(slot[at >> 26]);
			slot[at >> 26] = malloc(size);
			memset(slot[at >> 26], 1, size);
		}
		view->work++;
	}
	return NULL;
}

static void start(void *(*run)(void *))
{
	pthread_attr_t small;
	pthread_t t;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	if (pthread_create(&t, &small, run, NULL) != 0)
		abort();
}

static void be_measured(size_t mib, int threads)
{
	size_t n = (mib << 20) / (CHUNK + 16);
	void **keep = malloc(n * sizeof(*keep));

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < n; i++) {
		keep[i] = malloc(CHUNK);
		memset(keep[i], 1, CHUNK);
	}
	for (size_t i = 0; i < n; i += 3)
		free(keep[i]);
	if (!view->busy)
		start(view->thread);
	for (int i = 0; i < threads; i++)
		start(view->busy || view->spinning ? work_hard : allocate);
	view->ready = 1;
	for (;;) {
		if (view->fork_now) {
			int64_t begin = ht_mono_ns();
			pid_t child = fork();

			if (child == 0)
				_exit(0);
			view->fork_ns = ht_mono_ns() - begin;
			waitpid(child, NULL, 0);
			view->fork_now = 0;
		}
		usleep(500);
	}
}

static int ascending(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

struct sampler {
	struct ht_client client;
	struct ht_request request;
	struct ht_snapshot snapshot;
	pid_t pid;
	const char *mode;
	struct ht_looks looks; /* mode throughput-auto */
};

/* Processor time that the agent has taken so far. */
static int64_t agent_ns(const struct sampler *s)
{
	clockid_t clock;

	if (s->client.agent_pid <= 0 ||
	    clock_getcpuclockid(s->client.agent_pid, &clock) != 0)
		return 0;
	return ht_clock_ns(clock);
}

/* One per cent of a processor, an interval of a second. */
static const struct ht_looks_limits each_second = {
	.choice = HT_LOOKS_AUTO, .budget_ns = HT_NS_PER_S / 100};

static int64_t ask_agent(struct sampler *s)
{
	const bool choose = strcmp(s->mode, "throughput-auto") == 0;
	struct ht_request request = s->request;
	int64_t before = agent_ns(s);
	struct ht_err err;

	if (choose)
		ht_looks_choose(&s->looks, &each_second, &request);
	if (ht_client_sample(&s->client, &request, &s->snapshot, NULL, NULL,
			     &err) != HT_OK) {
		fprintf(stderr, "%s\n", err.msg);
		exit(1);
	}
	if (choose)
		ht_looks_note(&s->looks, &each_second, &s->snapshot,
			      agent_ns(s) - before, ht_mono_ns());
	return (int64_t)s->snapshot.stop.pause_us;
}

/* One sample, or what stands for it; returns the pause that was reported. */
static int64_t sample(struct sampler *s)
{
	char command[128];

	if (strcmp(s->mode, "fork") == 0) {
		view->fork_now = 1;
		while (view->fork_now)
			usleep(200);
		return view->fork_ns / HT_NS_PER_US;
	} else if (strcmp(s->mode, "gcore") == 0) {
		snprintf(
			command, sizeof(command),
			"gcore -o /tmp/pause_bench %d >/dev/null 2>&1; rm -f /tmp/pause_bench.%d",
			(int)s->pid, (int)s->pid);
		if (system(command) < 0)
			abort();
	} else {
		return ask_agent(s);
	}
	return 0;
}

static bool by_agent(struct sampler *s, const char *agent)
{
	const uint64_t busy_mode = strcmp(s->mode, "throughput") == 0
					   ? HT_MODE_BOUNDED
					   : HT_MODE_NONE;
	struct ht_err err;

	s->request = HT_REQUEST_DEFAULT;
	s->request.flags &= ~(uint64_t)HT_WANT_PSS; /* as the daemon does */
	for (uint64_t m = 0; m < HT_MODE_COUNT; m++) {
		if (strcmp(s->mode, ht_mode_names[m]) != 0 &&
		    !(view->busy && m == busy_mode))
			continue;
		s->request.mode = m;
		if (ht_client_start(agent, s->pid, NULL, &s->client, &err) !=
		    HT_OK) {
			fprintf(stderr, "%s\n", err.msg);
			exit(1);
		}
		/* The first ones locate and learn what a look costs, and are
		 * not counted. */
		for (int i = 0; i < (view->busy ? 10 : 1); i++)
			sample(s);
		return true;
	}
	return false;
}

/* A gap is known once it is over. */
static int64_t longest_us(void)
{
	uint64_t readings = view->readings;

	while (view->readings < readings + 2)
		usleep(100);
	return view->longest_ns / HT_NS_PER_US;
}

/* Pieces of work a second, over a tenth of one, or until the sample is there.
 */
static double work_rate(struct sampler *s, bool sampled, int64_t *ret_ns)
{
	uint64_t before = view->work;
	int64_t begin = ht_mono_ns(), left;

	if (sampled)
		sample(s);
	left = begin + HT_NS_PER_S / 10 - ht_mono_ns();
	if (left > 0)
		usleep((useconds_t)(left / HT_NS_PER_US));
	*ret_ns = ht_mono_ns() - begin;
	return (double)(view->work - before) / (double)*ret_ns;
}

/* Ten-thousandths of a second of work that is missing in one of two tenths,
 * which come in either order. */
static int64_t missing(struct sampler *s, bool sampled, bool first)
{
	int64_t with_ns, without_ns;
	double with, without;

	if (first)
		with = work_rate(s, sampled, &with_ns);
	without = work_rate(s, false, &without_ns);
	if (!first)
		with = work_rate(s, sampled, &with_ns);
	return (int64_t)((1 - with / without) * (double)with_ns / 100000);
}

/* Mean of the middle half, and twice its standard error. */
static void print_middle(int64_t *v, int n)
{
	double sum = 0, squares = 0;
	int from = n / 4, used = n - 2 * from;

	qsort(v, (size_t)n, sizeof(*v), ascending);
	for (int i = from; i < from + used; i++)
		sum += (double)v[i];
	/* Winsorized: what is cut off counts as the last that is not. */
	for (int i = 0; i < n; i++) {
		int64_t x =
			v[i < from ? from
				   : (i < from + used ? i : from + used - 1)];

		squares += ((double)x - sum / used) * ((double)x - sum / used);
	}
	printf("%.0f %.0f ", sum / used,
	       2 * sqrt(squares / (n - 1)) / ((double)used / n * sqrt(n)));
}

static void throughput(struct sampler *s, int n)
{
	static int64_t lost[SAMPLES_MAX], anyway[SAMPLES_MAX];
	int64_t agent;

	sleep(1);
	agent = agent_ns(s);
	for (int i = 0; i < n; i++) {
		lost[i] = missing(s, true, i % 2);
		anyway[i] = missing(s, false, i % 2);
	}
	agent = (agent_ns(s) - agent) / n;
	print_middle(lost, n);
	print_middle(anyway, n);
	printf("%lld\n", (long long)agent / HT_NS_PER_US);
}

static void print(const int64_t *sorted, int n)
{
	printf("%lld %lld %lld ", (long long)sorted[n / 2],
	       (long long)sorted[n * 99 / 100], (long long)sorted[n - 1]);
}

static void pauses(struct sampler *s, int n)
{
	static int64_t seen[SAMPLES_MAX], without[SAMPLES_MAX],
		told[SAMPLES_MAX];
	int64_t agent = agent_ns(s);

	for (int i = 0; i < n; i++) {
		int64_t begin = ht_mono_ns(), took;

		view->longest_ns = 0;
		told[i] = sample(s);
		took = ht_mono_ns() - begin;
		seen[i] = longest_us();
		usleep(2000);
		view->longest_ns = 0;
		usleep((useconds_t)(took / HT_NS_PER_US));
		without[i] = longest_us();
	}
	agent = (agent_ns(s) - agent) / n;
	qsort(seen, (size_t)n, sizeof(*seen), ascending);
	qsort(without, (size_t)n, sizeof(*without), ascending);
	qsort(told, (size_t)n, sizeof(*told), ascending);
	print(seen, n);
	print(without, n);
	printf("%lld %lld %lld\n", (long long)told[n / 2],
	       (long long)told[n - 1], (long long)agent / HT_NS_PER_US);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *begin;
		void *(*thread)(void *arg);
	} kinds[] = {{"map-", map_and_unmap},
		     {"wake-", sleep_to_deadlines},
		     {"answer-", be_answered}};
	struct sampler s = {.client = HT_CLIENT_NONE};
	int n = argc == 6 ? atoi(argv[5]) : 0;

	if (n < 1 || n > SAMPLES_MAX)
		return 2;
	view = mmap(NULL, sizeof(*view), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	s.mode = argv[4];
	view->busy = strncmp(s.mode, "throughput", 10) == 0;
	view->thread = watch_the_clock;
	view->spinning = strncmp(s.mode, "spin-", 5) == 0;
	s.mode += view->spinning ? 5 : 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		size_t len = strlen(kinds[i].begin);

		if (strncmp(s.mode, kinds[i].begin, len) != 0)
			continue;
		view->thread = kinds[i].thread;
		s.mode += len;
	}
	s.pid = fork();
	if (s.pid == 0)
		be_measured(strtoul(argv[2], NULL, 10), atoi(argv[3]));
	while (!view->ready)
		usleep(1000);
	ht_snapshot_init(&s.snapshot);
	by_agent(&s, argv[1]);
	if (view->busy)
		throughput(&s, n);
	else
		pauses(&s, n);
	ht_client_stop(&s.client);
	kill(s.pid, SIGKILL);
	waitpid(s.pid, NULL, 0);
	return 0;
}
