/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_bench FILE [SAMPLES] [PROCESSES]: an accelerated history of made
 * samples (ten arenas, 90 size classes, one each 10 s) through the real ingest
 * and the real maintenance, one transaction for what comes in a second at 2000
 * samples/s. Prints what it cost in time and disk, then how long reading back
 * takes. FILE is made new; with SAMPLES 0 it is read only.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "analysis/needs.h"
#include "analysis/verdict.h"
#include "common/clock.h"
#include "store/store.h"
#include "tests/lib/fake.h"

enum { BATCH = 2000, READS = 5, SLICE_US_MAX = 200000 };
#define DAY_NS (86400 * HT_NS_PER_S)

static struct ht_err err;

/* Processor time: other programs on the machine do not count. */
static int64_t cpu_ns(void)
{
	return ht_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static void must(enum ht_code code)
{
	if (code == HT_OK)
		return;
	fprintf(stderr, "store_bench: %s\n", err.msg);
	exit(ht_code_exit_status(code));
}

/* How long slices of upkeep took. */
struct slices {
	int64_t longest_ns;
	uint64_t n, by_us[SLICE_US_MAX + 1];
};

struct bench {
	struct ht_store *st;
	struct fake fakes[128];
	uint64_t processes, samples, next;
	int64_t make_ns, add_ns, maintain_ns;
	struct slices cpu, wall;
};

/* n samples as one transaction; making them is timed apart. */
static void add_batch(struct bench *b, uint64_t n)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	int64_t make_ns = 0, begin_ns = cpu_ns();

	ht_snapshot_init(&s);
	must(ht_store_begin(b->st, &err));
	for (uint64_t i = 0; i < n; i++, b->next++) {
		struct fake *f = &b->fakes[b->next % b->processes];
		int64_t before = cpu_ns();

		fake_snapshot(f, b->next / b->processes, &s);
		make_ns += cpu_ns() - before;
		must(ht_store_add(b->st, "bench", &s, NULL, &err));
	}
	must(ht_store_commit(b->st, &err));
	b->make_ns += make_ns;
	b->add_ns += cpu_ns() - begin_ns - make_ns;
}

static int64_t time_of(const struct bench *b)
{
	return b->fakes[0].start_ns +
	       (int64_t)(b->next / b->processes) * b->fakes[0].step_ns;
}

static void count(struct slices *s, int64_t took_ns)
{
	s->n++;
	s->by_us[took_ns < SLICE_US_MAX * 1000 ? took_ns / 1000
					       : SLICE_US_MAX]++;
	if (took_ns > s->longest_ns)
		s->longest_ns = took_ns;
}

/* In slices as a daemon's; the longest is what a loop feels. */
static void maintain(struct bench *b)
{
	struct ht_store_policy policy = HT_STORE_POLICY_DEFAULT;
	bool done = false;

	while (!done) {
		int64_t begin_ns = cpu_ns(), began_ns = ht_mono_ns(), took_ns;

		must(ht_store_maintain(b->st, &policy, time_of(b),
				       HT_STORE_SLICE_NS, &done, &err));
		took_ns = cpu_ns() - begin_ns;
		b->maintain_ns += took_ns;
		count(&b->cpu, took_ns);
		count(&b->wall, ht_mono_ns() - began_ns);
	}
}

/* What so many of a thousand slices took at most, in ms. */
static double slice_ms(const struct slices *s, uint64_t per_mille)
{
	uint64_t seen = 0;
	size_t us = 0;

	while (us < SLICE_US_MAX &&
	       (seen += s->by_us[us]) * 1000 < s->n * per_mille)
		us++;
	return (double)us / 1000;
}

static void report(const struct bench *b)
{
	int64_t bytes = 0;
	struct rusage usage;
	double days =
		(double)(time_of(b) - b->fakes[0].start_ns) / (double)DAY_NS;

	must(ht_store_size(b->st, &bytes, &err));
	getrusage(RUSAGE_SELF, &usage);
	printf("| %" PRIu64
	       " | %.1f | %.0f | %.0f | %.1f | %.0f | %.1f / %.1f / %.1f | %.1f / %.1f / %.1f | %.1f |\n",
	       b->next, days, (double)b->next * 1e9 / (double)b->add_ns,
	       (double)b->next * 1e9 / (double)(b->add_ns + b->maintain_ns),
	       (double)bytes / 1048576, (double)bytes / (double)b->next,
	       slice_ms(&b->cpu, 500), slice_ms(&b->cpu, 999),
	       (double)b->cpu.longest_ns / 1e6, slice_ms(&b->wall, 500),
	       slice_ms(&b->wall, 999), (double)b->wall.longest_ns / 1e6,
	       (double)usage.ru_maxrss / 1024);
	fflush(stdout);
}

