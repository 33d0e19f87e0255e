/* SPDX-License-Identifier: Apache-2.0 */
/* Limit: 120 s
 * Every sentence of a verdict against the figures it speaks about: at each
 * moment of each recorded run. What a sentence says is worked out anew from the
 * samples, not by the judge's own measures; one that no row here knows fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above */
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "analysis/stats.h"
#include "tests/lib/trace.h"

#define MIB 1048576.0

/* One verdict, and the samples that it is made of. */
struct said {
	const struct ht_series *s;
	const struct ht_verdict *v;
};

static double of(const struct said *d, enum ht_metric m, size_t row)
{
	return d->s->metric[m][HT_STAT_MEDIAN][row];
}

static bool within(const struct said *d, size_t row, double from, double to)
{
	double span = (double)(d->v->to_ns - d->v->from_ns);
	double at = (double)(d->s->time_ns[row] - d->v->from_ns) / span;

	return at >= from && at <= to;
}

/* Largest of a metric in a part of the window, by shares of its time. */
static double most(const struct said *d, enum ht_metric m, double from,
		   double to)
{
	double x = NAN;

	for (size_t i = 0; i < d->s->rows; i++)
		if (within(d, i, from, to))
			x = fmax(x, of(d, m, i));
	return x;
}

/* Median of a metric in a part of the window. */
static double level(const struct said *d, enum ht_metric m, double from,
		    double to)
{
	double x[HT_POINTS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < d->s->rows && n < HT_POINTS_MAX; i++)
		if (within(d, i, from, to) && !isnan(of(d, m, i)))
			x[n++] = of(d, m, i);
	return ht_median(x, n);
}

static double last(const struct said *d, enum ht_metric m)
{
	double x = NAN;

	for (size_t i = 0; i < d->s->rows; i++)
		if (within(d, i, 0, 1) && !isnan(of(d, m, i)))
			x = of(d, m, i);
	return x;
}

/* From level to level, and from the first sample to the last. */
static double rise(const struct said *d, enum ht_metric m)
{
	return level(d, m, 0.85, 1) - level(d, m, 0, 0.15);
}

/* Of the lowest of each third: what bursts leave alone. */
static double floors(const struct said *d, enum ht_metric m)
{
	double early = INFINITY, late = INFINITY;

	for (size_t i = 0; i < d->s->rows; i++) {
		if (within(d, i, 0, 0.33))
			early = fmin(early, of(d, m, i));
		else if (within(d, i, 0.67, 1))
			late = fmin(late, of(d, m, i));
	}
	return late - early;
}

static double end_to_end(const struct said *d, enum ht_metric m)
{
	for (size_t i = 0; i < d->s->rows; i++)
		if (within(d, i, 0, 1) && !isnan(of(d, m, i)))
			return last(d, m) - of(d, m, i);
	return NAN;
}

/* --- what sentences claim ------------------------------------------------ */

static bool heap_is_level(const struct said *d)
{
	double late = level(d, HT_M_heap_resident, 0.9, 1);
	double before = most(d, HT_M_heap_resident, 0.4, 0.75);

	return d->v->eta_at_ns == 0 &&
	       late - before <= fmax(4 * MIB, 0.35 * before);
}

static bool trim_returns_little(const struct said *d)
{
	return last(d, HT_M_trimmable) <=
	       fmax(MIB, 0.06 * last(d, HT_M_rss_anon));
}

static bool trim_returns_much(const struct said *d)
{
	return last(d, HT_M_trimmable) >= 0.9 * MIB;
}

static bool peaks_need_it(const struct said *d)
{
	return most(d, HT_M_in_use_arena, 0, 1) >=
	       0.6 * level(d, HT_M_heap_resident, 0.7, 1);
}

static bool peaks_of_late_do_not(const struct said *d)
{
	return most(d, HT_M_in_use_arena, 0.75, 1) <
	       0.8 * most(d, HT_M_heap_resident, 0.7, 1);
}

static bool is_calm(const struct said *d)
{
	return d->v->eta_at_ns == 0 && (d->v->label == HT_LABEL_STABLE ||
					d->v->label == HT_LABEL_PERIODIC ||
					d->v->label == HT_LABEL_CACHE_WARMUP);
}

static bool end_is_highest(const struct said *d)
{
	enum ht_metric m = d->v->label == HT_LABEL_NON_MALLOC_GROWTH
				   ? HT_M_non_malloc_anon
				   : HT_M_in_use;

	return most(d, m, 0.8, 1) >= 0.98 * most(d, m, 0, 0.8) ||
	       most(d, HT_M_rss_shmem, 0.8, 1) >
		       most(d, HT_M_rss_shmem, 0, 0.8);
}

static bool pool_is_not_it(const struct said *d)
{
	double pool =
		fmin(fmin(rise(d, HT_M_retained), end_to_end(d, HT_M_retained)),
		     floors(d, HT_M_retained));
	double held = fmax(fabs(rise(d, HT_M_in_use)),
			   fabs(end_to_end(d, HT_M_in_use)));

	return pool <= fmax(MIB, 0.75 * held);
}

