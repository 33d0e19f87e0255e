/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide verdict`: leak, pool growth, ... with the evidence that a person
 * can check by hand. Of a service a line each, and the evidence of the worst.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cli/family.h"
#include "cli/gate.h"
#include "cli/json.h"
#include "cli/verdict_rows.h"
#include "common/clock.h"

struct answer {
	struct ht_cli *cli;
	struct ht_service service;
	struct ht_board board;		 /* a row each, the worst first */
	struct ht_judged judged;	 /* the worst */
	struct ht_store_process earlier; /* of who is too young; id 0: none */
	struct ht_gate gate;
	struct ht_traced traced;
	char pin[HT_PIN_TEXT];
};

static void answer_fini(struct answer *a)
{
	ht_service_fini(&a->service);
	ht_board_fini(&a->board);
	ht_judged_fini(&a->judged);
}
#define AUTO_ANSWER HT_CLEANUP(answer_fini)

static void add_traced(struct ht_sheet *sheet, const char *word,
		       const struct ht_held_by *found)
{
	char at[HT_TIME_TEXT];

	if (!found->at_ns)
		return;
	ht_time_here_text(found->at_ns, at);
	ht_sheet_add(sheet, 0, word, "%s (as of %s)", found->text, at);
}

static void add_earlier(const struct ht_store_process *p,
			struct ht_sheet *sheet)
{
	char until[HT_TIME_TEXT];

	if (!p->id)
		return;
	ht_time_here_text(p->last_ns, until);
	ht_sheet_add(sheet, 0, "earlier",
		     "its life before tells more, %" PRIu64
		     " samples until %s: heaptide verdict '#%" PRId64 "'",
		     p->samples, until, p->id);
}

static void print_one(const struct answer *a)
{
	const struct ht_judged *j = &a->judged;
	const struct ht_next_ask ask = {.verdict = &j->verdict,
					.pid = j->process.pid,
					.alive = !j->process.ended_ns};
	struct ht_next next[HT_NEXT_MAX];
	struct ht_sheet sheet = {.n = 0};

	ht_verdict_head(a->cli, j);
	ht_verdict_rows(a->cli, j, a->pin, &sheet);
	if (j->verdict.label == HT_LABEL_LEAK) {
		add_traced(&sheet, "made by", &a->traced.made);
		add_traced(&sheet, "who", &a->traced.held);
	}
	if (ht_verdict_grows(&j->verdict))
		add_traced(&sheet, "type", &a->traced.grown);
	ht_next_rows(next, ht_next(&ask, next), &sheet);
	add_earlier(&a->earlier, &sheet);
	ht_sheet_print(&sheet, &a->cli->term);
}

static enum ht_code print(struct answer *a, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	if (a->board.n > 1) {
		code = ht_family_table(a->cli, &a->board, err);
		putchar('\n');
	}
	if (code == HT_OK)
		print_one(a);
	return code;
}

static enum ht_code print_json(const struct answer *a, struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	const struct ht_judged *j = &a->judged;
	json_t *o, *pin = NULL;
	enum ht_code code = ht_history_open(&a->cli->opt, &store, err);

	if (code == HT_OK)
		code = ht_pin_json(store, j->process.id, a->cli->opt.until_ns,
				   &pin, err);
	if (code != HT_OK)
		return code;
	o = ht_verdict_json(&j->verdict, ht_judged_name(j), j->process.pid,
			    &a->traced);
	ht_json_add(&o, "pin", pin);
	ht_json_add(&o, "family", ht_family_members_json(&a->board));
	return ht_json_print(o, err);
}

/* --- who is meant, and what becomes of each ------------------------------ */

/* The first of a service that misses what is asked for decides. */
static enum ht_code hold(struct answer *a, struct ht_store *store,
			 struct ht_err *err)
{
	enum ht_code code = HT_OK;

	for (size_t i = 0; code == HT_OK && i < a->board.n; i++) {
		HT_AUTO_JUDGED struct ht_judged j;

		ht_judged_init(&j);
		j.process = a->board.rows[i].process;
		code = ht_judged_read(store, a->cli->opt.since_ns,
				      a->cli->opt.until_ns, &j, err);
		if (code == HT_OK)
			ht_gate_judge(&a->gate, &j);
		if (ht_gate_count(&a->gate, HT_OUTCOME_MISSED))
			break;
		code = code == HT_NODATA && i ? HT_OK : code;
	}
	return code;
}

/* A process that began a moment ago says nothing yet; the one before may. */
static enum ht_code find_earlier(struct answer *a, struct ht_store *store,
				 struct ht_err *err)
{
	const struct ht_store_process *p = &a->judged.process;
	bool found = false;
	enum ht_code code;

	if (a->judged.verdict.label != HT_LABEL_INSUFFICIENT_DATA)
		return HT_OK;
	code = ht_store_life_before(store, p, &a->earlier, &found, err);
	if (!found || a->earlier.samples <= p->samples)
		a->earlier.id = 0;
	return code;
}

static enum ht_code judge(struct answer *a, struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	struct ht_board_ask ask = {.cli = a->cli,
				   .since_ns = a->cli->opt.since_ns};
	enum ht_code code = ht_history_open(&a->cli->opt, &store, err);

	ht_family_needs(ask.metrics);
	if (code == HT_OK)
		code = ht_service_find(store, a->cli->opt.args[0], &a->service,
				       err);
	if (code == HT_OK)
		code = ht_board_of(store, &a->service, &ask, &a->board, err);
	if (code != HT_OK)
		return code;
	ht_board_sort_verdicts(&a->board);
	a->judged.process = a->board.rows[0].process;
	code = ht_judged_read(store, ask.since_ns, a->cli->opt.until_ns,
			      &a->judged, err);
	if (code == HT_OK)
		code = find_earlier(a, store, err);
	return code == HT_OK ? hold(a, store, err) : code;
}

enum ht_code ht_cmd_verdict(struct ht_cli *cli, struct ht_err *err)
{
	AUTO_ANSWER struct answer a = {.cli = cli};
	enum ht_code code = ht_gate_init(&cli->opt, &a.gate, err);

	ht_judged_init(&a.judged);
	if (code == HT_OK)
		code = judge(&a, err);
	if (code == HT_OK)
		code = ht_judge_beside(cli, a.judged.process.id,
				       &a.judged.verdict, a.pin, &a.traced,
				       err);
	if (code == HT_OK)
		code = cli->opt.json ? print_json(&a, err) : print(&a, err);
	return code == HT_OK ? ht_gate_result(&a.gate, err) : code;
}
