/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/registry/registry.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/system.h"
#include "daemon/loop/timer.h"
#include "daemon/registry/targets.h"

static void free_process(struct ht_watched *p)
{
	sd_event_source_disable_unref(p->ended);
	if (p->pidfd >= 0)
		close(p->pidfd);
	ht_newest_fini(&p->newest);
	ht_latest_fini(&p->latest);
	ht_recent_forget(&p->recent);
	free(p);
}

static void leave(struct ht_registry *r, struct ht_watched *p)
{
	HASH_DEL(r->processes, p);
	HASH_DELETE(by_key, r->by_key, p);
	r->events.left(r->events.ctx, p);
	free_process(p);
}

void ht_registry_drop(struct ht_registry *r, struct ht_watched *p,
		      const char *why)
{
	ht_log(LOG_INFO, "no longer watching pid %d: %s target=%s", (int)p->pid,
	       why, p->target);
	r->events.ended(r->events.ctx, p);
	leave(r, p);
}

static int on_ended(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct ht_watched *p = ctx;
	struct ht_registry *r = p->registry;

	(void)source;
	(void)fd;
	(void)events;
	ht_log(LOG_INFO, "pid %d ended target=%s", (int)p->pid, p->target);
	ht_ingest_ended(r->ingest, p);
	r->events.ended(r->events.ctx, p);
	leave(r, p);
	return 0;
}

static size_t count_of(const struct ht_registry *r, const char *target)
{
	size_t n = 0;

	HT_EACH_PROCESS (r, p)
		n += strcmp(p->target, target) == 0;
	return n;
}

/* The pidfd is opened first and the start time read again after: if both are
 * as they were, the pidfd is of this life of the pid. */
static enum ht_code open_pidfd(const struct ht_proc *proc, int *ret,
			       struct ht_err *err)
{
	HT_AUTO_FD int fd = ht_pidfd_open(proc->pid);
	struct ht_proc now;
	enum ht_code code;

	if (fd < 0)
		return ht_fail_sys(err, errno == ESRCH ? HT_GONE : HT_SYS,
				   errno, "follow process %d", (int)proc->pid);
	code = ht_proc_read(proc->pid, &now, err);
	if (code != HT_OK)
		return code;
	if (now.start_ticks != proc->start_ticks)
		return ht_fail(err, HT_GONE, "process %d is another one by now",
			       (int)proc->pid);
	*ret = ht_take_fd(&fd);
	return HT_OK;
}

static void put_key(const struct ht_registry *r, pid_t pid,
		    uint64_t start_ticks, char out[HT_WATCHED_KEY])
{
	snprintf(out, HT_WATCHED_KEY, "%s:%d:%" PRIu64, r->boot_id, (int)pid,
		 start_ticks);
}

static enum ht_code make_process(struct ht_registry *r,
				 const struct ht_target_config *t,
				 struct ht_proc *proc, struct ht_watched **ret,
				 struct ht_err *err)
{
	struct ht_watched *p = calloc(1, sizeof(*p));
	enum ht_code code;

	if (!p)
		return ht_fail(err, HT_NOMEM, "no memory for a process");
	p->registry = r;
	p->config = t;
	p->pid = proc->pid;
	p->start_ticks = proc->start_ticks;
	p->pidfd = -1;
	p->client = HT_CLIENT_NONE;
	p->id = ++r->next_id;
	p->exe_dev = p->exe_inode = HT_UNKNOWN;
	snprintf(p->target, sizeof(p->target), "%s", t->name);
	snprintf(p->comm, sizeof(p->comm), "%s", proc->comm);
	ht_proc_need_exe(proc);
	snprintf(p->exe, sizeof(p->exe), "%s", proc->exe);
	put_key(r, p->pid, p->start_ticks, p->key);
	ht_schedule_init(&p->schedule, ht_mono_ns());
	code = open_pidfd(proc, &p->pidfd, err);
	if (code == HT_OK && sd_event_add_io(r->event, &p->ended, p->pidfd,
					     EPOLLIN, on_ended, p) < 0)
		code = ht_fail(err, HT_SYS, "cannot follow process %d",
			       (int)proc->pid);
	if (code != HT_OK) {
		free_process(p);
		return code;
	}
	*ret = p;
	return HT_OK;
}

/* Told once, and again when there was room meanwhile. */
static bool has_room(struct ht_registry *r, struct ht_target_config *t,
		     const struct ht_proc *proc)
{
	const bool full = count_of(r, t->name) >= t->max_processes;

	r->too_many += full;
	if (full && !t->full)
		ht_log(LOG_WARNING,
		       "pid %d (%s) and others that match are not watched: max_processes is %" PRIu64
		       " target=%s",
		       (int)proc->pid, proc->comm, t->max_processes, t->name);
	t->full = full;
	return !full;
}

static void adopt(struct ht_registry *r, struct ht_target_config *t,
		  struct ht_proc *proc, bool maybe)
{
	struct ht_watched *p;
	struct ht_err err;

	if (!has_room(r, t, proc))
		return;
	if (make_process(r, t, proc, &p, &err) != HT_OK) {
		if (err.code != HT_GONE)
			ht_log_err(LOG_WARNING, t->name, &err);
		return;
	}
	if (t->select.pid)
		t->select.start_ticks = proc->start_ticks;
	p->maybe = maybe;
	HASH_ADD(hh, r->processes, id, sizeof(p->id), p);
	HASH_ADD_KEYPTR(by_key, r->by_key, p->key, strlen(p->key), p);
	ht_log(LOG_INFO, "watching pid %d (%s) target=%s", (int)p->pid, p->comm,
	       p->target);
	r->events.arrived(r->events.ctx, p);
}

