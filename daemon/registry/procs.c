/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/registry/procs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* the default hash falls through its switch, which clang warns about */
#define HASH_FUNCTION HASH_OAT
#include <uthash.h>

#include "common/cleanup.h"

#define YOUNG_SCANS 10

struct entry {
	pid_t pid;
	ino_t inode; /* of /proc/PID: another one when the pid is reused */
	uint64_t start_ticks;
	uint64_t last_scan;
	uint32_t comm_hash;
	uint8_t looks; /* counts to YOUNG_SCANS */
	UT_hash_handle hh;
};

struct ht_procs {
	struct ht_procs_events events;
	struct entry *entries;
	uint64_t scans;
};

enum ht_code ht_procs_new(const struct ht_procs_events *events,
			  struct ht_procs **ret, struct ht_err *err)
{
	struct ht_procs *p = calloc(1, sizeof(*p));

	if (!p)
		return ht_fail(err, HT_NOMEM, "no memory for the process list");
	p->events = *events;
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
 * does not show, the agent sees by the executable's inode. */
static void look(struct ht_procs *p, struct entry *e)
{
	struct ht_proc proc;
	uint32_t hash;
	bool changed;

	if (ht_proc_read(e->pid, &proc, NULL) != HT_OK)
		return; /* ended meanwhile: the next scan misses it */
	hash = hash_text(proc.comm);
	changed = e->looks == 0 || e->start_ticks != proc.start_ticks ||
		  e->comm_hash != hash;
	e->start_ticks = proc.start_ticks;
	e->comm_hash = hash;
	if (e->looks < YOUNG_SCANS)
		e->looks++;
	if (!proc.kernel && !proc.zombie)
		p->events.seen(p->events.ctx, &proc, changed);
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
	if (e->inode != inode)
		e->looks = 0;
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

enum ht_code ht_procs_scan(struct ht_procs *p, bool full, struct ht_err *err)
{
	HT_AUTO_DIR DIR *proc = opendir("/proc");
	struct entry *e, *next;
	struct dirent *d;
	size_t there = 0;

	if (!proc)
		return ht_fail_sys(err, HT_SYS, errno, "list /proc");
	p->scans++;
	while ((d = readdir(proc)) != NULL) {
		pid_t pid = parse_pid(d->d_name);

		e = pid ? note(p, pid, d->d_ino) : NULL;
		there += e != NULL;
		if (e && (full || e->looks < YOUNG_SCANS ||
			  ((uint64_t)pid + p->scans) % HT_PROCS_ROUND == 0))
			look(p, e);
	}
	if (there == HASH_COUNT(p->entries))
		return HT_OK; /* nobody left */
	HASH_ITER (hh, p->entries, e, next) {
		if (e->last_scan != p->scans)
			forget(p, e);
	}
	return HT_OK;
}
