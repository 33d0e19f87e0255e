/* SPDX-License-Identifier: Apache-2.0 */
#include "page/pin.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "schema/figure_text.h"

#define WORTH_TELLING (UINT64_C(1) << 20)

enum ht_code ht_pin_text(struct ht_store *store, int64_t process_id,
			 int64_t at_ns, bool bytes, char out[HT_PIN_TEXT],
			 struct ht_err *err)
{
	int64_t until = at_ns ? at_ns : INT64_MAX;
	char holds[HT_NUMBER_TEXT], least[HT_NUMBER_TEXT], most[HT_NUMBER_TEXT];
	struct ht_store_pin p;
	char span[32];
	enum ht_code code = ht_store_pin_at(store, process_id, until, &p, NULL);

	*out = '\0';
	if (code == HT_NODATA || (code == HT_OK && p.holds < WORTH_TELLING))
		return HT_OK;
	if (code != HT_OK)
		return ht_fail(err, code, "the pins could not be read");
	ht_duration_text(p.seen_ns - p.since_ns, span, sizeof(span));
	ht_bytes_text(p.holds, bytes, holds);
	ht_bytes_text(p.least, bytes, least);
	ht_bytes_text(p.most, bytes, most);
	if (p.seen_ns == p.since_ns)
		snprintf(out, HT_PIN_TEXT,
			 "a %" PRIu64 "-byte chunk at 0x%" PRIx64
			 " holds %s below a top",
			 p.size, p.address, holds);
	else
		snprintf(out, HT_PIN_TEXT,
			 "the same %" PRIu64 "-byte chunk at 0x%" PRIx64
			 " has held %s below a top for %s (%s .. %s)",
			 p.size, p.address, holds, span, least, most);
	return HT_OK;
}
