/* SPDX-License-Identifier: Apache-2.0 */
/* Lag: how late timers fire, asked once a second: a loop that is busy or was
 * not scheduled. The clocks are looked at with it. */
#ifndef HT_DAEMON_PARTS_LAG_H
#define HT_DAEMON_PARTS_LAG_H

#include "daemon/parts/clocks.h"

struct ht_lag {
	sd_event *event;
	sd_event_source *timer;
	struct ht_clocks clocks;
	struct ht_registry *registry; /* whose histories hear of the clocks */
	struct ht_ingest *ingest;
	int64_t planned_ns;
	int64_t last_ns, max_ns;
};

enum ht_code ht_lag_init(struct ht_lag *l, sd_event *event,
			 struct ht_registry *r, struct ht_ingest *i,
			 struct ht_err *err) HT_MUST_CHECK;
void ht_lag_fini(struct ht_lag *l);

#endif
