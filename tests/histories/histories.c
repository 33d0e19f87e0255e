/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histories: made services over days, judged as the daemon judges them, every
 * two hours as they go, through roll-ups as the store makes them.
 *
 *	build/tools/histories [-s SEED] [-n SEEDS] [-c WORD] [-k HOURS] [-v]
 *	                      [-f ALARMS] [-r SHARE]
 *
 * -n: made services per case, from seed SEED in steps of two (odd seeds were
 * tuned on, even ones show); -c: cases whose name has WORD; -v: each change of
 * the verdict; -f: status 1 when there are more false alarms a process-week,
 * -r: when less of the verdicts at the ends are acceptable.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/recurrence.h"
#include "analysis/rules.h"
#include "analysis/verdict.h"
#include "common/clock.h"
#include "tests/histories/service.h"
#include "tests/lib/levels.h"

#define HOUR_NS (INT64_C(3600) * HT_NS_PER_S)
#define KEPT_NS (168 * HOUR_NS) /* what the daemon reads */
#define SURE	0.8
#define DELAYS	64
#define RULES	8

static bool verbose;
static int64_t every_ns = 2 * HOUR_NS;

/* Lives before, as the store has them: of each what is read at its end. */
struct past {
	struct ht_series life[HT_RECURRENCE_LIVES];
	size_t n;
};

struct count {
	struct past past;
	size_t lives, strict, accepted, forbidden;
	size_t said, is, right;	      /* growth at the end */
	double weeks;		      /* in which nothing leaks */
	size_t false_sure, false_any; /* episodes in them */
	double delay[DELAYS];	      /* hours; INFINITY: never */
	size_t delays;
	size_t by_p[11][2];  /* growth said with .p: in all, right */
	size_t etas, inside; /* intervals, and that hold the truth */
	size_t fired[RULES]; /* alerts, where nothing leaks */
	size_t verdicts;
	int64_t cpu_ns;
};

/* The shipped rules that ask for a verdict. An evaluation every two hours
 * stands for as many as a rule wants. */
static struct ht_rule rules[RULES];
static size_t rules_n;

static void load_rules(void)
{
	struct ht_rule all[32];
	struct ht_err err;

	if (ht_rules_default_count() > 32 ||
	    ht_rules_default(all, &err) != HT_OK)
		abort();
	for (size_t i = 0; i < ht_rules_default_count(); i++) {
		if (!all[i].labels || rules_n == RULES)
			continue;
		rules[rules_n] = all[i];
		rules[rules_n++].evaluations = 1;
	}
}

static void ask_rules(const struct ht_series *s, const struct ht_verdict *v,
		      bool leaks, struct ht_alert *a, struct count *c)
{
	const struct ht_situation now = {
		.now_ns = v->to_ns,
		.verdict = v,
		.series = s,
		.failures = NAN,
		.inconsistent = NAN,
		.gap_intervals = NAN,
		.stop_ratio = NAN,
	};

	for (size_t i = 0; i < rules_n; i++) {
		enum ht_alert_change change =
			ht_alert_step(&a[i], &rules[i], &now);

		c->fired[i] += change == HT_CHANGE_FIRING && !leaks;
		if (change == HT_CHANGE_RESOLVED || change == HT_CHANGE_DROPPED)
			ht_alert_init(&a[i], &rules[i], "", "");
	}
}

static const struct ht_case *now_case;

static bool grows(enum ht_label l)
{
	return l == HT_LABEL_LEAK || l == HT_LABEL_NON_MALLOC_GROWTH;
}

/* What a leak has left behind is told apart for a day. */
static bool leaks_at(const struct ht_life *l, int64_t t)
{
	return t >= l->leak_from &&
	       (l->leak_to == INT64_MAX || t < l->leak_to + 12 * HOUR_NS);
}

/* The limit is met at the highest hour of a day: as the last 24 hours were,
 * further up by the leak. */
static double hours_left(const struct ht_life *l, int64_t now)
{
	const struct ht_series *s = &l->raw;
	double least = INFINITY;

	for (size_t i = 0; i < s->rows && s->time_ns[i] <= now; i++) {
		double age = (double)(now - s->time_ns[i]) / (double)HOUR_NS;
		double room =
			l->limit - s->metric[HT_M_rss_anon][HT_STAT_MEDIAN][i];

		if (age <= 24)
			least = fmin(least, room / l->leak_per_h - age);
	}
	return least;
}

static void count_eta(const struct ht_life *l, const struct ht_verdict *v,
		      struct count *c)
{
	double hours = hours_left(l, v->to_ns);
	int64_t truth = v->to_ns + (int64_t)(hours * 3600) * HT_NS_PER_S;

	if (v->eta_at_ns == 0 || hours > 8000)
		return;
	c->etas++;
	c->inside += truth >= v->eta_low_ns &&
		     (v->eta_high_ns == 0 || truth <= v->eta_high_ns);
}

