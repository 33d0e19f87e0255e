/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/csv.h"
#include "cli/json.h"
#include "cli/plot.h"
#include "cli/service.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/type_course.h"
#include "common/clock.h"

#define PANELS	       4
#define AXIS_AND_FRAME 14

/* --- CSV ------------------------------------------------------------------ */

static void print_digits(double v)
{
	char digits[HT_NUMBER_TEXT];

	printf(",%s", ht_digits_text(v, digits) ?: "");
}

static void print_csv_line(const char *time, const char *name, const char *kind,
			   const char *module, double chunks, double bytes)
{
	printf("%s,", time);
	ht_csv_text(name);
	putchar(',');
	ht_csv_text(kind);
	putchar(',');
	ht_csv_text(module);
	print_digits(chunks);
	print_digits(bytes);
	putchar('\n');
}

/* One line a look and type; those of a look add up to what was in use. A type
 * that may be among the others of a look has no line there. */
static void print_types_csv(const struct ht_type_looks *l)
{
	puts("time,type,kind,module,chunks,bytes");
	for (size_t i = 0; i < l->n; i++) {
		char time[HT_TIME_TEXT];

		ht_time_text(l->at_ns[i], time);
		for (size_t k = 0; k < l->lines; k++) {
			const struct ht_type_line *t = &l->v[k];

			if (!isnan(t->bytes[i]))
				print_csv_line(time, t->name, t->kind,
					       t->module, t->chunks[i],
					       t->bytes[i]);
		}
		print_csv_line(time, "others", "", "", NAN, l->others[i]);
		print_csv_line(time, "not known", "", "", NAN, l->unknown[i]);
	}
}

/* --- plots ---------------------------------------------------------------- */

struct mover {
	const char *name, *kind, *module;
	const double *bytes;
	double low, high;
};

static struct mover mover(const char *name, const char *kind,
			  const char *module, const double *bytes, size_t n)
{
	struct mover m = {name, kind, module, bytes, NAN, NAN};

	for (size_t i = 0; i < n; i++) {
		m.low = fmin(m.low, bytes[i]); /* of NaN the other */
		m.high = fmax(m.high, bytes[i]);
	}
	return m;
}

static int most_moved_first(const void *a, const void *b)
{
	const struct mover *x = a, *y = b;
	double moved_x = x->high - x->low, moved_y = y->high - y->low;

	return (moved_x < moved_y) - (moved_x > moved_y);
}

static enum ht_code print_type_panel(const struct ht_cli *cli,
				     const struct ht_type_looks *l,
				     const struct mover *m, enum ht_style style,
				     struct ht_err *err)
{
	const struct ht_plot plot = {.time_ns = l->at_ns,
				     .value = m->bytes,
				     .n = l->n,
				     .from_ns = l->at_ns[0],
				     .to_ns = l->at_ns[l->n - 1],
				     .width = cli->term.width - AXIS_AND_FRAME,
				     .height = 7,
				     .unit = "bytes",
				     .bytes = cli->opt.bytes,
				     .style = style};
	char text[3][HT_NUMBER_TEXT];
	bool exact = cli->opt.bytes;

	putchar('\n');
	ht_paragraph(&cli->term, "", "%s%s%s%s%s%s%s  %s at the end, %s .. %s",
		     ht_style(&cli->term, HT_BOLD), m->name,
		     ht_style_off(&cli->term), *m->kind ? ", " : "", m->kind,
		     *m->module ? ", " : "", m->module,
		     ht_value_text("bytes", m->bytes[l->n - 1], exact, text[0]),
		     ht_value_text("bytes", m->low, exact, text[1]),
		     ht_value_text("bytes", m->high, exact, text[2]));
	return ht_plot_print(&cli->term, &plot, err);
}

static enum ht_code print_movers(const struct ht_cli *cli,
				 const struct ht_type_looks *l,
				 const struct mover *v, size_t n,
				 struct ht_err *err)
{
	static const enum ht_style styles[PANELS] = {HT_BLUE, HT_GREEN,
						     HT_YELLOW, HT_RED};
	enum ht_code code = HT_OK;
	size_t shown = 0;

	while (code == HT_OK && shown < n && shown < PANELS &&
	       (shown == 0 || v[shown].high > v[shown].low)) {
		code = print_type_panel(cli, l, &v[shown], styles[shown], err);
		shown++;
	}
	if (shown < n)
		printf("\nand %zu more, which moved less or not: --csv and --json have them all\n",
		       n - shown);
	return code;
}

static enum ht_code print_trend(const struct ht_cli *cli,
				const struct ht_store_process *p,
				const struct ht_type_looks *l,
				struct ht_err *err)
{
	HT_AUTO_FREE struct mover *v = calloc(l->lines + 2, sizeof(*v));
	char from[HT_TIME_TEXT], to[HT_TIME_TEXT];

	if (!v)
		return ht_fail(err, HT_NOMEM, "out of memory");
	for (size_t i = 0; i < l->lines; i++)
		v[i] = mover(l->v[i].name, l->v[i].kind, l->v[i].module,
			     l->v[i].bytes, l->n);
	v[l->lines] = mover("others", "", "", l->others, l->n);
	v[l->lines + 1] = mover("not known", "", "", l->unknown, l->n);
	qsort(v, l->lines + 2, sizeof(*v), most_moved_first);
	ht_time_here_text(l->at_ns[0], from);
	ht_time_here_text(l->at_ns[l->n - 1], to);
	ht_paragraph(
		&cli->term, "",
		"%s%s, pid %d: %zu looks from %s to %s, what moved most first%s",
		ht_style(&cli->term, HT_BOLD), ht_process_name(p), (int)p->pid,
		l->n, from, to, ht_style_off(&cli->term));
	return print_movers(cli, l, v, l->lines + 2, err);
}

enum ht_code ht_type_trend(struct ht_cli *cli, struct ht_err *err)
{
	HT_AUTO_TYPE_LOOKS struct ht_type_looks l = {0};
	struct ht_store_process p;
	enum ht_code code;

	if (strcmp(cli->opt.by, "type") != 0)
		return ht_fail(err, HT_USAGE, "--by takes 'type', not '%s'",
			       cli->opt.by);
	if (cli->opt.metric || !cli->opt.args_n)
		return ht_fail(
			err, HT_USAGE,
			"--by type is for a TARGET of the history, without --metric");
	code = ht_type_course_read(cli, &p, &l, err);
	if (code != HT_OK)
		return code;
	if (cli->opt.json)
		return ht_json_print(ht_type_course_json(&p, &l), err);
	if (!cli->opt.csv)
		return print_trend(cli, &p, &l, err);
	print_types_csv(&l);
	return HT_OK;
}
