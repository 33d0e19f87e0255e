/* SPDX-License-Identifier: Apache-2.0 */
/* Held by: what a daemon found out about the chunks of a leak: who holds them,
 * and whose call stacks make them. */
#ifndef HT_PAGE_HELD_BY_H
#define HT_PAGE_HELD_BY_H

#include "analysis/verdict_json.h"
#include "store/store.h"

/* The newest answers of this life as of a time; 0: of all. */
enum ht_code ht_held_by_read(struct ht_store *store, int64_t process_id,
			     int64_t at_ns, struct ht_traced *ret,
			     struct ht_err *err) HT_MUST_CHECK;
#endif
