/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics on the command line: --metric 'in_use,retained / heap_resident'. */
#ifndef HT_CLI_METRICS_H
#define HT_CLI_METRICS_H

#include <jansson.h>

#include "analysis/condition.h"
#include "cli/commands.h"

/* A metric, or an expression of some. */
struct ht_trend_metric {
	char name[HT_CONDITION_MAX]; /* as it was typed */
	enum ht_metric metric;	     /* HT_METRIC_COUNT: an expression */
	struct ht_expression expression;
	const char *unit, *help; /* borrowed: from the table, or from here */
};

struct ht_measures {
	struct ht_trend_metric *v;
	size_t n;
};

void ht_measures_fini(struct ht_measures *m);
#define HT_AUTO_MEASURES HT_CLEANUP(ht_measures_fini)

/* A list with commas; NULL text: `fallback`, itself such a list; "": all
 * metrics. HT_USAGE names the first word that is none and why. ret: zeroed. */
enum ht_code ht_measures_parse(const char *text, const char *fallback,
			       struct ht_measures *ret,
			       struct ht_err *err) HT_MUST_CHECK;
/* Flags all metrics that they read. */
void ht_measures_wanted(const struct ht_measures *m,
			bool metrics[HT_METRIC_COUNT]);
/* Value of a row: of an expression, from the medians. NaN: unknown. */
double ht_measure_at(const struct ht_trend_metric *m, const struct ht_series *s,
		     enum ht_stat stat, size_t row);
/* The medians' values of all rows, freed by the caller; NULL when out of
 * memory.
 */
double *ht_measure_column(const struct ht_trend_metric *m,
			  const struct ht_series *s);
/* A value: a whole number, a real one for ratios and what is divided; null when
 * not known. */
json_t *ht_measure_json(const struct ht_trend_metric *m, double v);
json_t *ht_metric_json(enum ht_metric m, double v);
/* "a,b" for CSV: quoted when it has to be. */
void ht_measure_print_name(const struct ht_trend_metric *m);

/* `--metric help`: prints all of them. */
enum ht_code ht_metric_list_help(const struct ht_cli *cli,
				 struct ht_err *err) HT_MUST_CHECK;

#endif
