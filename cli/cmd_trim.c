/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide trim`: what malloc_trim(0) would return if the process called it
 * now, what it would leave and why, and how long it would take. With --yes one
 * of its threads calls it, and what came of it is told. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/json.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/trim.h"
#include "common/clock.h"

/* Free and resident, and left by malloc_trim(0). */
static const struct {
	enum ht_cause cause;
	const char *why;
} leaves[] = {
	{HT_CAUSE_TOP_MAIN, "the last page of the main top"},
	{HT_CAUSE_TOP_THREAD, "tops of other arenas: only free() shrinks them"},
	{HT_CAUSE_TCACHE, "thread caches: malloc_trim leaves them"},
	{HT_CAUSE_LOCKED, "locked in memory, or of the huge page pool"},
	{HT_CAUSE_SUB_PAGE, "pages that also hold bytes in use"},
};
#define LEAVES (sizeof(leaves) / sizeof(leaves[0]))

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a == HT_UNKNOWN || b == HT_UNKNOWN || b > a ? HT_UNKNOWN : a - b;
}

/* --- JSON ---------------------------------------------------------------- */

static json_t *signed_json(uint64_t a, uint64_t b)
{
	if (a == HT_UNKNOWN || b == HT_UNKNOWN)
		return json_null();
	return json_integer((json_int_t)(a - b));
}

static json_t *left_json(const struct ht_snapshot *s)
{
	json_t *left = json_array();

	for (size_t i = 0; i < LEAVES; i++)
		json_array_append_new(left,
				      json_pack("{s:s, s:o}", "cause",
						ht_cause_names[leaves[i].cause],
						"bytes",
						ht_u64_json(ht_snapshot_cause(
							s, leaves[i].cause))));
	return left;
}

static const struct ht_arena *arena_of(const struct ht_snapshot *s,
				       uint64_t index)
{
	for (size_t i = 0; i < s->arenas.n; i++)
		if (s->arenas.v[i].index == index)
			return &s->arenas.v[i];
	return NULL;
}

static json_t *arenas_json(const struct ht_target_trim *t, bool after)
{
	const struct ht_snapshot *s = &t->before;
	json_t *list = json_array();

	for (size_t i = 0; i < s->arenas.n; i++) {
		const struct ht_arena *b = &s->arenas.v[i];
		const struct ht_arena *a =
			after ? arena_of(&t->after, b->index) : NULL;
		uint64_t ns = ht_trim_hold_ns(s, &t->forecast.cost, b->index);
		uint64_t left = a ? a->resident : HT_UNKNOWN;

		json_array_append_new(
			list,
			json_pack(
				"{s:o, s:o, s:o, s:o, s:o, s:o}", "index",
				ht_u64_json(b->index), "trimmable",
				ht_u64_json(b->trimmable), "hold_us",
				ht_u64_json(ns == HT_UNKNOWN ? ns : ns / 1000),
				"resident", ht_u64_json(b->resident),
				"resident_after", ht_u64_json(left), "returned",
				signed_json(b->resident, left)));
	}
	return list;
}

static json_t *forecast_json(const struct ht_target_trim *t, uint64_t back)
{
	const struct ht_trim *f = &t->forecast;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "bytes",
			 ht_u64_json(f->bytes), "machine_bytes",
			 ht_u64_json(f->machine_bytes), "hold_us",
			 ht_u64_json(f->hold_us), "call_us",
			 ht_u64_json(f->call_us), "faulted_back",
			 ht_u64_json(back), "rss_after",
			 ht_u64_json(minus(t->before.process.rss, f->bytes)));
}

static json_t *refused_json(const struct ht_trim *t, bool why)
{
	if (t->refusal == HT_TRIM_NONE)
		return json_null();
	return json_string(why ? t->why : ht_trim_refusals[t->refusal]);
}

static enum ht_code print_json(const struct ht_cli *cli,
			       const struct ht_target_trim *t,
			       struct ht_err *err)
{
	const struct ht_snapshot *s = &t->before;
	const struct ht_trim *a = cli->opt.yes ? &t->act : &t->forecast;
	bool done = cli->opt.yes && a->done == 1;
	json_t *whole = ht_json_look("heaptide.trim/2", NULL, s);
	json_t *told =
		json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o}", "rss",
			  ht_u64_json(s->process.rss), "trimmable",
			  ht_u64_json(s->totals.trimmable), "machine_gets",
			  ht_u64_json(s->totals.trimmable_private), "arenas",
			  arenas_json(t, done), "forecast",
			  forecast_json(t, ht_trim_faulted_back(cli, s)),
			  "done", done, "refused", refused_json(a, false),
			  "why", refused_json(a, true));
	json_t *act = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "thread",
		ht_u64_json(a->thread), "stopped_us",
		ht_u64_json(a->stopped_us), "took_us", ht_u64_json(a->took_us),
		"rss_before", ht_u64_json(a->rss_before), "rss_after",
		ht_u64_json(a->rss_after), "returned",
		signed_json(a->rss_before, a->rss_after), "prediction_error",
		signed_json(minus(a->rss_before, a->rss_after), a->bytes),
		"per_arena", arenas_json(t, done), "left",
		left_json(done ? &t->after : s));

	if (!whole || !told || !act || json_object_update(whole, told) ||
	    json_object_update(whole, act)) {
		json_decref(whole);
		whole = NULL;
	}
	json_decref(told);
	json_decref(act);
	return ht_json_print(whole, err);
}

/* --- text ---------------------------------------------------------------- */

static const char *micros(uint64_t us, char *out, size_t size)
{
	snprintf(out, size, "?");
	if (us != HT_UNKNOWN)
		ht_duration_text((int64_t)us * HT_NS_PER_US, out, size);
	return out;
}

static void print_head(const struct ht_cli *cli, const struct ht_target_trim *t)
{
	const struct ht_snapshot *s = &t->before;
	char trim[HT_NUMBER_TEXT], rss[HT_NUMBER_TEXT], left[HT_NUMBER_TEXT];

	ht_paragraph(&cli->term, "",
		     "%smalloc_trim(0) in %s, pid %" PRIu64
		     ", would return %s%s: RSS %s -> %s",
		     ht_style(&cli->term, HT_BOLD), s->head.comm, s->head.pid,
		     ht_show_bytes(cli, s->totals.trimmable, trim),
		     ht_style_off(&cli->term),
		     ht_show_bytes(cli, s->process.rss, rss),
		     ht_show_bytes(cli,
				   minus(s->process.rss, s->totals.trimmable),
				   left));
}

/* What is not known is left out; --json has it as null. */
static void print_forecast(const struct ht_cli *cli,
			   const struct ht_target_trim *t)
{
	const struct ht_trim *f = &t->forecast;
	uint64_t back = ht_trim_faulted_back(cli, &t->before);
	char hold[32], call[32], bytes[HT_NUMBER_TEXT];

	if (f->call_us != HT_UNKNOWN)
		ht_paragraph(
			&cli->term, "",
			"It takes about %s; an arena is locked for at most %s of it.",
			micros(f->call_us, call, sizeof(call)),
			micros(f->hold_us, hold, sizeof(hold)));
	if (f->machine_bytes != HT_UNKNOWN && f->machine_bytes < f->bytes)
		ht_paragraph(
			&cli->term, "",
			"The machine gains %s of it: other processes share the rest.",
			ht_show_bytes(cli, f->machine_bytes, bytes));
	if (back != HT_UNKNOWN)
		ht_paragraph(
			&cli->term, "",
			"By the history %s of it comes back with the next peak.",
			ht_show_bytes(cli, back, bytes));
	if (f->refusal != HT_TRIM_NONE && f->refusal != HT_TRIM_ARENA_TOPS)
		ht_paragraph(&cli->term, "", "--yes would refuse: %s.", f->why);
}

static enum ht_code print_left(const struct ht_cli *cli,
			       const struct ht_snapshot *s, struct ht_err *err)
{
	static const struct ht_column columns[] = {
		{"free, but it stays", false}, {"resident", true}};
	HT_AUTO_TABLE struct ht_table t = {0};
	enum ht_code code =
		ht_table_init(&cli->term, cli->opt.bytes, columns, 2, &t, err);

	if (code != HT_OK)
		return code;
	putchar('\n');
	for (size_t i = 0; i < LEAVES; i++) {
		ht_table_row(&t);
		ht_table_text(&t, "%s", leaves[i].why);
		ht_table_size(&t, ht_snapshot_cause(s, leaves[i].cause));
	}
	return ht_table_print(&t, err);
}

static enum ht_code print_arenas(const struct ht_cli *cli,
				 const struct ht_target_trim *t,
				 struct ht_err *err)
{
	static const struct ht_column columns[] = {{"arena", true},
						   {"resident", true},
						   {"forecast", true},
						   {"resident after", true}};
	HT_AUTO_TABLE struct ht_table table = {0};
	enum ht_code code = ht_table_init(&cli->term, cli->opt.bytes, columns,
					  4, &table, err);

	if (code != HT_OK)
		return code;
	putchar('\n');
	for (size_t i = 0; i < t->before.arenas.n; i++) {
		const struct ht_arena *b = &t->before.arenas.v[i];
		const struct ht_arena *a = arena_of(&t->after, b->index);

		ht_table_row(&table);
		ht_table_count(&table, b->index);
		ht_table_size(&table, b->resident);
		ht_table_size(&table, b->trimmable);
		ht_table_size(&table, a ? a->resident : HT_UNKNOWN);
	}
	return ht_table_print(&table, err);
}

static enum ht_code print_done(const struct ht_cli *cli,
			       const struct ht_target_trim *t,
			       struct ht_err *err)
{
	const struct ht_trim *a = &t->act;
	char got[HT_NUMBER_TEXT], before[HT_NUMBER_TEXT], after[HT_NUMBER_TEXT];
	char took[32], stopped[32];

	if (a->took_us == HT_UNKNOWN) {
		ht_paragraph(
			&cli->term, "",
			"Thread %" PRIu64
			" is still at work in malloc_trim(0), or its process ended; nothing waits for it and it finishes by itself.",
			a->thread);
		return HT_OK;
	}
	ht_paragraph(
		&cli->term, "",
		"%smalloc_trim(0) in %s, pid %" PRIu64
		", returned %s%s: RSS %s -> %s",
		ht_style(&cli->term, HT_BOLD), t->before.head.comm,
		t->before.head.pid,
		a->rss_after > a->rss_before
			? "nothing"
			: ht_show_bytes(cli, a->rss_before - a->rss_after, got),
		ht_style_off(&cli->term),
		ht_show_bytes(cli, a->rss_before, before),
		ht_show_bytes(cli, a->rss_after, after));
	ht_paragraph(&cli->term, "",
		     "It took %s, in thread %" PRIu64
		     ", which stood still for %s; the forecast was %s.",
		     micros(a->took_us, took, sizeof(took)), a->thread,
		     micros(a->stopped_us, stopped, sizeof(stopped)),
		     ht_show_bytes(cli, a->bytes, got));
	return print_arenas(cli, t, err);
}

static enum ht_code print_text(const struct ht_cli *cli,
			       const struct ht_target_trim *t,
			       struct ht_err *err)
{
	enum ht_code code;

	if (cli->opt.yes && t->act.done == 1) {
		code = print_done(cli, t, err);
		return code == HT_OK ? print_left(cli, &t->after, err) : code;
	}
	print_head(cli, t);
	print_forecast(cli, t);
	code = print_left(cli, &t->before, err);
	if (code != HT_OK || cli->opt.yes)
		return code;
	putchar('\n');
	ht_paragraph(
		&cli->term, "",
		"Nothing was called (--yes has it called). What the program needs again is faulted in again.");
	return code;
}

/* --- the command --------------------------------------------------------- */

static void fini(struct ht_target_trim *t)
{
	ht_snapshot_fini(&t->before);
	ht_snapshot_fini(&t->after);
}

enum ht_code ht_cmd_trim(struct ht_cli *cli, struct ht_err *err)
{
	HT_CLEANUP(fini) struct ht_target_trim t;
	enum ht_code code;
	pid_t pid;

	ht_trim_init(&t.forecast);
	ht_trim_init(&t.act);
	ht_snapshot_init(&t.before);
	ht_snapshot_init(&t.after);
	code = ht_target_pid(cli->opt.args[0], &pid, err);
	if (code == HT_OK)
		code = ht_target_trim(cli, pid,
				      cli->opt.yes && !cli->opt.arena_tops, &t,
				      err);
	if (code != HT_OK)
		return code;
	if (!ht_show_has_heap(&t.before)) {
		if (cli->opt.json)
			code = print_json(cli, &t, err);
		return code == HT_OK ? ht_show_no_heap(&t.before, err) : code;
	}
	if (cli->opt.arena_tops) {
		cli->opt.yes = false; /* nothing is called */
		ht_trim_refuse_tops(cli, &t);
		t.act = t.forecast;
	}
	code = cli->opt.json ? print_json(cli, &t, err)
			     : print_text(cli, &t, err);
	if (code == HT_OK && t.act.refusal == HT_TRIM_NONE)
		return ht_show_damage(&t.before, err);
	if (code != HT_OK)
		return code;
	code = ht_fail(err, HT_REFUSED, "%s", t.act.why);
	ht_err_advise(err,
		      cli->opt.arena_tops ? HT_HINT_ARENA_TOPS : HT_HINT_TRIM);
	return code;
}
