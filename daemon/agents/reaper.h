/* SPDX-License-Identifier: Apache-2.0 */
/* Reaper: sees agents off. An agent whose socket closed ends by itself; one
 * that does not is killed after a second. Nobody waits for it. */
#ifndef HT_DAEMON_AGENTS_REAPER_H
#define HT_DAEMON_AGENTS_REAPER_H

#include <systemd/sd-event.h>

#include "link/client.h"

/* Takes the client. */
void ht_reap(sd_event *event, struct ht_client *client);

#endif
