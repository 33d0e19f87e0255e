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

static enum ht_code print_json(const struct ht_checks *c, struct ht_err *err)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n; i++)
		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:o, s:o}", "check", c->v[i].name,
				  "grade", grade_names[c->v[i].grade], "found",
				  ht_text_json(c->v[i].found), "mend",
				  ht_optional_text_json(c->v[i].mend)));
	return ht_json_print(json_pack("{s:s, s:o}", "schema",
				       "heaptide.doctor/1", "checks", list),
			     err);
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
		ht_wrap(&cli->term, 22, one->found);
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
	enum ht_code code;
	size_t bad = 0;
	pid_t pid = 0;

	if (cli->opt.args_n) {
		code = ht_target_pid(cli->opt.args[0], &pid, err);
		if (code != HT_OK)
			return code;
	}
	if (cli->opt.dump_layout && !pid)
		return ht_fail(err, HT_USAGE,
			       "--dump-layout needs a process: "
			       "heaptide doctor PID --dump-layout");
	if (cli->opt.dump_layout)
		return dump_layout(pid, err);
	ht_check_machine(cli, &checks);
	if (pid)
		ht_check_process(cli, pid, &checks);
	ht_check_history(cli, &checks);
	if (!cli->opt.json)
		print_text(cli, &checks);
	code = cli->opt.json ? print_json(&checks, err) : HT_OK;
	if (code != HT_OK)
		return code;
	for (size_t i = 0; i < checks.n; i++)
		bad += checks.v[i].grade == HT_BAD;
	if (bad)
		cli->exit_status = ht_code_exit_status(HT_SYS);
	return HT_OK;
}
