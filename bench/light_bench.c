/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at a process at work, each between two walks of it while it stands
 * still:
 *   light_bench PID [ROUNDS]
 * A look begins when one stop ends, and the next walk when the look is through:
 * the truth lies between what the two walks say. How far a look lies beyond
 * them is its error; how far the two are apart is what moved meanwhile. Three
 * kinds in turn: light looks, light looks with the whole heap as their slice,
 * and walks while the process runs. Prints medians, a line of a table each.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/walk/round.h"
#include "tests/lib/look.h"

#define ROUNDS_MAX 64
#define LARGEST	   10 /* size classes that are compared */

enum kind { LIGHT, SLICED, WALKED, KINDS };
enum figure { IN_USE, BINS, RETAINED, CLASSES, FIGURES };

struct result {
	double ms;
	double off[FIGURES], moved[FIGURES]; /* percent */
};

static struct result results[KINDS][ROUNDS_MAX];

/* --- one figure ---------------------------------------------------------- */

struct sums {
	double off, moved, whole;
};

static void add(struct sums *s, uint64_t x, uint64_t a, uint64_t b)
{
	uint64_t low = a < b ? a : b, high = a < b ? b : a;

	if (x < low)
		s->off += (double)(low - x);
	if (x > high)
		s->off += (double)(x - high);
	s->moved += (double)(high - low);
	s->whole += (double)a;
}

static void put(struct result *r, enum figure f, const struct sums *s)
{
	r->off[f] = s->whole > 0 ? 100 * s->off / s->whole : 0;
	r->moved[f] = s->whole > 0 ? 100 * s->moved / s->whole : 0;
}

#define ARENAS	128
#define INDICES 128 /* of bins and fastbins */

typedef uint64_t bins_by_place[ARENAS][HT_BIN_KIND_COUNT][INDICES];

static void spread_bins(const struct ht_snapshot *s, bins_by_place bins)
{
	memset(bins, 0, sizeof(bins_by_place));
	for (size_t i = 0; i < s->bins.n; i++) {
		const struct ht_bin *b = &s->bins.v[i];

		if (b->arena < ARENAS && b->index < INDICES)
			bins[b->arena][b->kind][b->index] = b->bytes;
	}
}

/* Bin by bin: what is too much in one is no comfort to the next. */
static void compare_bins(struct result *r, const struct ht_snapshot *x,
			 const struct ht_snapshot *a,
			 const struct ht_snapshot *b)
{
	static bins_by_place of_x, of_a, of_b;
	struct sums s = {0};

	spread_bins(x, of_x);
	spread_bins(a, of_a);
	spread_bins(b, of_b);
	for (size_t i = 0; i < ARENAS; i++)
		for (size_t k = 0; k < HT_BIN_KIND_COUNT; k++)
			for (size_t n = 0; n < INDICES; n++)
				add(&s, of_x[i][k][n], of_a[i][k][n],
				    of_b[i][k][n]);
	put(r, BINS, &s);
}

static const struct ht_size_class *class_of(const struct ht_snapshot *s,
					    uint64_t max_size)
{
	static const struct ht_size_class none;

	for (size_t i = 0; i < s->size_classes.n; i++)
		if (s->size_classes.v[i].max_size == max_size)
			return &s->size_classes.v[i];
	return &none;
}

static int by_bytes(const void *x, const void *y)
{
	const struct ht_size_class *a = x, *b = y;

	return (a->in_use_bytes < b->in_use_bytes) -
	       (a->in_use_bytes > b->in_use_bytes);
}

/* Sorts a's. */
static void compare_classes(struct result *r, const struct ht_snapshot *x,
			    struct ht_snapshot *a, const struct ht_snapshot *b)
{
	struct sums s = {0};

	if (x->size_classes.n == 0)
		return;
	qsort(a->size_classes.v, a->size_classes.n, sizeof(*a->size_classes.v),
	      by_bytes);
	for (size_t i = 0; i < a->size_classes.n && i < LARGEST; i++) {
		const struct ht_size_class *c = &a->size_classes.v[i];

		add(&s, class_of(x, c->max_size)->in_use_bytes, c->in_use_bytes,
		    class_of(b, c->max_size)->in_use_bytes);
	}
	put(r, CLASSES, &s);
}

static void compare(struct result *r, const struct ht_snapshot *x,
		    struct ht_snapshot *a, const struct ht_snapshot *b)
{
	struct sums in_use = {0}, retained = {0};

	add(&in_use, x->totals.in_use, a->totals.in_use, b->totals.in_use);
	add(&retained, x->totals.retained, a->totals.retained,
	    b->totals.retained);
	put(r, IN_USE, &in_use);
	put(r, RETAINED, &retained);
	compare_bins(r, x, a, b);
	compare_classes(r, x, a, b);
}

/* --- the looks ----------------------------------------------------------- */

static void look(pid_t pid, struct ht_look how, struct ht_snapshot *ret,
		 double *ms)
{
	struct ht_err err;

	if (ht_look(pid, &how, ret, &err) != HT_OK) {
		fprintf(stderr, "light_bench: %s\n", err.msg);
		exit(1);
	}
	*ms = (double)how.cpu_ns / 1e6;
}

static void look_between(pid_t pid, enum kind kind, struct ht_round *round,
			 struct ht_snapshot *before, struct result *r)
{
	struct ht_look how = {.moving = true,
			      .alone = true,
			      .light = kind != WALKED,
			      .round = kind == SLICED ? round : NULL,
			      .slice_max = UINT64_MAX >> 1};
	struct ht_snapshot between, after;
	double ms;

	look(pid, how, &between, &r->ms);
	look(pid, (struct ht_look){0}, &after, &ms);
	compare(r, &between, before, &after);
	ht_snapshot_fini(&between);
	ht_snapshot_fini(before);
	*before = after;
}

static int by_value(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

/* Of the member `offset` bytes into each result. */
static double median(enum kind kind, size_t rounds, size_t offset)
{
	double v[ROUNDS_MAX];

	for (size_t i = 0; i < rounds; i++)
		memcpy(&v[i], (const char *)&results[kind][i] + offset,
		       sizeof(v[i]));
	qsort(v, rounds, sizeof(*v), by_value);
	return v[rounds / 2];
}

static void print(enum kind kind, size_t rounds, const struct ht_snapshot *s)
{
	static const char *const names[] = {"light look", "and all slices",
					    "walk"};

	printf("| %.0f | %s | %.1f |", (double)s->totals.system / 1048576,
	       names[kind], median(kind, rounds, offsetof(struct result, ms)));
	for (enum figure f = 0; f < FIGURES; f++)
		printf(kind == LIGHT && f == CLASSES ? " |" : " %.3f (%.3f) |",
		       median(kind, rounds,
			      offsetof(struct result, off) +
				      f * sizeof(double)),
		       median(kind, rounds,
			      offsetof(struct result, moved) +
				      f * sizeof(double)));
	printf("\n");
}

int main(int argc, char **argv)
{
	pid_t pid = argc > 1 ? atoi(argv[1]) : 0;
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 5;
	struct ht_round *round = calloc(1, sizeof(*round));
	struct ht_snapshot before;
	double ms;

	if (!round || rounds == 0 || rounds > ROUNDS_MAX)
		return 2;
	look(pid, (struct ht_look){0}, &before, &ms);
	for (size_t i = 0; i < rounds; i++)
		for (enum kind k = 0; k < KINDS; k++)
			look_between(pid, k, round, &before, &results[k][i]);
	for (enum kind k = 0; k < KINDS; k++)
		print(k, rounds, &before);
	free(round);
	return 0;
}
