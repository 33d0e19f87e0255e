/* SPDX-License-Identifier: Apache-2.0 */
/* Held by: what a daemon found out about the chunks of a leak: who holds them,
 * and whose call stacks make them; and which type of chunks grew. */
#ifndef HT_PAGE_HELD_BY_H
#define HT_PAGE_HELD_BY_H

#include "analysis/verdict_json.h"
#include "store/store.h"

/* The newest answers of this life as of a time; 0: of all. */
enum ht_code ht_held_by_read(struct ht_store *store, int64_t process_id,
			     int64_t at_ns, struct ht_traced *ret,
			     struct ht_err *err) HT_MUST_CHECK;
/* Which type grew in the stretch of history that was judged, as far as looks at
 * types tell. */
enum ht_code ht_grown_read(struct ht_store *store, int64_t process_id,
			   const struct ht_verdict *v, struct ht_held_by *ret,
			   struct ht_err *err) HT_MUST_CHECK;
#endif
