/* SPDX-License-Identifier: Apache-2.0 */
/* None: no thread is ever stopped; what moved while it was read is uncertain.
 */
#include "agent/sample/look.h"

enum ht_code ht_session_none(struct ht_session *s, struct ht_err *err)
{
	const struct ht_turns_limits nobody = {0};
	HT_AUTO_LOOK struct ht_look l;
	enum ht_code code;

	ht_look_begin(&l, s);
	code = ht_look_turns(&l, &nobody, err);
	if (code == HT_OK)
		code = ht_look_stacks(&l, err);
	if (code == HT_OK)
		code = ht_look_drop(&l, err);
	if (code == HT_OK)
		code = ht_look_walk(&l, err);
	if (code == HT_OK)
		ht_look_report(&l);
	return code;
}