static void ingest(struct bench *b)
{
	uint64_t next_report = 8640 * b->processes;

	printf("Times are processor time of this process.\n\n"
	       "| samples | days | adds/s | adds and upkeep/s | MiB | bytes/sample | a slice of upkeep, ms: half / 99.9 %% / longest | the same by the wall clock | our memory, MiB |\n"
	       "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
	while (b->next < b->samples) {
		uint64_t left = b->samples - b->next;

		add_batch(b, left < BATCH ? left : BATCH);
		maintain(b);
		if (b->next >= next_report || b->next == b->samples) {
			report(b);
			next_report *= 3;
		}
	}
}

struct reading {
	const char *what;
	int64_t back_ns;
	size_t max_rows;
	int parts;
	const bool *metrics;
	bool mixed;
};

static void read_back(struct ht_store *st, int64_t now_ns,
		      const struct reading *r)
{
	int64_t best_ns = INT64_MAX;
	size_t rows = 0;

	for (int i = 0; i < READS; i++) {
		HT_AUTO_SERIES struct ht_series s;
		int64_t begin_ns = cpu_ns();

		ht_series_init(&s);
		if (r->mixed)
			must(ht_store_series_mixed(st, 1, now_ns - r->back_ns,
						   now_ns, r->parts, r->metrics,
						   &s, &err));
		else
			must(ht_store_series_of(st, 1, now_ns - r->back_ns,
						now_ns, r->max_rows, r->parts,
						r->metrics, &s, &err));
		rows = s.rows;
		if (cpu_ns() - begin_ns < best_ns)
			best_ns = cpu_ns() - begin_ns;
	}
	printf("| %s | %zu | %.1f |\n", r->what, rows, (double)best_ns / 1e6);
}

static void read_all(const char *path, int64_t now_ns)
{
	static const bool trend[HT_METRIC_COUNT] = {[HT_M_in_use] = true,
						    [HT_M_retained] = true,
						    [HT_M_rss] = true,
						    [HT_M_trimmable] = true,
						    [HT_M_top] = true};
	static const bool none[HT_METRIC_COUNT] = {false};
	bool verdict[HT_METRIC_COUNT], fragmentation[HT_METRIC_COUNT] = {false};
	const struct reading readings[] = {
		{"30 d by minute, 5 metrics", 30 * DAY_NS, 50000, 0, trend, 0},
		{"30 d by minute, medians of 5 metrics", 30 * DAY_NS, 50000,
		 HT_SERIES_MEDIANS, trend, 0},
		{"30 d by minute, all metrics", 30 * DAY_NS, 50000, 0, NULL, 0},
		{"30 d in 96 rows, all metrics", 30 * DAY_NS, 96, 0, NULL, 0},
		{"7 d mixed, all metrics", 7 * DAY_NS, 0, 0, NULL, 1},
		{"7 d mixed, 5 metrics", 7 * DAY_NS, 0, 0, trend, 1},
		{"7 d mixed, as for a verdict", 7 * DAY_NS, 0,
		 HT_SERIES_CLASSES | HT_SERIES_MAPPINGS, verdict, 1},
		{"7 d in 1100 rows, with classes", 7 * DAY_NS, 1100,
		 HT_SERIES_CLASSES, NULL, 0},
		{"30 d of a heat map of bins", 30 * DAY_NS, 2000,
		 HT_SERIES_LIST(HT_LINES_BINS) | HT_SERIES_MEDIANS, none, 0},
		{"30 d of a heat map of bins by arena", 30 * DAY_NS, 2000,
		 HT_SERIES_LIST(HT_LINES_ARENA_BINS) | HT_SERIES_MEDIANS, none,
		 0},
		{"the same with lowest and highest", 30 * DAY_NS, 2000,
		 HT_SERIES_LIST(HT_LINES_ARENA_BINS), none, 0},
		{"30 d of arenas", 30 * DAY_NS, 2000,
		 HT_SERIES_LIST(HT_LINES_ARENAS), none, 0},
		{"30 d of all 15 fragmentation metrics", 30 * DAY_NS, 4000, 0,
		 fragmentation, 0},
		{"1 h of samples, all metrics", DAY_NS / 24, 0, 0, NULL, 0},
		{"1 h of samples, with classes", DAY_NS / 24, 0,
		 HT_SERIES_CLASSES, NULL, 0},
	};
	HT_AUTO_STORE struct ht_store *st = NULL;
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	int64_t begin_ns;

	ht_verdict_needs(verdict);
	for (int m = HT_M_external; m <= HT_M_holes_ge_1m_count; m++)
		fragmentation[m] = true;
	must(ht_store_open(path, HT_STORE_READ, &st, &err));
	printf("\n| read | rows | best of %d, ms |\n| --- | --- | --- |\n",
	       READS);
	for (size_t i = 0; i < sizeof(readings) / sizeof(readings[0]); i++)
		read_back(st, now_ns, &readings[i]);
	ht_snapshot_init(&s);
	begin_ns = cpu_ns();
	must(ht_store_snapshot_at(st, 1, now_ns - DAY_NS / 48, &s, &err));
	printf("| a whole snapshot half an hour ago | %zu | %.1f |\n", s.bins.n,
	       (double)(cpu_ns() - begin_ns) / 1e6);
}

/* As the daemon judges: who writes remembers what it read. */
static void judge_again(const char *path, int64_t now_ns)
{
	static const struct {
		const char *what;
		int64_t back_ns;
	} times[] = {{"never read before", DAY_NS / 6},
		     {"four hours later", DAY_NS / 144},
		     {"10 minutes later", 0},
		     {"nothing new", 0}};
	HT_AUTO_STORE struct ht_store *st = NULL;
	bool metrics[HT_METRIC_COUNT];

	ht_verdict_needs(metrics);
	must(ht_store_open(path, HT_STORE_WRITE, &st, &err));
	printf("\n| 7 d for a verdict | rows | read, ms | judge, ms |\n| --- | --- | --- | --- |\n");
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		HT_AUTO_SERIES struct ht_series s;
		int64_t to_ns = now_ns - times[i].back_ns;
		int64_t begin_ns = cpu_ns(), read_ns;
		struct ht_verdict v;

		ht_series_init(&s);
		must(ht_store_series_mixed(st, 1, to_ns - 7 * DAY_NS, to_ns,
					   HT_SERIES_CLASSES |
						   HT_SERIES_MAPPINGS,
					   metrics, &s, &err));
		read_ns = cpu_ns();
		ht_verdict(&s, to_ns, NULL, &v);
		printf("| %s | %zu | %.1f | %.1f |\n", times[i].what, s.rows,
		       (double)(read_ns - begin_ns) / 1e6,
		       (double)(cpu_ns() - read_ns) / 1e6);
	}
}

