/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide alerts`: what fired, when and why, from the database; --test
 * replays history against a rule before it is switched on. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analysis/rules.h"
#include "cli/json.h"
#include "cli/target.h"
#include "common/clock.h"
#include "schema/alert_json.h"
#include "schema/snapshot_json.h"
#include "store/alert.h"

#define INDENT "         " /* below an alert's first line */
/* How often the daemon asks its rules. */
#define STEP_NS (60 * HT_NS_PER_S)

struct listing {
	struct ht_cli *cli;
	json_t *rows;	    /* NULL: text */
	const char *target; /* NULL: all */
	size_t n;
};

static enum ht_style style_of(const struct ht_alert *a)
{
	if (a->state != HT_ALERT_FIRING)
		return a->state == HT_ALERT_PENDING ? HT_YELLOW : HT_GREEN;
	return HT_RED;
}

/* ", since 2026-..."; "" when it has none. */
static const char *time_of(const char *what, int64_t at_ns, char out[64])
{
	char time[HT_TIME_TEXT];

	*out = '\0';
	if (!at_ns)
		return out;
	ht_time_here_text(at_ns, time);
	snprintf(out, 64, ", %s %s", what, time);
	return out;
}

static void print_alert(const struct ht_cli *cli, const struct ht_alert *a)
{
	const char *line = a->evidence;
	char lead[48], pid[32] = "", since[64], until[64];

	snprintf(lead, sizeof(lead), "%s%-8s%s ",
		 ht_style(&cli->term, style_of(a)),
		 ht_alert_state_name(a->state), ht_style_off(&cli->term));
	if (ht_alert_pid(a))
		snprintf(pid, sizeof(pid), ", pid %ld", ht_alert_pid(a));
	ht_paragraph(&cli->term, lead, "%s, %s, target %s%s%s%s", a->rule,
		     a->severity, a->target, pid,
		     time_of("since", a->firing_ns ?: a->pending_ns, since),
		     time_of("until", a->resolved_ns, until));
	ht_paragraph(&cli->term, INDENT, "%s", a->summary);
	while (*line) {
		size_t len = strcspn(line, "\n");

		if (len)
			ht_paragraph(&cli->term, INDENT, "%.*s", (int)len,
				     line);
		line += len + (line[len] == '\n');
	}
}

static int list_one(void *ctx, const struct ht_alert *a)
{
	struct listing *l = ctx;

	if (l->target && strcmp(l->target, a->target) != 0)
		return 0;
	l->n++;
	if (l->rows)
		json_array_append_new(l->rows, ht_alert_json(a));
	else
		print_alert(l->cli, a);
	return 0;
}

static enum ht_code list(struct ht_cli *cli, struct ht_err *err)
{
	struct listing l = {.cli = cli, .target = cli->opt.args[0]};
	HT_AUTO_STORE struct ht_store *store = NULL;
	enum ht_code code = ht_history_open(&cli->opt, &store, err);
	json_t *o;

	if (code != HT_OK)
		return code;
	l.rows = cli->opt.json ? json_array() : NULL;
	code = ht_store_alerts(store, !cli->opt.since_ns, cli->opt.since_ns,
			       list_one, &l, err);
	if (code != HT_OK) {
		json_decref(l.rows);
		return code;
	}
	if (l.rows) {
		o = ht_json_now("heaptide.alerts/1");
		ht_json_add(&o, "alerts", l.rows);
		return ht_json_print(o, err);
	}
	if (!l.n)
		puts(cli->opt.since_ns ? "nothing has fired in this time"
				       : "nothing fires (--since 7d: history)");
	return HT_OK;
}

/* A shipped rule by its name, else the text of one. */
static enum ht_code rule_of(const char *word, struct ht_rule *ret,
			    struct ht_err *err)
{
	size_t n = ht_rules_default_count();
	HT_AUTO_FREE struct ht_rule *shipped = calloc(n, sizeof(*shipped));
	enum ht_code code;

	if (!shipped)
		return ht_fail(err, HT_NOMEM, "out of memory for the rules");
	code = ht_rules_default(shipped, err);
	for (size_t i = 0; code == HT_OK && i < n; i++) {
		if (strcmp(shipped[i].name, word) != 0)
			continue;
		*ret = shipped[i];
		return HT_OK;
	}
	if (code != HT_OK)
		return code;
	code = ht_rule_parse(word, ret, err);
	if (code == HT_CONFIG && err) /* typed, not in a file */
		err->code = code = HT_USAGE;
	return code;
}

struct test {
	struct ht_cli *cli;
	const struct ht_rule *rule;
	struct ht_store_process process; /* being replayed */
	int64_t from_ns, to_ns;		 /* of its history */
	json_t *changes;		 /* NULL: text */
};

static void tell_change(void *ctx, enum ht_alert_change change,
			const struct ht_alert *a)
{
	static const char *const words[] = {[HT_CHANGE_PENDING] = "pending",
					    [HT_CHANGE_DROPPED] = "dropped",
					    [HT_CHANGE_FIRING] = "firing",
					    [HT_CHANGE_RESOLVED] = "resolved"};
	struct test *t = ctx;
	char time[HT_TIME_TEXT];

	if (change == HT_CHANGE_NONE)
		return;
	if (t->changes) {
		json_array_append_new(
			t->changes,
			json_pack("{s:o, s:s, s:o, s:o}", "time",
				  ht_time_json(a->seen_ns), "change",
				  words[change], "target",
				  ht_text_json(ht_process_name(&t->process)),
				  "summary", ht_text_json(a->summary)));
		return;
	}
	ht_time_here_text(a->seen_ns, time);
	ht_paragraph(&t->cli->term, "", "%s  %-9s %s", time, words[change],
		     a->summary);
}

static enum ht_code test_one(struct test *t, const char *word,
			     struct ht_replay *ret, struct ht_err *err)
{
	const struct ht_history_ask ask = {.parts = HT_SERIES_CLASSES |
						    HT_SERIES_MAPPINGS};
	HT_AUTO_SERIES struct ht_series s;
	enum ht_code code;

	ht_series_init(&s);
	code = ht_history_series(t->cli, word, &ask, &t->process, &s, err);
	if (code != HT_OK)
		return code;
	t->from_ns = s.time_ns[0];
	t->to_ns = s.time_ns[s.rows - 1];
	snprintf(s.target, sizeof(s.target), "%s",
		 ht_process_name(&t->process));
	return ht_rule_replay(t->rule, &s, STEP_NS, tell_change, t, ret, err);
}

static enum ht_code print_test_json(const struct test *t,
				    const struct ht_replay *r,
				    struct ht_err *err)
{
	json_t *o = ht_json_span("heaptide.alert-test/1", &t->process,
				 t->from_ns, t->to_ns);

	ht_json_add(&o, "asked", json_integer((json_int_t)r->asked));
	ht_json_add(&o, "fired", json_integer((json_int_t)r->fired));
	ht_json_add(&o, "firing_s", json_real((double)r->firing_ns / 1e9));
	ht_json_add(&o, "changes", t->changes);
	return ht_json_print(o, err);
}

static enum ht_code test_rule(struct ht_cli *cli, struct ht_err *err)
{
	struct ht_rule rule;
	struct test t = {.cli = cli, .rule = &rule};
	struct ht_replay replay = {0};
	char firing[32];
	enum ht_code code = rule_of(cli->opt.test, &rule, err);

	if (code != HT_OK)
		return code;
	if (!cli->opt.args_n)
		return ht_fail(err, HT_USAGE, "--test needs a TARGET");
	t.changes = cli->opt.json ? json_array() : NULL;
	code = test_one(&t, cli->opt.args[0], &replay, err);
	if (code != HT_OK) {
		json_decref(t.changes);
		return code;
	}
	if (cli->opt.json)
		return print_test_json(&t, &replay, err);
	ht_duration_text(replay.firing_ns, firing, sizeof(firing));
	printf("the rule was asked %zu times and fired %zu times, for %s in all\n",
	       replay.asked, replay.fired, replay.firing_ns ? firing : "0s");
	return HT_OK;
}

enum ht_code ht_cmd_alerts(struct ht_cli *cli, struct ht_err *err)
{
	return cli->opt.test ? test_rule(cli, err) : list(cli, err);
}
