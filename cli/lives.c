/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lives.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"

struct earlier {
	const struct ht_store_process *than;
	struct ht_store_process best;
	bool found;
};

static bool beside(const struct ht_store_process *p,
		   const struct ht_store_process *than)
{
	int64_t together = p->last_ns - than->first_ns;
	int64_t a = p->last_ns - p->first_ns,
		b = than->last_ns - than->first_ns;

	return together > 0 && together > (a < b ? a : b) / 2;
}

static int look_earlier(void *ctx, const struct ht_store_process *p)
{
	struct earlier *e = ctx;
	const struct ht_store_process *than = e->than;

	if (p->id == than->id || p->first_ns >= than->first_ns ||
	    strcmp(p->target, than->target) != 0 ||
	    strcmp(p->comm, than->comm) != 0 || beside(p, than) ||
	    (e->found && p->first_ns <= e->best.first_ns))
		return 0;
	e->best = *p;
	e->found = true;
	return 0;
}

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
		struct earlier e = {.than = &from};
		enum ht_code code =
			ht_store_processes(store, look_earlier, &e, err);

		if (code != HT_OK)
			return code;
		if (!e.found)
			return missing(life, &newest, i, &from, err);
		*p = e.best;
	}
	return HT_OK;
}
