/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/process/typing.h"

#include "common/clock.h"

#define REFUSED_NS (10 * HT_NS_PER_S)
#define DOUBLINGS  13 /* to a day, nearly */

bool ht_typing_due(const struct ht_typing *t, int64_t every_ns, int64_t now_ns)
{
	int64_t wait_ns = every_ns;

	if (t->asked_ns == 0)
		return true;
	if (t->refused) {
		unsigned doublings =
			t->refused <= DOUBLINGS ? t->refused - 1 : DOUBLINGS;

		wait_ns = REFUSED_NS << doublings;
	}
	return now_ns - t->asked_ns >= wait_ns;
}

const char *ht_typing_of(const struct ht_typing *t, const struct ht_verdict *v)
{
	return t->grown.at_ns && ht_verdict_grows(v) ? t->grown.text : NULL;
}
