/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples are due at start + k * interval, so the rate does not drift; one that
 * comes late skips what it missed. A failed sample is an event in the record,
 * not its end.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/ending.h"
#include "cli/launch.h"
#include "cli/record_types.h"
#include "cli/recording.h"
#include "cli/scratch.h"
#include "cli/table.h"
#include "cli/target.h"
#include "common/clock.h"
#include "common/system.h"
#include "link/looks.h"
#include "store/types.h"

#define LOOK_CPU 0.01 /* of a processor, as look_cpu of heaptided.conf */
/* A command just executed has no libc yet: ask a new agent until it has. */
#define SETTLE_NS	(5 * HT_NS_PER_S)
#define PSS_NS		(60 * HT_NS_PER_S)
#define LOCK_WAIT_NS	(2 * HT_NS_PER_S)
#define MISSED_WORTH	4 /* a fourth of what was taken, and it is told */
#define FIRST_SAMPLE_NS (100 * HT_NS_PER_MS)
#define EXIT_MS		200 /* from the end of a process's memory to its own */

const char *const ht_record_end_names[] = {[HT_RECORD_ENDED] = "process",
					   [HT_RECORD_TIME] = "time",
					   [HT_RECORD_STOPPED] = "signal",
					   [HT_RECORD_GOES_ON] = "failed"};

struct record {
	struct ht_cli *cli;
	const struct ht_follow *follow; /* NULL: nobody */
	struct ht_store *store;
	struct ht_client client;
	struct ht_request request;
	struct ht_snapshot snapshot;
	struct ht_looks kinds; /* with --look auto */
	struct ht_record_types types;
	char agent[4096];
	char comm[sizeof(((struct ht_head *)NULL)->comm)]; /* when measured */
	pid_t pid;
	bool launched; /* the process is our child */
	bool waited;   /* for it: exit_status is known */
	bool created;  /* the file is ours */
	int process_fd, signal_fd;
	int64_t start_ns, interval_ns, end_ns; /* monotonic; end 0: none */
	int64_t since_ns;		       /* this process is recorded */
	int64_t pss_due_ns;		       /* not before */
	int64_t process_id;		       /* in the store, 0: not yet */
	const char *note;		       /* of who follows */
	uint64_t samples, failures;	       /* of this process */
	uint64_t looks, missed;		       /* missed: due, but in a look */
	int64_t looking_ns;		       /* all looks together */
	bool stored;			       /* a sample, of whichever */
	bool has_heap;
	struct ht_err last; /* of the failures */
};

static void record_fini(struct record *r)
{
	ht_client_stop(&r->client);
	ht_snapshot_fini(&r->snapshot);
	if (r->store)
		ht_store_close_alone(r->store);
	if (r->created && !r->stored)
		ht_scratch_remove(r->cli->opt.output);
	ht_cleanup_fd(&r->process_fd);
	ht_cleanup_fd(&r->signal_fd);
}
#define AUTO_RECORD HT_CLEANUP(record_fini)

static enum ht_code store_sample(struct record *r, struct ht_err *err)
{
	int64_t sample;
	enum ht_code code = ht_store_in_place(r->store, err);

	if (code == HT_OK)
		code = ht_store_begin(r->store, err);
	if (code == HT_OK)
		code = ht_store_add(r->store, r->cli->opt.name ?: "",
				    &r->snapshot, &sample, err);
	if (code == HT_OK)
		code = ht_store_sample_process(r->store, sample, &r->process_id,
					       err);
	if (code == HT_OK) /* of a sample with types */
		code = ht_store_add_types(r->store, r->process_id, &r->snapshot,
					  err);
	if (code == HT_OK)
		code = ht_store_commit(r->store, err);
	if (code != HT_OK)
		return code;
	r->samples++;
	r->stored = true;
	if (r->follow)
		r->note = r->follow->sampled(r->follow->ctx, &r->snapshot,
					     r->process_id);
	return HT_OK;
}

static enum ht_code store_event(struct record *r, const char *kind,
				const char *text, struct ht_err *err)
{
	enum ht_code code;

	if (!r->process_id)
		return HT_OK;
	code = ht_store_begin(r->store, err);
	if (code == HT_OK)
		code = ht_store_event(r->store, r->process_id, ht_wall_ns(),
				      kind, text, err);
	if (code == HT_OK)
		code = ht_store_commit(r->store, err);
	return code;
}

