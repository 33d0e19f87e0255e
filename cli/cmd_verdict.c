/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide verdict`: leak, pool growth, ... with the evidence that a person
 * can check by hand. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/verdict_json.h"
#include "cli/gate.h"
#include "cli/json.h"
#include "cli/pin.h"
#include "cli/show.h"
#include "cli/table.h"
#include "common/clock.h"

static enum ht_style style_of(enum ht_label label)
{
	switch (label) {
	case HT_LABEL_LEAK:
	case HT_LABEL_NON_MALLOC_GROWTH:
		return HT_RED;
	case HT_LABEL_STABLE:
	case HT_LABEL_PERIODIC:
	case HT_LABEL_CACHE_WARMUP:
		return HT_GREEN;
	case HT_LABEL_INSUFFICIENT_DATA:
	case HT_LABEL_POOL_GROWTH:
	case HT_LABEL_TOP_PINNED:
	case HT_LABEL_FRAGMENTATION:
	case HT_LABEL_ARENA_PROLIFERATION:
	case HT_LABEL_COUNT:
		break;
	}
	return HT_YELLOW;
}

static const char *name_of(const struct ht_store_process *p)
{
	return *p->target ? p->target : p->comm;
}

static void print_line(const struct ht_cli *cli, const char *name,
		       const char *text)
{
	if (!*text)
		return;
	printf("  %-9s ", name);
	ht_wrap(&cli->term, 12, text);
}

static void print_eta(const struct ht_cli *cli, const struct ht_verdict *v)
{
	char limit[64], at[HT_TIME_TEXT];
	char low[32], high[64], text[400];

	if (!v->eta_at_ns)
		return;
	ht_time_text(v->eta_at_ns, at);
	ht_duration_text(v->eta_low_ns - v->to_ns, low, sizeof(low));
	snprintf(high, sizeof(high), "perhaps never");
	if (v->eta_high_ns > v->to_ns) {
		size_t used = (size_t)sprintf(high, "at the latest in ");

		ht_duration_text(v->eta_high_ns - v->to_ns, high + used,
				 sizeof(high) - used);
	}
	if (v->limit_count != HT_UNKNOWN)
		snprintf(limit, sizeof(limit), "%" PRIu64, v->limit_count);
	else
		ht_show_bytes(cli, v->limit_bytes, limit);
	snprintf(text, sizeof(text),
		 "%s%s%s%s reached at about %s: at the earliest in %s, %s",
		 limit, v->limit_name[0] ? " (" : "", v->limit_name,
		 v->limit_name[0] ? ")" : "", at, low, high);
	print_line(cli, "limit", text);
}

/* Who holds it, is the next question of who has a leak. */
static void print_next(const struct ht_cli *cli,
		       const struct ht_store_process *p,
		       const struct ht_verdict *v)
{
	char text[160], size[48] = "";

	if (v->label != HT_LABEL_LEAK)
		return;
	if (v->culprit_class != HT_UNKNOWN && v->culprit_class > 0)
		snprintf(size, sizeof(size), " --size %" PRIu64,
			 v->culprit_class);
	snprintf(text, sizeof(text),
		 "heaptide owners %" PRIu64
		 "%s (who holds them, while the process lives)",
		 p->pid, size);
	print_line(cli, "next", text);
}

static void print_text(const struct ht_cli *cli,
		       const struct ht_store_process *p,
		       const struct ht_verdict *v, const char *pin)
{
	char span[32], floor[HT_NUMBER_TEXT], text[256], since[HT_TIME_TEXT];

	ht_duration_text(v->to_ns - v->from_ns, span, sizeof(span));
	printf("%s%s%s%s (%.2f, %s)  %s, pid %" PRIu64 ", %zu samples in %s\n",
	       ht_style(&cli->term, HT_BOLD),
	       ht_style(&cli->term, style_of(v->label)),
	       ht_label_names[v->label], ht_style_off(&cli->term),
	       v->confidence, ht_confidence_word(v->confidence), name_of(p),
	       p->pid, v->samples, span);
	for (size_t i = 0; i < v->evidence_n; i++)
		print_line(cli, i ? "" : "evidence", v->evidence[i]);
	for (size_t i = 0; i < v->also_n; i++)
		print_line(cli, "also", ht_label_names[v->also[i]]);
	print_line(cli, "culprit", v->culprit);
	print_line(cli, "pin", pin);
	if (v->since_ns) {
		ht_time_text(v->since_ns, since);
		print_line(cli, "since", since);
	}
	if (isfinite(v->slope_bytes_per_hour)) {
		double slope = v->slope_bytes_per_hour;
		char rate[HT_NUMBER_TEXT];

		snprintf(text, sizeof(text), "%s%s an hour",
			 slope < 0 ? "-" : "+",
			 ht_show_bytes(cli, (uint64_t)llround(fabs(slope)),
				       rate));
		print_line(cli, "slope", text);
	}
	print_eta(cli, v);
	if (v->idle_floor != HT_UNKNOWN) {
		snprintf(text, sizeof(text),
			 "%s was kept all the time and never needed",
			 ht_show_bytes(cli, v->idle_floor, floor));
		print_line(cli, "idle", text);
	}
	print_line(cli, "remedy", v->remedy);
	print_next(cli, p, v);
}

enum ht_code ht_cmd_verdict(struct ht_cli *cli, struct ht_err *err)
{
	HT_AUTO_JUDGED struct ht_judged j;
	struct ht_gate gate;
	char pin[HT_PIN_TEXT];
	enum ht_code code;

	ht_judged_init(&j);
	code = ht_gate_init(&cli->opt, &gate, err);
	if (code == HT_OK)
		code = ht_judge(cli, cli->opt.args[0], &j, err);
	if (code != HT_OK)
		return code;
	if (cli->opt.json)
		code = ht_json_print(ht_verdict_json(&j.verdict,
						     name_of(&j.process),
						     j.process.pid),
				     err);
	else
		code = ht_pin_text(cli, j.process.id, pin, err);
	if (code == HT_OK && !cli->opt.json)
		print_text(cli, &j.process, &j.verdict, pin);
	ht_gate_judge(&gate, &j);
	return code == HT_OK ? ht_gate_result(&gate, err) : code;
}
