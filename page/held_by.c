/* SPDX-License-Identifier: Apache-2.0 */
#include "page/held_by.h"

#include <stdio.h>
#include <string.h>

#include "analysis/type_growth.h"
#include "store/types.h"

static int take(void *ctx, const struct ht_store_event_row *e)
{
	struct ht_traced *t = ctx;
	struct ht_held_by *h = strcmp(e->kind, "owners") == 0 ? &t->held
			       : strcmp(e->kind, "who") == 0  ? &t->made
							      : NULL;

	if (h) {
		h->at_ns = e->at_ns;
		snprintf(h->text, sizeof(h->text), "%s", e->text);
	}
	return 0;
}

enum ht_code ht_held_by_read(struct ht_store *store, int64_t process_id,
			     int64_t at_ns, struct ht_traced *ret,
			     struct ht_err *err)
{
	*ret = (struct ht_traced){0};
	return ht_store_events(store, process_id, 0, at_ns ? at_ns : INT64_MAX,
			       take, ret, err);
}

enum ht_code ht_grown_read(struct ht_store *store, int64_t process_id,
			   const struct ht_verdict *v, struct ht_held_by *ret,
			   struct ht_err *err)
{
	HT_AUTO_TYPE_LOOKS struct ht_type_looks looks = {0};
	enum ht_code code = ht_store_types(store, process_id, v->from_ns,
					   v->to_ns, &looks, err);

	if (code == HT_OK)
		ht_type_growth_text(&looks, ret);
	return code;
}
