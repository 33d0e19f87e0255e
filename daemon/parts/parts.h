/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts: those of a running daemon, as the two desks (control and HTTP) see
 * them. Each part got what it needs when it began, and reports by callbacks to
 * the conductor (daemon.h). One thread; what happens next is always a callback
 * of sd-event; no part waits.
 */
#ifndef HT_DAEMON_PARTS_PARTS_H
#define HT_DAEMON_PARTS_PARTS_H

#include "daemon/agents/makers.h"
#include "daemon/agents/supervise.h"
#include "daemon/alerts/judge.h"
#include "daemon/parts/lag.h"

struct ht_parts {
	sd_event *event;
	struct ht_config config;
	const char *config_path; /* NULL: none was given, none is there */
	int64_t started_ns;	 /* wall clock: for people */
	bool reload_ok;
	/* Reads the file again. When it has a problem, all stays as it was. */
	enum ht_code (*reload)(void *ctx, struct ht_err *err);
	void *ctx; /* of reload */
	struct ht_ingest ingest;
	struct ht_registry registry;
	struct ht_supervisor supervisor;
	struct ht_makers makers;
	struct ht_sinks sinks;
	struct ht_alerts alerts;
	struct ht_judge judge;
	struct ht_lag lag;
};

#endif