static bool mostly_freed(const struct said *d)
{
	return rise(d, HT_M_in_use) <= 0.5 * rise(d, HT_M_heap_resident) ||
	       end_to_end(d, HT_M_in_use) <=
		       0.5 * end_to_end(d, HT_M_heap_resident);
}

static bool is_stuck(const struct said *d)
{
	return last(d, HT_M_retained) - last(d, HT_M_trimmable) >=
	       0.2 * last(d, HT_M_retained);
}

static bool heap_grows_alone(const struct said *d)
{
	return rise(d, HT_M_heap_resident) > 0 && mostly_freed(d) &&
	       d->v->label != HT_LABEL_LEAK;
}

static bool no_date(const struct said *d)
{
	return d->v->eta_at_ns == 0;
}

static bool dates_in_order(const struct said *d)
{
	const struct ht_verdict *v = d->v;

	return v->eta_low_ns == 0 ||
	       (v->eta_low_ns > v->to_ns - 1 &&
		(v->eta_at_ns == 0 || v->eta_low_ns <= v->eta_at_ns) &&
		(v->eta_high_ns == 0 || v->eta_at_ns < v->eta_high_ns));
}

static bool is_unsure(const struct said *d)
{
	return d->v->confidence <= 0.6001;
}

static bool parts_add_up(const struct said *d)
{
	const struct ht_rise *r = &d->v->rise;
	double sum =
		r->in_use + r->retained + r->outside + r->files + r->shared;

	return isnan(sum) || fabs(sum - r->rss) < 1;
}

/* By its mean of the first and last third, or by its floors of them. */
static bool class_rises(const struct said *d, const double *bytes)
{
	double sum[2] = {0, 0}, low[2] = {INFINITY, INFINITY}, n[2] = {0, 0};

	for (size_t i = 0; i < d->s->rows; i++) {
		double x = isnan(bytes[i]) ? 0 : bytes[i];
		size_t late = within(d, i, 0.67, 1);

		if (!late && !within(d, i, 0, 0.33))
			continue;
		sum[late] += x;
		n[late]++;
		low[late] = fmin(low[late], x);
	}
	return sum[1] / n[1] > sum[0] / n[0] || low[1] > low[0];
}

/* Of its size class, where one is named: load may fall beside it. */
static bool rises_late(const struct said *d)
{
	for (size_t i = 0; i < d->s->classes_n; i++)
		if (d->s->classes[i].max_size == d->v->culprit_class)
			return class_rises(
				d, d->s->classes[i].bytes[HT_STAT_MEDIAN]);
	return rise(d, HT_M_in_use) > 0 || rise(d, HT_M_mmapped_resident) > 0;
}

/* Of what is asked for more, at least half is not in pages. */
static bool is_unwritten(const struct said *d)
{
	return rise(d, HT_M_in_use_arena) + rise(d, HT_M_mmapped_resident) <
	       rise(d, HT_M_in_use) / 2;
}

/* In use of all arenas at one time leaves some of the heap over. */
static bool arenas_can_share(const struct said *d)
{
	return (double)d->v->remedy_bytes <=
	       most(d, HT_M_heap_resident, 0, 1) -
		       most(d, HT_M_in_use_arena, 0.1, 0.9) + MIB;
}

/* Most of what is freed and resident waits there. */
static bool caches_hold_most(const struct said *d)
{
	return last(d, HT_M_tcache) >= 0.4 * last(d, HT_M_retained);
}

static bool fastbins_hold_most(const struct said *d)
{
	return last(d, HT_M_fastbin) >= 0.4 * last(d, HT_M_retained);
}

/* Some of the recorded runs do not know it. */
static bool threshold_is_raised(const struct said *d)
{
	return !(last(d, HT_M_trim_threshold) <= 131072);
}

static bool threshold_is_default(const struct said *d)
{
	return last(d, HT_M_trim_threshold) <= 131072;
}

/* In use as a whole against the class that is named. */
static bool hardly_moved(const struct said *d)
{
	return fabs(rise(d, HT_M_in_use)) <=
	       0.3 * most(d, HT_M_in_use, 0, 1) + MIB;
}

/* What came is more than faults of a page each could bring. */
static bool has_no_faults(const struct said *d)
{
	return most(d, HT_M_minflt, 0, 1) > 0 &&
	       most(d, HT_M_heap_resident, 0, 1) >= 8 * MIB;
}

static bool many_hold_it(const struct said *d)
{
	return last(d, HT_M_arenas_holding) >= 3;
}

static bool true_of_itself(const struct said *d)
{
	(void)d;
	return true; /* it repeats figures, and claims nothing of them */
}

