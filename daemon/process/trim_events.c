/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/process/trim_events.h"

#include <stdio.h>
#include <string.h>

#include "common/size.h"

#define PAUSED "not worth it, paused for a day"
#define STAYS  "; the heap keeps " /* of the text of a call */

void ht_trim_event_called(const struct ht_trimming *t,
			  const struct ht_trim *call,
			  char ret[HT_TRIM_EVENT_TEXT])
{
	char went[HT_SIZE_TEXT], forecast[HT_SIZE_TEXT], stays[HT_SIZE_TEXT];

	if (call->took_us == HT_UNKNOWN) {
		snprintf(
			ret, HT_TRIM_EVENT_TEXT,
			"malloc_trim(0) was still at work when the sample ended");
		return;
	}
	snprintf(
		ret, HT_TRIM_EVENT_TEXT,
		"returned %s (forecast %s) in %.1f ms, thread stopped for %.1f ms; the heap keeps %s",
		ht_size_text(t->went, went, sizeof(went)),
		ht_size_text(call->bytes, forecast, sizeof(forecast)),
		(double)call->took_us / 1e3, (double)call->stopped_us / 1e3,
		ht_size_text(t->stayed, stays, sizeof(stays)));
}

void ht_trim_event_judged(const struct ht_trimming *t, int64_t now_ns,
			  char ret[HT_TRIM_EVENT_TEXT])
{
	char went[HT_SIZE_TEXT], back[HT_SIZE_TEXT];

	snprintf(ret, HT_TRIM_EVENT_TEXT,
		 "returned %s, %s faulted back within 10 min: %s",
		 ht_size_text(t->went, went, sizeof(went)),
		 ht_size_text(t->back, back, sizeof(back)),
		 t->paused_until_ns > now_ns ? PAUSED : "it lasts");
}

/* "1.2 GiB", as ht_size_text writes it, at the text's beginning. */
static bool take_size(const char *text, uint64_t *ret)
{
	char number[HT_SIZE_TEXT], unit[8], whole[HT_SIZE_TEXT + 8];

	if (sscanf(text, "%23[0-9.] %7[A-Za-z]", number, unit) != 2)
		return false;
	snprintf(whole, sizeof(whole), "%s%s", number, unit);
	return ht_size_parse(whole, ret) == 0;
}

static void recall_call(struct ht_trimming *t, const char *text, int64_t at_ns,
			int64_t now_ns)
{
	static const char returned[] = "returned ";
	const char *stays = strstr(text, STAYS);
	uint64_t went, stayed;

	if (!stays || strncmp(text, returned, sizeof(returned) - 1) != 0 ||
	    !take_size(text + sizeof(returned) - 1, &went) ||
	    !take_size(stays + sizeof(STAYS) - 1, &stayed))
		return;
	ht_trimming_recall(t, at_ns, now_ns, went, stayed);
}

void ht_trim_event_recall(struct ht_trimming *t, const char *kind,
			  const char *text, int64_t at_ns, int64_t now_ns)
{
	bool call = strcmp(kind, HT_EVENT_TRIM) == 0;

	if (call || strcmp(kind, HT_EVENT_TRIM_REFUSED) == 0)
		t->tried_ns = at_ns ? at_ns : 1;
	if (call)
		recall_call(t, text, at_ns, now_ns);
	if (strcmp(kind, HT_EVENT_TRIM_JUDGED) != 0)
		return;
	t->watched_until_ns = 0;
	if (strstr(text, PAUSED))
		ht_trimming_pause(t, at_ns);
}
