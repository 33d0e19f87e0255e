/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trim events: what is told of a process that gives memory back by itself, one
 * line each, and what a daemon that starts anew knows again from them: when it
 * was tried last, what is being watched, and until when the process is left
 * alone. Pure: the lines come from, and go to, daemon/agents/trims.c.
 */
#ifndef HT_DAEMON_PROCESS_TRIM_EVENTS_H
#define HT_DAEMON_PROCESS_TRIM_EVENTS_H

#include "daemon/process/trimming.h"
#include "link/trim.h"

#define HT_EVENT_TRIM	      "trim"
#define HT_EVENT_TRIM_REFUSED "trim_refused"
#define HT_EVENT_TRIM_JUDGED  "trim_judged"

#define HT_TRIM_EVENT_TEXT 300

/* Of the call that t was just told of. */
void ht_trim_event_called(const struct ht_trimming *t,
			  const struct ht_trim *call,
			  char ret[HT_TRIM_EVENT_TEXT]);
/* Of what was just judged. */
void ht_trim_event_judged(const struct ht_trimming *t, int64_t now_ns,
			  char ret[HT_TRIM_EVENT_TEXT]);

/* One event of the past, oldest first; another kind changes nothing. at_ns, by
 * the clock of now_ns: may be negative, from before the machine's start. */
void ht_trim_event_recall(struct ht_trimming *t, const char *kind,
			  const char *text, int64_t at_ns, int64_t now_ns);

#endif
