/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshot: a short stop in which the target forks (inject.h), then an exact
 * walk of the copy while the target runs. It writes to the target's registers
 * and stack, and puts them back: only when asked for, and refused where it
 * could do harm.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/memory/live_task.h"
#include "agent/memory/procfs.h"
#include "agent/sample/copy_room.h"
#include "agent/sample/look.h"
#include "agent/stop/frozen.h"
#include "agent/stop/inject.h"
#include "common/clock.h"

/* And a millisecond for each thread: one that finds no processor must not hold
 * up all others for longer. They run on, and another attempt is made. */
#define STOP_WITHIN_MS	100
#define FORK_ATTEMPTS	5
#define WATCH_ATTEMPTS	3
#define LEAVE_MALLOC_NS (50 * HT_NS_PER_MS)
/* The fork of a GiB takes 14-20 ms; the rest is for a busy machine. */
#define FORK_WITHIN_NS (50 * HT_NS_PER_MS)
#define FORK_GIB_NS    (50 * HT_NS_PER_MS)
/* A page table takes 1/512 of what it maps; what the target writes while the
 * copy lives is copied: an eighth of it leaves room for a busy second. */
#define PAGE_TABLE_SHARE 512
#define WRITTEN_SHARE	 8
#define ROOM_LEAST	 (UINT64_C(16) << 20)

/* The soft limit of processes; 0: none, or not known. prlimit(2) would need a
 * right of its own to look at another user's. */
static long process_limit(pid_t pid)
{
	HT_AUTO_FILE FILE *f = NULL;
	char path[48], line[256];
	long limit = 0;

	snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Max processes %ld", &limit) == 1)
			return limit;
	return 0;
}

/* The last number of a line of /proc/PID/status; 0 when there is none. */
static long status_number(pid_t pid, const char *key)
{
	HT_AUTO_FILE FILE *f = NULL;
	char path[48], line[256];
	size_t len = strlen(key);

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		const char *last = strrchr(line, '\t');

		if (strncmp(line, key, len) == 0 && line[len] == ':' && last)
			return strtol(last + 1, NULL, 10);
	}
	return 0;
}

/* Pages whose absence somebody handles (userfaultfd): where he asked to hear of
 * forks too, the thread that forks waits until he has heard. Which flags he has
 * asked for is hidden. HT_TIMEOUT: nobody knows. */
static enum ht_code refuse_by_userfault(pid_t pid, int64_t until_ns,
					struct ht_err *err)
{
	HT_AUTO_FILE FILE *f = NULL;
	char path[48], line[512];

	snprintf(path, sizeof(path), "/proc/%d/smaps", (int)ht_live_task(pid));
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "VmFlags:", 8) != 0)
			continue;
		if (strstr(line, " um") || strstr(line, " uw") ||
		    strstr(line, " ui"))
			return ht_fail(
				err, HT_REFUSED,
				"process %d has memory under userfaultfd: a fork may wait for ever for whoever handles it",
				(int)pid);
		if (until_ns && ht_mono_ns() >= until_ns)
			return ht_fail(
				err, HT_TIMEOUT,
				"process %d: smaps, which says whether it may be forked, was not read in time",
				(int)pid);
	}
	return HT_OK;
}

static enum ht_code refuse_by_status(const struct ht_target *t,
				     struct ht_err *err)
{
	pid_t pid = t->pid;
	long limit = process_limit(pid);

	if (t->reader->word != 8)
		return ht_fail(
			err, HT_REFUSED,
			"process %d is a 32-bit program: snapshot mode knows x86-64 only",
			(int)pid);
	if (status_number(ht_live_task(pid), "Seccomp") != 0)
		return ht_fail(
			err, HT_REFUSED,
			"process %d has a seccomp filter: a fork might end it",
			(int)pid);
	if (status_number(pid, "NSpid") == 1)
		return ht_fail(
			err, HT_REFUSED,
			"process %d is the init of its container: it would inherit the copy as a child",
			(int)pid);
	if (limit > 0 && limit <= status_number(pid, "Threads") + 2)
		return ht_fail(
			err, HT_REFUSED,
			"process %d: RLIMIT_NPROC of %ld leaves no room for a copy",
			(int)pid, limit);
	return refuse_by_userfault(pid, t->vmflags.until_ns, err);
}

