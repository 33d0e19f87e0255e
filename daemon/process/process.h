/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Process: one life of one process that a target watches, with what was last
 * measured of it. Owned by the registry (registry.h).
 */
#ifndef HT_DAEMON_PROCESS_PROCESS_H
#define HT_DAEMON_PROCESS_PROCESS_H

#include <stddef.h>
#include <systemd/sd-event.h>
/* the default hash falls through its switch, which clang warns about */
#define HASH_FUNCTION HASH_OAT
#include <uthash.h>

#include "analysis/verdict.h"
#include "daemon/config/config.h"
#include "daemon/process/calm.h"
#include "daemon/process/holding.h"
#include "daemon/process/newest.h"
#include "daemon/process/recent.h"
#include "daemon/process/schedule.h"
#include "daemon/process/trimming.h"
#include "daemon/process/turns.h"
#include "daemon/process/typing.h"
#include "link/client.h"
#include "link/looks.h"
#include "schema/metrics.h"

struct ht_registry;
struct ht_supervisor;

/* The last sample's figures, kept small: what /metrics and `ls` show. */
struct ht_latest_arena {
	char name[12]; /* index, or "other" */
	uint64_t in_use, system, retained, trimmable;
};
struct ht_latest_bin {
	uint64_t kind, index, bytes;
};
struct ht_latest {
	int64_t taken_ns;		/* 0: none yet */
	double values[HT_METRIC_COUNT]; /* NaN: unknown */
	uint64_t causes[HT_CAUSE_COUNT];
	uint64_t unknown[HT_WHY_COUNT]; /* figures, by what kept them so */
	struct ht_latest_arena *arenas; /* owned */
	size_t arenas_n;
	struct ht_latest_bin *bins; /* owned; only if shown */
	size_t bins_n;
};

/* Exponential bounds of the pause histogram, microseconds. */
#define HT_PAUSE_BUCKETS 10
extern const uint64_t ht_pause_bounds_us[HT_PAUSE_BUCKETS];
struct ht_pauses {
	uint64_t bucket[HT_PAUSE_BUCKETS + 1]; /* last: above all bounds */
	uint64_t count, sum_us;
};

/* "boot id:pid:start ticks": one life of one process. */
#define HT_WATCHED_KEY 96

struct ht_watched {
	/* First what loops over all processes look at: a few cache lines. */
	UT_hash_handle hh;     /* by id in the registry */
	UT_hash_handle by_key; /* there, too */
	uint64_t id;
	const struct ht_target_config *config; /* of now: set anew on reload */
	pid_t pid;
	bool maybe; /* matches if the agent sees the right executable */
	bool client_lives, measuring;
	bool waits;	      /* its newest sample, to be written: ingest.h */
	bool judged;	      /* there is a verdict */
	int64_t agent_cpu_ns; /* at the end of the last sample; 0: new */
	uint64_t start_ticks;
	struct ht_turn due;   /* to be measured, in the supervisor's line */
	struct ht_turn late;  /* to be given up, in another one there */
	struct ht_turn asked; /* by the rules, in the judge's */
	/* before this the last verdict holds, and while it is calm, before: */
	int64_t verdict_ns, calm_ns;
	struct ht_schedule schedule;
	struct ht_looks looks;

	struct ht_registry *registry;	  /* that follows it */
	struct ht_supervisor *supervisor; /* that had it measured last */
	char target[128]; /* name; the configuration is looked up by it */
	char key[HT_WATCHED_KEY];
	char comm[64], exe[256];
	uint64_t exe_dev, exe_inode; /* of the last sample */
	int64_t started_at_ns;	     /* wall clock, as it says; 0: none yet */
	int pidfd;
	sd_event_source *ended;

	struct ht_client client;
	struct ht_newest newest;
	int64_t detail_ns; /* when the last full sample was, monotonic */
	int64_t pss_ns;	   /* when PSS was asked for last */

	struct ht_latest latest;
	struct ht_series *recent; /* recent.h; NULL: no page is served */
	int64_t measured_ns;	  /* when that was, monotonic */
	struct ht_pauses pauses, gaps;
	uint64_t samples, failures[HT_CODE_COUNT];
	struct ht_err last_error; /* code HT_OK: none */
	uint8_t inconsistent;	  /* bit per sample, newest lowest */
	int64_t store_id;	  /* the process row, 0: none yet */
	struct ht_verdict verdict;
	struct ht_calm calm;
	struct ht_trimming trimming;
	struct ht_holding holding; /* who holds what leaks */
	struct ht_holding making;  /* whose call stacks make it */
	struct ht_typing typing;   /* what its chunks are */
};

/* Whose place in line it is. */
static inline struct ht_watched *ht_watched_due(struct ht_turn *due)
{
	return (struct ht_watched *)((char *)due -
				     offsetof(struct ht_watched, due));
}
static inline struct ht_watched *ht_watched_late(struct ht_turn *late)
{
	return (struct ht_watched *)((char *)late -
				     offsetof(struct ht_watched, late));
}
static inline struct ht_watched *ht_watched_asked(struct ht_turn *asked)
{
	return (struct ht_watched *)((char *)asked -
				     offsetof(struct ht_watched, asked));
}

void ht_pauses_count(struct ht_pauses *h, uint64_t pause_us);
/* Keeps the figures of s; at most `arenas` arenas one by one, the rest summed
 * as "other". Bins only if s has some and they are wanted. */
void ht_latest_take(struct ht_latest *l, const struct ht_snapshot *s,
		    size_t arenas, bool bins);
void ht_latest_fini(struct ht_latest *l);

/* How many of the last 3 samples had findings. */
unsigned ht_watched_inconsistent(const struct ht_watched *p);

#endif
