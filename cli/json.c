/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json.h"

#include <errno.h>
#include <stdio.h>

enum ht_code ht_json_print(json_t *value, struct ht_err *err)
{
	int failed;

	if (!value)
		return ht_fail(err, HT_NOMEM, "out of memory for JSON");
	failed = json_dumpf(value, stdout,
			    JSON_INDENT(2) | JSON_REAL_PRECISION(12));
	json_decref(value);
	if (failed)
		return ht_fail_sys(err, HT_SYS, errno,
				   "write JSON to standard output");
	putchar('\n');
	return HT_OK;
}
