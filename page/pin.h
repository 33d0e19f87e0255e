/* SPDX-License-Identifier: Apache-2.0 */
/* Pin: which chunk has held memory below a top, how much and for how long. */
#ifndef HT_PAGE_PIN_H
#define HT_PAGE_PIN_H

#include <jansson.h>

#include "store/store.h"

#define HT_PIN_TEXT 256
/* One sentence without a full stop at its end, "" when no chunk holds enough to
 * speak of (1 MiB). As of a time, 0: of the newest sample. bytes: sizes as
 * digits. */
enum ht_code ht_pin_text(struct ht_store *store, int64_t process_id,
			 int64_t at_ns, bool bytes, char out[HT_PIN_TEXT],
			 struct ht_err *err) HT_MUST_CHECK;
/* The same as an object: arena, address (texts), size, holds, least, most
 * (bytes), since, seen (times); null when there is none. *ret is the caller's.
 */
enum ht_code ht_pin_json(struct ht_store *store, int64_t process_id,
			 int64_t at_ns, json_t **ret,
			 struct ht_err *err) HT_MUST_CHECK;

#endif
