/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide doctor`: what is missing for heaptide to work here, and the command
 * that mends it. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/checks.h"
#include "cli/json.h"
#include "cli/target.h"
#include "link/client.h"
#include "schema/snapshot_json.h"

static const char *const grade_names[] = {"ok", "note", "missing"};

static size_t count(const struct ht_checks *c, enum ht_grade grade)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->v[i].grade == grade;
	return n;
}

/* A note is no reason not to begin. */
static bool is_to_do(const struct ht_check *one)
{
	return one->grade == HT_BAD;
}

static const char *what_to_do(const struct ht_check *one)
{
	return *one->mend ? one->mend : one->found;
}

/* --- JSON ---------------------------------------------------------------- */

static json_t *to_do_json(const struct ht_checks *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n; i++)
		if (is_to_do(&c->v[i]))
			json_array_append_new(
				list, ht_text_json(what_to_do(&c->v[i])));
	return list;
}

static enum ht_code print_json(const struct ht_checks *c, struct ht_err *err)
{
	json_t *o = ht_json_now("heaptide.doctor/1");
	json_t *list = json_array();

	for (size_t i = 0; i < c->n; i++)
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:o, s:o}", "check", c->v[i].name,
				  "grade", grade_names[c->v[i].grade], "found",
				  ht_text_json(c->v[i].found), "mend",
				  ht_optional_text_json(c->v[i].mend)));
	ht_json_add(&o, "ready", json_boolean(count(c, HT_BAD) == 0));
	ht_json_add(&o, "to_do", to_do_json(c));
	ht_json_add(&o, "checks", list);
	return ht_json_print(o, err);
}

/* --- in words ------------------------------------------------------------ */

static void print_to_do(const struct ht_term *term, size_t nth,
			const struct ht_check *one)
{
	char text[HT_CHECK_TEXT + 32];

	snprintf(text, sizeof(text), "%s: %s", one->name, what_to_do(one));
	printf("  %zu. ", nth);
	if (*one->mend)
		ht_wrap(term, 5, text);
	else
		ht_wrap_finding(term, 5, text);
}

/* The last line is the verdict. */
static void print_verdict(const struct ht_cli *cli, const struct ht_checks *c,
			  pid_t pid)
{
	size_t bad = count(c, HT_BAD), notes = count(c, HT_NOTE), n = 0;
	char rest[128], who[16] = "PID";
	int len;

	if (!bad) {
		if (pid)
			snprintf(who, sizeof(who), "%d", (int)pid);
		len = snprintf(rest, sizeof(rest), ": heaptide diagnose %s",
			       who);
		if (notes)
			snprintf(rest + len, sizeof(rest) - (size_t)len,
				 "  (%zu note%s above: better, not needed)",
				 notes, notes == 1 ? "" : "s");
		printf("\n%sready%s", ht_style(&cli->term, HT_GREEN),
		       ht_style_off(&cli->term));
		ht_wrap(&cli->term, 5, rest);
		return;
	}
	printf("\n%snot ready%s, to do:\n", ht_style(&cli->term, HT_RED),
	       ht_style_off(&cli->term));
	for (size_t i = 0; i < c->n; i++)
		if (is_to_do(&c->v[i]))
			print_to_do(&cli->term, ++n, &c->v[i]);
}

static void print_text(const struct ht_cli *cli, const struct ht_checks *c)
{
	static const enum ht_style styles[] = {HT_GREEN, HT_YELLOW, HT_RED};

	for (size_t i = 0; i < c->n; i++) {
		const struct ht_check *one = &c->v[i];

		printf("%s%-8s%s%-13s ",
		       ht_style(&cli->term, styles[one->grade]),
		       grade_names[one->grade], ht_style_off(&cli->term),
		       one->name);
		ht_wrap_finding(&cli->term, 22, one->found);
		if (*one->mend) {
			printf("%22s-> ", "");
			ht_wrap(&cli->term, 25, one->mend);
		}
	}
}

/* The agent alone may look into a process: it writes to our standard output. */
static enum ht_code dump_layout(pid_t pid, struct ht_err *err)
{
	char agent[4096], text[16];
	enum ht_code code = ht_client_find_agent(agent, sizeof(agent), err);

	if (code != HT_OK)
		return code;
	snprintf(text, sizeof(text), "%d", (int)pid);
	execl(agent, agent, "--pid", text, "--dump-layout", (char *)NULL);
	return ht_fail_sys(err, HT_SYS, errno, "start %s", agent);
}

enum ht_code ht_cmd_doctor(struct ht_cli *cli, struct ht_err *err)
{
	struct ht_checks checks = {.n = 0};
	enum ht_code code = HT_OK;
	pid_t pid = 0;

	if (cli->opt.args_n) {
		code = ht_target_pid(cli->opt.args[0], &pid, err);
		if (code != HT_OK)
			return code;
	}
	if (cli->opt.dump_layout && !pid)
		return ht_fail(
			err, HT_USAGE,
			"--dump-layout needs a process: heaptide doctor PID --dump-layout");
	if (cli->opt.dump_layout)
		return dump_layout(pid, err);
	ht_check_machine(cli, pid == 0, &checks);
	if (pid)
		ht_check_process(cli, pid, &checks);
	ht_check_history(cli, &checks);
	if (cli->opt.json) {
		code = print_json(&checks, err);
	} else {
		print_text(cli, &checks);
		print_verdict(cli, &checks, pid);
	}
	if (code != HT_OK)
		return code;
	if (count(&checks, HT_BAD))
		cli->exit_status = ht_code_exit_status(HT_SYS);
	return HT_OK;
}
