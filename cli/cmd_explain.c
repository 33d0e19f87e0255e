/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide explain`: one look, and the five questions answered from it: where
 * the memory is, whether it can go back, why it stays, how fragmented it is,
 * who holds it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analysis/advice.h"
#include "cli/answer.h"
#include "cli/brief.h"
#include "cli/json.h"
#include "cli/next.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/target.h"
#include "common/clock.h"
#include "schema/snapshot_json.h"

#define PIN_WORTH    65536 /* bytes held, below that it is nobody's trouble */
#define TOP_ARENAS   8
#define TOP_CLASSES  8
#define TOP_THREADS  5
#define TOP_MAPPINGS 6

/* What it returns, what to type, what it costs. */
static void print_remedy(const struct ht_cli *cli, const struct ht_advice *a)
{
	char returns[HT_RETURNS_TEXT];

	if (*ht_returns_text(cli, a, returns))
		ht_paragraph(&cli->term, "    returns: ", "%s", returns);
	if (*a->how)
		ht_paragraph(&cli->term, "    type: ", "%s", a->how);
	if (*a->cost)
		ht_paragraph(&cli->term, "    costs: ", "%s", a->cost);
}

static void print_advice(const struct ht_cli *cli, const struct ht_snapshot *s)
{
	if (!s->advice.n)
		return;
	ht_show_title(cli, "What to do");
	for (size_t i = 0; i < s->advice.n; i++) {
		ht_paragraph(&cli->term, cli->term.utf8 ? "  \u2022 " : "  * ",
			     "%s", s->advice.v[i].text);
		print_remedy(cli, &s->advice.v[i]);
	}
}

static void print_findings(const struct ht_cli *cli,
			   const struct ht_snapshot *s)
{
	if (!s->findings.n)
		return;
	ht_show_title(cli, "Damage: what cannot be true in a sound heap");
	for (size_t i = 0; i < s->findings.n; i++) {
		const struct ht_finding *f = &s->findings.v[i];

		ht_paragraph(&cli->term, "  ", "%s%s%s at 0x%" PRIx64 ": %s",
			     ht_style(&cli->term, HT_RED), f->code,
			     ht_style_off(&cli->term), f->address, f->text);
	}
}

static void print_warnings(const struct ht_cli *cli,
			   const struct ht_snapshot *s)
{
	if (!s->warnings.n)
		return;
	ht_show_title(cli, "Warnings");
	for (size_t i = 0; i < s->warnings.n; i++) {
		ht_paragraph(&cli->term, "  ! ", "%s", s->warnings.v[i].text);
	}
}

/* The chunk that holds the most below a top, over all arenas. */
static void print_pin(const struct ht_cli *cli, const struct ht_snapshot *s)
{
	const struct ht_arena *most = NULL;
	char holds[HT_NUMBER_TEXT], size[HT_NUMBER_TEXT];
	char k4[HT_NUMBER_TEXT], k16[HT_NUMBER_TEXT];
	char state[80] = "in use";

	for (size_t i = 0; i < s->arenas.n; i++) {
		const struct ht_arena *a = &s->arenas.v[i];

		if (a->pin_holds != HT_UNKNOWN && a->pin_holds &&
		    (!most || a->pin_holds > most->pin_holds))
			most = a;
	}
	if (!most || most->pin_holds < PIN_WORTH)
		return;
	ht_show_title(cli, "The pin");
	if (most->pin_cached_by != HT_UNKNOWN)
		snprintf(state, sizeof(state),
			 "that lies free in the cache of thread %" PRIu64,
			 most->pin_cached_by);
	ht_paragraph(&cli->term, "  ",
		     "a chunk of %s %s at 0x%" PRIx64 " (arena %" PRIu64
		     ") keeps %s below it from leaving by the top",
		     ht_show_bytes(cli, most->pin_size, size), state,
		     most->pin_address, most->index,
		     ht_show_bytes(cli, most->pin_holds, holds));
	if (s->blocked.chunks_16 == HT_UNKNOWN || !s->blocked.chunks_16)
		return;
	ht_paragraph(
		&cli->term, "  ",
		"main arena: freeing the highest chunk in use would give the top %s, the 4 highest %s, the 16 highest %s",
		ht_show_bytes(cli, s->blocked.chunks_1, holds),
		ht_show_bytes(cli, s->blocked.chunks_4, k4),
		ht_show_bytes(cli, s->blocked.chunks_16, k16));
}

static void print_ratio(const struct ht_cli *cli, const char *name, double v,
			const char *meaning)
{
	char lead[64];

	if (v != v)
		return;
	snprintf(lead, sizeof(lead), "  %-22s %6.1f %%  ", name, 100 * v);
	ht_paragraph(&cli->term, lead, "%s", meaning);
}

static void print_fragmentation(const struct ht_cli *cli,
				const struct ht_snapshot *s)
{
	const struct ht_fragmentation *f = &s->fragmentation;
	const struct {
		const char *size;
		uint64_t bytes, count;
	} holes[] = {{"< 4 KiB", f->holes_lt_4k, f->holes_lt_4k_count},
		     {"4..64 KiB", f->holes_4k_64k, f->holes_4k_64k_count},
		     {"64 KiB..1 MiB", f->holes_64k_1m, f->holes_64k_1m_count},
		     {">= 1 MiB", f->holes_ge_1m, f->holes_ge_1m_count}};
	char bytes[HT_NUMBER_TEXT], count[HT_NUMBER_TEXT], hole[4][96];

	ht_show_title(cli, "Fragmentation");
	print_ratio(cli, "retained", f->retained_ratio,
		    "of the resident heap is free");
	print_ratio(cli, "stuck", f->stuck_ratio,
		    "of it shares pages with bytes in use");
	print_ratio(cli, "page utilisation", f->page_utilisation,
		    "of the pages with bytes in use is in use");
	print_ratio(cli, "external", f->external,
		    "of the free runs is not in the largest one");
	print_ratio(cli, "unusable, median chunk", f->unusable_median,
		    "of the free runs is too small for it");
	if (f->free_runs == 0 || f->free_runs == HT_UNKNOWN)
		return;
	for (size_t i = 0; i < 4; i++)
		snprintf(hole[i], sizeof(hole[i]), "%s %s in %s", holes[i].size,
			 ht_show_bytes(cli, holes[i].bytes, bytes),
			 ht_count_text(holes[i].count, count));
	ht_paragraph(&cli->term, "  ", "free runs: %s, %s, %s, %s", hole[0],
		     hole[1], hole[2], hole[3]);
}

static void print_params(const struct ht_cli *cli, const struct ht_snapshot *s)
{
	const struct ht_params *p = &s->params;
	char mmap[HT_NUMBER_TEXT], trim[HT_NUMBER_TEXT], pad[HT_NUMBER_TEXT];
	char arenas[HT_NUMBER_TEXT], count[HT_NUMBER_TEXT];

	if (p->mmap_threshold == HT_UNKNOWN)
		return;
	ht_show_title(cli, "malloc's parameters");
	ht_paragraph(
		&cli->term, "  ",
		"mmap_threshold %s, trim_threshold %s%s, top_pad %s, arena_max %s, tcache_count %s",
		ht_show_bytes(cli, p->mmap_threshold, mmap),
		p->trim_threshold == HT_PARAM_OFF
			? "off"
			: ht_show_bytes(cli, p->trim_threshold, trim),
		p->no_dyn_threshold == 0 ? " (both move with use)" : " (fixed)",
		ht_show_bytes(cli, p->top_pad, pad),
		p->arena_max ? ht_count_text(p->arena_max, arenas)
			     : "by processors",
		ht_count_text(p->tcache_count, count));
}

/* A duration as text, "?" where it is not known. */
static void span_text(uint64_t us, char out[HT_NUMBER_TEXT])
{
	snprintf(out, HT_NUMBER_TEXT, "?");
	if (us != HT_UNKNOWN)
		ht_duration_text((int64_t)us * HT_NS_PER_US, out,
				 HT_NUMBER_TEXT);
}

static void print_look(const struct ht_cli *cli, const struct ht_snapshot *s)
{
	const struct ht_stop *stop = &s->stop;
	char time[HT_TIME_TEXT], text[400], how[160], open[64] = "";
	char bytes[HT_NUMBER_TEXT], pause[HT_NUMBER_TEXT];
	char walk[HT_NUMBER_TEXT], gap[HT_NUMBER_TEXT];
	bool gap_known = stop->gap_us != HT_UNKNOWN;

	span_text(stop->pause_us, pause);
	span_text(stop->walk_us, walk);
	span_text(stop->gap_us, gap);
	ht_time_here_text(s->head.taken_at, time);
	if (stop->pause_us == 0)
		snprintf(how, sizeof(how), "no thread had to be stopped%s%s",
			 gap_known ? ", none waited for more than " : "",
			 gap_known ? gap : "");
	else
		snprintf(how, sizeof(how), "stopped for %s", pause);
	if (stop->uncertain_bytes && stop->uncertain_bytes != HT_UNKNOWN)
		snprintf(open, sizeof(open), ", %s not settled",
			 ht_show_bytes(cli, stop->uncertain_bytes, bytes));
	snprintf(text, sizeof(text), "%s%s%s%smode %s, %s, %s in all%s",
		 s->head.taken_at ? "at " : "", s->head.taken_at ? time : "",
		 s->head.taken_at ? ", " : "",
		 stop->look == HT_LOOK_LIGHT ? "a light look, " : "",
		 stop->mode < HT_MODE_COUNT ? ht_mode_names[stop->mode] : "?",
		 how, walk, open);
	ht_paragraph(&cli->term, "  ", "%s", text);
}

static void print_how(const struct ht_cli *cli, const struct ht_snapshot *s)
{
	char text[sizeof(s->libc) + 64];

	ht_show_title(cli, "How it was measured");
	print_look(cli, s);
	if (!ht_show_has_heap(s))
		return;
	snprintf(text, sizeof(text),
		 "%s %s, %s; layout by %s (%s), found by %s", s->libc.allocator,
		 s->libc.version, s->libc.path, s->libc.layout,
		 s->libc.layout_name, s->libc.located);
	ht_paragraph(&cli->term, "  ", "%s", text);
}

typedef enum ht_code show_part(const struct ht_cli *cli,
			       const struct ht_snapshot *s, size_t max_rows,
			       struct ht_err *err);

static enum ht_code print_parts(const struct ht_cli *cli,
				const struct ht_snapshot *s, struct ht_err *err)
{
	const struct {
		show_part *show;
		size_t rows, max;
	} parts[] = {
		{ht_show_arenas, s->arenas.n, TOP_ARENAS},
		{ht_show_places, s->arenas.n, 0},
		{ht_show_classes, s->size_classes.n, TOP_CLASSES},
		{ht_show_threads, s->threads.n, TOP_THREADS},
		{ht_show_mappings, s->mappings.n, TOP_MAPPINGS},
	};
	enum ht_code code = HT_OK;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!parts[i].rows)
			continue;
		putchar('\n');
		code = parts[i].show(cli, s, parts[i].max, err);
		if (code != HT_OK)
			break;
	}
	return code;
}

/* RSS by cause, and the process's other figures. */
static enum ht_code print_process(const struct ht_cli *cli,
				  const struct ht_snapshot *s,
				  struct ht_err *err)
{
	char swap[HT_NUMBER_TEXT], vsz[HT_NUMBER_TEXT], wp[HT_NUMBER_TEXT];
	char pss[HT_NUMBER_TEXT], uss[HT_NUMBER_TEXT];
	enum ht_code code;

	if (s->process.rss == HT_UNKNOWN)
		return HT_OK;
	putchar('\n');
	code = ht_show_rss(cli, s, 0, err);
	ht_paragraph(
		&cli->term, "",
		"swapped out %s; address space %s, of it writable and private %s",
		ht_show_bytes(cli, s->process.swap, swap),
		ht_show_bytes(cli, s->process.vsz, vsz),
		ht_show_bytes(cli, s->process.writable_private, wp));
	if (s->process.pss != HT_UNKNOWN)
		printf("PSS %s, USS %s\n",
		       ht_show_bytes(cli, s->process.pss, pss),
		       ht_show_bytes(cli, s->process.uss, uss));
	return code;
}

/* The command that prints the whole of a brief answer. */
static enum ht_code print_brief(const struct ht_cli *cli,
				const struct ht_snapshot *s, struct ht_err *err)
{
	const struct ht_options *o = &cli->opt;
	char again[300], file[256];

	if (o->core)
		snprintf(again, sizeof(again),
			 "heaptide explain --core %s%s --full",
			 ht_shell_word(o->core, file, sizeof(file)),
			 o->exe ? " --exe ..." : "");
	else
		snprintf(again, sizeof(again),
			 "heaptide explain %" PRIu64 " --full", s->head.pid);
	return ht_brief_print(cli, s, again, err);
}

/* A person at a terminal gets the answer on one screen; what is piped is
 * whole. */
static enum ht_code print_text(const struct ht_cli *cli,
			       const struct ht_snapshot *s, struct ht_err *err)
{
	enum ht_code code;

	if (cli->term.out_tty && !cli->opt.full)
		return print_brief(cli, s, err);
	ht_answer_print(cli, s);
	print_advice(cli, s);
	print_findings(cli, s);
	print_warnings(cli, s);
	code = print_process(cli, s, err);
	if (code != HT_OK)
		return code;
	if (ht_show_has_heap(s)) {
		print_pin(cli, s);
		print_fragmentation(cli, s);
	}
	code = print_parts(cli, s, err);
	if (code == HT_OK) {
		print_params(cli, s);
		print_how(cli, s);
	}
	return code;
}

/* What was printed is true, but not all that was asked for: the exit status
 * says so. */
static enum ht_code completeness(const struct ht_snapshot *s,
				 struct ht_err *err)
{
	return ht_show_has_heap(s) ? ht_show_damage(s, err)
				   : ht_show_no_heap(s, err);
}

enum ht_code ht_cmd_explain(struct ht_cli *cli, struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	enum ht_code code;
	pid_t pid = 0;

	ht_snapshot_init(&s);
	if (!cli->opt.core == !cli->opt.args_n)
		return ht_fail(err, HT_USAGE,
			       "explain takes either a PID or --core FILE");
	if ((cli->opt.exe || cli->opt.sysroot) && !cli->opt.core)
		return ht_fail(err, HT_USAGE,
			       "--exe and --sysroot go with --core");
	if (!cli->opt.core) {
		code = ht_target_pid(cli->opt.args[0], &pid, err);
		if (code != HT_OK)
			return code;
	}
	code = ht_target_measure(
		cli, pid, HT_WANT_ALL | (cli->opt.pss ? HT_PSS_ANYHOW : 0), &s,
		err);
	if (code == HT_OK)
		code = ht_advise(&s, err);
	if (code == HT_OK)
		code = cli->opt.json ? ht_json_print(ht_snapshot_json(&s), err)
				     : print_text(cli, &s, err);
	return code == HT_OK ? completeness(&s, err) : code;
}
