/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/target.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/proc.h"
#include "cli/service.h"
#include "common/cleanup.h"
#include "common/clock.h"

#define NAMED_MAX   16
#define PATIENCE_NS (HT_NS_PER_S / 2) /* without a progress line */

static bool is_number(const char *word)
{
	return *word && !word[strspn(word, "0123456789")];
}

static bool comm_is(const char *pid, const char *word)
{
	char comm[64];

	if (!ht_proc_text(pid, "comm", comm, sizeof(comm)))
		return false;
	comm[strcspn(comm, "\n")] = '\0';
	return !strcmp(comm, word);
}

/* Up to NAMED_MAX pids whose command name is word. */
static size_t pids_named(const char *word, pid_t pids[NAMED_MAX])
{
	HT_AUTO_DIR DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t n = 0;

	while (proc && n < NAMED_MAX && (entry = readdir(proc))) {
		if (is_number(entry->d_name) && comm_is(entry->d_name, word) &&
		    atoi(entry->d_name) != getpid())
			pids[n++] = atoi(entry->d_name);
	}
	return n;
}

enum ht_code ht_target_pid(const char *word, pid_t *ret, struct ht_err *err)
{
	pid_t pids[NAMED_MAX];
	char list[NAMED_MAX * 12] = "";
	size_t n, used = 0;

	if (is_number(word)) {
		long pid = strlen(word) < 10 ? atol(word) : 0;

		if (pid <= 0)
			return ht_fail_hint(err, HT_USAGE,
					    HT_HINT_OTHER_PROCESS,
					    "'%s' is no pid", word);
		*ret = (pid_t)pid;
		return HT_OK;
	}
	n = pids_named(word, pids);
	if (!n)
		return ht_fail_hint(err, HT_GONE, HT_HINT_OTHER_PROCESS,
				    "no process is named '%s'", word);
	if (n == 1) {
		*ret = pids[0];
		return HT_OK;
	}
	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used,
					 " %d", pids[i]);
	return ht_fail_hint(err, HT_USAGE, HT_HINT_ONE_PROCESS,
			    "several processes are named '%s':%s%s", word, list,
			    n == NAMED_MAX ? " ..." : "");
}

struct ht_request ht_target_request(const struct ht_options *o, uint64_t flags)
{
	struct ht_request r = HT_REQUEST_DEFAULT;

	r.flags = flags;
	if (o->mode != HT_UNKNOWN)
		r.mode = o->mode;
	if (o->max_pause_ns)
		r.max_pause_us = (uint64_t)(o->max_pause_ns / HT_NS_PER_US);
	if (o->timeout_ns)
		r.timeout_ms = (uint64_t)(o->timeout_ns / HT_NS_PER_MS);
	r.memory_max = o->max_memory;
	r.size = o->size;
	if (flags & HT_WANT_GRAPH)
		r.attempts = HT_GRAPH_ATTEMPTS;
	if (o->max_hold_ns)
		r.max_hold_us = (uint64_t)(o->max_hold_ns / HT_NS_PER_US);
	if (o->look == HT_LOOK_LIGHT)
		r.flags |= HT_LOOK_LIGHTLY;
	if (o->no_debug_info)
		r.flags |= HT_NO_DEBUG_INFO;
	return r;
}

struct progress {
	struct ht_cli *cli;
	int64_t start_ns;
	const char *what;
};

static void show_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct progress *p = ctx;

	if (ht_mono_ns() - p->start_ns < PATIENCE_NS)
		return;
	ht_progress(&p->cli->term, "%s: %3.0f %%", p->what,
		    total ? 100 * (double)done / (double)total : 0);
}

enum ht_code ht_target_start(const struct ht_options *o, pid_t pid,
			     struct ht_client *ret, struct ht_err *err)
{
	const struct ht_client_core core = {
		.path = o->core, .exe = o->exe, .sysroot = o->sysroot};
	char agent[4096];
	enum ht_code code = ht_client_find_agent(agent, sizeof(agent), err);

