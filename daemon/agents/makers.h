/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makers: sees which call stacks make a leak, where a target's configuration
 * says so (who = on-leak). Of a process with a verdict LEAK an agent of its own
 * is asked for windows on malloc and follows the chunks, for minutes, beside
 * the samples; of one process at a time. The answer is an event of the store, a
 * line of the journal, and evidence of the alerts.
 */
#ifndef HT_DAEMON_AGENTS_MAKERS_H
#define HT_DAEMON_AGENTS_MAKERS_H

#include "daemon/ingest/ingest.h"
#include "link/who_pace.h"

enum ht_makers_step {
	HT_MAKERS_LOOK,	  /* a window where it is due, and what became of all */
	HT_MAKERS_BEFORE, /* a walk for the sizes, after the first window */
	HT_MAKERS_AFTER,  /* ... and when the time is up */
	HT_MAKERS_LAST,	  /* a look, with files and lines */
};

struct ht_makers {
	sd_event *event;
	const char *agent; /* path, borrowed */
	struct ht_ingest *ingest;
	struct ht_watched *p; /* who is looked at; NULL: nobody */
	struct ht_client client;
	sd_event_source *socket_source, *timer, *deadline;
	struct ht_snapshot answer, seen, before, after;
	enum ht_makers_step step;
	bool asking, window; /* an answer is awaited; of a window */
	unsigned tries;	     /* of the last walk */
	int64_t begin_ns, before_ns, after_ns, for_ns;
	struct ht_who_pace pace;
	uint64_t runs, refused; /* so far */
	double lost; /* share of a thread's time, of the newest run, at most */
};

void ht_makers_init(struct ht_makers *m, sd_event *event, const char *agent,
		    struct ht_ingest *ingest);
void ht_makers_fini(struct ht_makers *m);
/* A sample of p was taken: begins where that is due and nobody is looked at. */
void ht_makers_consider(struct ht_makers *m, struct ht_watched *p);
/* p leaves, or is another program by now. */
void ht_makers_release(struct ht_makers *m, const struct ht_watched *p);

#endif
