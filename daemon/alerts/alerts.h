/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alerts: those that are pending or firing now, for every rule and process.
 * The machine that moves them is pure (analysis/rules.h); this keeps them in
 * the store, takes silences into account and tells the sinks. At a start all of
 * it is read back, so that a restart at any state neither loses nor repeats
 * one.
 */
#ifndef HT_DAEMON_ALERTS_ALERTS_H
#define HT_DAEMON_ALERTS_ALERTS_H

#include "analysis/rules.h"
#include "daemon/registry/registry.h"
#include "daemon/sinks/sinks.h"
#include "store/alert.h"

struct ht_alert_entry {
	struct ht_alert_entry *next, *prev; /* utlist */
	struct ht_alert alert;
	bool notified; /* the sinks were told that it fires */
	bool orphan;   /* its process ended, the rule keeps it */
};

struct ht_alerts {
	const struct ht_config *config;
	const struct ht_registry *registry;
	struct ht_ingest *ingest;
	struct ht_sinks *sinks;
	int64_t begun_ns; /* monotonic */
	struct ht_alert_entry *list;
	struct ht_silence *silences;
	size_t silences_n;
	uint64_t fired, resolved;
	int64_t swept_ns; /* monotonic */
	bool loaded;	  /* what the store has was read back */
};

void ht_alerts_init(struct ht_alerts *a, const struct ht_config *config,
		    const struct ht_registry *registry,
		    struct ht_ingest *ingest, struct ht_sinks *sinks);
void ht_alerts_fini(struct ht_alerts *a);
/* Asks every rule that concerns the process. */
void ht_alerts_ask(struct ht_alerts *a, struct ht_watched *p,
		   const struct ht_situation *s);
void ht_alerts_process_ended(struct ht_alerts *a, const struct ht_watched *p);
/* Now and then: alerts whose process or rule went away while we did not look,
 * silences that ended. */
void ht_alerts_sweep(struct ht_alerts *a);
/* Reads them back, once: at the start, or when the store opens at last. */
void ht_alerts_load(struct ht_alerts *a);
/* Writes all again: the store was in trouble and is open again. */
void ht_alerts_record(struct ht_alerts *a);
bool ht_alerts_silenced(const struct ht_alerts *a,
			const struct ht_alert *alert);
/* Firing, told and not silenced; from this severity on. */
void ht_alerts_each_notified(const struct ht_alerts *a, size_t min_severity,
			     void (*each)(void *ctx, const struct ht_alert *al),
			     void *ctx);
size_t ht_alerts_of(const struct ht_alerts *a, const struct ht_watched *p,
		    enum ht_alert_state state);

/* HT_STORE when it could not be recorded: then it does not hold either. */
enum ht_code ht_alerts_silence(struct ht_alerts *a, struct ht_silence *s,
			       struct ht_err *err) HT_MUST_CHECK;
enum ht_code ht_alerts_unsilence(struct ht_alerts *a, int64_t id,
				 struct ht_err *err) HT_MUST_CHECK;

#endif
