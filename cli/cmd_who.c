/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide who`: who allocates what stays. Short windows on malloc, one after
 * the other, and looks at what became of the chunks that were seen in them. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ending.h"
#include "cli/json.h"
#include "cli/pprof.h"
#include "cli/show.h"
#include "cli/target.h"
#include "cli/who.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "link/who_pace.h"

#define DURATION_NS   (60 * HT_NS_PER_S)
#define PERIOD_NS     HT_NS_PER_S
#define PERIOD_MIN_NS (200 * HT_NS_PER_MS)
#define PERIODS	      60
#define LOST_SHARE    0.0032 /* of a thread's time, at most */
#define WINDOW_SHARE  4	     /* a window is at most 1 / 4 of the period */

struct asking {
	struct ht_cli *cli;
	struct ht_client client;
	struct ht_snapshot seen, before, after;
	int64_t begin_ns, before_ns, after_ns;
	int64_t duration_ns, period_ns;
	struct ht_who_pace pace;
	bool window; /* was asked for, the last time */
	unsigned seed;
	bool placed; /* files and lines are known: from then on there are no
			more stacks, and the process may end at any time */
	int signal_fd;
	char ended[sizeof(((struct ht_err *)0)->msg)];
};

static void asking_fini(struct asking *a)
{
	ht_client_stop(&a->client);
	ht_snapshot_fini(&a->seen);
	ht_snapshot_fini(&a->before);
	ht_snapshot_fini(&a->after);
	if (a->signal_fd >= 0)
		close(a->signal_fd);
}

/* true: somebody ended it meanwhile. */
static bool wait_until(const struct asking *a, int64_t until_ns)
{
	struct pollfd p = {.fd = a->signal_fd, .events = POLLIN};
	int64_t left = (until_ns - ht_mono_ns()) / HT_NS_PER_MS;

	return poll(&p, 1, left > 0 ? (int)left : 0) > 0;
}

/* One request; `into` keeps what it had where that fails. */
static enum ht_code ask(struct asking *a, uint64_t flags,
			struct ht_snapshot *into, struct ht_err *err)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct ht_request r = ht_target_request(&a->cli->opt, flags);
	struct ht_snapshot old;
	enum ht_code code;

	r.mode = HT_MODE_NONE;
	r.window_us = (uint64_t)(a->period_ns / WINDOW_SHARE / HT_NS_PER_US);
	r.window_hits = ht_who_pace_hits(&a->pace);
	ht_snapshot_init(&s);
	code = ht_client_sample(&a->client, &r, &s, NULL, NULL, err);
	if (code != HT_OK)
		return code;
	old = *into;
	*into = s;
	s = old;
	return HT_OK;
}

static void show(struct asking *a)
{
	const struct ht_windows *w = &a->seen.windows.v[0];
	const struct ht_site *top = a->seen.sites.n ? a->seen.sites.v : NULL;

	ht_progress(&a->cli->term,
		    "%2.0f s of %.0f: %" PRIu64 " windows, %" PRIu64
		    " chunks followed, %zu sites; most stays of one: %" PRIu64
		    " of %" PRIu64 " (Ctrl-C: what is known)",
		    (double)(ht_mono_ns() - a->begin_ns) / 1e9,
		    (double)a->duration_ns / 1e9, w->windows, w->samples,
		    a->seen.sites.n,
		    top && top->alive != HT_UNKNOWN ? top->alive : 0,
		    top ? top->samples : 0);
}

/* No call is seen: it goes on until the end, as far as it may cost. */
static bool is_growth(const struct asking *a)
{
	return a->seen.windows.n == 1 &&
	       a->seen.windows.v[0].way == HT_WAY_GROWTH;
}

static uint64_t by_way(const struct asking *a)
{
	return a->cli->opt.way ? HT_WHO_GROWTH : HT_WHO_GROWTH_LAST;
}

static void take_cost(struct asking *a, const struct ht_windows *w)
{
	if (is_growth(a))
		ht_who_pace_grew(&a->pace, a->begin_ns, w->hits, w->seen,
				 w->armed_us);
	else
		ht_who_pace_took(&a->pace, ht_mono_ns(), w->hits,
				 w->samples + w->lost);
}

/* A look at the chunks, and a window first where it is time for one. */
static enum ht_code look_again(struct asking *a, struct ht_err *err)
{
	bool window = a->window = ht_mono_ns() >= a->pace.next_ns;
	bool lines = a->pace.next_ns == INT64_MAX && !a->placed;
	enum ht_code code =
		ask(a,
		    HT_WHO | by_way(a) | (window ? HT_WHO_WINDOW : 0) |
			    (lines ? HT_WHO_LINES : 0),
		    &a->seen, err);

	a->placed |= lines;
	if (code != HT_OK || (!window && !is_growth(a)))
		return code;
	if (a->seen.windows.n != 1)
		return ht_fail(err, HT_PROTOCOL,
			       "the agent did not answer about malloc's calls");
	take_cost(a, &a->seen.windows.v[0]);
	return code;
}

/* A walk for the sizes; one that does not come off (the heap moved too much) is
 * tried again the next time. */
static void walk(struct asking *a, struct ht_snapshot *into, int64_t *at_ns)
{
	if (into->size_classes.n > 0)
		return;
	if (ask(a, HT_WANT_CLASSES, into, NULL) == HT_OK)
		*at_ns = ht_mono_ns();
}

/* Somewhere between a half and one and a half of the period: a program that
 * does something at even times of its own is then seen to. */
static int64_t next_look(struct asking *a)
{
	int64_t after = a->period_ns;

	if (is_growth(a) && a->window) /* which ends then */
		after = ht_who_pace_growth_ns(&a->pace);
	return ht_mono_ns() + after / 2 +
	       (int64_t)((double)rand_r(&a->seed) / RAND_MAX * (double)after);
}

/* Looks again and again, until the time is up or somebody ends it. */
static enum ht_code follow(struct asking *a, struct ht_err *err)
{
	int64_t until = a->begin_ns + a->duration_ns;
	int64_t windows_until = a->begin_ns + (int64_t)(HT_WHO_WINDOWS_SHARE *
							(double)a->duration_ns);
	enum ht_code code = HT_OK;

	while (code == HT_OK && ht_mono_ns() < until) {
		int64_t next;

		if (ht_mono_ns() >= windows_until && !is_growth(a))
			a->pace.next_ns = INT64_MAX;
		code = look_again(a, err);
		if (code != HT_OK)
			break;
		show(a);
		walk(a, &a->before, &a->before_ns);
		next = next_look(a);
		if (wait_until(a, next < until ? next : until)) {
			snprintf(a->ended, sizeof(a->ended),
				 "it was interrupted");
			break;
		}
	}
	return code;
}

/* The first window, then a walk; in the end a walk again. What was seen stands,
 * whatever fails behind the first window. */
static enum ht_code look(struct asking *a, struct ht_err *err)
{
	struct ht_err why = {0};
	enum ht_code code;

	a->begin_ns = ht_mono_ns();
	a->seed = (unsigned)a->begin_ns;
	code = look_again(a, err);
	if (code != HT_OK)
		return code;
	walk(a, &a->before, &a->before_ns);
	code = follow(a, &why);
	for (int i = 0; code == HT_OK && i < HT_WHO_WALKS; i++)
		walk(a, &a->after, &a->after_ns);
	if (code == HT_OK)
		code = ask(a, HT_WHO | by_way(a) | HT_WHO_LINES, &a->seen,
			   &why);
	if (code != HT_OK)
		snprintf(a->ended, sizeof(a->ended), "%s", why.msg);
	return HT_OK;
}

static enum ht_code tell(struct asking *a, struct ht_err *err)
{
	HT_AUTO_WHO struct ht_who_judged judged = {0};
	bool walked =
		a->before.size_classes.n > 0 && a->after.size_classes.n > 0;
	const struct ht_who_in in = {
		.seen = &a->seen,
		.before = walked ? &a->before : NULL,
		.after = walked ? &a->after : NULL,
		.seconds = (double)(a->after_ns - a->before_ns) / 1e9,
		.size = a->cli->opt.size,
	};
	const struct ht_who_told told = {&a->seen, &judged, a->ended};
	enum ht_code code = ht_who_judge(&in, &judged, err);

	if (code != HT_OK)
		return code;
	if (a->cli->opt.json)
		code = ht_json_print(ht_who_json(&told), err);
	else if (a->cli->opt.collapsed)
		ht_who_collapsed(&told);
	else
		ht_who_print(a->cli, &told);
	if (code == HT_OK && a->cli->opt.pprof)
		code = ht_pprof_write(&told, a->cli->opt.pprof, err);
	return code == HT_OK ? ht_show_damage(&a->after, err) : code;
}

/* The others are chosen by what there is. */
static enum ht_code check_way(const struct ht_options *o, struct ht_err *err)
{
	if (!o->way || strcmp(o->way, ht_way_names[HT_WAY_GROWTH]) == 0)
		return HT_OK;
	return ht_fail(err, HT_USAGE, "--way %s: there is 'growth' to ask for",
		       o->way);
}

enum ht_code ht_cmd_who(struct ht_cli *cli, struct ht_err *err)
{
	HT_CLEANUP(asking_fini)
	struct asking a = {.cli = cli,
			   .client = HT_CLIENT_NONE,
			   .signal_fd = -1,
			   .pace = {.share = LOST_SHARE},
			   .duration_ns = cli->opt.duration_ns ?: DURATION_NS};
	enum ht_code code;
	pid_t pid;

	ht_snapshot_init(&a.seen);
	ht_snapshot_init(&a.before);
	ht_snapshot_init(&a.after);
	a.period_ns = a.duration_ns / PERIODS;
	if (a.period_ns > PERIOD_NS)
		a.period_ns = PERIOD_NS;
	if (a.period_ns < PERIOD_MIN_NS)
		a.period_ns = PERIOD_MIN_NS;
	code = check_way(&cli->opt, err);
	if (code == HT_OK)
		code = ht_target_pid(cli->opt.args[0], &pid, err);
	if (code == HT_OK && cli->opt.pprof) /* not after a minute */
		code = ht_file_check(cli->opt.pprof, HT_USAGE, err);
	if (code == HT_OK)
		code = ht_ending_watch(&a.signal_fd, err);
	if (code == HT_OK)
		code = ht_target_start(&cli->opt, pid, &a.client, err);
	if (code == HT_OK)
		code = look(&a, err);
	ht_progress_end(&cli->term);
	return code == HT_OK ? tell(&a, err) : code;
}
