/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lives.h"

#include <inttypes.h>

#include "common/clock.h"

static enum ht_code missing(int64_t life, const struct ht_store_process *newest,
			    int64_t last, const struct ht_store_process *oldest,
			    struct ht_err *err)
{
	char since[2][HT_TIME_TEXT];

	ht_time_here_text(newest->first_ns, since[0]);
	ht_time_here_text(oldest->first_ns, since[1]);
	if (last == 0)
		return ht_fail_hint(err, HT_NODATA, HT_HINT_RECORDED,
				    "there is no life %" PRId64
				    " of %s: the only one is 0 (#%" PRId64
				    ", from %s on)",
				    life, newest->comm, newest->id, since[0]);
	return ht_fail_hint(err, HT_NODATA, HT_HINT_RECORDED,
			    "there is no life %" PRId64 " of %s: 0 (#%" PRId64
			    ", from %s on) to %" PRId64 " (#%" PRId64
			    ", from %s on) are",
			    life, newest->comm, newest->id, since[0], last,
			    oldest->id, since[1]);
}

enum ht_code ht_life_find(struct ht_store *store, int64_t life,
			  struct ht_store_process *p, struct ht_err *err)
{
	const struct ht_store_process newest = *p;

	for (int64_t i = 0; i > life; i--) {
		const struct ht_store_process from = *p;
		bool found;
		enum ht_code code =
			ht_store_life_before(store, &from, p, &found, err);

		if (code != HT_OK)
			return code;
		if (!found)
			return missing(life, &newest, i, &from, err);
	}
	return HT_OK;
}
