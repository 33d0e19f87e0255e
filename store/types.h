/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types: what the chunks in use of a process were, at the times that a daemon
 * looked (types = on): of each look its largest types one by one, the others
 * as a sum.
 */
#ifndef HT_STORE_TYPES_H
#define HT_STORE_TYPES_H

#include "schema/type_looks.h"
#include "store/store.h"

#define HT_STORE_TYPES_MAX 64 /* of one look */

/* Of a snapshot that was asked for its types; of one that was not, nothing is
 * written. */
enum ht_code ht_store_add_types(struct ht_store *st, int64_t process_id,
				const struct ht_snapshot *s,
				struct ht_err *err) HT_MUST_CHECK;
/* The looks in [from, to]; of more than HT_TYPE_LOOKS_MAX the first, the last
 * and some between, at even steps. Without a look ret->n is 0. */
enum ht_code ht_store_types(struct ht_store *st, int64_t process_id,
			    int64_t from_ns, int64_t to_ns,
			    struct ht_type_looks *ret,
			    struct ht_err *err) HT_MUST_CHECK;
/* When the look nearest to a time was; 0: there is none. */
enum ht_code ht_store_types_near(struct ht_store *st, int64_t process_id,
				 int64_t at_ns, int64_t *ret_ns,
				 struct ht_err *err) HT_MUST_CHECK;

#endif
