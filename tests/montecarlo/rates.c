/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rates: judges every recorded workload and prints how often the verdict is
 * right, at the end of the runs, with thinned samples, and at every moment.
 *
 *	build/tools/rates [-v] [-t] DIRECTORY...
 *
 * -v: each verdict with its evidence; -t: tables only.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/trace.h"

static bool verbose, tables;

struct count {
	size_t runs, strict, accepted, forbidden, insufficient;
	size_t leak_said, leak_true, leak_right; /* precision and recall */
	size_t confusion[HT_LABEL_COUNT][HT_LABEL_COUNT];
	size_t moments, moments_fine, wrong_leaks, wrong_leaks_twice;
	size_t every, changed;
};

static bool in(unsigned set, enum ht_label l)
{
	return set >> l & 1;
}

static void at_end(const struct ht_trace *t, struct count *c)
{
	struct ht_verdict v;
	bool said, is = t->label == HT_LABEL_LEAK;

	ht_verdict(&t->series, t->series.time_ns[t->series.rows - 1], NULL, &v);
	said = v.label == HT_LABEL_LEAK;
	c->runs++;
	c->strict += v.label == t->label;
	c->accepted += in(t->accept, v.label);
	c->forbidden += in(t->forbid, v.label);
	c->insufficient += v.label == HT_LABEL_INSUFFICIENT_DATA;
	c->leak_said += said;
	c->leak_true += is;
	c->leak_right += said && is;
	c->confusion[t->label][v.label]++;
	if ((v.label != t->label || verbose) && !tables)
		printf("%s %-20s every %zu: %s (%.2f %s) %s%s\n",
		       v.label == t->label	? "   "
		       : in(t->forbid, v.label) ? "!! "
		       : in(t->accept, v.label) ? " ~ "
						: " ! ",
		       t->name, c->every, ht_label_names[v.label], v.confidence,
		       v.reason, v.label == t->label ? "" : "instead of ",
		       v.label == t->label ? "" : ht_label_names[t->label]);
	for (size_t i = 0; verbose && i < v.evidence_n; i++)
		printf("        %s\n", v.evidence[i]);
	if (verbose && v.remedy[0])
		printf("        -> %s\n", v.remedy);
}

static void at_every_moment(const struct ht_trace *t, struct count *c)
{
	enum ht_label before = HT_LABEL_COUNT;
	bool twice = false;

	for (size_t i = 0; i < t->series.rows; i++) {
		int64_t at = t->series.time_ns[i];
		unsigned now = ht_trace_now(t, at);
		struct ht_verdict v;
		bool fine, wrong_leak;

		ht_verdict(&t->series, at, NULL, &v);
		fine = in(now, v.label) || v.label == t->label;
		wrong_leak = v.label == HT_LABEL_LEAK && !fine;
		c->moments++;
		c->moments_fine += fine;
		c->wrong_leaks += wrong_leak;
		twice |= wrong_leak && before == HT_LABEL_LEAK;
		before = v.label;
		if (!fine && !tables)
			printf("   %-20s at %.1f s: %s (%s)\n", t->name,
			       (double)at * 1e-9, ht_label_names[v.label],
			       v.reason);
	}
	c->wrong_leaks_twice += twice;
}

static void judge(const struct ht_trace *t, void *ctx)
{
	struct count *c = ctx;

	at_end(t, c);
	if (c->every <= 2)
		at_every_moment(t, c);
}

static double share(size_t a, size_t b)
{
	return b ? (double)a / (double)b : 1;
}

static const enum ht_label shown[] = {
	HT_LABEL_LEAK,		HT_LABEL_NON_MALLOC_GROWTH,
	HT_LABEL_POOL_GROWTH,	HT_LABEL_TOP_PINNED,
	HT_LABEL_FRAGMENTATION, HT_LABEL_ARENA_PROLIFERATION,
	HT_LABEL_CACHE_WARMUP,	HT_LABEL_PERIODIC,
	HT_LABEL_STABLE,	HT_LABEL_INSUFFICIENT_DATA,
};
#define SHOWN (sizeof(shown) / sizeof(*shown))

static void print_confusion(const struct count *c)
{
	printf("\n| true label (row), verdict (column) |");
	for (size_t k = 0; k < SHOWN; k++)
		printf(" %s |", ht_label_names[shown[k]]);
	printf("\n|");
	for (size_t k = 0; k <= SHOWN; k++)
		printf(" --- |");
	puts("");
	for (size_t l = 0; l < SHOWN; l++) {
		if (shown[l] == HT_LABEL_INSUFFICIENT_DATA)
			continue;
		printf("| %s |", ht_label_names[shown[l]]);
		for (size_t k = 0; k < SHOWN; k++)
			printf(" %zu |", c->confusion[shown[l]][shown[k]]);
		puts("");
	}
}

static void print(const struct count *c)
{
	printf("| every %zu | %zu of %zu | %zu | %zu | %zu | %.2f | %.2f |",
	       c->every, c->strict, c->runs, c->accepted, c->forbidden,
	       c->insufficient, share(c->leak_right, c->leak_said),
	       share(c->leak_right, c->leak_true));
	if (c->moments)
		printf(" %.1f %% of %zu | %zu |",
		       100 * share(c->moments_fine, c->moments), c->moments,
		       c->wrong_leaks_twice);
	else
		printf(" - | - |");
	puts("");
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "vt")) != -1) {
		if (option == '?') {
			fprintf(stderr,
				"usage: rates [-v] [-t] DIRECTORY...\n");
			return 2;
		}
		verbose |= option == 'v';
		tables |= option == 't';
	}
	for (int i = optind; i < argc; i++) {
		printf("%s\n", argv[i]);
		for (size_t every = 1; every <= 4; every++) {
			struct count c = {.every = every};

			ht_trace_each(argv[i], every, judge, &c);
			if (every == 1)
				print_confusion(&c);
			print(&c);
			verbose = false;
		}
	}
	return 0;
}
