/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/parts/clocks.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"

#define LOOK_MAX_NS (HT_NS_PER_S / 10)

static int64_t if_jump(int64_t ns)
{
	return llabs(ns) >= HT_NS_PER_S ? ns : 0;
}

struct ht_clock_jump ht_clocks_compare(struct ht_clocks *c, int64_t mono_ns,
				       int64_t boot_ns, int64_t wall_ns)
{
	struct ht_clocks now = {boot_ns - mono_ns, wall_ns - boot_ns, true};
	struct ht_clock_jump jump = {0};

	if (c->known) {
		jump.slept_ns = if_jump(now.asleep_ns - c->asleep_ns);
		jump.set_ns = if_jump(now.wall_ns - c->wall_ns);
	}
	*c = now;
	return jump;
}

struct hearers {
	struct ht_registry *registry;
	struct ht_ingest *ingest;
};

static void tell(struct hearers to, const char *kind, const char *what,
		 int64_t by_ns)
{
	char by[32], text[96];

	ht_duration_text(llabs(by_ns), by, sizeof(by));
	snprintf(text, sizeof(text), "%s %s", what, by);
	ht_log(LOG_NOTICE, "%s", text);
	if (!kind)
		return;
	HT_EACH_PROCESS (to.registry, p)
		ht_ingest_event(to.ingest, p, kind, text);
}

void ht_clocks_check(struct ht_clocks *c, struct ht_registry *r,
		     struct ht_ingest *i)
{
	const struct hearers to = {r, i};
	struct ht_clock_jump jump;
	int64_t mono_ns = ht_mono_ns();
	int64_t boot_ns = ht_clock_ns(CLOCK_BOOTTIME);
	int64_t wall_ns = ht_wall_ns();

	/* Who had to wait for a processor between two of them compares what
	 * was not read at the same time: the next look will do. */
	if (ht_mono_ns() - mono_ns > LOOK_MAX_NS)
		return;
	jump = ht_clocks_compare(c, mono_ns, boot_ns, wall_ns);
	if (jump.slept_ns)
		tell(to, "suspend", "the machine was suspended for",
		     jump.slept_ns);
	if (jump.set_ns > 0)
		tell(to, "clock", "the wall clock was set forward by",
		     jump.set_ns);
	/* the store tells each process whose samples it sees go back */
	if (jump.set_ns < 0)
		tell(to, NULL, "the wall clock was set back by", jump.set_ns);
}
