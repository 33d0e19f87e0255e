/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/figure_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/size.h"
#include "schema/records.h"

const char *ht_bytes_text(uint64_t bytes, bool exact, char out[HT_NUMBER_TEXT])
{
	if (exact && bytes != HT_UNKNOWN)
		snprintf(out, HT_NUMBER_TEXT, "%" PRIu64, bytes);
	else
		ht_size_text(bytes, out, HT_NUMBER_TEXT);
	return out;
}

const char *ht_count_text(uint64_t n, char out[HT_NUMBER_TEXT])
{
	char digits[HT_NUMBER_TEXT];
	int used = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	char *to = out;

	if (n == HT_UNKNOWN) {
		snprintf(out, HT_NUMBER_TEXT, "?");
		return out;
	}
	for (int i = 0; i < used; i++) {
		if (i && (used - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return out;
}

const char *ht_value_text(const char *unit, double v, bool exact,
			  char out[HT_NUMBER_TEXT])
{
	char size[HT_NUMBER_TEXT];

	if (!isfinite(v))
		strcpy(out, "?");
	else if (!strcmp(unit, "ratio"))
		snprintf(out, HT_NUMBER_TEXT, "%.1f %%", 100 * v);
	else if (!strcmp(unit, "bytes") && fabs(v) < 0x1p63)
		snprintf(
			out, HT_NUMBER_TEXT, "%s%.*s", v < 0 ? "-" : "",
			HT_NUMBER_TEXT - 2,
			ht_bytes_text((uint64_t)llround(fabs(v)), exact, size));
	else if (v >= 0 && v < 0x1p53 && v == floor(v))
		ht_count_text((uint64_t)v, out);
	else
		snprintf(out, HT_NUMBER_TEXT, "%.4g", v);
	return out;
}

const char *ht_digits_text(double v, char out[HT_NUMBER_TEXT])
{
	if (!isfinite(v))
		return NULL;
	if (fabs(v) < 0x1p63 && v == floor(v)) {
		snprintf(out, HT_NUMBER_TEXT, "%" PRId64, (int64_t)v);
		return out;
	}
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(out, HT_NUMBER_TEXT, "%.*g", digits, v);
		if (strtod(out, NULL) == v)
			break;
	}
	return out;
}