/* PSS is read once in a while, and only where the process hardly waits for it:
 * what it takes is known from the look before. */
static void ask_pss(struct record *r)
{
	uint64_t rss = r->samples ? r->snapshot.process.rss : HT_UNKNOWN;
	int64_t now_ns = ht_mono_ns();

	r->request.flags &= ~(uint64_t)HT_WANT_PSS;
	if (rss == HT_UNKNOWN || now_ns < r->pss_due_ns ||
	    ht_rollup_us(rss) > r->request.max_pause_us)
		return;
	r->request.flags |= HT_WANT_PSS;
	r->pss_due_ns = now_ns + PSS_NS;
}

/* --look auto: as heaptided chooses, by the same share of a processor. */
static enum ht_code measure_by_cost(struct record *r, struct ht_err *err)
{
	const struct ht_looks_limits limits = {
		.choice = HT_LOOKS_AUTO,
		.budget_ns = (int64_t)((double)r->interval_ns * LOOK_CPU)};
	int64_t cpu_ns = ht_client_cpu_ns(&r->client);
	struct ht_request request = r->request;
	enum ht_code code;

	ht_looks_choose(&r->kinds, &limits, &request);
	code = ht_client_sample(&r->client, &request, &r->snapshot, NULL, NULL,
				err);
	cpu_ns = ht_client_cpu_ns(&r->client) - cpu_ns;
	if (code == HT_OK) /* the first finds malloc, which none does after */
		ht_looks_note(&r->kinds, &limits, &r->snapshot,
			      r->samples ? cpu_ns : 0, ht_mono_ns());
	return code;
}

/* Once for all times in a row; it is measured without. */
static enum ht_code tell_refused(struct record *r, struct ht_err *err)
{
	if (r->types.refused > 1)
		return HT_OK;
	return store_event(r, "types_refused", err->msg, err);
}

static enum ht_code measure(struct record *r, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	ask_pss(r);
	if (r->samples && ht_record_types_due(&r->types, ht_mono_ns())) {
		code = ht_record_types_measure(&r->types, r->agent, r->pid,
					       &r->request, &r->snapshot, err);
		if (code == HT_OK || code == HT_GONE)
			return code;
		code = tell_refused(r, err);
	}
	if (code == HT_OK && r->client.agent_pid <= 0)
		code = ht_client_start(r->agent, r->pid, NULL, &r->client, err);
	if (code != HT_OK)
		return code;
	if (r->cli->opt.look == HT_LOOK_AUTO)
		return measure_by_cost(r, err);
	return ht_client_sample(&r->client, &r->request, &r->snapshot, NULL,
				NULL, err);
}

/* Could this failure pass? Otherwise the first one ends the record. A heap that
 * is just being made may look like none. */
static bool may_pass(const struct record *r, enum ht_code code)
{
	bool settling = ht_mono_ns() - r->since_ns < SETTLE_NS;

	return r->launched || r->samples || code == HT_BUSY ||
	       code == HT_TIMEOUT || code == HT_FAULT ||
	       (code == HT_UNSUPPORTED && settling);
}

static bool has_ended(const struct record *r, int within_ms)
{
	struct pollfd fd = {.fd = r->process_fd, .events = POLLIN};

	return poll(&fd, 1, within_ms) > 0;
}

/* One sample. HT_GONE: the process ended. Other codes: the record cannot go
 * on. */
static enum ht_code take(struct record *r, struct ht_err *err)
{
	int64_t age = ht_mono_ns() - r->since_ns;
	enum ht_code code = measure(r, err);

	if (code == HT_OK) {
		r->has_heap |= r->snapshot.arenas.n > 0;
		if (!r->has_heap && age < SETTLE_NS)
			ht_client_stop(&r->client);
		memcpy(r->comm, r->snapshot.head.comm, sizeof(r->comm));
		return store_sample(r, err);
	}
	ht_client_stop(&r->client);
	/* Gone, and yet there: it is on its way out, or it executed another
	 * program. */
	if (code == HT_GONE ? has_ended(r, EXIT_MS) : !may_pass(r, code))
		return code;
	r->failures++;
	r->last = *err;
	return store_event(r, "failed", err->msg, err);
}

