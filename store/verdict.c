/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts that were recorded. */
#include <string.h>

#include "store/store_int.h"

enum ht_code ht_store_last_verdict(struct ht_store *st, int64_t process_id,
				   int64_t *ret_at_ns, char **ret_json,
				   struct ht_err *err)
{
	sqlite3_stmt *stmt;
	bool row;
	enum ht_code code = ht_store_sql(
		st,
		"SELECT at_ns, json FROM verdict WHERE process_id = ? ORDER BY at_ns DESC LIMIT 1",
		&stmt, err);

	if (code != HT_OK)
		return code;
	sqlite3_bind_int64(stmt, 1, process_id);
	code = ht_store_step(st, stmt, &row, err);
	if (code == HT_OK && row) {
		const char *json = (const char *)sqlite3_column_text(stmt, 1);

		*ret_at_ns = sqlite3_column_int64(stmt, 0);
		*ret_json = strdup(json ?: "");
		if (!*ret_json)
			code = ht_fail(err, HT_NOMEM, "out of memory");
	} else if (code == HT_OK) {
		code = ht_fail(err, HT_NODATA, "no verdict was recorded");
	}
	sqlite3_reset(stmt);
	return code;
}
