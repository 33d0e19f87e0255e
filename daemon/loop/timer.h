/* SPDX-License-Identifier: Apache-2.0 */
/* Timer: of the loop that all parts share. */
#ifndef HT_DAEMON_LOOP_TIMER_H
#define HT_DAEMON_LOOP_TIMER_H

#include <systemd/sd-event.h>

#include "common/err.h"

/* Arms a timer (made when *source is NULL) at a monotonic time. */
enum ht_code ht_timer_set(sd_event *event, sd_event_source **source,
			  int64_t at_ns, sd_event_time_handler_t on_time,
			  void *ctx, struct ht_err *err) HT_MUST_CHECK;

#endif
