/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/metrics.h"

#include <math.h>
#include <string.h>

#include "cli/table.h"

#define WORD_MAX 64

enum ht_code ht_metric_list_parse(const char *text, const char *fallback,
				  struct ht_metric_list *ret,
				  struct ht_err *err)
{
	struct ht_metric_list list = {.n = 0};
	const char *at = text ? text : fallback;

	while (*at) {
		size_t len = strcspn(at, ",");
		char word[WORD_MAX];
		enum ht_metric m;

		snprintf(word, sizeof(word), "%.*s", (int)len, at);
		m = ht_metric_find(word);
		if (m == HT_METRIC_COUNT)
			return ht_fail(err, HT_USAGE,
				       "no metric '%s': '--metric help' lists "
				       "them",
				       word);
		if (list.n < HT_METRIC_COUNT)
			list.v[list.n++] = m;
		at += len + (at[len] == ',');
	}
	*ret = list;
	return HT_OK;
}

json_t *ht_metric_json(enum ht_metric m, double v)
{
	if (!isfinite(v))
		return json_null();
	return ht_metric_is_ratio(m) ? json_real(v) : json_integer(llround(v));
}

enum ht_code ht_metric_list_help(const struct ht_cli *cli, struct ht_err *err)
{
	static const struct ht_column columns[] = {
		{"metric", false}, {"unit", false}, {"meaning", false}};
	HT_AUTO_TABLE struct ht_table t = {0};
	enum ht_code code;

	code = ht_table_init(&cli->term, false, columns, 3, &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < HT_METRIC_COUNT; i++) {
		ht_table_row(&t);
		ht_table_text(&t, "%s", ht_metric_infos[i].name);
		ht_table_text(&t, "%s", ht_metric_infos[i].unit);
		ht_table_text(&t, "%s", ht_metric_infos[i].help);
	}
	return ht_table_print(&t, err);
}