struct walk {
	bool sure, any; /* in a false episode */
	double found;
	enum ht_label before;
};

static void look(const struct ht_life *l, const struct ht_series *s,
		 const struct ht_verdict *v, struct walk *w, struct count *c)
{
	int64_t now = s->time_ns[s->rows - 1];
	bool leaks = leaks_at(l, now), said = grows(v->label);
	bool sure = said && v->confidence >= SURE;

	if (!leaks) {
		c->weeks += (double)every_ns / (double)KEPT_NS;
		c->false_sure += sure && !w->sure;
		c->false_any += said && !w->any;
	}
	w->sure = sure;
	w->any = said;
	if (leaks && sure && isinf(w->found))
		w->found = (double)(now - l->leak_from) / (double)HOUR_NS;
	if (said) {
		c->by_p[(int)(10 * v->confidence)][0]++;
		c->by_p[(int)(10 * v->confidence)][1] += leaks;
	}
	if (said && leaks && now < l->leak_to)
		count_eta(l, v, c);
	if (verbose && (v->label != w->before || said)) {
		printf("  %6.1f h %s %s %.2f %s | %s | %s\n",
		       (double)(now - l->raw.time_ns[0]) / (double)HOUR_NS,
		       said && !leaks ? "!!" : "  ", ht_label_names[v->label],
		       v->confidence, v->reason, v->evidence[0],
		       v->evidence[1]);
	}
	w->before = v->label;
}

static void at_end(const struct ht_life *l, const struct ht_verdict *v,
		   struct count *c)
{
	bool is = l->leak_from != INT64_MAX && l->leak_to == INT64_MAX;
	bool said = grows(v->label);

	c->lives++;
	c->strict += now_case->strict >> v->label & 1;
	c->accepted += now_case->accept >> v->label & 1;
	c->forbidden += said != is;
	c->said += said;
	c->is += is;
	c->right += said && is;
}

static void forget(struct past *p)
{
	for (size_t i = 0; i < p->n; i++)
		ht_series_fini(&p->life[i]);
	p->n = 0;
}

static void remember(struct past *p, const struct ht_levels *levels)
{
	const struct ht_series *raw = levels->raw;
	int64_t last = raw->time_ns[raw->rows - 1];

	if (p->n == HT_RECURRENCE_LIVES) {
		ht_series_fini(&p->life[0]);
		memmove(p->life, p->life + 1, (p->n - 1) * sizeof(*p->life));
		p->n--;
	}
	ht_series_init(&p->life[p->n]);
	ht_levels_mixed(levels, last - KEPT_NS, last, &p->life[p->n++]);
}

static void each_life(struct ht_life *l, void *ctx)
{
	const struct ht_series *raw = &l->raw;
	int64_t last = raw->time_ns[raw->rows - 1], t = raw->time_ns[0];
	struct walk w = {false, false, INFINITY, HT_LABEL_COUNT};
	HT_AUTO_SERIES struct ht_series seen;
	struct ht_verdict v = {0};
	struct ht_alert alerts[RULES];
	struct ht_levels levels;
	struct count *c = ctx;

	ht_series_init(&seen);
	ht_levels_make(raw, &levels);
	for (size_t i = 0; i < rules_n; i++)
		ht_alert_init(&alerts[i], &rules[i], "", "");
	for (t += every_ns / 4; t < last; t += every_ns) {
		int64_t begun;

		if (t + every_ns >= last)
			t = last;
		ht_levels_mixed(&levels, t - KEPT_NS, t, &seen);
		if (seen.rows == 0)
			continue;
		seen.earlier = c->past.life;
		seen.earlier_n = c->past.n;
		begun = ht_clock_ns(CLOCK_THREAD_CPUTIME_ID);
		ht_verdict(&seen, t, NULL, &v);
		c->cpu_ns += ht_clock_ns(CLOCK_THREAD_CPUTIME_ID) - begun;
		c->verdicts++;
		look(l, &seen, &v, &w, c);
		ask_rules(&seen, &v, leaks_at(l, t), alerts, c);
	}
	at_end(l, &v, c);
	if (l->leak_from != INT64_MAX && c->delays < DELAYS)
		c->delay[c->delays++] = w.found;
	remember(&c->past, &levels);
	ht_levels_fini(&levels);
}

