/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide check`: runs a command, records it, and fails where its history
 * shows what it must not. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "cli/gate_files.h"
#include "cli/json.h"
#include "cli/launch.h"
#include "cli/recording.h"
#include "cli/scratch.h"
#include "common/clock.h"

#define GRACE_NS    (10 * HT_NS_PER_S)
#define INTERVAL_NS (200 * HT_NS_PER_MS) /* tests are short */

/* --- one check ----------------------------------------------------------- */

struct check {
	struct ht_cli *cli;
	struct ht_gate gate;
	struct ht_judged judged;
	struct ht_checked is;
};

static void check_fini(struct check *c)
{
	ht_judged_fini(&c->judged);
}
#define AUTO_CHECK HT_CLEANUP(check_fini)

static enum ht_code judge(struct check *c, pid_t pid, struct ht_err *err)
{
	char word[16];
	enum ht_code code;

	snprintf(word, sizeof(word), "%d", pid);
	c->cli->opt.db = c->cli->opt.output;
	code = ht_judge(c->cli, word, &c->judged, err);
	if (code != HT_OK)
		return code;
	ht_gate_judge(&c->gate, &c->judged);
	c->is.verdict = &c->judged.verdict;
	return HT_OK;
}

/* Waits for what was told to end; what does not within a while is killed. */
static int wait_or_kill(struct check *c, pid_t pid)
{
	const struct timespec pause = {.tv_nsec = 20 * HT_NS_PER_MS};
	int64_t until = ht_mono_ns() + GRACE_NS;
	siginfo_t ended = {.si_pid = 0};

	while (ht_mono_ns() < until &&
	       waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) ==
		       0 &&
	       ended.si_pid == 0)
		nanosleep(&pause, NULL);
	if (ended.si_pid == 0 && kill(pid, SIGKILL) == 0)
		ht_tell(&c->cli->term,
			"%s went on for %lld s after SIGTERM and was killed",
			c->is.command, (long long)(GRACE_NS / HT_NS_PER_S));
	return ht_launch_wait(pid);
}

/* The time was up: what was checked is told to end, as a build expects. What it
 * then ends with is its own status; that our signal ended it is none. */
static void end_command(struct check *c, pid_t pid)
{
	siginfo_t ended = {.si_pid = 0};
	int status;

	if (pid <= 0 ||
	    waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) < 0)
		return; /* its status is known */
	if (ended.si_pid == 0)
		kill(pid, SIGTERM);
	status = wait_or_kill(c, pid);
	if (ended.si_pid || (status != 128 + SIGTERM))
		c->cli->exit_status = status;
}

/* The command's end is known in both cases; without a sample nothing else is.
 */
static enum ht_code run(struct check *c, struct ht_err *err)
{
	struct ht_recorded recorded = {0};
	enum ht_code code;
	pid_t pid;

	c->is.from_ns = ht_wall_ns();
	code = ht_recording(c->cli, NULL, &recorded, err);
	pid = recorded.pid;
	end_command(c, pid);
	c->is.to_ns = ht_wall_ns();
	c->is.pid = pid > 0 ? (uint64_t)pid : HT_UNKNOWN;
	c->is.status = c->cli->exit_status;
	if (code == HT_OK) {
		ht_tell(&c->cli->term, "%s", recorded.text);
		return judge(c, pid, err);
	}
	if (code != HT_NODATA)
		return code;
	ht_gate_unknown(&c->gate, err->msg);
	return HT_OK;
}

static enum ht_code write_files(const struct check *c, struct ht_err *err)
{
	const struct ht_options *o = &c->cli->opt;
	enum ht_code code = HT_OK;

	if (o->junit)
		code = ht_check_junit(&c->is, o->junit, err);
	if (code == HT_OK && o->sarif)
		code = ht_check_sarif(&c->is, o->sarif, err);
	if (code == HT_OK && o->json)
		code = ht_json_print(ht_check_json(&c->is), err);
	return code;
}

/* On stderr: stdout is the command's. */
static void tell(const struct check *c)
{
	for (size_t i = 0; i < c->gate.outcomes; i++) {
		const struct ht_outcome *o = &c->gate.outcome[i];

		ht_tell(&c->cli->term, "%s %s: %s", o->name,
			ht_outcome_names[o->state], o->text);
	}
}

enum ht_code ht_cmd_check(struct ht_cli *cli, struct ht_err *err)
{
	HT_AUTO_SCRATCH struct ht_scratch scratch = {0};
	AUTO_CHECK struct check c = {
		.cli = cli,
		.is = {.command = cli->opt.args[0], .gate = &c.gate}};
	enum ht_code code = ht_gate_init(&cli->opt, &c.gate, err);

	ht_judged_init(&c.judged);
	if (code == HT_OK && !cli->opt.quoted)
		code = ht_fail(err, HT_USAGE,
			       "expected -- and the command to check");
	ht_gate_default(&c.gate);
	if (code == HT_OK && !cli->opt.output) {
		code = ht_scratch_init(&scratch, err);
		cli->opt.output = scratch.file;
	}
	if (!cli->opt.interval_ns)
		cli->opt.interval_ns = INTERVAL_NS;
	if (code == HT_OK)
		code = run(&c, err);
	if (code != HT_OK)
		return code;
	tell(&c);
	code = write_files(&c, err);
	if (code == HT_OK)
		code = ht_gate_result(&c.gate, err);
	if (code != HT_OK)
		cli->exit_status = 0; /* ours counts */
	return code;
}
