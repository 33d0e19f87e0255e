/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/process/trimming.h"

#include "common/clock.h"
#include "schema/records.h"

#define WATCH_NS (600 * HT_NS_PER_S)
#define PAUSE_NS (86400 * HT_NS_PER_S)

static bool judge(struct ht_trimming *t, int64_t now_ns, uint64_t resident)
{
	uint64_t more = resident > t->stayed ? resident - t->stayed : 0;

	if (t->watched_until_ns == 0)
		return false;
	if (more > t->back)
		t->back = more < t->went ? more : t->went;
	if (now_ns < t->watched_until_ns)
		return false;
	t->watched_until_ns = 0;
	t->came_back += t->back;
	if (t->back > t->went / 2)
		ht_trimming_pause(t, now_ns);
	return true;
}

bool ht_trimming_sample(const struct ht_trim_rule *rule, struct ht_trimming *t,
			int64_t now_ns, uint64_t trimmable, uint64_t resident)
{
	if (rule->above == 0 || trimmable == HT_UNKNOWN)
		return false;
	if (trimmable <= rule->above)
		t->above_since_ns = 0;
	else if (t->above_since_ns == 0)
		t->above_since_ns = now_ns;
	return resident != HT_UNKNOWN && judge(t, now_ns, resident);
}

bool ht_trimming_due(const struct ht_trim_rule *rule,
		     const struct ht_trimming *t, int64_t now_ns)
{
	return rule->above > 0 && t->above_since_ns > 0 &&
	       now_ns - t->above_since_ns >= rule->for_ns &&
	       now_ns >= t->paused_until_ns &&
	       (t->tried_ns == 0 || now_ns - t->tried_ns >= rule->every_ns);
}

void ht_trimming_called(struct ht_trimming *t, int64_t now_ns,
			uint64_t returned, uint64_t resident)
{
	t->tried_ns = now_ns;
	t->above_since_ns = 0;
	t->times++;
	t->returned += returned;
	ht_trimming_recall(t, now_ns, now_ns, returned, resident);
}

void ht_trimming_refused(struct ht_trimming *t, int64_t now_ns)
{
	t->tried_ns = now_ns;
	t->refusals++;
}

void ht_trimming_recall(struct ht_trimming *t, int64_t at_ns, int64_t now_ns,
			uint64_t went, uint64_t stayed)
{
	bool watched = stayed != HT_UNKNOWN && now_ns < at_ns + WATCH_NS;

	t->went = went;
	t->stayed = stayed;
	t->back = 0;
	t->watched_until_ns = watched ? at_ns + WATCH_NS : 0;
}

void ht_trimming_pause(struct ht_trimming *t, int64_t at_ns)
{
	t->paused_until_ns = at_ns + PAUSE_NS;
}
