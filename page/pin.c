/* SPDX-License-Identifier: Apache-2.0 */
#include "page/pin.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/clock.h"
#include "schema/figure_text.h"
#include "schema/snapshot_json.h"

#define WORTH_TELLING (UINT64_C(1) << 20)

/* HT_NODATA: none that holds enough to speak of. */
static enum ht_code pin_at(struct ht_store *store, int64_t process_id,
			   int64_t at_ns, struct ht_store_pin *ret,
			   struct ht_err *err)
{
	enum ht_code code = ht_store_pin_at(
		store, process_id, at_ns ? at_ns : INT64_MAX, ret, NULL);

	if (code == HT_NODATA || (code == HT_OK && ret->holds < WORTH_TELLING))
		return HT_NODATA;
	return code == HT_OK ? HT_OK
			     : ht_fail(err, code, "the pins could not be read");
}

enum ht_code ht_pin_json(struct ht_store *store, int64_t process_id,
			 int64_t at_ns, json_t **ret, struct ht_err *err)
{
	struct ht_store_pin p;
	char address[HT_NUMBER_TEXT], arena[HT_NUMBER_TEXT];
	enum ht_code code = pin_at(store, process_id, at_ns, &p, err);

	*ret = NULL;
	if (code == HT_NODATA)
		*ret = json_null();
	if (code == HT_NODATA || code != HT_OK)
		return code == HT_NODATA ? HT_OK : code;
	snprintf(address, sizeof(address), "0x%" PRIx64, p.address);
	snprintf(arena, sizeof(arena), "0x%" PRIx64, p.arena);
	*ret = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "arena",
			 arena, "address", address, "size", ht_u64_json(p.size),
			 "holds", ht_u64_json(p.holds), "least",
			 ht_u64_json(p.least), "most", ht_u64_json(p.most),
			 "since", ht_time_json(p.since_ns), "seen",
			 ht_time_json(p.seen_ns));
	return *ret ? HT_OK : ht_fail(err, HT_NOMEM, "out of memory for JSON");
}

enum ht_code ht_pin_text(struct ht_store *store, int64_t process_id,
			 int64_t at_ns, bool bytes, char out[HT_PIN_TEXT],
			 struct ht_err *err)
{
	char holds[HT_NUMBER_TEXT], least[HT_NUMBER_TEXT], most[HT_NUMBER_TEXT];
	struct ht_store_pin p;
	char span[32];
	enum ht_code code = pin_at(store, process_id, at_ns, &p, err);

	*out = '\0';
	if (code != HT_OK)
		return code == HT_NODATA ? HT_OK : code;
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
