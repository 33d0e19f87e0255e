/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pin.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/table.h"
#include "common/clock.h"

#define WORTH_TELLING (UINT64_C(1) << 20)

enum ht_code ht_pin_text(const struct ht_cli *cli, int64_t process_id,
			 char out[HT_PIN_TEXT], struct ht_err *err)
{
	int64_t until = cli->opt.until_ns ? cli->opt.until_ns : INT64_MAX;
	char holds[HT_NUMBER_TEXT], least[HT_NUMBER_TEXT], most[HT_NUMBER_TEXT];
	HT_AUTO_STORE struct ht_store *store = NULL;
	struct ht_store_pin p;
	char span[32];
	enum ht_code code = ht_history_open(&cli->opt, &store, err);

	*out = '\0';
	if (code != HT_OK)
		return code;
	code = ht_store_pin_at(store, process_id, until, &p, NULL);
	if (code == HT_NODATA || (code == HT_OK && p.holds < WORTH_TELLING))
		return HT_OK;
	if (code != HT_OK)
		return ht_fail(err, code, "the pins could not be read");
	ht_duration_text(p.seen_ns - p.since_ns, span, sizeof(span));
	ht_bytes_text(p.holds, cli->opt.bytes, holds);
	ht_bytes_text(p.least, cli->opt.bytes, least);
	ht_bytes_text(p.most, cli->opt.bytes, most);
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
