/* SPDX-License-Identifier: Apache-2.0 */
/* Judge: once in a while asks, for each process, what its history means, and
 * the alert rules. One process per turn of the loop, so that judging many never
 * delays a sample. The rules are asked every `evaluate`; a history of days,
 * which is dear to read and slow to change, is judged less often when there are
 * many, and the rules see its last verdict. */
#ifndef HT_DAEMON_ALERTS_JUDGE_H
#define HT_DAEMON_ALERTS_JUDGE_H

#include "daemon/alerts/alerts.h"

struct ht_judge {
	sd_event *event;
	const struct ht_config *config;
	const struct ht_registry *registry;
	struct ht_ingest *ingest;
	struct ht_alerts *alerts;
	struct ht_turns line; /* by when the rules are asked of them */
	sd_event_source *timer;
	uint64_t judged;
	int64_t cost_ns; /* of the last one */
};

/* How long after one verdict the next is made: `evaluate`, or longer when
 * judging all processes that often would take more than 0.25 % of a processor,
 * but never longer than 1/500 of the history (20 minutes at 7 days).
 * cost: processor time of this verdict. */
int64_t ht_judge_wait_ns(int64_t evaluate_ns, int64_t cost_ns,
			 int64_t history_ns, size_t processes);

/* The same of one that is stable, and calm since (daemon/process/calm.h): when
 * its history is longer by an eighth, never less often than others are judged
 * at the least (20 minutes). wait_ns: the usual. */
int64_t ht_judge_calm_ns(int64_t wait_ns, int64_t history_ns);
/* p->verdict was made at this monotonic time, of so much history: when the next
 * is. */
void ht_judge_made(struct ht_watched *p, int64_t mono_ns, int64_t wait_ns,
		   int64_t history_ns);
/* p->verdict needs not be made anew yet. */
bool ht_judge_still_holds(const struct ht_watched *p, int64_t mono_ns);

enum ht_code ht_judge_init(struct ht_judge *j, sd_event *event,
			   const struct ht_config *config,
			   const struct ht_registry *registry,
			   struct ht_ingest *ingest, struct ht_alerts *alerts,
			   struct ht_err *err) HT_MUST_CHECK;
void ht_judge_fini(struct ht_judge *j);
/* A process arrived, or left. */
void ht_judge_arrived(struct ht_judge *j, struct ht_watched *p);
void ht_judge_left(struct ht_judge *j, struct ht_watched *p);

#endif