/* --- tables -------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_delay(struct count *c)
{
	qsort(c->delay, c->delays, sizeof(double), by_size);
	if (c->delays == 0)
		printf(" - |");
	else if (isinf(c->delay[c->delays / 2]))
		printf(" never |");
	else if (isinf(c->delay[c->delays - 1]))
		printf(" %.0f, never |", c->delay[c->delays / 2]);
	else
		printf(" %.0f, %.0f |", c->delay[c->delays / 2],
		       c->delay[c->delays - 1]);
}

static void print_case(const struct ht_case *k, struct count *c)
{
	printf("| %s | %zu | %zu | %zu | %zu | %.2f | %.2f |", k->name,
	       c->lives, c->strict, c->accepted, c->forbidden,
	       c->weeks > 0 ? (double)c->false_sure / c->weeks : 0,
	       c->weeks > 0 ? (double)c->false_any / c->weeks : 0);
	print_delay(c);
	puts("");
	fflush(stdout);
}

static void add(struct count *all, const struct count *c)
{
	all->lives += c->lives;
	all->strict += c->strict;
	all->accepted += c->accepted;
	all->forbidden += c->forbidden;
	all->said += c->said;
	all->is += c->is;
	all->right += c->right;
	all->weeks += c->weeks;
	all->false_sure += c->false_sure;
	all->false_any += c->false_any;
	all->etas += c->etas;
	all->inside += c->inside;
	for (size_t i = 0; i < RULES; i++)
		all->fired[i] += c->fired[i];
	all->verdicts += c->verdicts;
	all->cpu_ns += c->cpu_ns;
	for (size_t i = 0; i < 11; i++) {
		all->by_p[i][0] += c->by_p[i][0];
		all->by_p[i][1] += c->by_p[i][1];
	}
}

static double share(size_t a, size_t b)
{
	return b ? (double)a / (double)b : NAN;
}

static void print_all(const struct count *c)
{
	printf("\nAt the end of %zu lives: strict %zu, accepted %zu (%.1f %%), "
	       "forbidden %zu; growth said: precision %.3f, recall %.3f.\n",
	       c->lives, c->strict, c->accepted,
	       100 * share(c->accepted, c->lives), c->forbidden,
	       share(c->right, c->said), share(c->right, c->is));
	printf("On the way, in %.0f process-weeks without a leak: %.3f false "
	       "episodes of confidence >= %.1f a week, %.3f of any.\n",
	       c->weeks, (double)c->false_sure / c->weeks, SURE,
	       (double)c->false_any / c->weeks);
	printf("ETA: %zu of %zu intervals hold the truth (%.0f %%). %zu "
	       "verdicts, %.2f ms each.\n",
	       c->inside, c->etas, 100 * share(c->inside, c->etas), c->verdicts,
	       (double)c->cpu_ns / 1e6 / (double)c->verdicts);
	printf("Alerts a process-week without a leak:");
	for (size_t i = 0; i < rules_n; i++)
		printf(" %s %.3f%s", rules[i].name,
		       (double)c->fired[i] / c->weeks,
		       i + 1 < rules_n ? "," : ".\n");
	puts("\n| growth said with | times | right |\n| --- | --- | --- |");
	for (size_t i = 0; i < 10; i++)
		if (c->by_p[i][0])
			printf("| .%zu | %zu | %.0f %% |\n", i, c->by_p[i][0],
			       100 * share(c->by_p[i][1], c->by_p[i][0]));
}

static void run_case(const struct ht_case *k, size_t seed, size_t n,
		     struct count *all)
{
	struct count c = {0};

	now_case = k;
	for (size_t i = 0; i < n; i++) {
		if (verbose)
			printf("%s, seed %zu\n", k->name, seed + 2 * i);
		ht_service_run(k, seed + 2 * i, each_life, &c);
		forget(&c.past);
	}
	print_case(k, &c);
	add(all, &c);
}

int main(int argc, char **argv)
{
	size_t seed = 1, n = 2;
	double alarms = INFINITY, found = 0;
	const char *word = "";
	struct count all = {0};
	int option;

	while ((option = getopt(argc, argv, "s:n:c:k:f:r:v")) != -1) {
		switch (option) {
		case 's':
			seed = strtoul(optarg, NULL, 10);
			break;
		case 'n':
			n = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			word = optarg;
			break;
		case 'k':
			every_ns = (int64_t)(strtod(optarg, NULL) *
					     (double)HOUR_NS);
			break;
		case 'f':
			alarms = strtod(optarg, NULL);
			break;
		case 'r':
			found = strtod(optarg, NULL);
			break;
		case 'v':
			verbose = true;
			break;
		default:
			return 2;
		}
	}
	load_rules();
	puts("| history | lives | strict | accepted | forbidden | false, sure "
	     "(a week) | false, any | found after (h: median, last) |\n"
	     "| --- | --- | --- | --- | --- | --- | --- | --- |");
	for (size_t i = 0; i < ht_cases_n; i++)
		if (strstr(ht_cases[i].name, word))
			run_case(&ht_cases[i], seed, n, &all);
	print_all(&all);
	return (double)all.false_sure / fmax(all.weeks, 1e-9) > alarms ||
	       share(all.accepted, all.lives) < found;
}
