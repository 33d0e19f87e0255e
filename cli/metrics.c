/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/metrics.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/csv.h"
#include "cli/table.h"

void ht_measures_fini(struct ht_measures *m)
{
	free(m->v);
	*m = (struct ht_measures){0};
}

/* Length of the next word of a list: to a comma outside of brackets. */
static size_t word_length(const char *at)
{
	size_t n = 0;

	for (int depth = 0; at[n] && (at[n] != ',' || depth > 0); n++)
		depth += (at[n] == '(') - (at[n] == ')');
	return n;
}

static bool is_word(const char *text)
{
	return text[strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789")] ==
	       '\0';
}

static enum ht_code parse_one(const char *word, struct ht_trend_metric *ret,
			      struct ht_err *err)
{
	struct ht_err why = {0};

	if (is_word(word) && strcmp(word, "anon") != 0 &&
	    ht_metric_find(word) == HT_METRIC_COUNT)
		return ht_fail(err, HT_USAGE,
			       "no metric '%s': '--metric help' lists them",
			       word);
	if (ht_expression_parse(word, &ret->expression, &why) != HT_OK)
		return ht_fail(err, HT_USAGE, "'%.80s': %s", word, why.msg);
	snprintf(ret->name, sizeof(ret->name), "%s", word);
	ret->metric = ht_expression_metric(&ret->expression);
	return HT_OK;
}

/* After the array is as large as it gets: units of expressions are in it. */
static void name_units(struct ht_measures *m)
{
	for (size_t i = 0; i < m->n; i++) {
		struct ht_trend_metric *one = &m->v[i];
		bool plain = one->metric < HT_METRIC_COUNT;

		one->unit = plain ? ht_metric_infos[one->metric].unit
				  : one->expression.unit;
		one->help = plain ? ht_metric_infos[one->metric].help : "";
	}
}

static enum ht_code add(struct ht_measures *m, const char *word, size_t n,
			struct ht_err *err)
{
	char text[HT_CONDITION_MAX];
	struct ht_trend_metric *grown;

	while (n && isspace((unsigned char)*word)) {
		word++;
		n--;
	}
	while (n && isspace((unsigned char)word[n - 1]))
		n--;
	if (n >= sizeof(text))
		return ht_fail(err, HT_USAGE,
			       "--metric: '%.40s...' is too long", word);
	snprintf(text, sizeof(text), "%.*s", (int)n, word);
	grown = reallocarray(m->v, m->n + 1, sizeof(*grown));
	if (!grown)
		return ht_fail(err, HT_NOMEM, "out of memory for metrics");
	m->v = grown;
	return parse_one(text, &m->v[m->n++], err);
}

enum ht_code ht_measures_parse(const char *text, const char *fallback,
			       struct ht_measures *ret, struct ht_err *err)
{
	const char *at = text ? text : fallback;
	enum ht_code code = HT_OK;

	for (size_t i = 0; !*at && i < HT_METRIC_COUNT && code == HT_OK; i++)
		code = add(ret, ht_metric_infos[i].name,
			   strlen(ht_metric_infos[i].name), err);
	while (*at && code == HT_OK) {
		size_t n = word_length(at);

		code = add(ret, at, n, err);
		at += n + (at[n] == ',');
	}
	name_units(ret);
	return code;
}

void ht_measures_wanted(const struct ht_measures *m,
			bool metrics[HT_METRIC_COUNT])
{
	for (size_t i = 0; i < m->n; i++)
		ht_condition_metrics(&m->v[i].expression.c, metrics);
}

double ht_measure_at(const struct ht_trend_metric *m, const struct ht_series *s,
		     enum ht_stat stat, size_t row)
{
	return m->metric < HT_METRIC_COUNT
		       ? s->metric[m->metric][stat][row]
		       : ht_expression_at(&m->expression, s, row);
}

double *ht_measure_column(const struct ht_trend_metric *m,
			  const struct ht_series *s)
{
	double *column = calloc(s->rows + 1, sizeof(*column));

	for (size_t row = 0; column && row < s->rows; row++)
		column[row] = ht_measure_at(m, s, HT_STAT_MEDIAN, row);
	return column;
}

json_t *ht_measure_json(const struct ht_trend_metric *m, double v)
{
	if (m->metric < HT_METRIC_COUNT)
		return ht_metric_json(m->metric, v);
	if (!isfinite(v))
		return json_null();
	return v == floor(v) && fabs(v) < 0x1p53 ? json_integer(llround(v))
						 : json_real(v);
}

void ht_measure_print_name(const struct ht_trend_metric *m)
{
	if (strpbrk(m->name, ",\"\r\n"))
		ht_csv_text(m->name);
	else
		fputs(m->name, stdout);
}

json_t *ht_metric_json(enum ht_metric m, double v)
{
	if (!isfinite(v))
		return json_null();
	return ht_metric_is_ratio(m) ? json_real(v) : json_integer(llround(v));
}

/* Of the longest name and unit. */
#define NAME_WIDTH 22
#define UNIT_WIDTH 12

enum ht_code ht_metric_list_help(const struct ht_cli *cli, struct ht_err *err)
{
	(void)err;
	for (size_t i = 0; i < HT_METRIC_COUNT; i++) {
		const struct ht_metric_info *m = &ht_metric_infos[i];
		char lead[80];

		snprintf(lead, sizeof(lead), "%s%-*s%s %-*s ",
			 ht_style(&cli->term, HT_BOLD), NAME_WIDTH, m->name,
			 ht_style_off(&cli->term), UNIT_WIDTH, m->unit);
		ht_paragraph(&cli->term, lead, "%s", m->help);
	}
	return HT_OK;
}
