/* SPDX-License-Identifier: Apache-2.0 */
/* The file's pages: how many are in use, given back, or still in the journal.
 */
#include "store/store_int.h"

#include <stdio.h>

static enum ht_code pages(struct ht_store *st, int64_t *ret_used,
			  int64_t *ret_free, int64_t *ret_size,
			  struct ht_err *err)
{
	int64_t all = 0;
	bool row;
	enum ht_code code =
		ht_store_number(st, "PRAGMA page_count", 0, 0, &all, &row, err);

	if (code == HT_OK)
		code = ht_store_number(st, "PRAGMA freelist_count", 0, 0,
				       ret_free, &row, err);
	if (code == HT_OK)
		code = ht_store_number(st, "PRAGMA page_size", 0, 0, ret_size,
				       &row, err);
	*ret_used = all - *ret_free;
	return code;
}

enum ht_code ht_store_size(struct ht_store *st, int64_t *ret_bytes,
			   struct ht_err *err)
{
	int64_t used = 0, unused = 0, size = 0;
	enum ht_code code = pages(st, &used, &unused, &size, err);

	if (code == HT_OK)
		*ret_bytes = used * size;
	return code;
}

enum ht_code ht_store_shrink(struct ht_store *st, bool *ret_did,
			     struct ht_err *err)
{
	int64_t used = 0, unused = 0, size = 0;
	enum ht_code code = pages(st, &used, &unused, &size, err);
	char sql[64];

	if (code != HT_OK || unused < 256 || unused < used / 3)
		return code;
	*ret_did = true;
	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%zu)",
		 ht_slice_rows(st, HT_STEP_VACUUM));
	code = ht_store_exec(st, sql, err);
	ht_slice_step(st, HT_STEP_VACUUM);
	return code;
}

bool ht_store_is_due(const struct ht_store *st)
{
	return st->journal_pages >= ht_slice_rows(st, HT_STEP_CHECKPOINT);
}

enum ht_code ht_store_checkpoint(struct ht_store *st, struct ht_err *err)
{
	int result = sqlite3_wal_checkpoint_v2(
		st->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

	st->journal_pages = 0;
	ht_slice_step(st, HT_STEP_CHECKPOINT);
	if (result == SQLITE_OK || (result & 0xff) == SQLITE_BUSY)
		return HT_OK;
	return ht_store_fail(st, "checkpoint", err);
}
