/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/session.h"
enum ht_code ht_session_snapshot(struct ht_session *s, struct ht_err *err)
{
	(void)s;
	return ht_fail(err, HT_UNSUPPORTED, "mode snapshot is not built in");
}
