/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Supervise: starts agents, asks them, ends those that are late. Agents are
 * expected to die: whatever one does is one failed sample of its process, with
 * the reason kept.
 */
#ifndef HT_DAEMON_SUPERVISE_H
#define HT_DAEMON_SUPERVISE_H

#include "daemon/process.h"

struct ht_supervisor {
	struct ht_daemon *daemon;
	char agent[256];	/* path */
	sd_event_source *timer; /* to the nearest due process */
	size_t measuring;	/* agents at work now */
	bool pumping;
	uint64_t started, killed;
	uint64_t failures[HT_CODE_COUNT];
};

enum ht_code ht_supervisor_init(struct ht_supervisor *s, struct ht_daemon *d,
				struct ht_err *err) HT_MUST_CHECK;
void ht_supervisor_fini(struct ht_supervisor *s);
/* Starts what is due and sets the timer for the rest. Call when a process
 * arrived, a sample ended or a due time moved. */
void ht_supervisor_pump(struct ht_supervisor *s);
/* Lets go of the process's agent, at once; a sample in flight is lost. */
void ht_supervisor_release(struct ht_supervisor *s, struct ht_watched *p);

#endif
