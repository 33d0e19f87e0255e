/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/family.h"

#include <math.h>
#include <string.h>

#include "cli/metrics.h"
#include "cli/table.h"

static bool same_family(const struct ht_store_process *a,
			const struct ht_store_process *b)
{
	if (a->ended_ns || b->ended_ns)
		return false;
	return *a->target || *b->target
		       ? strcmp(a->target, b->target) == 0
		       : *a->exe && strcmp(a->exe, b->exe) == 0;
}

void ht_family_needs(bool metrics[HT_METRIC_COUNT])
{
	metrics[HT_M_rss] = metrics[HT_M_pss] = true;
	metrics[HT_M_trimmable] = metrics[HT_M_trimmable_private] = true;
}

struct ht_family ht_family_of(const struct ht_board *b,
			      const struct ht_board_row *row)
{
	struct ht_family f = {0};

	for (size_t i = 0; i < b->n; i++) {
		const double *x = b->rows[i].newest;

		if (!same_family(&b->rows[i].process, &row->process))
			continue;
		if (!f.first)
			f.first = &b->rows[i];
		f.processes++;
		f.pss_known += isnan(x[HT_M_pss]) ? 0 : 1;
		f.rss += x[HT_M_rss];
		f.pss += x[HT_M_pss];
		f.trimmable += x[HT_M_trimmable];
		f.trimmable_private += x[HT_M_trimmable_private];
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
		snprintf(machine, sizeof(machine),
			 "%s of the machine's memory (PSS: what they share "
			 "counts once)",
			 bytes_of(cli, f->pss, pss));
	else
		snprintf(machine, sizeof(machine),
			 "of the machine's memory unknown: the PSS of %zu was "
			 "not read, yet or because it would hold up mmap() of "
			 "a large process (explain --pss)",
			 f->processes - f->pss_known);
	if (!isnan(f->trimmable_private))
		snprintf(gain, sizeof(gain), ", give the machine %s",
			 bytes_of(cli, f->trimmable_private, gets));
	ht_paragraph(&cli->term, "",
		     "%s, %zu processes: RSS %s in all, %s; malloc_trim(0) in "
		     "each would lower RSS by %s%s",
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
