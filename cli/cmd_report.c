/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide report`: one self-contained HTML page of a target, or of all. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/family.h"
#include "cli/json.h"
#include "cli/metrics.h"
#include "cli/report_family.h"
#include "cli/target.h"
#include "common/clock.h"
#include "page/page.h"
#include "schema/figure_text.h"

#define INDEX_BUDGET_NS (20 * HT_NS_PER_S)
#define PATH_TEXT	80

/* Of the target: what would be a path stays a name. */
static const char *default_name(const struct ht_cli *cli, char out[PATH_TEXT])
{
	snprintf(out, PATH_TEXT, "heaptide-%.60s.html",
		 cli->opt.all ? "all" : cli->opt.args[0]);
	for (char *c = out; *c; c++)
		*c = *c == '/' ? '_' : *c;
	return out;
}

static bool is_standard(const char *path)
{
	return strcmp(path, "-") == 0;
}

static enum ht_code write_page(const char *path,
			       const struct ht_page_frame *frame,
			       struct ht_err *err)
{
	HT_AUTO_FILE FILE *to = is_standard(path)
					? fdopen(dup(STDOUT_FILENO), "w")
					: fopen(path, "we");

	if (!to)
		return ht_fail_sys(err, HT_SYS, errno, "write %s", path);
	return ht_page_write(to, frame, err);
}

/* "640.2 KiB": what it weighs, for who sends it around. */
static const char *weight_text(const char *path, char out[HT_NUMBER_TEXT])
{
	struct stat st;

	return ht_bytes_text(stat(path, &st) == 0 ? (uint64_t)st.st_size
						  : HT_UNKNOWN,
			     false, out);
}

static enum ht_code add_asked(struct ht_page *page,
			      const struct ht_measures *asked,
			      struct ht_err *err)
{
	for (size_t i = 0; i < asked->n; i++) {
		const struct ht_trend_metric *m = &asked->v[i];

		if (!ht_page_add(page, m->name, m->help, m->unit,
				 ht_measure_column(m, &page->series)))
			return ht_fail(err, HT_NOMEM,
				       "out of memory for a chart");
	}
	return HT_OK;
}

/* Of a service the page is of the worst, with each of them and their sums. */
static enum ht_code choose(struct ht_cli *cli, struct ht_store *store,
			   struct ht_store_process *ret, json_t **ret_family,
			   struct ht_err *err)
{
	struct ht_board_ask ask = {.cli = cli, .since_ns = cli->opt.since_ns};
	HT_AUTO_SERVICE struct ht_service service = {0};
	HT_AUTO_BOARD struct ht_board board = {0};
	char line[HT_FAMILY_LINE];
	enum ht_code code =
		ht_service_find(store, cli->opt.args[0], &service, err);

	if (code == HT_OK)
		*ret = service.member[0].process;
	if (code != HT_OK || service.n == 1)
		return code;
	ht_family_needs(ask.metrics);
	code = ht_board_of(store, &service, &ask, &board, err);
	if (code != HT_OK)
		return code;
	ht_board_sort_verdicts(&board);
	*ret = board.rows[0].process;
	ht_family_whole_line(cli, &board, line);
	ht_tell(&cli->term,
		"%s; the page has each and the sum, the rest of it is of the worst, pid %" PRIu64
		" (%s); report PID is of another",
		line, ret->pid, ht_verdict_brief_label(&board.rows[0].verdict));
	return ht_report_family(cli, store, &board, ret_family, err);
}

static enum ht_code read_page(struct ht_cli *cli, struct ht_page *page,
			      struct ht_err *err)
{
	const struct ht_page_ask ask = {.since_ns = cli->opt.since_ns,
					.until_ns = cli->opt.until_ns};
	HT_AUTO_STORE struct ht_store *store = NULL;
	HT_AUTO_MEASURES struct ht_measures asked = {0};
	struct ht_store_process process;
	enum ht_code code = HT_OK;

	if (cli->opt.metric)
		code = ht_measures_parse(cli->opt.metric, NULL, &asked, err);
	if (code == HT_OK)
		code = ht_history_open(&cli->opt, &store, err);
	if (code == HT_OK)
		code = choose(cli, store, &process, &page->family, err);
	if (code == HT_OK)
		code = ht_page_read(store, &process, &ask, page, err);
	return code == HT_OK ? add_asked(page, &asked, err) : code;
}

static enum ht_code write_target(struct ht_page *page, const char *path,
				 struct ht_err *err)
{
	char title[200];
	struct ht_page_frame frame = {.title = title, .still = page};
	json_t *document = ht_page_json(page);
	enum ht_code code;

	if (!document)
		return ht_fail(err, HT_NOMEM, "out of memory for a page");
	snprintf(title, sizeof(title), "%s: heaptide",
		 ht_process_name(&page->judged.process));
	frame.document = document;
	code = write_page(path, &frame, err);
	json_decref(document);
	return code;
}

static enum ht_code report_target(struct ht_cli *cli, const char *path,
				  struct ht_err *err)
{
	HT_AUTO_PAGE struct ht_page page;
	char weight[HT_NUMBER_TEXT];
	enum ht_code code;

	ht_page_init(&page);
	code = read_page(cli, &page, err);
	if (code != HT_OK)
		return code;
	if (cli->opt.json)
		return ht_json_print(ht_page_json(&page), err);
	code = write_target(&page, path, err);
	if (code == HT_OK && !is_standard(path))
		ht_tell(&cli->term, "%s: %zu rows, %s", path, page.series.rows,
			weight_text(path, weight));
	return code;
}

/* --- all of them --------------------------------------------------------- */

struct folder {
	struct ht_cli *cli;
	struct ht_store *store;
	const char *path; /* ends in a slash; NULL: the index alone */
	size_t pages;
	char name[64];
	enum ht_code code;
	struct ht_err *err;
};

/* By the number of its life: names are hostile, and not unique. */
static const char *page_name(void *ctx, const struct ht_store_process *p)
{
	struct folder *f = ctx;

	if (!f->path || p->last_ns < f->cli->opt.since_ns)
		return NULL;
	snprintf(f->name, sizeof(f->name), "target-%" PRId64 ".html", p->id);
	return f->name;
}

/* What has no sample in the window has no page. */
static int write_one(void *ctx, const struct ht_store_process *p)
{
	struct folder *f = ctx;
	const struct ht_page_ask ask = {.since_ns = f->cli->opt.since_ns,
					.until_ns = f->cli->opt.until_ns};
	HT_AUTO_PAGE struct ht_page page;
	char path[PATH_MAX];

	if (!page_name(f, p))
		return 0;
	ht_page_init(&page);
	f->code = ht_page_read(f->store, p, &ask, &page, f->err);
	snprintf(path, sizeof(path), "%s%s", f->path, f->name);
	if (f->code == HT_OK)
		f->code = write_target(&page, path, f->err);
	if (f->code == HT_NODATA)
		f->code = HT_OK;
	else if (f->code == HT_OK)
		ht_progress(&f->cli->term, "%zu pages", ++f->pages);
	return f->code != HT_OK;
}

static enum ht_code write_folder(struct folder *f, struct ht_err *err)
{
	enum ht_code code;

	if (!f->path)
		return HT_OK;
	code = ht_store_processes(f->store, write_one, f, err);
	ht_progress_end(&f->cli->term);
	return code == HT_OK ? f->code : code;
}

static enum ht_code report_all(struct ht_cli *cli, const char *path,
			       struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	struct folder folder = {.cli = cli, .err = err};
	struct ht_page_index_ask ask = {.since_ns = cli->opt.since_ns,
					.budget_ns = INDEX_BUDGET_NS,
					.page = page_name,
					.ctx = &folder};
	struct ht_page_frame frame = {.title = "heaptide: all targets"};
	char index[PATH_MAX], weight[HT_NUMBER_TEXT];
	json_t *document = NULL;
	size_t n;
	enum ht_code code = ht_history_open(&cli->opt, &store, err);

	folder.store = store;
	snprintf(index, sizeof(index), "%s", path);
	if (path[strlen(path) - 1] == '/') {
		folder.path = path;
		snprintf(index, sizeof(index), "%sindex.html", path);
		if (code == HT_OK && mkdir(path, 0777) && errno != EEXIST)
			return ht_fail_sys(err, HT_SYS, errno, "make %s", path);
	}
	if (code == HT_OK)
		code = ht_page_index(store, &ask, &document, err);
	if (code != HT_OK)
		return code;
	if (cli->opt.json)
		return ht_json_print(document, err);
	frame.document = document;
	code = write_page(index, &frame, err);
	n = json_array_size(json_object_get(document, "targets"));
	json_decref(document);
	if (code == HT_OK)
		code = write_folder(&folder, err);
	if (code == HT_OK && !is_standard(path))
		ht_tell(&cli->term, "%s: %zu targets, %s", index, n,
			weight_text(index, weight));
	return code;
}

enum ht_code ht_cmd_report(struct ht_cli *cli, struct ht_err *err)
{
	char named[PATH_TEXT];
	const char *path;

	if (cli->opt.all == (cli->opt.args_n > 0))
		return ht_fail(
			err, HT_USAGE,
			cli->opt.all
				? "--all is of all targets: no TARGET goes with it"
				: "name a TARGET, or --all");
	path = cli->opt.output && *cli->opt.output ? cli->opt.output
						   : default_name(cli, named);
	return cli->opt.all ? report_all(cli, path, err)
			    : report_target(cli, path, err);
}
