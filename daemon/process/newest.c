/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/process/newest.h"

#include <stdlib.h>

static void end(struct ht_newest *n)
{
	if (n->open)
		ht_snapshot_fini(n->open);
	free(n->open);
	n->open = NULL;
}

enum ht_code ht_newest_open(struct ht_newest *n, struct ht_err *err)
{
	end(n);
	n->open = malloc(sizeof(*n->open));
	if (!n->open)
		return ht_fail(err, HT_NOMEM, "no memory for a snapshot");
	ht_snapshot_init(n->open);
	return HT_OK;
}

bool ht_newest_pack(struct ht_newest *n)
{
	if (n->open && ht_snapshot_pack(n->open, &n->packed, NULL) == HT_OK)
		return true;
	ht_snapshot_packed_fini(&n->packed);
	return false;
}

void ht_newest_close(struct ht_newest *n)
{
	end(n);
}

bool ht_newest_read(const struct ht_newest *n, struct ht_snapshot *ret)
{
	return n->packed.bytes &&
	       ht_snapshot_unpack(&n->packed, ret, NULL) == HT_OK;
}

void ht_newest_fini(struct ht_newest *n)
{
	end(n);
	ht_snapshot_packed_fini(&n->packed);
}
