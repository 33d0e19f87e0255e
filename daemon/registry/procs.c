/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/registry/procs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* the default hash falls through its switch, which clang warns about */
#define HASH_FUNCTION HASH_OAT
#include <uthash.h>

#include "common/cleanup.h"
#include "common/system.h"

#define YOUNG_SCANS 10
/* Pids given out since the last scan, each asked for; of more, /proc is listed,
 * unless it has more entries still: one of those costs as much. */
#define ASKED_LEAST 256

struct entry {
	pid_t pid;
	ino_t inode; /* of /proc/PID: another one when the pid is reused */
	uint64_t start_ticks;
	uint64_t last_scan;
	uint32_t comm_hash;
	uint8_t looks; /* counts to YOUNG_SCANS */
	bool ours;     /* a child of this process: an agent, hundreds of them */
	UT_hash_handle hh;
};

struct ht_procs {
	struct ht_procs_events events;
	struct entry *entries;
	uint64_t scans;
	bool ours; /* /proc counts the pids that we count */
	pid_t self;
	/* The pid given out last, at the last scan and the one before. Who was
	 * being made at a scan is found by the next. 0: not known. */
	pid_t newest, before;
	uint64_t listed_at; /* which scan /proc was listed by */
};

static bool is_ours(void)
{
	char self[24] = "", own[24];

	snprintf(own, sizeof(own), "%d", (int)getpid());
	return readlink("/proc/self", self, sizeof(self) - 1) > 0 &&
	       strcmp(self, own) == 0;
}

enum ht_code ht_procs_new(const struct ht_procs_events *events,
			  struct ht_procs **ret, struct ht_err *err)
{
	struct ht_procs *p = calloc(1, sizeof(*p));

	if (!p)
		return ht_fail(err, HT_NOMEM, "no memory for the process list");
	p->events = *events;
	p->ours = is_ours();
	p->self = getpid();
	*ret = p;
	return HT_OK;
}

static void forget(struct ht_procs *p, struct entry *e)
{
	HASH_DEL(p->entries, e);
	free(e);
}

void ht_procs_free(struct ht_procs *p)
{
	struct entry *e, *next;

	if (!p)
		return;
	HASH_ITER (hh, p->entries, e, next)
		forget(p, e);
	free(p);
}

size_t ht_procs_count(const struct ht_procs *p)
{
	return HASH_COUNT(p->entries);
}

static uint32_t hash_text(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return hash;
}

/* An exec changes the command name nearly always; what a start time or name
 * does not show, the agent sees by the executable's inode. False: it ended. */
static bool look(struct ht_procs *p, struct entry *e)
{
	struct ht_proc proc;
	uint32_t hash;
	bool changed;

	if (ht_proc_read(e->pid, &proc, NULL) != HT_OK)
		return false;
	hash = hash_text(proc.comm);
	changed = e->looks == 0 || e->start_ticks != proc.start_ticks ||
		  e->comm_hash != hash;
	e->start_ticks = proc.start_ticks;
	e->comm_hash = hash;
	e->ours = proc.parent == p->self;
	if (e->looks < YOUNG_SCANS)
		e->looks++;
	if (!proc.kernel && !proc.zombie)
		p->events.seen(p->events.ctx, &proc, changed);
	return true;
}

static struct entry *note(struct ht_procs *p, pid_t pid, ino_t inode)
{
	struct entry *e;

	HASH_FIND_INT(p->entries, &pid, e);
	if (!e) {
		e = calloc(1, sizeof(*e));
		if (!e)
			return NULL;
		e->pid = pid;
		HASH_ADD_INT(p->entries, pid, e);
	}
	if (e->inode != inode) {
		e->looks = 0;
		e->ours = false;
	}
	e->inode = inode;
	e->last_scan = p->scans;
	return e;
}

static pid_t parse_pid(const char *name)
{
	char *end;
	unsigned long pid;

	if (!isdigit((unsigned char)*name))
		return 0;
	pid = strtoul(name, &end, 10);
	return *end || pid > 1u << 30 ? 0 : (pid_t)pid;
}

static bool is_due(const struct ht_procs *p, const struct entry *e, bool full)
{
	if (full || e->looks == 0)
		return true;
	return !e->ours &&
	       (e->looks < YOUNG_SCANS ||
		((uint64_t)e->pid + p->scans) % HT_PROCS_ROUND == 0);
}

/* The pid that was given out last, in the pid namespace of who asks: the last
 * word of "0.20 0.18 0.12 1/80 11206". */
static pid_t read_newest(void)
{
	HT_AUTO_FD int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	char text[128];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *last;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	last = strrchr(text, ' ');
	return last ? parse_pid(last + 1) : 0;
}

/* Who is new has a pid after `from`, up to the newest. Who was made with a pid
 * of somebody's choice is found by the listing of a round. */
static bool is_known_since(struct ht_procs *p, pid_t *ret_from)
{
	const size_t there = HASH_COUNT(p->entries);
	const pid_t most = there > ASKED_LEAST ? (pid_t)there : ASKED_LEAST;

	*ret_from = p->before ?: p->newest;
	p->before = p->newest;
	p->newest = p->ours ? read_newest() : 0;
	return *ret_from > 0 && p->newest >= *ret_from &&
	       p->newest - *ret_from <= most &&
	       p->scans - p->listed_at < HT_PROCS_ROUND;
}

static void forget_ended(struct ht_procs *p)
{
	struct entry *e, *next;

	HASH_ITER (hh, p->entries, e, next) {
		if (e->last_scan != p->scans)
			forget(p, e);
	}
}

/* Threads have pids, too, and no pidfd. */
static bool is_process(pid_t pid, ino_t *ret_inode)
{
	HT_AUTO_FD int fd = ht_pidfd_open(pid);
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (fd < 0 || stat(path, &st) != 0)
		return false;
	*ret_inode = st.st_ino;
	return true;
}

static void ask_for(struct ht_procs *p, pid_t from)
{
	for (pid_t pid = from + 1; pid <= p->newest; pid++) {
		ino_t inode;

		if (is_process(pid, &inode))
			note(p, pid, inode);
	}
}

static void look_again(struct ht_procs *p)
{
	struct entry *e, *next;

	HASH_ITER (hh, p->entries, e, next) {
		if (is_due(p, e, false) && !look(p, e))
			forget(p, e);
	}
}

static enum ht_code list(struct ht_procs *p, bool full, struct ht_err *err)
{
	HT_AUTO_DIR DIR *proc = opendir("/proc");
	struct dirent *d;
	size_t there = 0;

	if (!proc)
		return ht_fail_sys(err, HT_SYS, errno, "list /proc");
	p->listed_at = p->scans;
	while ((d = readdir(proc)) != NULL) {
		pid_t pid = parse_pid(d->d_name);
		struct entry *e = pid ? note(p, pid, d->d_ino) : NULL;

		there += e != NULL;
		if (e && is_due(p, e, full))
			look(p, e);
	}
	if (there != HASH_COUNT(p->entries))
		forget_ended(p);
	return HT_OK;
}

enum ht_code ht_procs_scan(struct ht_procs *p, bool full, struct ht_err *err)
{
	pid_t from;

	p->scans++;
	if (!is_known_since(p, &from) || full)
		return list(p, full, err);
	ask_for(p, from);
	look_again(p);
	return HT_OK;
}
