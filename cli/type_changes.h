/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Type changes: what grew between two moments by what its chunks are, as a
 * daemon looked (types = on): the looks nearest to both.
 */
#ifndef HT_CLI_TYPE_CHANGES_H
#define HT_CLI_TYPE_CHANGES_H

#include <jansson.h>

#include "cli/commands.h"
#include "store/types.h"

/* Of the two looks; ret->n is 0 where there are no two, 2 else: then and now.
 */
enum ht_code ht_type_changes_read(struct ht_store *store, int64_t process_id,
				  const int64_t at_ns[2],
				  struct ht_type_looks *ret,
				  struct ht_err *err) HT_MUST_CHECK;
/* Of the last look in each of two windows, of two processes perhaps. */
enum ht_code ht_type_changes_windows(struct ht_store *store,
				     const int64_t process_id[2],
				     const int64_t from_ns[2],
				     const int64_t to_ns[2],
				     struct ht_type_looks *ret,
				     struct ht_err *err) HT_MUST_CHECK;
/* null where there are none. */
json_t *ht_type_changes_json(const struct ht_type_looks *l);
/* A table of what changed most, with the times of the looks; nothing where
 * there are none. */
enum ht_code ht_type_changes_print(const struct ht_cli *cli,
				   const struct ht_type_looks *l,
				   struct ht_err *err) HT_MUST_CHECK;

#endif