/* What matters most comes first: what does not fit the line is cut. */
static void show(struct record *r)
{
	const struct ht_snapshot *s = &r->snapshot;
	char rss[HT_NUMBER_TEXT], used[HT_NUMBER_TEXT], kept[HT_NUMBER_TEXT];
	char age[32], all[40] = "";

	ht_duration_text(ht_mono_ns() - r->start_ns, age, sizeof(age));
	if (r->end_ns) {
		memcpy(all, " of ", sizeof(" of "));
		ht_duration_text(r->end_ns - r->start_ns, all + 4,
				 sizeof(all) - 4);
	}
	ht_progress(&r->cli->term,
		    "%s%s%s%s: in use %s, retained %s, RSS %s; %" PRIu64
		    " samples",
		    age, all, *r->note ? ", " : "", r->note,
		    ht_bytes_text(s->totals.in_use, r->cli->opt.bytes, used),
		    ht_bytes_text(s->totals.retained, r->cli->opt.bytes, kept),
		    ht_bytes_text(s->process.rss, r->cli->opt.bytes, rss),
		    r->samples);
}

/* The next multiple of the interval that is still to come. */
static int64_t next_due(struct record *r, int64_t due_ns)
{
	int64_t passed = ht_mono_ns() - r->start_ns;
	int64_t next_ns =
		r->start_ns + (passed / r->interval_ns + 1) * r->interval_ns;

	r->missed += (uint64_t)((next_ns - due_ns - 1) / r->interval_ns);
	return next_ns;
}

static enum ht_record_end wait_until(struct record *r, int64_t due_ns)
{
	struct pollfd fds[] = {{.fd = r->signal_fd, .events = POLLIN},
			       {.fd = r->process_fd, .events = POLLIN}};

	for (;;) {
		int64_t now = ht_mono_ns();
		int64_t wake = due_ns;
		struct timespec left;

		if (r->end_ns && now >= r->end_ns)
			return HT_RECORD_TIME;
		if (now >= due_ns)
			return HT_RECORD_GOES_ON;
		if (r->end_ns && r->end_ns < wake)
			wake = r->end_ns;
		left.tv_sec = (wake - now) / HT_NS_PER_S;
		left.tv_nsec = (wake - now) % HT_NS_PER_S;
		if (ppoll(fds, 2, &left, NULL) <= 0)
			continue;
		return fds[0].revents ? HT_RECORD_STOPPED : HT_RECORD_ENDED;
	}
}

/* Did a signal ask us to end while a sample was taken? It may have ended the
 * agent too: Ctrl-C goes to both. */
static bool was_stopped(const struct record *r)
{
	struct pollfd fd = {.fd = r->signal_fd, .events = POLLIN};

	return poll(&fd, 1, 0) > 0;
}

/* Waits for the command, which has ended; its exit status becomes ours. */
static void wait_child(struct record *r)
{
	if (!r->waited)
		r->cli->exit_status = ht_launch_wait(r->pid);
	r->waited = true;
}

/* From here on it is another process that is recorded, and waited for. */
static enum ht_code become(struct record *r, pid_t pid, struct ht_err *err)
{
	ht_cleanup_fd(&r->process_fd);
	r->process_fd = ht_pidfd_open(pid);
	if (r->process_fd < 0)
		return ht_fail_sys(err, errno == ESRCH ? HT_GONE : HT_SYS,
				   errno, "record pid %d", pid);
	r->pid = pid;
	r->process_id = 0;
	r->samples = r->failures = 0;
	r->waited = r->has_heap = false;
	r->since_ns = ht_mono_ns();
	return HT_OK;
}

/* A command that ended well and left itself running, as daemons do, goes on
 * being recorded. Of other programs that it left it is told: they may stay for
 * ever. *ret: there is something to go on with. */
static enum ht_code go_on(struct record *r, bool *ret, struct ht_err *err)
{
	struct ht_left left;
	enum ht_code code;
	char text[128];

	*ret = false;
	if (!r->launched)
		return HT_OK;
	ht_client_stop(&r->client); /* our child, too, and not left */
	r->cli->exit_status = ht_launch_end(r->pid, &left);
	r->waited = true;
	if (!left.pid || r->cli->exit_status)
		return HT_OK;
	if (!left.same_program) {
		ht_tell(&r->cli->term,
			"the command left %zu process%s in the background, not recorded: %s, pid %d%s",
			left.all, left.all == 1 ? "" : "es", left.comm,
			left.pid, left.all == 1 ? "" : ", ...");
		return HT_OK;
	}
	snprintf(text, sizeof(text), "went into the background as pid %d",
		 left.pid);
	ht_tell(&r->cli->term, "the command %s: recorded from here on", text);
	code = store_event(r, "ended", text, err);
	if (code == HT_OK)
		code = become(r, left.pid, err);
	*ret = code == HT_OK;
	return code == HT_GONE ? HT_OK : code;
}