	if (code != HT_OK)
		return code;
	return ht_client_start(agent, pid, pid ? NULL : &core, ret, err);
}

static enum ht_code ask(struct ht_cli *cli, struct ht_client *client,
			uint64_t flags, const char *what,
			struct ht_snapshot *ret, struct ht_err *err)
{
	struct ht_request request = ht_target_request(&cli->opt, flags);
	struct progress progress = {cli, ht_mono_ns(), what};
	enum ht_code code = ht_client_sample(client, &request, ret,
					     show_progress, &progress, err);

	ht_progress_end(&cli->term);
	return code;
}

enum ht_code ht_target_measure(struct ht_cli *cli, pid_t pid, uint64_t flags,
			       struct ht_snapshot *ret, struct ht_err *err)
{
	HT_AUTO_CLIENT struct ht_client client = HT_CLIENT_NONE;
	enum ht_code code = ht_target_start(&cli->opt, pid, &client, err);

	if (code != HT_OK)
		return code;
	return ask(cli, &client, flags | HT_LAST_REQUEST, "measuring", ret,
		   err);
}

/* An answer without the frame that was asked for. */
static enum ht_code take_trim(const struct ht_client *client,
			      struct ht_trim *ret, struct ht_err *err)
{
	if (!client->in.has_trim)
		return ht_fail(err, HT_PROTOCOL,
			       "the agent did not answer about malloc_trim");
	*ret = client->in.trim;
	return HT_OK;
}

enum ht_code ht_target_trim(struct ht_cli *cli, pid_t pid, bool now,
			    struct ht_target_trim *ret, struct ht_err *err)
{
	const uint64_t want = HT_TRIM | HT_WANT_BINS | HT_WANT_HEAPS;
	HT_AUTO_CLIENT struct ht_client client = HT_CLIENT_NONE;
	enum ht_code code = ht_target_start(&cli->opt, pid, &client, err);

	if (code == HT_OK)
		code = ask(cli, &client,
			   want | (now ? HT_TRIM_SOON : HT_LAST_REQUEST),
			   "measuring", &ret->before, err);
	if (code == HT_OK)
		code = take_trim(&client, &ret->forecast, err);
	if (code != HT_OK || !now)
		return code;
	code = ask(cli, &client, want | HT_TRIM_NOW | HT_LAST_REQUEST,
		   "trimming", &ret->after, err);
	return code == HT_OK ? take_trim(&client, &ret->act, err) : code;
}

static enum ht_code look_back(struct ht_cli *cli, const char *word,
			      struct ht_snapshot *ret, struct ht_err *err)
{
	int64_t at = cli->opt.at_ns ? cli->opt.at_ns : INT64_MAX;
	HT_AUTO_STORE struct ht_store *store = NULL;
	struct ht_store_process process;
	enum ht_code code;

	code = ht_history_open(&cli->opt, &store, err);
	if (code == HT_OK)
		code = ht_service_one(store, word, &process, err);
	if (code == HT_OK)
		snprintf(cli->target, sizeof(cli->target), "%s",
			 process.target);
	if (code == HT_OK)
		code = ht_store_snapshot_at(store, process.id, at, ret, err);
	return code;
}

bool ht_target_looks_back(const struct ht_cli *cli)
{
	return cli->opt.db || cli->opt.at_ns;
}

enum ht_code ht_target_look(struct ht_cli *cli, const char *word,
			    uint64_t flags, struct ht_snapshot *ret,
			    struct ht_err *err)
{
	enum ht_code code;
	pid_t pid;

	if (ht_target_looks_back(cli))
		return look_back(cli, word, ret, err);
	code = ht_target_pid(word, &pid, err);
	if (code != HT_OK)
		return code;
	return ht_target_measure(cli, pid, flags, ret, err);
}
