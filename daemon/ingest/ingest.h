/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ingest: the one writer of the store. Everything of one second is one
 * transaction, and samples wait for its end to be written one after the other:
 * written as they come, each amid other work, a sample takes three to four
 * times as long. What else is written of a process, or read, comes after its
 * sample. When the store is in trouble (full disk, lock, corruption, newer
 * version) recording stops, the daemon does not: what is lost is counted, the
 * trouble is told once and shown, and opening is tried again, later each time.
 * A file that some statement found damaged is not written again before somebody
 * has put another one in its place, changed it, or started the daemon anew.
 */
#ifndef HT_DAEMON_INGEST_INGEST_H
#define HT_DAEMON_INGEST_INGEST_H

#include <sys/stat.h>
#include <systemd/sd-event.h>

#include "daemon/ingest/ends.h"
#include "daemon/process/process.h"
#include "store/alert.h"
#include "store/who.h"

/* Samples that wait at most. */
#define HT_INGEST_WAITING 64

struct ht_ingest_events {
	/* The store opened at last, after a trouble: what is known only in
	 * memory is to be recorded, what only the store knew can be read. */
	void (*opened)(void *ctx);
	void *ctx;
};

struct ht_ingest {
	sd_event *event;
	const struct ht_daemon_config *config;
	struct ht_ingest_events events;
	struct ht_store *store; /* NULL: in trouble */
	bool begun;		/* a transaction is open */
	bool planned;		/* the commit timer runs */
	sd_event_source *commit_timer, *retry_timer, *maintain_timer;
	int64_t retry_wait_ns;
	unsigned told;			/* how often of a long opening */
	uint64_t stored, lost, commits; /* samples, samples, transactions */
	uint64_t size_bytes;		/* database and log, now and then */
	uint64_t pending; /* samples that wait, or in the open transaction */
	struct ht_watched
		*waiting[HT_INGEST_WAITING]; /* newest.packed of each */
	size_t waiting_n;
	/* Events, call stacks, types that could not be recorded, and ends. */
	uint64_t lost_events, pending_events;
	struct ht_ends ends;
	char trouble[232];   /* empty: none */
	int64_t trouble_ns;  /* wall clock, since when */
	struct stat damaged; /* the file; st_ino 0: none was */
	struct ht_held held; /* while in trouble: what was open */
};

/* Never fails for the store's sake. */
enum ht_code ht_ingest_init(struct ht_ingest *i, sd_event *event,
			    const struct ht_daemon_config *config,
			    const struct ht_ingest_events *events,
			    struct ht_err *err) HT_MUST_CHECK;
void ht_ingest_fini(struct ht_ingest *i);
/* p->newest.open, which becomes the newest. Written soon; the first at once,
 * which sets p->store_id. */
void ht_ingest_sample(struct ht_ingest *i, struct ht_watched *p);
/* p goes: what waits of it is written. */
void ht_ingest_left(struct ht_ingest *i, const struct ht_watched *p);
void ht_ingest_event(struct ht_ingest *i, const struct ht_watched *p,
		     const char *kind, const char *text);
/* It ended: told as soon as there is a store, whatever trouble it is in now. */
void ht_ingest_ended(struct ht_ingest *i, const struct ht_watched *p);
/* An event, and the journal has a line of it. */
void ht_ingest_tell(struct ht_ingest *i, const struct ht_watched *p,
		    const char *kind, const char *text);
/* Whose call stacks make a leak: an answer, and its sites (store/who.h). */
void ht_ingest_who(struct ht_ingest *i, const struct ht_watched *p,
		   const struct ht_store_who *who,
		   const struct ht_snapshot *seen,
		   const struct ht_store_site *sites, size_t n);
/* What the chunks of its open snapshot are; then which type grows is found
 * anew. */
void ht_ingest_types(struct ht_ingest *i, struct ht_watched *p);
/* p->verdict, judged at now. */
void ht_ingest_verdict(struct ht_ingest *i, const struct ht_watched *p,
		       int64_t now_ns);
void ht_ingest_alert(struct ht_ingest *i, const struct ht_alert *a);
void ht_ingest_alert_forget(struct ht_ingest *i, const struct ht_alert *a);
/* Notes that a sink is to be told of the alert's state; false: not noted. */
bool ht_ingest_delivery(struct ht_ingest *i, const struct ht_alert *a,
			const char *sink);
void ht_ingest_settle(struct ht_ingest *i, const struct ht_alert *a,
		      const char *sink, const char *error);
/* False: they could not be read. */
bool ht_ingest_deliveries(struct ht_ingest *i,
			  int (*each)(void *ctx,
				      const struct ht_store_delivery *d),
			  void *ctx);
/* Commits now. */
void ht_ingest_flush(struct ht_ingest *i);
/* For silences, and to read what is of no process; NULL while in trouble. */
struct ht_store *ht_ingest_store(struct ht_ingest *i);
/* To read what is of p, its newest sample included. */
struct ht_store *ht_ingest_store_of(struct ht_ingest *i,
				    const struct ht_watched *p);
/* A read or write elsewhere failed: closes, tells, tries again later. */
void ht_ingest_trouble(struct ht_ingest *i, const char *doing,
		       const struct ht_err *err);

#endif