/* A part of the sentence, and whether it holds. All rows that fit are asked. */
static const struct sentence {
	const char *part;
	bool (*holds)(const struct said *d);
} sentences[] = {
	{"no exhaustion expected", heap_is_level},
	{"and rose of late, in use peaks", true_of_itself},
	{"malloc_trim() and tunables will not help", trim_returns_little},
	{"the leak goes on all the same", trim_returns_much},
	{"the next peak will ask for it again", peaks_need_it},
	{"the rest is not needed", peaks_of_late_do_not},
	{"nothing to do", is_calm},
	{"the end is above all before", end_is_highest},
	{"so it is not the pool that grows", pool_is_not_it},
	{"mostly memory that was freed", mostly_freed},
	{"nobody can return them", is_stuck},
	{"are stuck", is_stuck},
	{"new memory is taken instead", heap_grows_alone},
	{"free memory that malloc does not use again", heap_grows_alone},
	{"no date of memory follows", no_date},
	{"limit ", dates_in_order},
	{"so far:", is_unsure},
	{"other size classes lost", hardly_moved},
	{"became resident again", has_no_faults},
	{"does not last", has_no_faults},
	{"run out", true_of_itself},
	{"RSS rose", parts_add_up},
	{"RSS fell", parts_add_up},
	{"the program asks and does not free", rises_late},
	{"takes address space, not memory", is_unwritten},
	{"in use (floor)", true_of_itself},
	{"in use as a whole", true_of_itself},
	{"what is written of", true_of_itself},
	{"each written full before", true_of_itself},
	{"of what the rising classes gained", true_of_itself},
	{"gained most:", true_of_itself},
	{"its chunks grow, not their number", true_of_itself},
	{"its chunk grows", true_of_itself},
	{"freed and kept by malloc:", true_of_itself},
	{"and still rising: a program that loads", true_of_itself},
	{"memory outside malloc ", true_of_itself},
	{"malloc's in use", true_of_itself},
	{"gained ", true_of_itself},
	{"not malloc's", true_of_itself},
	{"in quiet moments", true_of_itself},
	{"of it wait in thread caches", caches_hold_most},
	{"in thread caches, where", caches_hold_most},
	{"never merged", fastbins_hold_most},
	{"merges the fastbins", fastbins_hold_most},
	{"the top chunk is", true_of_itself},
	{"trim_threshold=131072", threshold_is_raised},
	{"M_TRIM_THRESHOLD was set", threshold_is_raised},
	{"top_pad is", threshold_is_default},
	{"the next free() of 64 KiB", threshold_is_default},
	{"are the tops of arenas", true_of_itself},
	{"it lies in holes", true_of_itself},
	{"arenas hold 5 %", many_hold_it},
	{"MALLOC_ARENA_MAX=2", arenas_can_share},
	{"would go back if a handful", true_of_itself},
	{"holds ", true_of_itself},
	{"in spite of the pin", true_of_itself},
	{"troughs level", true_of_itself},
	{"at this rate it levels off", true_of_itself},
	{"wait and look again", true_of_itself},
	{"when all of it is written", true_of_itself},
	{"80 % of the way", true_of_itself},
	{"one step: in use", true_of_itself},
	{"no growth that lasts", true_of_itself},
	{"still takes memory", true_of_itself},
	{"free inside malloc in quiet moments", true_of_itself},
	{"what rose did not go on rising", true_of_itself},
	{"judged on", true_of_itself},
	{"samples that a verdict needs", true_of_itself},
	{"what happened meanwhile nobody saw", true_of_itself},
	{"samples only", true_of_itself},
	{"the heap ", true_of_itself},
};

struct count {
	size_t sentences, refuted, unknown;
};

static void ask(const char *text, const struct said *d, const char *name,
		struct count *c)
{
	bool known = false;

	for (size_t i = 0; i < sizeof(sentences) / sizeof(*sentences); i++) {
		if (!strstr(text, sentences[i].part))
			continue;
		known = true;
		if (sentences[i].holds(d))
			continue;
		c->refuted++;
		print_message("%s: refuted by its figures: \"%s\" in \"%s\"\n",
			      name, sentences[i].part, text);
	}
	c->sentences++;
	c->unknown += !known;
	if (!known)
		print_message("%s: no row knows: %s\n", name, text);
}

static void each_moment(const struct ht_trace *t, void *ctx)
{
	for (size_t i = 10; i < t->series.rows; i++) {
		struct ht_verdict v;
		const struct said d = {&t->series, &v};

		ht_verdict(&t->series, t->series.time_ns[i], NULL, &v);
		for (size_t k = 0; k < v.evidence_n; k++)
			ask(v.evidence[k], &d, t->name, ctx);
		if (v.remedy[0])
			ask(v.remedy, &d, t->name, ctx);
	}
}

static void no_sentence_is_refuted_by_its_own_figures(void **state)
{
	struct count c = {0};

	(void)state;
	ht_trace_each("tests/workloads/traces/open", 1, each_moment, &c);
	ht_trace_each("tests/workloads/traces/own", 1, each_moment, &c);
	print_message("%zu sentences\n", c.sentences);
	assert_true(c.sentences > 5000);
	assert_int_equal(c.unknown, 0);
	assert_int_equal(c.refuted, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_sentence_is_refuted_by_its_own_figures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