/* Bytes that may still be allocated; HT_UNKNOWN: nobody knows. */
static uint64_t room_of(const struct ht_limits *l)
{
	uint64_t left;

	if (l->cgroup_max == HT_UNKNOWN || l->cgroup_used == HT_UNKNOWN)
		return l->mem_available;
	left = l->cgroup_max > l->cgroup_used ? l->cgroup_max - l->cgroup_used
					      : 0;
	return left < l->mem_available ? left : l->mem_available;
}

static enum ht_code refuse_by_memory(const struct ht_snapshot *s,
				     struct ht_err *err)
{
	uint64_t need = s->process.rss / PAGE_TABLE_SHARE +
			s->process.rss / WRITTEN_SHARE + ROOM_LEAST;
	uint64_t room = room_of(&s->limits);

	if (s->process.rss == HT_UNKNOWN)
		return HT_OK;
	if (room != HT_UNKNOWN && room < need)
		return ht_fail(
			err, HT_REFUSED,
			"a copy of process %llu may need %llu MiB, its memory limit leaves %llu MiB",
			(unsigned long long)s->head.pid,
			(unsigned long long)(need >> 20),
			(unsigned long long)(room >> 20));
	return HT_OK;
}

struct copy {
	pid_t pid; /* 0: none */
	struct ht_reader reader;
	struct ht_pages_source pages;
};

/* --- the room that is left ----------------------------------------------- */

static struct {
	pid_t pid, copy;
	struct ht_copy_room is;
} room; /* one sample at a time; a beat has no argument */

static void watch_room(void)
{
	struct ht_limits limits;
	int64_t now = ht_mono_ns();

	if (!ht_copy_room_due(&room.is, now))
		return;
	ht_record_clear(HT_RECORD_limits, &limits);
	ht_procfs_memory_limits(room.pid, &limits);
	if (ht_copy_room_is_outrun(&room.is, now, room_of(&limits)))
		ht_inject_end(room.copy);
}

static void begin_to_watch_room(const struct ht_look *l, struct copy *copy)
{
	const struct ht_snapshot *s = l->session->snapshot;

	room.pid = l->session->target->pid;
	room.copy = copy->pid;
	room.is = ht_copy_room(room_of(&s->limits));
	copy->reader.beat = watch_room;
}

/* A copy that ended while it was walked: what was read of it is not whole. */
static enum ht_code check_copy(const struct copy *copy, struct ht_err *err)
{
	siginfo_t info = {0};

	if (waitid(P_PID, (id_t)copy->pid, &info,
		   WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
	    (info.si_pid == 0 || info.si_code == CLD_TRAPPED))
		return HT_OK; /* it stands, as it did */
	return ht_fail(
		err, HT_REFUSED,
		room.is.outrun
			? "process %d wrote so much while its copy was walked that its memory limit came near: the copy was ended"
			: "the copy of process %d was ended while it was walked, for lack of memory or by a person",
		(int)room.pid);
}

static void end_copy(struct copy *copy)
{
	if (copy->reader.ops)
		ht_reader_close(&copy->reader);
	ht_pages_source_close(&copy->pages);
	ht_inject_end(copy->pid);
	copy->pid = 0;
}

static int64_t stop_within_ms(const struct ht_snapshot *s)
{
	uint64_t n = s->process.threads == HT_UNKNOWN ? 0 : s->process.threads;

	return STOP_WITHIN_MS + (int64_t)n;
}

static int64_t fork_within_ns(const struct ht_snapshot *s)
{
	uint64_t rss = s->process.rss == HT_UNKNOWN ? 0 : s->process.rss;

	return FORK_WITHIN_NS + (int64_t)(rss >> 30) * FORK_GIB_NS;
}

/* Stops the target at rest and forks it; the target runs again afterwards. */
static enum ht_code fork_target(struct ht_look *l,
				const struct ht_inject_code *found,
				enum ht_tracee_watch watch, pid_t *ret_copy,
				struct ht_err *err)
{
	const int64_t within_ms = stop_within_ms(l->session->snapshot);
	const struct ht_stop_limits limits = {
		.deadline_ns = ht_look_sooner(
			l, ht_mono_ns() + within_ms * HT_NS_PER_MS),
		.realtime = true,
		.watch = watch,
	};
	enum ht_code code = ht_look_stop(l, &limits, err), kept;

