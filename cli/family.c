/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/family.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli/metrics.h"
#include "cli/plot.h"
#include "cli/table.h"
#include "schema/snapshot_json.h"

static bool same_family(const struct ht_board_row *a,
			const struct ht_board_row *b)
{
	const struct ht_member x = {a->process, a->lives};
	const struct ht_member y = {b->process, b->lives};

	return !a->process.ended_ns && ht_together(&x, &y);
}

void ht_family_needs(bool metrics[HT_METRIC_COUNT])
{
	metrics[HT_M_rss] = metrics[HT_M_pss] = true;
	metrics[HT_M_in_use] = metrics[HT_M_retained] = true;
	metrics[HT_M_trimmable] = metrics[HT_M_trimmable_private] = true;
}

static void add(struct ht_family *f, const double x[HT_METRIC_COUNT])
{
	f->processes++;
	f->pss_known += isnan(x[HT_M_pss]) ? 0 : 1;
	f->rss += x[HT_M_rss];
	f->pss += x[HT_M_pss];
	f->trimmable += x[HT_M_trimmable];
	f->trimmable_private += x[HT_M_trimmable_private];
}

struct ht_family ht_family_of(const struct ht_board *b,
			      const struct ht_board_row *row)
{
	struct ht_family f = {0};

	for (size_t i = 0; i < b->n; i++) {
		if (!same_family(&b->rows[i], row))
			continue;
		if (!f.first)
			f.first = &b->rows[i];
		add(&f, b->rows[i].newest);
	}
	return f;
}

static const char *bytes_of(const struct ht_cli *cli, double v,
			    char out[HT_NUMBER_TEXT])
{
	return ht_value_text("bytes", v, cli->opt.bytes, out);
}

void ht_family_line(const struct ht_cli *cli, const struct ht_family *f,
		    char out[HT_FAMILY_LINE])
{
	const struct ht_store_process *p = &f->first->process;
	char rss[HT_NUMBER_TEXT], pss[HT_NUMBER_TEXT];

	snprintf(out, HT_FAMILY_LINE, "%.120s, %zu processes: RSS %s, PSS %s",
		 *p->target ? p->target : p->comm, f->processes,
		 bytes_of(cli, f->rss, rss), bytes_of(cli, f->pss, pss));
}

static void print(const struct ht_cli *cli, const struct ht_family *f)
{
	const struct ht_store_process *p = &f->first->process;
	char rss[HT_NUMBER_TEXT], pss[HT_NUMBER_TEXT], trim[HT_NUMBER_TEXT];
	char gets[HT_NUMBER_TEXT], machine[200], gain[64] = "";

	if (f->pss_known == f->processes)
		snprintf(
			machine, sizeof(machine),
			"%s of the machine's memory (PSS: what they share counts once)",
			bytes_of(cli, f->pss, pss));
	else
		snprintf(
			machine, sizeof(machine),
			"of the machine's memory unknown: the PSS of %zu was not read, yet or because it would hold up mmap() of a large process (explain --pss)",
			f->processes - f->pss_known);
	if (!isnan(f->trimmable_private))
		snprintf(gain, sizeof(gain), ", give the machine %s",
			 bytes_of(cli, f->trimmable_private, gets));
	ht_paragraph(
		&cli->term, "",
		"%s, %zu processes: RSS %s in all, %s; malloc_trim(0) in each would lower RSS by %s%s",
		*p->target ? p->target : p->comm, f->processes,
		bytes_of(cli, f->rss, rss), machine,
		bytes_of(cli, f->trimmable, trim), gain);
}

void ht_family_print_all(const struct ht_cli *cli, const struct ht_board *b)
{
	for (size_t i = 0; i < b->n; i++) {
		struct ht_family f = ht_family_of(b, &b->rows[i]);

		if (f.processes > 1 && f.first == &b->rows[i])
			print(cli, &f);
	}
}

json_t *ht_family_json(const struct ht_family *f)
{
	if (f->processes < 2)
		return json_null();
	return json_pack(
		"{s:I, s:I, s:o, s:o, s:o, s:o}", "processes",
		(json_int_t)f->processes, "pss_known", (json_int_t)f->pss_known,
		"rss", ht_metric_json(HT_M_rss, f->rss), "pss",
		ht_metric_json(HT_M_pss, f->pss), "trimmable",
		ht_metric_json(HT_M_trimmable, f->trimmable),
		"trimmable_private",
		ht_metric_json(HT_M_trimmable_private, f->trimmable_private));
}

void ht_family_put_verdict(json_t *o, const struct ht_verdict_brief *v)
{
	bool judged = v->label < HT_LABEL_COUNT;

	json_object_set_new(o, "verdict",
			    ht_optional_text_json(ht_verdict_brief_label(v)));
	json_object_set_new(o, "confidence",
			    judged ? ht_real_json(v->confidence) : json_null());
	json_object_set_new(o, "slope_bytes_per_hour",
			    ht_real_json(v->slope_bytes_per_hour));
	json_object_set_new(o, "eta_limit_at", ht_time_json(v->eta_at_ns));
}

