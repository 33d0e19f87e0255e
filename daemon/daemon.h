/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Daemon: the conductor of heaptided. It gives the parts what they need, and
 * what one of them reports to those whom it concerns: they do not know each
 * other but downward (tests/layers.sh).
 */
#ifndef HT_DAEMON_DAEMON_H
#define HT_DAEMON_DAEMON_H

#include "daemon/control/control.h"
#include "daemon/http/http.h"
#include "daemon/parts/parts.h"

struct ht_daemon {
	struct ht_parts parts;
	struct ht_http http;
	struct ht_control control;
};

/* Sets up all parts from d->parts.config, in the order of their needs. */
enum ht_code ht_daemon_init(struct ht_daemon *d,
			    struct ht_err *err) HT_MUST_CHECK;
void ht_daemon_fini(struct ht_daemon *d);
/* Runs until SIGTERM or SIGINT. */
enum ht_code ht_daemon_run(struct ht_daemon *d,
			   struct ht_err *err) HT_MUST_CHECK;

#endif
