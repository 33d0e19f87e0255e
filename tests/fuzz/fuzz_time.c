/* SPDX-License-Identifier: Apache-2.0 */
/* What people write for a time, a duration or a size: read within what can be
 * counted, or refused; and what we print of a duration is read again. */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/size.h"

#define NOW_NS (INT64_C(1769860800) * HT_NS_PER_S)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_duration(const char *text)
{
	int64_t ns, again;
	char printed[64];

	if (ht_duration_parse(text, &ns) != 0)
		return;
	if (ns <= 0)
		abort();
	ht_duration_text(ns, printed, sizeof(printed));
	if (ns >= HT_NS_PER_US && ht_duration_parse(printed, &again) != 0)
		abort();
}

static void try_time(const char *text)
{
	char printed[HT_TIME_TEXT];
	int64_t ns, again;

	if (ht_time_parse(text, NOW_NS, &ns) != 0)
		return;
	if (ns < 0)
		abort();
	ht_time_text(ns, printed);
	if (ht_time_parse(printed, NOW_NS, &again) != 0 ||
	    again / HT_NS_PER_MS != ns / HT_NS_PER_MS)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	uint64_t bytes;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	try_duration(text);
	try_time(text);
	if (ht_size_parse(text, &bytes) == 0 && bytes > UINT64_MAX / 2)
		abort();
	free(text);
	return 0;
}
