/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/parts/lag.h"

#include "common/clock.h"
#include "common/log.h"
#include "daemon/loop/timer.h"

#define EVERY_NS HT_NS_PER_S

static int on_time(sd_event_source *source, uint64_t now_us, void *ctx);

static enum ht_code plan(struct ht_lag *l, int64_t now_ns, struct ht_err *err)
{
	l->planned_ns = now_ns + EVERY_NS;
	return ht_timer_set(l->event, &l->timer, l->planned_ns, on_time, l,
			    err);
}

static int on_time(sd_event_source *source, uint64_t now_us, void *ctx)
{
	struct ht_lag *l = ctx;
	int64_t now_ns = ht_mono_ns();
	struct ht_err err;

	(void)source;
	(void)now_us;
	l->last_ns = now_ns - l->planned_ns;
	if (l->last_ns < 0)
		l->last_ns = 0;
	if (l->last_ns > l->max_ns)
		l->max_ns = l->last_ns;
	ht_clocks_check(&l->clocks, l->registry, l->ingest);
	if (plan(l, now_ns, &err) != HT_OK)
		ht_log_err(LOG_ERR, "lag timer", &err);
	return 0;
}

enum ht_code ht_lag_init(struct ht_lag *l, sd_event *event,
			 struct ht_registry *r, struct ht_ingest *i,
			 struct ht_err *err)
{
	*l = (struct ht_lag){.event = event, .registry = r, .ingest = i};
	return plan(l, ht_mono_ns(), err);
}

void ht_lag_fini(struct ht_lag *l)
{
	l->timer = sd_event_source_disable_unref(l->timer);
}
