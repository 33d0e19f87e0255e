/* SPDX-License-Identifier: Apache-2.0 */
/* The page without script: verdict and evidence, charts that stand still, and
 * the tables of the newest snapshot. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/advice.h"
#include "common/clock.h"
#include "common/size.h"
#include "page/chart.h"
#include "page/page_int.h"

#define TOP_CLASSES   12
#define EXACT_CLASSES 1040 /* a size each up to here; see schema/records.h */

static enum ht_code print_rss(FILE *to, const struct ht_series *s,
			      struct ht_err *err)
{
	static const char *const colors[HT_PAGE_BANDS] = {"#9aa5b1", "#c9a227",
							  "#5b8def", "#2f6fde",
							  "#e07b39", "#d64550"};
	HT_AUTO_FREE double *cells = ht_page_bands(s);
	struct ht_band bands[HT_PAGE_BANDS];
	const struct ht_chart chart = {"RSS by cause", s->time_ns,    s->rows,
				       bands,	       HT_PAGE_BANDS, true,
				       "bytes"};

	if (!cells)
		return ht_fail(err, HT_NOMEM, "out of memory for a chart");
	for (size_t b = 0; b < HT_PAGE_BANDS; b++)
		bands[b] = (struct ht_band){ht_page_band_names[b], colors[b],
					    cells + b * s->rows};
	ht_chart_print(to, &chart);
	return HT_OK;
}

static void print_lines(FILE *to, const struct ht_series *s)
{
	const struct ht_band bands[] = {
		{"in use", "#2f6fde", s->metric[HT_M_in_use][HT_STAT_MEDIAN]},
		{"retained: free and resident", "#d64550",
		 s->metric[HT_M_retained][HT_STAT_MEDIAN]},
		{"taken from the system by arenas", "#9aa5b1",
		 s->metric[HT_M_system][HT_STAT_MEDIAN]},
		{"in tops", "#c9a227", s->metric[HT_M_top][HT_STAT_MEDIAN]}};
	const struct ht_chart chart = {"In use against retained",
				       s->time_ns,
				       s->rows,
				       bands,
				       4,
				       false,
				       "bytes"};

	ht_chart_print(to, &chart);
}

/* Shares of what is free; what no sample knows is drawn as nothing. */
static void print_fragmentation(FILE *to, const struct ht_series *s)
{
	const struct ht_band bands[] = {
		{"external: of the free runs, not in the largest", "#d64550",
		 s->metric[HT_M_external][HT_STAT_MEDIAN]},
		{"unusable for the median chunk", "#c9a227",
		 s->metric[HT_M_unusable_median][HT_STAT_MEDIAN]},
		{"retained / resident heap", "#2f6fde",
		 s->metric[HT_M_retained_ratio][HT_STAT_MEDIAN]},
		{"page utilisation", "#9aa5b1",
		 s->metric[HT_M_page_utilisation][HT_STAT_MEDIAN]}};
	const struct ht_chart chart = {
		"Fragmentation", s->time_ns, s->rows, bands, 4, false, "ratio"};

	ht_chart_print(to, &chart);
}

/* One chart for each metric or expression that was asked for. */
static void print_asked(FILE *to, const struct ht_page *p)
{
	for (size_t i = 0; i < p->asked_n; i++) {
		const struct ht_page_asked *a = &p->asked[i];
		const struct ht_band band = {*a->help ? a->help : a->name,
					     "#2f6fde", a->value};
		const struct ht_chart chart = {a->name,
					       p->series.time_ns,
					       p->series.rows,
					       &band,
					       1,
					       false,
					       a->unit};

		ht_chart_print(to, &chart);
	}
}

static void print_paragraph(FILE *to, const char *name, const char *text)
{
	if (!*text)
		return;
	fprintf(to, "<p><b>%s</b> ", name);
	ht_html_text(to, text);
	fputs("</p>\n", to);
}

static void print_verdict(FILE *to, const struct ht_judged *j)
{
	const struct ht_verdict *v = &j->verdict;
	char from[HT_TIME_TEXT], until[HT_TIME_TEXT];

	ht_time_here_text(v->from_ns, from);
	ht_time_here_text(v->to_ns, until);
	fprintf(to,
		"<p><span class=\"verdict\">%s</span> (%.2f, %s) <span class=\"dim\">%s to %s</span></p>\n<ul>\n",
		ht_label_names[v->label], v->confidence,
		ht_confidence_word(v->confidence), from, until);
	for (size_t i = 0; i < v->evidence_n; i++) {
		fputs("<li>", to);
		ht_html_text(to, v->evidence[i]);
		fputs("</li>\n", to);
	}
	fputs("</ul>\n", to);
	print_paragraph(to, "Culprit:", v->culprit);
	print_paragraph(to, "Remedy:", v->remedy);
}

