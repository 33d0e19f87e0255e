/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/held_by.h"

#include <stdio.h>
#include <string.h>

static int take(void *ctx, const struct ht_store_event_row *e)
{
	struct ht_held_by *h = ctx;

	if (strcmp(e->kind, "owners") == 0) {
		h->at_ns = e->at_ns;
		snprintf(h->text, sizeof(h->text), "%s", e->text);
	}
	return 0;
}

enum ht_code ht_held_by_read(const struct ht_cli *cli, int64_t process_id,
			     struct ht_held_by *ret, struct ht_err *err)
{
	int64_t until = cli->opt.until_ns ? cli->opt.until_ns : INT64_MAX;
	HT_AUTO_STORE struct ht_store *store = NULL;
	enum ht_code code = ht_history_open(&cli->opt, &store, err);

	*ret = (struct ht_held_by){0};
	return code == HT_OK ? ht_store_events(store, process_id, 0, until,
					       take, ret, err)
			     : code;
}