/* What the process left when it ended. */
static enum ht_code end_or_go_on(struct record *r, enum ht_record_end *ret,
				 struct ht_err *err)
{
	bool on = false;
	enum ht_code code = HT_OK;

	if (*ret == HT_RECORD_ENDED)
		code = go_on(r, &on, err);
	if (on)
		*ret = HT_RECORD_GOES_ON;
	return code;
}

static enum ht_code look(struct record *r, struct ht_err *err)
{
	int64_t begin_ns = ht_mono_ns();
	enum ht_code code = take(r, err);

	r->looks++;
	r->looking_ns += ht_mono_ns() - begin_ns;
	return code;
}

static enum ht_code loop(struct record *r, enum ht_record_end *ret,
			 struct ht_err *err)
{
	int64_t due = r->start_ns + (r->launched ? FIRST_SAMPLE_NS : 0);

	*ret = HT_RECORD_GOES_ON;
	for (;;) {
		enum ht_code code = HT_OK;

		*ret = wait_until(r, due);
		if (*ret == HT_RECORD_GOES_ON)
			code = look(r, err);
		if (code != HT_OK && was_stopped(r))
			*ret = HT_RECORD_STOPPED;
		else if (code == HT_GONE && may_pass(r, code))
			*ret = HT_RECORD_ENDED;
		else if (code != HT_OK)
			return code;
		code = end_or_go_on(r, ret, err);
		if (code != HT_OK || *ret != HT_RECORD_GOES_ON)
			return code;
		if (r->launched)
			ht_launch_reap(r->pid, r->client.agent_pid);
		show(r);
		due = next_due(r, due);
	}
}

static enum ht_code find_process(struct record *r, struct ht_err *err)
{
	const struct ht_options *o = &r->cli->opt;
	enum ht_code code;

	r->launched = o->quoted;
	if (r->launched)
		code = ht_launch(o->args, &r->pid, &r->cli->exit_status, err);
	else
		code = ht_target_pid(o->args[0], &r->pid, err);
	if (code != HT_OK)
		return code;
	r->process_fd = ht_pidfd_open(r->pid);
	if (r->process_fd < 0)
		return ht_fail_sys(err, errno == ESRCH ? HT_GONE : HT_SYS,
				   errno, "record pid %d", r->pid);
	return HT_OK;
}

static void tell(void *ctx, const char *text)
{
	struct record *r = ctx;

	ht_progress(&r->cli->term, "%s: %s", r->cli->opt.output, text);
}

/* Others may write to the same record, at the same moment, too. */
static enum ht_code open_store(struct record *r, struct ht_err *err)
{
	static const struct timespec pause = {.tv_nsec = 20000000};
	int64_t give_up = ht_mono_ns() + LOCK_WAIT_NS;
	enum ht_code code;

	for (;;) {
		code = ht_store_open_telling(r->cli->opt.output, HT_STORE_WRITE,
					     tell, r, &r->store, err);
		ht_progress_end(&r->cli->term);
		if (code == HT_OK)
			ht_store_wait(r->store, LOCK_WAIT_NS);
		if (code != HT_STORE || err->hint != HT_HINT_LOCKED ||
		    ht_mono_ns() > give_up)
			return code;
		nanosleep(&pause, NULL);
	}
}

static enum ht_code open_record(struct record *r, struct ht_err *err)
{
	const struct ht_options *o = &r->cli->opt;
	enum ht_code code;

	code = ht_client_find_agent(r->agent, sizeof(r->agent), err);
	r->created = access(o->output, F_OK) != 0 && errno == ENOENT;
	if (code == HT_OK)
		code = open_store(r, err);
	if (code == HT_OK)
		code = ht_ending_watch(&r->signal_fd, err);
	if (code == HT_OK)
		code = find_process(r, err);
	r->request = ht_target_request(o, HT_WANT_ALL);
	r->types = ht_record_types_of(o);
	r->interval_ns = o->interval_ns ? o->interval_ns : HT_NS_PER_S;
	r->start_ns = r->since_ns = ht_mono_ns();
	r->end_ns = o->duration_ns ? r->start_ns + o->duration_ns : 0;
	return code;
}

