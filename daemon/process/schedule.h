/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schedule: when a process is measured next. Pure: times and chance come in.
 *
 * Three promises: nothing queues up (there is one next time, never a list); a
 * process is never stopped for more than stop_cap of wall time: a pause of p is
 * followed by at least p / stop_cap without one; and measuring it takes no more
 * than cpu_cap of the machine's processors, but for who asks for a sample.
 */
#ifndef HT_DAEMON_PROCESS_SCHEDULE_H
#define HT_DAEMON_PROCESS_SCHEDULE_H

#include <stdbool.h>

#include "daemon/config/config.h"

enum ht_schedule_state {
	HT_SCHEDULE_WAITING, /* never measured yet */
	HT_SCHEDULE_OK,
	HT_SCHEDULE_BACKOFF, /* failed: waits longer each time */
	HT_SCHEDULE_CAPPED,  /* a cap moved the next sample */
	HT_SCHEDULE_REFUSED, /* cannot be measured as it is: rarely tried */
};

struct ht_schedule {
	enum ht_schedule_state state;
	int64_t due_ns;	   /* monotonic */
	int64_t begun_ns;  /* of the sample that runs or ran last */
	int64_t ended_ns;  /* 0: none yet */
	int64_t free_ns;   /* the stop cap allows no pause before */
	int64_t rest_ns;   /* the processor cap wants no sample before */
	int64_t waited_ns; /* of the one that runs: due, but not its turn */
	uint32_t failures; /* in a row */
	/* stop ratio over the last 10 to 20 minutes */
	double stopped_s, watched_s;
	int64_t counted_ns;
};

/* chance: 0..1. The first sample comes at once, later ones are spread. */
void ht_schedule_init(struct ht_schedule *s, int64_t now_ns);
void ht_schedule_begin(struct ht_schedule *s, int64_t now_ns);
/* A sample ended. pause_us: HT_UNKNOWN when not known (then the largest pause
 * allowed is taken for the cap). cpu_ns: the agent's processor time. */
void ht_schedule_end(struct ht_schedule *s, const struct ht_target_config *t,
		     int64_t now_ns, enum ht_code code, uint64_t pause_us,
		     int64_t cpu_ns, double chance);
/* What ended was no sample, and did not fail as one: the next comes as soon as
 * the caps allow. */
void ht_schedule_again(struct ht_schedule *s, const struct ht_target_config *t,
		       int64_t now_ns, int64_t cpu_ns);
/* As soon as the cap allows; for a sample that somebody asked for. */
void ht_schedule_soonest(struct ht_schedule *s, int64_t now_ns);
/* Stopped time / wall time, lately. */
double ht_schedule_stop_ratio(const struct ht_schedule *s, int64_t now_ns);
/* Intervals in which a sample could have succeeded since the last one that did,
 * at measured_ns: what a cap forbids is not missing, nor what waits for its
 * turn behind others. */
double ht_schedule_gap(const struct ht_schedule *s,
		       const struct ht_target_config *t, int64_t measured_ns,
		       int64_t now_ns);
const char *ht_schedule_state_name(enum ht_schedule_state state);

#endif
