/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Supervise: starts agents, asks them, ends those that are late. Agents are
 * expected to die: whatever one does is one failed sample of its process, with
 * the reason kept.
 */
#ifndef HT_DAEMON_AGENTS_SUPERVISE_H
#define HT_DAEMON_AGENTS_SUPERVISE_H

#include "daemon/agents/answers.h"
#include "daemon/registry/registry.h"

struct ht_supervisor_events {
	/* A sample of p ended; err is NULL with HT_OK. */
	void (*sampled)(void *ctx, struct ht_watched *p, enum ht_code code,
			const struct ht_err *err);
	/* p runs another program by now: what was told of it ends. */
	void (*replaced)(void *ctx, struct ht_watched *p);
	/* The agent saw that p's executable is not its target's. */
	void (*mistaken)(void *ctx, struct ht_watched *p);
	void *ctx;
};

struct ht_supervisor {
	sd_event *event;
	const struct ht_daemon_config *config;
	struct ht_ingest *ingest;
	struct ht_supervisor_events events;
	char agent[256];	/* path */
	struct ht_turns line;	/* those that are not being measured */
	sd_event_source *timer; /* to the first of them */
	struct ht_turns late;	/* those that are, by when they are given up */
	sd_event_source *late_timer;
	struct ht_answers answers;
	size_t measuring; /* agents at work now */
	/* what the timers are set to; 0: it went off */
	int64_t next_ns, late_ns;
	bool pumping;
	uint64_t started, killed;
	uint64_t failures[HT_CODE_COUNT];
};

enum ht_code ht_supervisor_init(struct ht_supervisor *s, sd_event *event,
				const struct ht_daemon_config *config,
				struct ht_ingest *ingest,
				const struct ht_supervisor_events *events,
				struct ht_err *err) HT_MUST_CHECK;
void ht_supervisor_fini(struct ht_supervisor *s);
/* Starts what is due and sets the timer for the rest. */
void ht_supervisor_pump(struct ht_supervisor *s);
/* The same after a process arrived, or its due time moved. */
void ht_supervisor_expect(struct ht_supervisor *s, struct ht_watched *p);
/* Lets go of the process's agent, at once; a sample in flight is lost. */
void ht_supervisor_release(struct ht_supervisor *s, struct ht_watched *p);

#endif
