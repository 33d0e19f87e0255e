/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heaptide-agent: measures one process. A child of heaptide or heaptided, which
 * speaks to it over descriptor 3 and over nothing else. Crash-only: whatever
 * goes wrong, it ends, and the kernel lets the target run on.
 */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/libc/facts_shared.h"
#include "agent/libc/layout_role.h"
#include "agent/libc/lines_role.h"
#include "agent/memory/frames.h"
#include "agent/sample/session.h"
#include "agent/sample/trim.h"
#include "agent/self/freezer.h"
#include "agent/self/guard.h"
#include "agent/self/helper.h"
#include "agent/self/pace.h"
#include "agent/self/privilege.h"
#include "agent/self/sandbox.h"
#include "agent/who/who.h"
#include "common/clock.h"
#include "link/facts_file.h"
#include "link/wire.h"

#define PARENT_FD	  3
#define EXEC_ATTEMPTS	  5
#define PROGRESS_EVERY_NS (200 * HT_NS_PER_MS)

struct options {
	pid_t pid;
	const char *core, *exe, *sysroot;
	bool dump; /* write the layout dump to standard output, then exit */
	int done;  /* nothing to measure: exit with `status` */
	int status;
};

static const char usage[] =
	"Usage: heaptide-agent --pid PID\n"
	"       heaptide-agent --core FILE [--exe FILE] [--sysroot DIR]\n"
	"Measures the heap of one process (or core file). It is started by heaptide\n"
	"and heaptided, which ask for samples over a socket on descriptor 3; by\n"
	"itself it prints nothing. To look at a process use 'heaptide explain PID'.\n"
	"\n"
	"      --pid PID     the process\n"
	"      --core FILE   an ELF core file in its place\n"
	"      --exe FILE    the core's program, if it moved\n"
	"      --sysroot DIR where the core's libraries lie, by the names they had\n"
	"      --dump-layout print what is needed to support its libc, no heap\n"
	"                    content, and exit\n"
	"      --help        this text\n"
	"      --version     the version\n";

/* --- arrive -------------------------------------------------------------- */

static struct options finished(int status, FILE *to, const char *text)
{
	fputs(text, to);
	return (struct options){.done = 1, .status = status};
}

static bool parse_pid(const char *text, pid_t *ret)
{
	char *end;
	long pid;

	errno = 0;
	pid = strtol(text, &end, 10);
	if (errno || *end || end == text || pid <= 0 || pid > INT32_MAX)
		return false;
	*ret = (pid_t)pid;
	return true;
}

static struct options parse(int argc, char **argv)
{
	static const struct option known[] = {
		{"pid", required_argument, NULL, 'p'},
		{"core", required_argument, NULL, 'c'},
		{"exe", required_argument, NULL, 'e'},
		{"sysroot", required_argument, NULL, 's'},
		{"dump-layout", no_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	struct options o = {0};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 'h')
			return finished(0, stdout, usage);
		if (c == 'V')
			return finished(0, stdout,
					"heaptide-agent " HT_VERSION "\n");
		if (c == 'd')
			o.dump = true;
		else if (c == 'c')
			o.core = optarg;
		else if (c == 'e')
			o.exe = optarg;
		else if (c == 's')
			o.sysroot = optarg;
		else if (c != 'p' || !parse_pid(optarg, &o.pid))
			return finished(2, stderr, usage);
	}
	if (optind != argc || !o.pid == !o.core ||
	    ((o.exe || o.sysroot) && !o.core))
		return finished(2, stderr, usage);
	return o;
}

