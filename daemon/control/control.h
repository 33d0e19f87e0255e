/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control: the daemon's end of link/control.h. A peer is root, the daemon's
 * own user or a member of control_group, by what the kernel says about its
 * socket. Requests are short lines; a peer that is slow, greedy or silent is
 * closed.
 */
#ifndef HT_DAEMON_CONTROL_CONTROL_H
#define HT_DAEMON_CONTROL_CONTROL_H

#include <systemd/sd-event.h>

#include "daemon/parts/parts.h"

struct ht_peer;

struct ht_control {
	struct ht_parts *parts;
	int fd;
	sd_event_source *io;
	struct ht_peer *peers; /* utlist */
	size_t peers_n;
	uint64_t requests, refused;
};

enum ht_code ht_control_init(struct ht_control *c, struct ht_parts *parts,
			     struct ht_err *err) HT_MUST_CHECK;
void ht_control_fini(struct ht_control *c);
/* A sample of p ended: answers those who asked for it. */
void ht_control_sampled(struct ht_control *c, struct ht_watched *p,
			enum ht_code code, const struct ht_err *err);
/* p goes away: those who wait for its sample are told. */
void ht_control_forget(struct ht_control *c, const struct ht_watched *p);

#endif