static const enum ht_metric shown[] = {HT_M_rss, HT_M_pss, HT_M_in_use,
				       HT_M_retained};
#define SHOWN (sizeof(shown) / sizeof(*shown))

/* All rows of the board are one family, whatever has become of it. */
static struct ht_family whole(const struct ht_board *b)
{
	struct ht_family f = {.first = b->rows};

	for (size_t i = 0; i < b->n; i++)
		add(&f, b->rows[i].newest);
	return f;
}

void ht_family_whole_line(const struct ht_cli *cli, const struct ht_board *b,
			  char out[HT_FAMILY_LINE])
{
	struct ht_family f = whole(b);

	ht_family_line(cli, &f, out);
}

json_t *ht_family_members_json(const struct ht_board *b)
{
	struct ht_family f = whole(b);
	json_t *o = ht_family_json(&f), *members = json_array();

	for (size_t i = 0; i < b->n; i++) {
		const struct ht_store_process *p = &b->rows[i].process;
		json_t *m =
			json_pack("{s:I, s:o}", "process_id", (json_int_t)p->id,
				  "pid", ht_u64_json(p->pid));

		ht_family_put_verdict(m, &b->rows[i].verdict);
		for (size_t k = 0; k < SHOWN; k++)
			json_object_set_new(
				m, ht_metric_infos[shown[k]].name,
				ht_metric_json(shown[k],
					       b->rows[i].newest[shown[k]]));
		json_array_append_new(members, m);
	}
	if (b->n > 1)
		json_object_set_new(o, "members", members);
	else
		json_decref(members);
	return o;
}

/* --- a line each and the sum --------------------------------------------- */

#define SPARK_WIDTH 16

static void add_figures(const struct ht_cli *cli, struct ht_table *t,
			const double figures[SHOWN])
{
	char text[HT_NUMBER_TEXT];

	for (size_t i = 0; i < SHOWN; i++)
		ht_table_text(t, "%s", bytes_of(cli, figures[i], text));
}

static void add_member(const struct ht_cli *cli, struct ht_table *t,
		       const struct ht_board_row *r, double sum[SHOWN + 1])
{
	char spark[HT_SPARK_MAX * 4], growth[HT_BOARD_TEXT];
	char limit[HT_BOARD_TEXT];
	double figures[SHOWN];

	for (size_t i = 0; i < SHOWN; i++) {
		figures[i] = r->newest[shown[i]];
		sum[i] += figures[i];
	}
	if (isfinite(r->verdict.slope_bytes_per_hour))
		sum[SHOWN] += r->verdict.slope_bytes_per_hour;
	ht_table_row(t);
	ht_table_text(t, "%" PRIu64, r->process.pid);
	ht_table_text(t, "%s", ht_verdict_brief_label(&r->verdict));
	ht_table_text(t, "%s", ht_board_growth(cli, r, growth));
	ht_table_text(t, "%s", ht_board_limit(r, limit));
	add_figures(cli, t, figures);
	ht_table_text(t, "%s",
		      ht_spark(&cli->term, r->in_use_over_time, r->points,
			       SPARK_WIDTH, spark));
}

static void add_sum(const struct ht_cli *cli, struct ht_table *t,
		    const double sum[SHOWN + 1])
{
	const struct ht_board_row row = {.verdict.slope_bytes_per_hour =
						 sum[SHOWN] > 0 ? sum[SHOWN]
								: (double)NAN};
	char growth[HT_BOARD_TEXT];

	ht_table_row(t);
	ht_table_text(t, "sum");
	ht_table_text(t, "%s", "");
	ht_table_text(t, "%s", ht_board_growth(cli, &row, growth));
	ht_table_text(t, "%s", "");
	add_figures(cli, t, sum);
	ht_table_text(t, "%s", "");
}

enum ht_code ht_family_table(const struct ht_cli *cli, struct ht_board *b,
			     struct ht_err *err)
{
	static const struct ht_column columns[] = {
		{"pid", true},
		{"verdict", false},
		{"growth", true, 2},
		{"limit in", true, 5},
		{"RSS", true, 3},
		{"PSS", true},
		{"in use", true, 1},
		{"retained", true, 4},
		{"in use over time", false, 6},
	};
	HT_AUTO_TABLE struct ht_table t = {0};
	double sum[SHOWN + 1] = {0};
	enum ht_code code;

	ht_board_sort_verdicts(b);
	code = ht_table_init(&cli->term, cli->opt.bytes, columns,
			     sizeof(columns) / sizeof(*columns), &t, err);
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < b->n; i++)
		add_member(cli, &t, &b->rows[i], sum);
	add_sum(cli, &t, sum);
	code = ht_table_print(&t, err);
	if (code == HT_OK) {
		struct ht_family f = whole(b);

		print(cli, &f);
	}
	return code;
}
