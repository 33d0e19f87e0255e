/* SPDX-License-Identifier: Apache-2.0 */
#include "page/judged.h"

#include "analysis/needs.h"

void ht_judged_init(struct ht_judged *j)
{
	*j = (struct ht_judged){.process.id = 0};
	ht_series_init(&j->series);
	ht_snapshot_init(&j->latest);
}

void ht_judged_fini(struct ht_judged *j)
{
	ht_series_fini(&j->series);
	ht_store_lives_fini(&j->before);
	ht_snapshot_fini(&j->latest);
}

/* HT_NODATA is fine for the newest snapshot: only series may have been kept. */
static enum ht_code read_newest(struct ht_store *store, int64_t at_ns,
				struct ht_judged *j, struct ht_err *err)
{
	enum ht_code code = ht_store_snapshot_at(store, j->process.id, at_ns,
						 &j->latest, err);

	j->have_latest = code == HT_OK;
	return code == HT_NODATA ? HT_OK : code;
}

enum ht_code ht_judged_read(struct ht_store *store, int64_t since_ns,
			    int64_t until_ns, struct ht_judged *j,
			    struct ht_err *err)
{
	const struct ht_store_process *p = &j->process;
	const struct ht_snapshot *latest;
	enum ht_code code;
	int64_t from, to = until_ns ? until_ns : INT64_MAX;
	bool needs[HT_METRIC_COUNT];

	/* a verdict as of then is what it was then: read the same way */
	code = ht_store_series_mixed(
		store, p->id, since_ns, to < p->last_ns ? to : p->last_ns,
		HT_SERIES_CLASSES | HT_SERIES_MAPPINGS, NULL, &j->series, err);
	if (code == HT_OK && j->series.rows == 0)
		code = ht_fail_hint(err, HT_NODATA, HT_HINT_RECORDED,
				    "no sample of %s in this time",
				    *p->target ? p->target : p->comm);
	if (code != HT_OK)
		return code;
	from = j->series.time_ns[0];
	to = j->series.time_ns[j->series.rows - 1];
	ht_verdict_needs(needs);
	code = read_newest(store, to, j, err);
	if (code == HT_OK)
		code = ht_store_lives(store, p->id, to, needs, &j->before, err);
	latest = j->have_latest ? &j->latest : NULL;
	if (code != HT_OK)
		return code;
	j->series.earlier = j->before.life;
	j->series.earlier_n = j->before.n;
	if (since_ns)
		ht_verdict_window(&j->series, from, to, latest, &j->verdict);
	else
		ht_verdict(&j->series, to, latest, &j->verdict);
	return HT_OK;
}
