/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trimming: when a watched process is to give memory back by itself, and
 * whether it was worth it, by the rule that its target has for it.
 *
 * After each time what comes back within ten minutes is held against what went:
 * more than half of it, and the process is left alone for a day. Pure: no
 * clock, no I/O; times are monotonic.
 */
#ifndef HT_DAEMON_PROCESS_TRIMMING_H
#define HT_DAEMON_PROCESS_TRIMMING_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/config/trim_rule.h"

struct ht_trimming {
	int64_t above_since_ns; /* 0: it is not above */
	int64_t tried_ns;	/* 0: never */
	int64_t paused_until_ns;
	int64_t watched_until_ns; /* 0: no time is judged at present */
	uint64_t went, stayed;	  /* of that time: returned; resident then */
	uint64_t back;		  /* ... and the most that came back */
	uint64_t times, refusals, returned, came_back; /* in all; bytes */
	bool recalled; /* what an earlier daemon told of it is in here */
};

/* A sample: trimmable and resident bytes of the heap; HT_UNKNOWN counts as no
 * sample. True: the time that was watched is judged, t->back of t->went came
 * back; paused if that is more than half. */
bool ht_trimming_sample(const struct ht_trim_rule *rule, struct ht_trimming *t,
			int64_t now_ns, uint64_t trimmable, uint64_t resident);
/* Whether it is to be asked for with the next sample. */
bool ht_trimming_due(const struct ht_trim_rule *rule,
		     const struct ht_trimming *t, int64_t now_ns);
/* It was asked for: and called; or refused, then the next time comes as if it
 * had been. */
void ht_trimming_called(struct ht_trimming *t, int64_t now_ns,
			uint64_t returned, uint64_t resident);
void ht_trimming_refused(struct ht_trimming *t, int64_t now_ns);

/* What was known before: a time that is being watched still, if it is; that the
 * process is left alone from at_ns on. */
void ht_trimming_recall(struct ht_trimming *t, int64_t at_ns, int64_t now_ns,
			uint64_t went, uint64_t stayed);
void ht_trimming_pause(struct ht_trimming *t, int64_t at_ns);

#endif