static int64_t newest(const char *path)
{
	HT_AUTO_STORE struct ht_store *st = NULL;
	struct ht_store_process p;

	must(ht_store_open(path, HT_STORE_READ, &st, &err));
	must(ht_store_find(st, "#1", &p, &err));
	return p.last_ns;
}

int main(int argc, char **argv)
{
	static struct bench b;

	b.samples = argc > 2 ? strtoull(argv[2], NULL, 10) : 100000;
	b.processes = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	if (argc < 2 || b.processes == 0 || b.processes > 128) {
		fprintf(stderr,
			"usage: store_bench FILE [SAMPLES] [PROCESSES, at most 128]\n");
		return 2;
	}
	if (b.samples == 0) {
		read_all(argv[1], newest(argv[1]));
		judge_again(argv[1], newest(argv[1]));
		return 0;
	}
	unlink(argv[1]);
	for (uint64_t i = 0; i < b.processes; i++) {
		b.fakes[i] = FAKE_DEFAULT;
		b.fakes[i].pid += i;
	}
	must(ht_store_open(argv[1], HT_STORE_WRITE, &b.st, &err));
	ingest(&b);
	ht_store_close(b.st);
	read_all(argv[1], time_of(&b));
	judge_again(argv[1], newest(argv[1]));
	return 0;
}