/* A command of ours that outlives the record: told to end as we were, left
 * alone when only the time was up. Its exit status becomes ours. */
static void end_child(struct record *r, enum ht_record_end end)
{
	if (!r->launched || end == HT_RECORD_TIME)
		return;
	if (end == HT_RECORD_STOPPED) {
		struct signalfd_siginfo got;

		if (read(r->signal_fd, &got, sizeof(got)) == sizeof(got))
			kill(r->pid, (int)got.ssi_signo);
	}
	wait_child(r);
}

/* Nothing can be recorded any more, as on a full disk. A command has nothing to
 * do with that: it is waited for, told signals, and its status is ours. */
static void wait_unrecorded(struct record *r, const struct ht_err *failed)
{
	enum ht_record_end end;

	if (!r->launched || r->pid <= 0 || r->waited)
		return;
	if (!has_ended(r, 0))
		ht_tell(&r->cli->term, "%s: the command, pid %d, runs on",
			failed->msg, r->pid);
	ht_client_stop(&r->client);
	end = wait_until(r, INT64_MAX);
	end_child(r, end);
}

static const char *const why[] = {[HT_RECORD_ENDED] = "the process ended",
				  [HT_RECORD_TIME] = "the time is up",
				  [HT_RECORD_STOPPED] = "stopped by a signal",
				  [HT_RECORD_GOES_ON] = "it could not go on"};

/* What was recorded, in figures and words. */
static void fill(const struct record *r, enum ht_record_end end,
		 struct ht_recorded *ret)
{
	char age[32], failed[320] = "", missed[96] = "", types[320] = "";

	ht_record_types_text(&r->types, types, sizeof(types));
	if (r->failures)
		snprintf(failed, sizeof(failed),
			 "; %" PRIu64 " failed, the last one: %s", r->failures,
			 r->last.msg);
	if (r->missed > r->samples / MISSED_WORTH && r->looks) {
		ht_duration_text(r->looking_ns / (int64_t)r->looks, age,
				 sizeof(age));
		snprintf(missed, sizeof(missed),
			 "; %" PRIu64
			 " more were due, but a look took %s on average",
			 r->missed, age);
	}
	ret->process_id = r->process_id;
	ret->samples = r->samples;
	ret->failures = r->failures;
	ht_duration_text(ht_mono_ns() - r->start_ns, age, sizeof(age));
	snprintf(ret->how, sizeof(ret->how), "%s%s", why[end], failed);
	snprintf(ret->text, sizeof(ret->text),
		 "%s; %" PRIu64 " sample%s of %s, pid %d, in %s%s%s%s",
		 why[end], r->samples, r->samples == 1 ? "" : "s", r->comm,
		 r->pid, age, types, missed, failed);
}

static enum ht_code conclude(struct record *r, enum ht_record_end end,
			     struct ht_recorded *ret, struct ht_err *err)
{
	enum ht_code code = HT_OK;

	if (end == HT_RECORD_ENDED)
		code = store_event(r, "ended", "the process ended", err);
	end_child(r, end);
	ret->end = end;
	if (code != HT_OK)
		return code;
	if (!r->samples)
		return ht_fail_hint(err, HT_NODATA,
				    *r->last.msg ? HT_HINT_NO_SAMPLE
						 : HT_HINT_NONE,
				    "no sample of pid %d: %s", r->pid,
				    *r->last.msg ? r->last.msg : why[end]);
	fill(r, end, ret);
	return HT_OK;
}

enum ht_code ht_recording(struct ht_cli *cli, const struct ht_follow *follow,
			  struct ht_recorded *ret, struct ht_err *err)
{
	AUTO_RECORD struct record r = {.cli = cli,
				       .follow = follow,
				       .note = "",
				       .client = HT_CLIENT_NONE,
				       .process_fd = -1,
				       .signal_fd = -1};
	enum ht_code code;
	enum ht_record_end end;

	ht_snapshot_init(&r.snapshot);
	code = open_record(&r, err);
	if (code == HT_OK) {
		code = loop(&r, &end, err);
		if (code == HT_OK)
			code = conclude(&r, end, ret, err);
		if (code != HT_OK)
			wait_unrecorded(&r, err);
	}
	if (code != HT_OK && r.samples) {
		ret->end = HT_RECORD_GOES_ON;
		fill(&r, ret->end, ret);
	}
	ret->pid = r.pid;
	return code;
}
