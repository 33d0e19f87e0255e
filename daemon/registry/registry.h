/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registry: which processes are watched, and for which target. A process can
 * belong to one target only: the first of the file that it matches. A process
 * is told apart by boot, pid and start time, and followed by a pidfd, so that a
 * reused pid is never taken for it.
 */
#ifndef HT_DAEMON_REGISTRY_REGISTRY_H
#define HT_DAEMON_REGISTRY_REGISTRY_H

#include "daemon/ingest/ingest.h"
#include "daemon/registry/procs.h"

struct ht_registry_events {
	void (*arrived)(void *ctx, struct ht_watched *p);
	/* It ended, or is watched no more: so do its alerts. */
	void (*ended)(void *ctx, struct ht_watched *p);
	/* It is no longer among those watched, and will be freed. */
	void (*left)(void *ctx, struct ht_watched *p);
	void *ctx;
};

struct ht_registry {
	sd_event *event;
	struct ht_config *config; /* its targets learn which life is meant */
	struct ht_ingest *ingest;
	struct ht_registry_events events;
	struct ht_procs *procs;
	struct ht_watched *processes; /* uthash by id, in order of arrival */
	struct ht_watched *by_key;    /* the same, by their key */
	uint64_t next_id;
	char boot_id[40];
	sd_event_source *scan_timer;
	int64_t scan_cost_ns; /* of the last scan */
	uint64_t scans;
	uint64_t too_many; /* matched, but over max_processes */
};

enum ht_code ht_registry_init(struct ht_registry *r, sd_event *event,
			      struct ht_config *config,
			      struct ht_ingest *ingest,
			      const struct ht_registry_events *events,
			      struct ht_err *err) HT_MUST_CHECK;
void ht_registry_fini(struct ht_registry *r);
/* Scans now; full: all processes are matched again. */
void ht_registry_scan(struct ht_registry *r, bool full);
/* After a reload: processes whose target is gone or no longer matches leave. */
void ht_registry_rebind(struct ht_registry *r);
/* Ends watching it; it may live on. */
void ht_registry_drop(struct ht_registry *r, struct ht_watched *p,
		      const char *why);
size_t ht_registry_count(const struct ht_registry *r);
/* First of the target's name or pid (as text); NULL: none. */
struct ht_watched *ht_registry_find(struct ht_registry *r, const char *word);
/* Of that life; NULL: it is not watched. */
struct ht_watched *ht_registry_with_key(const struct ht_registry *r,
					const char *key);

#define HT_EACH_PROCESS(r, p)                                                  \
	for (struct ht_watched *p = (r)->processes, *next_##p;                 \
	     p && (next_##p = p->hh.next, true); p = next_##p)

#endif