	if (code == HT_TIMEOUT)
		code = ht_fail(
			err, HT_BUSY,
			"process %d: its threads did not all stop within %d ms: the machine is too busy",
			(int)l->session->target->pid, (int)within_ms);
	if (code == HT_OK)
		code = ht_look_rest(
			l, ht_look_sooner(l, ht_mono_ns() + LEAVE_MALLOC_NS),
			err);
	if (code == HT_OK && !l->inside_malloc)
		code = ht_stop_fork(
			l->stop, found,
			ht_mono_ns() + fork_within_ns(l->session->snapshot),
			ret_copy, err);
	kept = ht_look_release_keeping(l, err);
	return code == HT_OK ? kept : code;
}

/* Memory, mappings and page states come from the copy: the target has moved on,
 * and gives pages back. A fork leaves file-backed pages out: those are the
 * target's. */
static enum ht_code open_copy(struct ht_look *l, struct copy *copy,
			      struct ht_err *err)
{
	const struct ht_target *t = l->session->target;
	enum ht_code code = ht_reader_open_process(copy->pid, t->reader->word,
						   true, &copy->reader, err);

	if (code == HT_OK)
		code = ht_look_maps(l, copy->pid, err);
	if (code == HT_OK)
		code = ht_pages_source_open(copy->pid, &copy->pages, err);
	if (code != HT_OK)
		return code;
	ht_pages_source_limit(&copy->pages, t->pages->deadline_ns);
	l->in.reader = &copy->reader;
	l->in.pages = &copy->pages;
	l->in.file_pages = t->pages;
	l->in.want_private = false; /* a copy shares every page */
	ht_reader_limit(l->in.reader, t->reader->deadline_ns);
	begin_to_watch_room(l, copy);
	return HT_OK;
}

/* The target's own again. */
static void drop_copy(struct ht_look *l, struct copy *copy)
{
	l->in.reader = l->session->target->reader;
	l->in.pages = l->session->target->pages;
	l->in.file_pages = NULL;
	l->in.want_private = ht_session_may_read_private(l->session);
	end_copy(copy);
}

/* A copy at rest, and its roots. HT_BUSY: some thread was inside malloc, or
 * ran. */
static enum ht_code take(struct ht_look *l, const struct ht_inject_code *found,
			 enum ht_tracee_watch watch, struct copy *copy,
			 struct ht_err *err)
{
	/* Before the stop: they tell whose code a thread is in. */
	enum ht_code code = ht_look_maps(l, l->session->target->pid, err);

	if (code == HT_OK)
		code = fork_target(l, found, watch, &copy->pid, err);
	if (code == HT_OK && !l->inside_malloc && l->woken)
		code = ht_fail(
			err, HT_BUSY,
			"some thread that must not be interrupted ran during each of %d stops",
			(int)l->attempts);
	if (code == HT_OK && !l->inside_malloc)
		code = open_copy(l, copy, err);
	if (code == HT_OK && !l->inside_malloc)
		code = ht_look_roots(l, err);
	if (code == HT_OK && l->inside_malloc)
		code = ht_fail(
			err, HT_BUSY,
			"some thread was inside malloc at each of %d stops",
			(int)l->attempts);
	if (code != HT_OK)
		drop_copy(l, copy);
	return code;
}

/* The same while there is time. */
static enum ht_code take_in_time(struct ht_look *l,
				 const struct ht_inject_code *found,
				 enum ht_tracee_watch watch, struct copy *copy,
				 struct ht_err *err)
{
	struct ht_reader *reader = l->session->target->reader;
	enum ht_code code;