static bool has_parent(void)
{
	struct stat st;

	return fstat(PARENT_FD, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* --- open, locate -------------------------------------------------------- */

static enum ht_code open_target(const struct options *o, struct ht_target *ret,
				struct ht_err *err)
{
	enum ht_code code;

	if (!o->core)
		return ht_target_open_process(o->pid, ret, err);
	code = ht_privilege_only_own(err);
	return code == HT_OK ? ht_target_open_core(o->core, o->exe, o->sysroot,
						   ret, err)
			     : code;
}

/* A process that calls execve while its files are parsed is begun anew. */
static enum ht_code open_and_locate(const struct options *o,
				    const struct ht_request *r,
				    struct ht_target *t, struct ht_err *err)
{
	enum ht_code code = HT_BUG;

	for (int i = 0; i < EXEC_ATTEMPTS; i++) {
		code = open_target(o, t, err);
		if (code == HT_OK)
			code = ht_target_locate(t,
						!(r->flags & HT_NO_DEBUG_INFO),
						"/proc/self/exe", err);
		if (code == HT_OK || !ht_target_was_replaced(t))
			break;
		ht_target_close(t);
	}
	return code;
}

/* Opened and located by the first request, kept for all later ones. From then
 * on the sandbox holds. */
static enum ht_code ready(const struct options *o, const struct ht_request *r,
			  struct ht_target *t, struct ht_who *who,
			  struct ht_err *err)
{
	enum ht_code code;

	if (t->have_located)
		return HT_OK;
	code = open_and_locate(o, r, t, err);
	if (code == HT_OK && r->flags & (HT_WANT_GRAPH | HT_WHO))
		code = ht_target_open_modules(t, err);
	if (code == HT_OK && r->flags & HT_WHO)
		code = ht_who_begin(who, t, r, err);
	if (code != HT_OK)
		return code;
	ht_facts_shared_end();
	if (r->flags & (HT_TRIM_SOON | HT_TRIM_NOW))
		ht_trim_read_filters(t);
	ht_frames_prepare();
	ht_helper_start();
	if (r->mode != HT_MODE_NONE || r->flags & (HT_TRIM | HT_TRIM_NOW))
		ht_freezer_leave();
	return ht_sandbox_enter(err);
}

/* --- sample, emit -------------------------------------------------------- */

struct progress {
	int64_t last_ns;
};

/* Losing a progress line loses nothing; losing the parent shows at the answer.
 */
static void tell_progress(void *ctx, uint64_t done, uint64_t total)
{
	struct progress *p = ctx;
	int64_t now = ht_mono_ns();

	if (now - p->last_ns < PROGRESS_EVERY_NS)
		return;
	p->last_ns = now;
	if (ht_wire_send_progress(PARENT_FD, done, total, NULL) != HT_OK)
		p->last_ns = INT64_MAX / 2;
}

/* What the request wants, into the snapshot. */
static enum ht_code sample(struct ht_session *s, struct ht_who *who,
			   struct ht_trim *trimmed, struct ht_err *err)
{
	if (s->request->flags & (HT_TRIM | HT_TRIM_NOW))
		return ht_session_trim(s, trimmed, err);
	if (!(s->request->flags & HT_WHO))
		return ht_session_sample(s, err);
	if (!who->begun)
		return ht_fail(
			err, HT_PROTOCOL,
			"who allocates is told by an agent that was asked for it first");
	return ht_who_sample(who, s, err);
}

/* Answers one request. Returns whether another may follow. */
static bool answer(const struct options *o, const struct ht_request *r,
		   struct ht_target *t, struct ht_who *who)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot snapshot;
	struct progress progress = {.last_ns = ht_mono_ns()};
	struct ht_session session = {
		.target = t,
		.request = r,
		.snapshot = &snapshot,
		.progress = tell_progress,
		.progress_ctx = &progress,
	};
	bool trim = r->flags & (HT_TRIM | HT_TRIM_NOW);
	struct ht_trim trimmed;
	struct ht_err why = {0};
	enum ht_code code;

	ht_snapshot_init(&snapshot);
	if (!o->core)
		ht_pace_begin(r->timeout_ms);
	ht_guard_alarm(r->timeout_ms);
	code = ready(o, r, t, who, &why);
	session.must_end = code != HT_OK; /* the sandbox may not hold */
	if (code == HT_OK)
		code = sample(&session, who, &trimmed, &why);
	if (code == HT_OK && trim)
		code = ht_wire_send_trim(PARENT_FD, &trimmed, NULL);
	if (code == HT_OK)
		code = ht_wire_send_snapshot(PARENT_FD, &snapshot, NULL);
	else
		code = ht_wire_send_error(PARENT_FD, &why, NULL);
	ht_guard_alarm(0);
	return code == HT_OK && t->have_located && !session.must_end &&
	       !(r->flags & HT_LAST_REQUEST);
}

static int dump_layout(const struct options *o)
{
	struct ht_target target = HT_TARGET_NONE;
	struct ht_err why = {0};
	enum ht_code code = open_target(o, &target, &why);

	if (code == HT_OK)
		code = ht_target_dump(&target, STDOUT_FILENO, &why);
	ht_target_close(&target);
	if (code != HT_OK)
		fprintf(stderr, "heaptide-agent: %s (%s)\n", why.msg,
			ht_err_hint(&why));
	return ht_code_exit_status(code);
}

int main(int argc, char **argv)
{
	struct ht_target target = HT_TARGET_NONE;
	struct ht_who who = HT_WHO_NONE;
	struct ht_request request;
	struct options o;

	if (argc == 2 && strcmp(argv[1], "--role=layout") == 0)
		return ht_layout_role_main();
	if (argc == 2 && strcmp(argv[1], "--role=lines") == 0)
		return ht_lines_role_main();
	o = parse(argc, argv);
	if (o.done)
		return o.status;
	if (ht_privilege_arrive(NULL) != HT_OK)
		return ht_code_exit_status(HT_SYS);
	if (o.dump)
		return dump_layout(&o);
	if (!has_parent())
		return finished(2, stderr, usage).status;
	/* An arena for the helper's few blocks would be memory for nothing. */
	mallopt(M_ARENA_MAX, 1);
	/* The large blocks of a libc's parsing would raise the threshold, and
	 * those of each sample then leave ever more pages of the heap resident.
	 */
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	/* What a look of a small heap takes and gives back stays ours: of its
	 * pages few are ever written to. */
	mallopt(M_TRIM_THRESHOLD, 512 << 10);
	if (!o.core)
		ht_pace_init();
	if (ht_guard_arrive(ht_facts_shared_take() ? HT_FACTS_FD + 1
						   : PARENT_FD + 1,
			    NULL) != HT_OK)
		return ht_code_exit_status(HT_GONE);
	while (ht_wire_receive_request(PARENT_FD, &request, NULL) == HT_OK)
		if (!answer(&o, &request, &target, &who))
			break;
	ht_who_end(&who);
	ht_target_close(&target);
	return 0;
}
