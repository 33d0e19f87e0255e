/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide diagnose`: the one command for three in the morning. A look, a
 * record of two minutes, the verdict, what to do and what to type next. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "analysis/advice.h"
#include "analysis/thresholds.h"
#include "analysis/verdict_json.h"
#include "cli/answer.h"
#include "cli/ending.h"
#include "cli/gate.h"
#include "cli/graph.h"
#include "cli/hint.h"
#include "cli/json.h"
#include "cli/owners.h"
#include "cli/recording.h"
#include "cli/scratch.h"
#include "cli/show.h"
#include "cli/table.h"
#include "cli/verdict_rows.h"
#include "common/clock.h"
#include "link/request.h"
#include "schema/snapshot_json.h"
#include "store/store.h"

#define DIAGNOSIS_SCHEMA "heaptide.diagnosis/1"
#define DURATION_NS	 (120 * HT_NS_PER_S)
#define SAMPLES		 120 /* enough for a verdict, in whatever time */
#define INTERVAL_MIN_NS	 (250 * HT_NS_PER_MS)
#define INTERVAL_MAX_NS	 HT_NS_PER_S
#define JUDGE_EVERY_NS	 (5 * HT_NS_PER_S)
#define JUDGE_SHARE	 20 /* of the time, at most 1 / 20 goes into judging */
#define LINES		 25 /* the answer's */
#define OWNERS_TOLD	 3
#define REMEDIES_TOLD	 3

struct diagnosis {
	struct ht_cli *cli;
	char pid_word[16], file[300];
	char *args[2];
	struct ht_recorded recorded;
	struct ht_err record_err; /* why it ended before its time */
	struct ht_judged judged;
	struct ht_snapshot owners;
	enum ht_code owners_code; /* of the look for owners */
	struct ht_err owners_err; /* when it failed */
	bool owners_known;	  /* it was asked for, and went well */
	int look_lines;		  /* of the look, printed already; 0: not yet */
	int64_t judge_at_ns;	  /* monotonic: of the next word so far */
	char so_far[64];	  /* the verdict up to now */
	char pin[HT_PIN_TEXT];
	struct ht_next next[HT_NEXT_MAX];
	size_t next_n;
};

static void diagnosis_fini(struct diagnosis *d)
{
	ht_judged_fini(&d->judged);
	ht_snapshot_fini(&d->owners);
}
#define AUTO_DIAGNOSIS HT_CLEANUP(diagnosis_fini)

/* --- while it records ---------------------------------------------------- */

static enum ht_code judge(const struct diagnosis *d, int64_t process_id,
			  struct ht_judged *ret, struct ht_err *err)
{
	char word[24];

	snprintf(word, sizeof(word), "#%" PRId64, process_id);
	return ht_judge(d->cli, word, ret, err);
}

/* What the verdict would be now; one that cannot be had yet is no trouble. */
static void judge_so_far(struct diagnosis *d, int64_t process_id)
{
	HT_AUTO_JUDGED struct ht_judged j;
	int64_t begin = ht_mono_ns(), took;

	ht_judged_init(&j);
	if (!d->cli->term.err_tty || begin < d->judge_at_ns)
		return;
	if (judge(d, process_id, &j, NULL) != HT_OK ||
	    j.verdict.label == HT_LABEL_INSUFFICIENT_DATA)
		snprintf(d->so_far, sizeof(d->so_far), "too early to tell");
	else
		snprintf(d->so_far, sizeof(d->so_far), "so far %s (%.2f)",
			 ht_label_names[j.verdict.label], j.verdict.confidence);
	took = ht_mono_ns() - begin;
	d->judge_at_ns = ht_mono_ns() + (took * JUDGE_SHARE > JUDGE_EVERY_NS
						 ? took * JUDGE_SHARE
						 : JUDGE_EVERY_NS);
}

static void print_look(struct diagnosis *d, const struct ht_snapshot *s)
{
	if (d->cli->opt.json || d->look_lines)
		return;
	ht_progress_end(&d->cli->term);
	d->look_lines = ht_answer_print(d->cli, s);
	fflush(stdout);
}

/* The look is told at once; of a process that just begins to have a heap, when
 * it has one. */
static const char *sampled(void *ctx, const struct ht_snapshot *s,
			   int64_t process_id)
{
	struct diagnosis *d = ctx;

	if (ht_show_has_heap(s))
		print_look(d, s);
	judge_so_far(d, process_id);
	return d->so_far;
}

/* --- what came of it ----------------------------------------------------- */

static bool is_there(pid_t pid)
{
	return kill(pid, 0) == 0 || errno == EPERM;
}

static bool is_alive(const struct diagnosis *d)
{
	return d->recorded.end != HT_RECORD_ENDED && is_there(d->recorded.pid);
}

static void look_for_owners(struct diagnosis *d)
{
	const struct ht_verdict *v = &d->judged.verdict;
	struct ht_cli cli = *d->cli;
	struct ht_err *err = &d->owners_err;

	cli.opt.mode = HT_MODE_SNAPSHOT;
	if (v->culprit_class != HT_UNKNOWN)
		cli.opt.size = v->culprit_class;
	if (!is_alive(d))
		d->owners_code = ht_fail_hint(
			err, HT_GONE, HT_HINT_NONE,
			"the process ended before it could be asked who holds what");
	else
		d->owners_code =
			ht_graph_look(&cli, HT_WANT_OWNERS, &d->owners, err);
	d->cli->term = cli.term;
	d->owners_known = d->owners_code == HT_OK;
}

static bool has_advice(const struct ht_snapshot *s, const char *code)
{
	for (size_t i = 0; i < s->advice.n; i++)
		if (!strcmp(s->advice.v[i].code, code))
			return true;
	return false;
}

static enum ht_code conclude(struct diagnosis *d, struct ht_err *err)
{
	struct ht_judged *j = &d->judged;
	enum ht_code code = judge(d, d->recorded.process_id, j, err);

	if (code == HT_OK)
		code = ht_advise(&j->latest, err);
	if (code == HT_OK)
		code = ht_judge_beside(d->cli, j->process.id, NULL, d->pin,
				       NULL, err);
	if (code != HT_OK)
		return code;
	if (d->cli->opt.who) {
		ht_ending_is_over();
		look_for_owners(d);
	}
	d->next_n = ht_next(
		&(const struct ht_next_ask){
			.verdict = &j->verdict,
			.pid = j->process.pid,
			.alive = is_alive(d),
			.trimmable = has_advice(&j->latest, "trim_now"),
			.owners_told = d->owners_known,
			.no_heap = !ht_show_has_heap(&j->latest),
			.db = d->cli->opt.output},
		d->next);
	return HT_OK;
}

/* --- in words ------------------------------------------------------------ */

static void add_damage(const struct ht_snapshot *s, struct ht_sheet *sheet)
{
	for (size_t i = 0; i < s->findings.n; i++)
		ht_sheet_add(sheet, i ? 3 : 0, "damage",
			     "%s at 0x%" PRIx64 ": %s", s->findings.v[i].code,
			     s->findings.v[i].address, s->findings.v[i].text);
}

/* Without glibc's heap there is somebody else to ask. */
static void add_no_heap(const struct ht_snapshot *s, struct ht_sheet *sheet)
{
	char hint[HT_HINT_TEXT], pid[24];
	struct ht_err err;

	if (ht_show_has_heap(s) || ht_show_no_heap(s, &err) == HT_OK)
		return;
	snprintf(pid, sizeof(pid), "%" PRIu64, s->head.pid);
	ht_sheet_add(sheet, 0, "remedy", "%s",
		     ht_hint_text(&err, "diagnose", pid, hint));
}

static void add_owners(const struct diagnosis *d, struct ht_sheet *sheet)
{
	const struct ht_snapshot *s = &d->owners;
	char text[HT_GRAPH_SENTENCE], bytes[HT_NUMBER_TEXT];
	size_t told = 0;

	if (d->owners_code != HT_OK)
		ht_sheet_add(sheet, 0, "who", "not known: %s",
			     d->owners_err.msg);
	for (size_t i = 0; i < s->holders.n && told < OWNERS_TOLD; i++) {
		const struct ht_holder *h = &s->holders.v[i];
		const struct ht_owned *o = ht_graph_owned(s, h);

		if (h->share < ht_t.owners_share || !o)
			continue;
		ht_graph_sentence(s, h, o,
				  ht_show_bytes(d->cli, o->bytes, bytes), text);
		ht_sheet_add(sheet, told ? 3 : 0, "who", "%s", text);
		told++;
	}
	if (d->owners_known && !told)
		ht_sheet_add(sheet, 0, "who",
			     "not sure: no holder has a tenth of them");
}

/* What a look alone advises is a diagnosis. */
static bool is_remedy(const struct ht_advice *a)
{
	return *a->how && !ht_advice_is_next_step(a);
}

/* Those of the newest look that can be typed. */
static void add_remedies(const struct diagnosis *d, struct ht_sheet *sheet)
{
	const struct ht_snapshot *s = &d->judged.latest;
	char returns[HT_RETURNS_TEXT];
	size_t told = 0;

	for (size_t i = 0; i < s->advice.n && told < REMEDIES_TOLD; i++) {
		const struct ht_advice *a = &s->advice.v[i];

		if (!is_remedy(a))
			continue;
		ht_returns_text(d->cli, a, returns);
		ht_sheet_add(sheet, told ? 6 : 3, "type", "%s%s%s%s%s", a->how,
			     *returns ? " -> returns " : "", returns,
			     *a->cost ? "; costs: " : "", a->cost);
		told++;
	}
}

static void add_warnings(const struct ht_snapshot *s, struct ht_sheet *sheet)
{
	for (size_t i = 0; i < s->warnings.n; i++)
		ht_sheet_add(sheet, 8, "warning", "%s", s->warnings.v[i].text);
}

/* Where all of it is: what follows has room for the most telling only. */
static void add_record(const struct diagnosis *d, struct ht_sheet *sheet)
{
	const struct ht_recorded *r = &d->recorded;
	char file[300];

	ht_shell_word(d->cli->opt.output, file, sizeof(file));
	ht_sheet_add(
		sheet, 0, "record",
		"%s: %" PRIu64
		" sample%s, %s; all the evidence: heaptide verdict %d --db %s; as a page: heaptide report with the same",
		d->cli->opt.output, r->samples, r->samples == 1 ? "" : "s",
		r->how, r->pid, file);
}

static void print_text(struct diagnosis *d)
{
	const struct ht_judged *j = &d->judged;
	const struct ht_term *t = &d->cli->term;
	struct ht_sheet sheet = {.n = 0};
	int lines;

	print_look(d, &j->latest);
	putchar('\n');
	lines = LINES - d->look_lines - 1 - ht_verdict_head(d->cli, j);
	ht_verdict_rows(d->cli, j, d->pin, &sheet);
	add_no_heap(&j->latest, &sheet);
	add_damage(&j->latest, &sheet);
	add_owners(d, &sheet);
	add_remedies(d, &sheet);
	add_warnings(&j->latest, &sheet);
	ht_next_rows(d->next, d->next_n, &sheet);
	add_record(d, &sheet);
	ht_sheet_fit(&sheet, t->width, lines);
	ht_sheet_print(&sheet, t);
}

/* --- JSON ---------------------------------------------------------------- */

static json_t *next_json(const struct diagnosis *d)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < d->next_n; i++)
		json_array_append_new(
			list, json_pack("{s:o, s:s, s:b}", "type",
					ht_text_json(d->next[i].type), "why",
					d->next[i].why, "stops_threads",
					d->next[i].stops));
	return list;
}

static json_t *record_json(const struct diagnosis *d)
{
	const struct ht_recorded *r = &d->recorded;

	return json_pack("{s:o, s:I, s:I, s:s}", "file",
			 ht_text_json(d->cli->opt.output), "samples",
			 (json_int_t)r->samples, "failed",
			 (json_int_t)r->failures, "end",
			 ht_record_end_names[r->end]);
}

/* look: "heaptide.snapshot/1" of the newest sample, with its advice. owners:
 * null, and why where it was asked for. */
static json_t *diagnosis_json(const struct diagnosis *d)
{
	const struct ht_judged *j = &d->judged;
	const char *name = ht_judged_name(j);
	bool failed = d->owners_code != HT_OK;

	json_t *o = ht_json_span(DIAGNOSIS_SCHEMA, &j->process,
				 j->verdict.from_ns, j->verdict.to_ns);

	ht_json_add(&o, "record", record_json(d));
	ht_json_add(&o, "verdict",
		    ht_verdict_json(&j->verdict, name, j->process.pid, NULL));
	ht_json_add(&o, "look", ht_snapshot_json(&j->latest));
	ht_json_add(&o, "owners",
		    d->owners_known ? ht_owners_json(&d->owners) : json_null());
	ht_json_add(&o, "owners_unknown",
		    failed ? ht_text_json(d->owners_err.msg) : json_null());
	ht_json_add(&o, "next", next_json(d));
	return o;
}

/* --- the command --------------------------------------------------------- */

/* A file in this folder, or where nobody may write here in one of its own. */
static enum ht_code choose_file(struct diagnosis *d, struct ht_err *err)
{
	struct ht_options *o = &d->cli->opt;
	struct ht_scratch scratch;
	enum ht_code code;

	if (o->output)
		return HT_OK;
	snprintf(d->file, sizeof(d->file), "heaptide-%s.db", d->pid_word);
	o->output = d->file;
	if (access(".", W_OK) == 0)
		return HT_OK;
	code = ht_scratch_init(&scratch, err);
	memcpy(d->file, scratch.file, sizeof(d->file));
	return code;
}

static int64_t interval_of(int64_t duration_ns)
{
	int64_t each = duration_ns / SAMPLES;

	if (each < INTERVAL_MIN_NS)
		return INTERVAL_MIN_NS;
	return each < INTERVAL_MAX_NS ? each : INTERVAL_MAX_NS;
}

/* The process is named once and for all: what bears its name may change. */
static enum ht_code prepare(struct diagnosis *d, struct ht_err *err)
{
	struct ht_options *o = &d->cli->opt;
	enum ht_code code;
	pid_t pid = 0;

	if (o->quoted)
		return ht_fail(
			err, HT_USAGE,
			"diagnose takes a process; heaptide check -- COMMAND runs and judges a command");
	code = ht_target_pid(o->args[0], &pid, err);
	if (code != HT_OK)
		return code;
	if (!is_there(pid))
		return ht_fail_hint(err, HT_GONE, HT_HINT_OTHER_PROCESS,
				    "there is no process %d", pid);
	snprintf(d->pid_word, sizeof(d->pid_word), "%d", pid);
	d->args[0] = d->pid_word;
	o->args = d->args;
	if (!o->duration_ns)
		o->duration_ns = DURATION_NS;
	if (!o->interval_ns)
		o->interval_ns = interval_of(o->duration_ns);
	code = choose_file(d, err);
	o->db = o->output;
	return code;
}

static enum ht_code record(struct diagnosis *d, struct ht_err *err)
{
	const struct ht_follow follow = {sampled, d};
	enum ht_code code;
	char span[32];

	ht_duration_text(d->cli->opt.duration_ns, span, sizeof(span));
	ht_tell(&d->cli->term,
		"recording pid %s for %s; Ctrl-C: the answer so far",
		d->pid_word, span);
	code = ht_recording(d->cli, &follow, &d->recorded, err);
	if (code != HT_STORE || !d->recorded.samples)
		return code;
	/* A disk that is full takes nobody's answer. */
	d->record_err = *err;
	return HT_OK;
}

static enum ht_code print(struct diagnosis *d, struct ht_err *err)
{
	ht_progress_end(&d->cli->term);
	if (d->cli->opt.json)
		return ht_json_print(diagnosis_json(d), err);
	print_text(d);
	return HT_OK;
}

/* A reader beside another diagnosis leaves its files; the last writer that
 * closes the record takes them away. */
static void tidy(const char *file)
{
	struct ht_store *store;

	if (ht_store_open(file, HT_STORE_WRITE, &store, NULL) == HT_OK)
		ht_store_close_alone(store);
}

enum ht_code ht_cmd_diagnose(struct ht_cli *cli, struct ht_err *err)
{
	AUTO_DIAGNOSIS struct diagnosis d = {.cli = cli};
	struct ht_gate gate;
	enum ht_code code;

	ht_judged_init(&d.judged);
	ht_snapshot_init(&d.owners);
	code = ht_gate_init(&cli->opt, &gate, err);
	if (code == HT_OK)
		code = prepare(&d, err);
	if (code == HT_OK)
		code = record(&d, err);
	if (code == HT_OK) {
		code = conclude(&d, err);
		tidy(cli->opt.output);
	}
	if (code == HT_OK)
		code = print(&d, err);
	if (code != HT_OK)
		return code;
	ht_gate_judge(&gate, &d.judged);
	code = ht_gate_result(&gate, err);
	if (code == HT_OK && d.record_err.code) {
		*err = d.record_err;
		return (enum ht_code)err->code;
	}
	if (code == HT_OK && d.owners_code != HT_OK) {
		*err = d.owners_err;
		return d.owners_code;
	}
	return code == HT_OK ? ht_show_damage(&d.judged.latest, err) : code;
}
