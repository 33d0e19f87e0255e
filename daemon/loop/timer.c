/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/loop/timer.h"

#include "common/clock.h"

enum ht_code ht_timer_set(sd_event *event, sd_event_source **source,
			  int64_t at_ns, sd_event_time_handler_t on_time,
			  void *ctx, struct ht_err *err)
{
	uint64_t at_us = at_ns > 0 ? (uint64_t)at_ns / HT_NS_PER_US : 0;
	int failed;

	if (!*source)
		failed = sd_event_add_time(event, source, CLOCK_MONOTONIC,
					   at_us, 1000, on_time, ctx);
	else
		failed = sd_event_source_set_time(*source, at_us);
	if (failed >= 0)
		failed = sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT);
	if (failed < 0)
		return ht_fail_sys(err, HT_SYS, -failed, "set a timer");
	return HT_OK;
}
