/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide report`: one self-contained HTML page: the verdict with its
 * evidence, RSS by cause and in use against retained over time, and what the
 * newest snapshot says. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/advice.h"
#include "cli/chart.h"
#include "cli/judge.h"
#include "cli/metrics.h"
#include "cli/pin.h"
#include "common/clock.h"
#include "common/size.h"

#define TOP_CLASSES 12

static const char style[] =
	"<style>:root{--fg:#1b1f24;--bg:#fff;--dim:#667;--line:#ddd}"
	"@media(prefers-color-scheme:dark){:root{--fg:#e6e6e6;--bg:#14171a;"
	"--dim:#99a;--line:#333}}"
	"body{font:15px/1.45 system-ui,sans-serif;color:var(--fg);"
	"background:var(--bg);max-width:1000px;margin:2em auto;padding:0 1em}"
	"h1{font-size:1.5em}h2,figcaption{font-size:1.1em;font-weight:600;"
	"margin:1.5em 0 .3em}figure{margin:0}svg{width:100%}"
	"svg text{font-size:11px;fill:var(--dim)}"
	".grid{stroke:var(--line)}.legend span{margin-right:1em}"
	".legend i{display:inline-block;width:.8em;height:.8em;"
	"margin-right:.3em}table{border-collapse:collapse}"
	"td,th{padding:.15em .8em .15em 0;text-align:right}"
	"td:first-child,th:first-child{text-align:left}"
	".verdict{font-size:1.25em;font-weight:700}.dim{color:var(--dim)}"
	"</style>\n";

/* RSS split from the metrics that every sample has. The rest, which is RSS
 * minus all others, makes the sum exact. */
enum { FILES, OUTSIDE, MMAPPED, HELD, KEPT, TRIMMABLE, BANDS };

static double at(const struct ht_series *s, enum ht_metric m, size_t row)
{
	double v = s->metric[m][HT_STAT_MEDIAN][row];

	return isfinite(v) ? v : 0;
}

static void split(const struct ht_series *s, size_t row, double v[BANDS])
{
	double retained = at(s, HT_M_retained, row);
	double rest = at(s, HT_M_rss, row);

	v[FILES] = at(s, HT_M_rss_file, row) + at(s, HT_M_rss_shmem, row);
	v[MMAPPED] = at(s, HT_M_mmapped_resident, row);
	v[HELD] = fmax(at(s, HT_M_heap_resident, row) - retained, 0);
	v[TRIMMABLE] = at(s, HT_M_trimmable, row);
	v[KEPT] = fmax(retained - v[TRIMMABLE], 0);
	v[OUTSIDE] = 0;
	for (int b = 0; b < BANDS; b++)
		rest -= b == OUTSIDE ? 0 : v[b];
	v[OUTSIDE] = fmax(rest, 0);
}

static enum ht_code print_rss(FILE *to, const struct ht_series *s,
			      struct ht_err *err)
{
	HT_AUTO_FREE double *cells = calloc(s->rows * BANDS, sizeof(*cells));
	struct ht_band bands[BANDS] = {
		[FILES] = {"files and shared memory", "#9aa5b1", NULL},
		[OUTSIDE] = {"outside malloc: other anonymous memory, stacks",
			     "#c9a227", NULL},
		[MMAPPED] = {"mmapped chunks", "#5b8def", NULL},
		[HELD] = {"heap, in use and overhead", "#2f6fde", NULL},
		[KEPT] = {"free, kept by glibc", "#e07b39", NULL},
		[TRIMMABLE] = {"free, malloc_trim(0) would return it",
			       "#d64550", NULL}};
	const struct ht_chart chart = {"RSS by cause", s->time_ns, s->rows,
				       bands,	       BANDS,	   true,
				       "bytes"};
	double v[BANDS];

	if (!cells)
		return ht_fail(err, HT_NOMEM, "out of memory for a chart");
	for (size_t row = 0; row < s->rows; row++) {
		split(s, row, v);
		for (size_t b = 0; b < BANDS; b++)
			cells[b * s->rows + row] = v[b];
	}
	for (size_t b = 0; b < BANDS; b++)
		bands[b].value = cells + b * s->rows;
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
static enum ht_code print_asked(FILE *to, const struct ht_series *s,
				const struct ht_measures *asked,
				struct ht_err *err)
{
	for (size_t i = 0; i < asked->n; i++) {
		HT_AUTO_FREE double *column =
			ht_measure_column(&asked->v[i], s);
		const struct ht_band band = {
			*asked->v[i].help ? asked->v[i].help : asked->v[i].name,
			"#2f6fde", column};
		const struct ht_chart chart = {
			asked->v[i].name, s->time_ns, s->rows, &band, 1, false,
			asked->v[i].unit};

		if (!column)
			return ht_fail(err, HT_NOMEM,
				       "out of memory for a chart");
		ht_chart_print(to, &chart);
	}
	return HT_OK;
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

	ht_time_text(v->from_ns, from);
	ht_time_text(v->to_ns, until);
	fprintf(to,
		"<p><span class=\"verdict\">%s</span> (%.2f, %s) "
		"<span class=\"dim\">%zu samples, %s to %s</span></p>\n<ul>\n",
		ht_label_names[v->label], v->confidence,
		ht_confidence_word(v->confidence), v->samples, from, until);
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

	for (size_t i = 0; i < s->advices.n; i++)
		n += is_told(&s->advices.v[i]);
	if (!n)
		return;
	fputs("<h2>What the newest snapshot advises</h2>\n<ul>\n", to);
	for (size_t i = 0; i < s->advices.n; i++) {
		if (!is_told(&s->advices.v[i]))
			continue;
		fputs("<li>", to);
		ht_html_text(to, s->advices.v[i].text);
		fputs("</li>\n", to);
	}
	fputs("</ul>\n", to);
}

static void print_cell(FILE *to, uint64_t bytes)
{
	char text[HT_SIZE_TEXT];

	fprintf(to, "<td title=\"%" PRIu64 " bytes\">%s</td>", bytes,
		ht_size_text(bytes, text, sizeof(text)));
}

static void print_arenas(FILE *to, const struct ht_snapshot *s)
{
	if (!s->arenas.n)
		return;
	fputs("<h2>Arenas</h2>\n<table><tr><th>arena<th>system<th>in use"
	      "<th>free<th>top<th>retained<th>trimmable</tr>\n",
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

static void print_classes(FILE *to, struct ht_snapshot *s)
{
	size_t n =
		s->size_classs.n < TOP_CLASSES ? s->size_classs.n : TOP_CLASSES;

	if (!n)
		return;
	qsort(s->size_classs.v, s->size_classs.n, sizeof(*s->size_classs.v),
	      larger_first);
	fputs("<h2>Largest chunk sizes in use</h2>\n<table><tr><th>chunk size"
	      "<th>chunks<th>bytes<th>free chunks<th>free</tr>\n",
	      to);
	for (size_t i = 0; i < n; i++) {
		const struct ht_size_class *c = &s->size_classs.v[i];

		if (c->max_size)
			fprintf(to, "<tr><td>up to %" PRIu64 "</td>",
				c->max_size);
		else
			fputs("<tr><td>mmapped</td>", to);
		fprintf(to, "<td>%" PRIu64 "</td>", c->in_use_chunks);
		print_cell(to, c->in_use_bytes);
		fprintf(to, "<td>%" PRIu64 "</td>", c->free_chunks);
		print_cell(to, c->free_bytes);
		fputs("</tr>\n", to);
	}
	fputs("</table>\n", to);
}

static enum ht_code print_page(FILE *to, struct ht_judged *j,
			       const struct ht_measures *asked, const char *pin,
			       struct ht_err *err)
{
	const struct ht_store_process *p = &j->process;
	enum ht_code code;

	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta "
	      "charset=\"utf-8\">"
	      "<meta name=\"viewport\" content=\"width=device-width\">\n"
	      "<title>heaptide: ",
	      to);
	ht_html_text(to, *p->target ? p->target : p->comm);
	fprintf(to, "</title>\n%s</head><body>\n<h1>", style);
	ht_html_text(to, *p->target ? p->target : p->comm);
	fprintf(to, ", pid %" PRIu64 "</h1>\n<p class=\"dim\">", p->pid);
	ht_html_text(to, p->exe);
	fputs("</p>\n", to);
	print_verdict(to, j);
	print_paragraph(to, "Pin:", pin);
	code = print_rss(to, &j->series, err);
	if (code != HT_OK)
		return code;
	print_lines(to, &j->series);
	print_fragmentation(to, &j->series);
	code = print_asked(to, &j->series, asked, err);
	if (code != HT_OK)
		return code;
	print_advice(to, &j->latest);
	print_arenas(to, &j->latest);
	print_classes(to, &j->latest);
	fputs("</body></html>\n", to);
	return HT_OK;
}

/* Of the target: what would be a path stays a name. */
static const char *default_name(const struct ht_cli *cli, char out[80])
{
	snprintf(out, 80, "heaptide-%.60s.html", cli->opt.args[0]);
	for (char *c = out; *c; c++)
		*c = *c == '/' ? '_' : *c;
	return out;
}

enum ht_code ht_cmd_report(struct ht_cli *cli, struct ht_err *err)
{
	char named[80];
	const char *path = cli->opt.output ?: default_name(cli, named);
	bool standard = strcmp(path, "-") == 0;
	HT_AUTO_JUDGED struct ht_judged j;
	HT_AUTO_MEASURES struct ht_measures asked = {0};
	HT_AUTO_FILE FILE *to = NULL;
	char pin[HT_PIN_TEXT];
	enum ht_code code;

	ht_judged_init(&j);
	code = cli->opt.metric
		       ? ht_measures_parse(cli->opt.metric, NULL, &asked, err)
		       : HT_OK;
	if (code == HT_OK)
		code = ht_judge(cli, cli->opt.args[0], &j, err);
	if (code == HT_OK)
		code = ht_advise(&j.latest, err);
	if (code == HT_OK)
		code = ht_pin_text(cli, j.process.id, pin, err);
	if (code != HT_OK)
		return code;
	to = standard ? fdopen(dup(STDOUT_FILENO), "w") : fopen(path, "we");
	if (!to)
		return ht_fail_sys(err, HT_SYS, errno, "write %s", path);
	code = print_page(to, &j, &asked, pin, err);
	if (code == HT_OK && (fflush(to) || ferror(to)))
		code = ht_fail_sys(err, HT_SYS, errno, "write %s", path);
	if (code == HT_OK && !standard)
		ht_tell(&cli->term, "%s: %zu rows", path, j.series.rows);
	return code;
}
