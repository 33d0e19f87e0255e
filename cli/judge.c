/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/judge.h"

#define MAX_ROWS 5000 /* of a window; the analysis reduces further */

void ht_judged_init(struct ht_judged *j)
{
	*j = (struct ht_judged){.process.id = 0};
	ht_series_init(&j->series);
	ht_snapshot_init(&j->latest);
}

void ht_judged_fini(struct ht_judged *j)
{
	ht_series_fini(&j->series);
	ht_snapshot_fini(&j->latest);
}

/* The newest snapshot in the window, for what no series holds. HT_NODATA is
 * fine: only series may have been kept. */
static enum ht_code newest(struct ht_cli *cli, struct ht_judged *j,
			   int64_t at_ns, bool *ret, struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	enum ht_code code = ht_history_open(&cli->opt, &store, err);

	if (code == HT_OK)
		code = ht_store_snapshot_at(store, j->process.id, at_ns,
					    &j->latest, err);
	*ret = code == HT_OK;
	return code == HT_NODATA ? HT_OK : code;
}

enum ht_code ht_judge(struct ht_cli *cli, const char *word,
		      struct ht_judged *ret, struct ht_err *err)
{
	const struct ht_history_ask ask = {.max_rows = MAX_ROWS,
					   .parts = HT_SERIES_CLASSES |
						    HT_SERIES_MAPPINGS,
					   .mixed = true};
	enum ht_code code;
	int64_t from, to;
	bool have;

	code = ht_history_series(cli, word, &ask, &ret->process, &ret->series,
				 err);
	if (code != HT_OK)
		return code;
	from = ret->series.time_ns[0];
	to = ret->series.time_ns[ret->series.rows - 1];
	code = newest(cli, ret, to, &have, err);
	if (code != HT_OK)
		return code;
	if (cli->opt.since_ns)
		ht_verdict_window(&ret->series, from, to,
				  have ? &ret->latest : NULL, &ret->verdict);
	else
		ht_verdict(&ret->series, to, have ? &ret->latest : NULL,
			   &ret->verdict);
	return HT_OK;
}