/* What one look finds nothing in may grow: the verdict above says it. */
static bool is_told(const struct ht_advice *a)
{
	return !ht_advice_is_next_step(a);
}

static void print_advice(FILE *to, const struct ht_snapshot *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->advice.n; i++)
		n += is_told(&s->advice.v[i]);
	if (!n)
		return;
	fputs("<h2>What the newest snapshot advises</h2>\n<ul>\n", to);
	for (size_t i = 0; i < s->advice.n; i++) {
		if (!is_told(&s->advice.v[i]))
			continue;
		fputs("<li>", to);
		ht_html_text(to, s->advice.v[i].text);
		fputs("</li>\n", to);
	}
	fputs("</ul>\n", to);
}

/* A count; "?" where a look did not read it. */
static void print_count(FILE *to, uint64_t n)
{
	if (n == HT_UNKNOWN)
		fputs("<td>?</td>", to);
	else
		fprintf(to, "<td>%" PRIu64 "</td>", n);
}

static void print_cell(FILE *to, uint64_t bytes)
{
	char text[HT_SIZE_TEXT];

	if (bytes == HT_UNKNOWN) {
		print_count(to, bytes);
		return;
	}
	fprintf(to, "<td title=\"%" PRIu64 " bytes\">%s</td>", bytes,
		ht_size_text(bytes, text, sizeof(text)));
}

static void print_arenas(FILE *to, const struct ht_snapshot *s)
{
	if (!s->arenas.n)
		return;
	fputs("<h2>Arenas</h2>\n<table><tr><th>arena<th>system<th>in use<th>free<th>top<th>retained<th>trimmable</tr>\n",
	      to);
	for (size_t i = 0; i < s->arenas.n; i++) {
		const struct ht_arena *a = &s->arenas.v[i];

		fprintf(to, "<tr><td>%" PRIu64 "</td>", a->index);
		print_cell(to, a->system);
		print_cell(to, a->in_use);
		print_cell(to, a->free);
		print_cell(to, a->top);
		print_cell(to, a->retained);
		print_cell(to, a->trimmable);
		fputs("</tr>\n", to);
	}
	fputs("</table>\n", to);
}

static int larger_first(const void *a, const void *b)
{
	uint64_t x = ((const struct ht_size_class *)a)->in_use_bytes;
	uint64_t y = ((const struct ht_size_class *)b)->in_use_bytes;

	return x == y ? 0 : x > y ? -1 : 1;
}

static enum ht_code print_classes(FILE *to, const struct ht_snapshot *s,
				  struct ht_err *err)
{
	HT_AUTO_FREE struct ht_size_class *v = NULL;
	size_t all = s->size_classes.n;
	size_t n = all < TOP_CLASSES ? all : TOP_CLASSES;

	if (!n)
		return HT_OK;
	v = calloc(all, sizeof(*v));
	if (!v)
		return ht_fail(err, HT_NOMEM, "out of memory for a table");
	memcpy(v, s->size_classes.v, all * sizeof(*v));
	qsort(v, all, sizeof(*v), larger_first);
	fputs("<h2>Largest chunk sizes in use</h2>\n<table><tr><th>chunk size<th>chunks<th>bytes<th>free chunks<th>free</tr>\n",
	      to);
	for (size_t i = 0; i < n; i++) {
		const struct ht_size_class *c = &v[i];

		if (c->max_size)
			fprintf(to, "<tr><td>%s%" PRIu64 "</td>",
				c->max_size > EXACT_CLASSES ? "up to " : "",
				c->max_size);
		else
			fputs("<tr><td>mmapped</td>", to);
		print_count(to, c->in_use_chunks);
		print_cell(to, c->in_use_bytes);
		print_count(to, c->free_chunks);
		print_cell(to, c->free_bytes);
		fputs("</tr>\n", to);
	}
	fputs("</table>\n", to);
	return HT_OK;
}

static void print_head(FILE *to, const struct ht_store_process *p)
{
	fputs("<h1>", to);
	ht_html_text(to, *p->target ? p->target : p->comm);
	fprintf(to, ", pid %" PRIu64 "</h1>\n<p class=\"dim\">", p->pid);
	ht_html_text(to, p->exe);
	fputs("</p>\n", to);
}

enum ht_code ht_page_still(FILE *to, const struct ht_page *p,
			   struct ht_err *err)
{
	enum ht_code code;

	print_head(to, &p->judged.process);
	print_verdict(to, &p->judged);
	print_paragraph(to, "Pin:", p->pin);
	code = print_rss(to, &p->series, err);
	if (code != HT_OK)
		return code;
	print_lines(to, &p->series);
	print_fragmentation(to, &p->series);
	print_asked(to, p);
	print_advice(to, &p->judged.latest);
	print_arenas(to, &p->judged.latest);
	return print_classes(to, &p->judged.latest, err);
}
