/* SPDX-License-Identifier: Apache-2.0 */
/* Which processes of the history are one program, started again. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "store/store.h"

#define HOUR_NS (INT64_C(3600) * HT_NS_PER_S)

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

enum ht_code ht_store_life_before(struct ht_store *st,
				  const struct ht_store_process *than,
				  struct ht_store_process *ret, bool *ret_found,
				  struct ht_err *err)
{
	struct earlier e = {.than = than};
	enum ht_code code = ht_store_processes(st, look_earlier, &e, err);

	if (code != HT_OK)
		return code;
	*ret_found = e.found;
	if (e.found)
		*ret = e.best;
	return HT_OK;
}

void ht_store_lives_fini(struct ht_store_lives *l)
{
	for (size_t i = 0; i < l->n; i++)
		ht_series_fini(&l->life[i]);
	l->n = 0;
}

/* What ended is read as it was at its end. */
static enum ht_code read_life(struct ht_store *st,
			      const struct ht_store_process *p,
			      const bool metrics[HT_METRIC_COUNT],
			      struct ht_series *ret, struct ht_err *err)
{
	ht_series_init(ret);
	return ht_store_series_mixed(
		st, p->id, p->last_ns - HT_STORE_LIVES_WITHIN_NS, p->last_ns,
		HT_SERIES_CLASSES, metrics, ret, err);
}

static void oldest_first(struct ht_store_lives *l)
{
	for (size_t i = 0; i < l->n / 2; i++) {
		struct ht_series newer = l->life[i];

		l->life[i] = l->life[l->n - 1 - i];
		l->life[l->n - 1 - i] = newer;
	}
}

static int is_it(void *ctx, const struct ht_store_process *p)
{
	struct ht_store_process *it = ctx;

	if (p->id != it->id)
		return 0;
	*it = *p;
	return 1;
}

enum ht_code ht_store_lives(struct ht_store *st, int64_t process_id,
			    int64_t at_ns, const bool metrics[HT_METRIC_COUNT],
			    struct ht_store_lives *ret, struct ht_err *err)
{
	struct ht_store_process p = {.id = process_id}, before;
	enum ht_code code = ht_store_processes(st, is_it, &p, err);
	bool found = true;

	ht_store_lives_fini(ret);
	if (code != HT_OK || at_ns - p.first_ns > HT_STORE_LIVES_UNTIL_NS)
		return code;
	while (ret->n < HT_STORE_LIVES) {
		code = ht_store_life_before(st, &p, &before, &found, err);
		if (code != HT_OK || !found ||
		    before.first_ns < at_ns - HT_STORE_LIVES_WITHIN_NS)
			break;
		p = before;
		if (p.last_ns - p.first_ns < HT_STORE_LIVES_LEAST_NS)
			continue;
		code = read_life(st, &p, metrics, &ret->life[ret->n], err);
		if (code == HT_NODATA)
			code = HT_OK;
		else if (code != HT_OK)
			break;
		else
			ret->n++;
	}
	if (code != HT_OK)
		ht_store_lives_fini(ret);
	oldest_first(ret);
	return code;
}