struct ht_watched *ht_registry_with_key(const struct ht_registry *r,
					const char *key)
{
	struct ht_watched *p;

	HASH_FIND(by_key, r->by_key, key, strlen(key), p);
	return p;
}

static struct ht_watched *watched(const struct ht_registry *r, pid_t pid,
				  uint64_t start_ticks)
{
	char key[HT_WATCHED_KEY];

	put_key(r, pid, start_ticks, key);
	return ht_registry_with_key(r, key);
}

static struct ht_target_config *
first_match(struct ht_registry *r, struct ht_proc *proc, enum ht_match *ret)
{
	struct ht_config *c = r->config;

	for (size_t i = 0; i < c->targets_n; i++) {
		*ret = ht_target_match(&c->targets[i], proc);
		if (*ret != HT_MATCH_NO)
			return &c->targets[i];
	}
	return NULL;
}

/* An exec may make a process leave its target, or arrive. */
static void on_seen(void *ctx, struct ht_proc *proc, bool changed)
{
	struct ht_registry *r = ctx;
	struct ht_watched *p = watched(r, proc->pid, proc->start_ticks);
	struct ht_target_config *t;
	enum ht_match match;

	if (p && !changed)
		return;
	t = first_match(r, proc, &match);
	if (p && (!t || strcmp(t->name, p->target) != 0)) {
		ht_ingest_event(r->ingest, p, "exec", proc->comm);
		ht_registry_drop(r, p, "it became another program");
		p = NULL;
	}
	if (p)
		snprintf(p->comm, sizeof(p->comm), "%s", proc->comm);
	else if (t && !ht_proc_is_helper(proc))
		adopt(r, t, proc, match == HT_MATCH_MAYBE);
}

void ht_registry_scan(struct ht_registry *r, bool full)
{
	int64_t begun_ns = ht_mono_ns();
	struct ht_err err;

	if (ht_procs_scan(r->procs, full, &err) != HT_OK)
		ht_log_err(LOG_WARNING, "look for processes", &err);
	r->scan_cost_ns = ht_mono_ns() - begun_ns;
	r->scans++;
}

static int on_scan_timer(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct ht_registry *r = ctx;
	struct ht_err err;

	(void)source;
	(void)now_us;
	if (r->config->targets_n)
		ht_registry_scan(r, false);
	if (ht_timer_set(r->event, &r->scan_timer,
			 ht_mono_ns() + r->config->daemon.scan_ns,
			 on_scan_timer, r, &err) != HT_OK)
		ht_log_err(LOG_ERR, "scan timer", &err);
	return 0;
}

static const struct ht_target_config *named(const struct ht_config *c,
					    const char *name)
{
	for (size_t i = 0; i < c->targets_n; i++) {
		if (strcmp(c->targets[i].name, name) == 0)
			return &c->targets[i];
	}
	return NULL;
}

void ht_registry_rebind(struct ht_registry *r)
{
	/* all first: dropping one may start a sample of another */
	HT_EACH_PROCESS (r, p)
		p->config = named(r->config, p->target);
	HT_EACH_PROCESS (r, p) {
		struct ht_proc proc;

		if (!p->config)
			ht_registry_drop(r, p, "its target is gone");
		else if (ht_proc_read(p->pid, &proc, NULL) == HT_OK &&
			 ht_target_match(p->config, &proc) == HT_MATCH_NO)
			ht_registry_drop(r, p, "its target no longer matches");
	}
	ht_registry_scan(r, true);
}

size_t ht_registry_count(const struct ht_registry *r)
{
	return HASH_COUNT(r->processes);
}

struct ht_watched *ht_registry_find(struct ht_registry *r, const char *word)
{
	char *end;
	unsigned long pid = strtoul(word, &end, 10);
	bool is_pid = end != word && !*end;

	HT_EACH_PROCESS (r, p) {
		if (strcmp(p->target, word) == 0 ||
		    (is_pid && (unsigned long)p->pid == pid))
			return p;
	}
	return NULL;
}

static void read_boot_id(char out[40])
{
	HT_AUTO_FILE FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!f || fscanf(f, "%39s", out) != 1)
		strcpy(out, "unknown");
}

enum ht_code ht_registry_init(struct ht_registry *r, sd_event *event,
			      struct ht_config *config,
			      struct ht_ingest *ingest,
			      const struct ht_registry_events *events,
			      struct ht_err *err)
{
	const struct ht_procs_events seen = {.seen = on_seen, .ctx = r};
	enum ht_code code;

	*r = (struct ht_registry){.event = event,
				  .config = config,
				  .ingest = ingest,
				  .events = *events};
	read_boot_id(r->boot_id);
	code = ht_procs_new(&seen, &r->procs, err);
	if (code == HT_OK)
		code = ht_timer_set(event, &r->scan_timer, ht_mono_ns(),
				    on_scan_timer, r, err);
	return code;
}

void ht_registry_fini(struct ht_registry *r)
{
	HT_EACH_PROCESS (r, p)
		leave(r, p);
	sd_event_source_disable_unref(r->scan_timer);
	ht_procs_free(r->procs);
}
