/* SPDX-License-Identifier: Apache-2.0 */
/* Lives: which processes of the history are one program, started again. */
#ifndef HT_CLI_LIVES_H
#define HT_CLI_LIVES_H

#include "store/store.h"

/* Goes back from *p: life 0 is *p itself, -1 the one before it
 * (ht_store_life_before()). HT_NODATA names the lives that there are. */
enum ht_code ht_life_find(struct ht_store *store, int64_t life,
			  struct ht_store_process *p,
			  struct ht_err *err) HT_MUST_CHECK;

#endif
