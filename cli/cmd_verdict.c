/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide verdict`: leak, pool growth, ... with the evidence that a person
 * can check by hand. */
#include "analysis/verdict_json.h"
#include "cli/gate.h"
#include "cli/json.h"
#include "cli/verdict_rows.h"
#include "common/clock.h"

static void add_traced(struct ht_sheet *sheet, const char *word,
		       const struct ht_held_by *found)
{
	char at[HT_TIME_TEXT];

	if (!found->at_ns)
		return;
	ht_time_text(found->at_ns, at);
	ht_sheet_add(sheet, 0, word, "%s (as of %s)", found->text, at);
}

static void print_text(const struct ht_cli *cli, const struct ht_judged *j,
		       const char *pin, const struct ht_traced *traced)
{
	const struct ht_next_ask ask = {.verdict = &j->verdict,
					.pid = j->process.pid,
					.alive = !j->process.ended_ns};
	struct ht_next next[HT_NEXT_MAX];
	struct ht_sheet sheet = {.n = 0};

	ht_verdict_head(cli, j);
	ht_verdict_rows(cli, j, pin, &sheet);
	if (j->verdict.label == HT_LABEL_LEAK) {
		add_traced(&sheet, "made by", &traced->made);
		add_traced(&sheet, "who", &traced->held);
	}
	ht_next_rows(next, ht_next(&ask, next), &sheet);
	ht_sheet_print(&sheet, &cli->term);
}

static enum ht_code print_json(const struct ht_cli *cli,
			       const struct ht_judged *j,
			       const struct ht_traced *traced,
			       struct ht_err *err)
{
	HT_AUTO_STORE struct ht_store *store = NULL;
	json_t *o, *pin = NULL;
	enum ht_code code = ht_history_open(&cli->opt, &store, err);

	if (code == HT_OK)
		code = ht_pin_json(store, j->process.id, cli->opt.until_ns,
				   &pin, err);
	if (code != HT_OK)
		return code;
	o = ht_verdict_json(&j->verdict, ht_judged_name(j), j->process.pid,
			    traced);
	if (json_object_set_new(o, "pin", pin) < 0) {
		json_decref(o);
		o = NULL;
	}
	return ht_json_print(o, err);
}

enum ht_code ht_cmd_verdict(struct ht_cli *cli, struct ht_err *err)
{
	HT_AUTO_JUDGED struct ht_judged j;
	struct ht_gate gate;
	struct ht_traced traced;
	char pin[HT_PIN_TEXT];
	enum ht_code code;

	ht_judged_init(&j);
	code = ht_gate_init(&cli->opt, &gate, err);
	if (code == HT_OK)
		code = ht_judge(cli, cli->opt.args[0], &j, err);
	if (code != HT_OK)
		return code;
	code = ht_judge_beside(cli, j.process.id, pin, &traced, err);
	if (code == HT_OK && cli->opt.json)
		code = print_json(cli, &j, &traced, err);
	else if (code == HT_OK)
		print_text(cli, &j, pin, &traced);
	ht_gate_judge(&gate, &j);
	return code == HT_OK ? ht_gate_result(&gate, err) : code;
}