	if (ht_reader_is_late(reader))
		return ht_look_too_late(l, err);
	code = take(l, found, watch, copy, err);
	if (!reader->expired && !l->in.reader->expired)
		return code;
	drop_copy(l, copy);
	return code == HT_OK || code == HT_FAULT ? ht_look_too_late(l, err)
						 : code;
}

/* Without a stop: finds the code to fork with, and warms caches. */
static enum ht_code rehearse(struct ht_look *l, struct ht_inject_code *ret,
			     struct ht_err *err)
{
	enum ht_code code;

	ht_look_within(l, HT_LOOK_FIRST_PERCENT);
	code = ht_look_unstopped(l, err);
	if (code == HT_OK)
		code = ht_look_read(l, 0, err);
	if (ht_look_freely(l) && code == HT_FAULT)
		return ht_look_too_late(l, err);
	/* What moved meanwhile does not matter, an end does. */
	if (code != HT_GONE && l->maps.n > 0)
		code = ht_inject_find(&l->maps, l->session->target->reader, ret,
				      err);
	ht_look_retry(l);
	l->attempts = 0;
	return code;
}

static enum ht_code take_at_rest(struct ht_look *l,
				 const struct ht_inject_code *found,
				 struct copy *copy, struct ht_err *err)
{
	enum ht_tracee_watch watch = HT_WATCH_REPAIRED;
	enum ht_code code;

	/* First without those that would see an EINTR should we end; with them
	 * where no other thread can be used, or they will not stay asleep, or
	 * what their registers hold is asked for. */
	if (l->session->request->flags & HT_WANT_GRAPH)
		watch = HT_WATCH_UNSAFE;
	for (;;) {
		uint64_t most = l->session->request->attempts;

		code = take_in_time(l, found, watch, copy, err);
		if (code == HT_SYS)
			return ht_fail(
				err, HT_REFUSED,
				"process %d could not be forked: its limits (RLIMIT_NPROC, cgroup) allow no further process",
				(int)l->session->target->pid);
		if (code == HT_REFUSED &&
		    !(l->session->request->flags & HT_WANT_GRAPH))
			most = FORK_ATTEMPTS;
		else if (code != HT_BUSY && code != HT_REFUSED)
			return code;
		if (l->attempts >= most)
			return code;
		if (code == HT_REFUSED || l->attempts >= WATCH_ATTEMPTS)
			watch = HT_WATCH_UNSAFE;
		ht_look_retry(l);
	}
}

static enum ht_code freeze(struct ht_look *l, struct copy *copy,
			   struct ht_err *err)
{
	struct ht_inject_code found;
	enum ht_code code = rehearse(l, &found, err);

	if (code != HT_OK)
		return code;
	ht_look_within(l, HT_LOOK_ROOTS_PERCENT);
	code = take_at_rest(l, &found, copy, err);
	ht_look_freely(l); /* the copy's, where there is one */
	ht_reader_limit(l->session->target->reader, 0);
	return code;
}

enum ht_code ht_session_snapshot(struct ht_session *s, struct ht_err *err)
{
	HT_CLEANUP(end_copy)
	struct copy copy = {.pages = {.pagemap_fd = -1}};
	HT_AUTO_LOOK struct ht_look l;
	enum ht_code code;

	ht_look_begin(&l, s);
	code = refuse_by_status(s->target, err);
	if (code == HT_OK)
		code = ht_frozen_check_run(s->target->pid, err);
	if (code == HT_OK)
		code = refuse_by_memory(s->snapshot, err);
	if (code == HT_OK)
		code = freeze(&l, &copy, err);
	if (code == HT_OK) {
		code = ht_look_walk_in_time(&l, err);
		if (check_copy(&copy, err) != HT_OK)
			code = HT_REFUSED;
	}
	s->target->reader->bytes_read += copy.reader.bytes_read;
	if (code == HT_OK)
		ht_look_report(&l);
	return code;
}
