/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of a hostile agent, in portions that the first byte decides. Whatever
 * comes out must be printable as JSON and storable: nobody checks again.
 */
#include <stdlib.h>
#include <string.h>

#include "link/wire.h"
#include "schema/metrics.h"
#include "schema/snapshot_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(struct ht_snapshot *s)
{
	json_t *json = ht_snapshot_json(s);
	char *text = json ? json_dumps(json, 0) : NULL;
	double values[HT_METRIC_COUNT];
	struct ht_err err;

	if (!text)
		abort();
	free(text);
	json_decref(json);
	ht_metrics_of(s, values);
	if (ht_snapshot_check(s, &err) != HT_OK &&
	    memchr(err.msg, '\0', sizeof(err.msg)) == NULL)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HT_AUTO_SNAPSHOT struct ht_snapshot s;
	struct ht_wire_in in;
	enum ht_code code = HT_OK;
	size_t portion = size ? 1 + data[0] : 1;

	ht_snapshot_init(&s);
	ht_wire_in_init(&in, &s);
	for (size_t at = 1; at < size && code == HT_OK; at += portion)
		code = ht_wire_in_feed(
			&in, data + at,
			size - at < portion ? size - at : portion, NULL);
	if (in.state == HT_WIRE_SNAPSHOT && code == HT_OK)
		use(&s);
	ht_wire_in_fini(&in);
	return 0;
}
