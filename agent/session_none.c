/* SPDX-License-Identifier: Apache-2.0 */
/* None: no thread is ever stopped; what moved while it was read is uncertain.
 */
#include "agent/look.h"

enum ht_code ht_session_none(struct ht_session *s, struct ht_err *err)
{
	HT_AUTO_LOOK struct ht_look l;
	enum ht_code code;

	ht_look_begin(&l, s);
	/* A look that falls into an allocation is cheap to repeat. */
	for (;;) {
		code = ht_look_unstopped(&l, err);
		if (code == HT_OK)
			code = ht_look_read(&l, 0, err);
		if (code != HT_OK)
			return code;
		if (!l.inside_malloc || l.attempts >= s->request->attempts)
			break;
		ht_look_retry(&l);
	}
	code = ht_look_drop(&l, err);
	if (code == HT_OK)
		code = ht_look_walk(&l, err);
	if (code == HT_OK)
		ht_look_report(&l);
	return code;
}
