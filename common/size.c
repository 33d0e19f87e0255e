/* SPDX-License-Identifier: Apache-2.0 */
#include "common/size.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char prefixes[] = "KMGTPE";

const char *ht_size_text(uint64_t bytes, char *out, size_t len)
{
	double v = (double)bytes;
	int unit = -1;

	if (bytes == UINT64_MAX) {
		snprintf(out, len, "?");
		return out;
	}
	/* 1023.95 would round to "1024.0": it belongs to the next unit. */
	while (v >= (unit < 0 ? 1024.0 : 1023.95) && unit < 5) {
		v /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(out, len, "%" PRIu64 " B", bytes);
	else
		snprintf(out, len, "%.1f %ciB", v, prefixes[unit]);
	return out;
}

int ht_size_parse(const char *text, uint64_t *ret)
{
	const char *prefix;
	double v, factor = 1;
	char *end;

	errno = 0;
	v = strtod(text, &end);
	if (end == text || errno || !(v >= 0))
		return -1;
	prefix = *end ? strchr(prefixes, toupper((unsigned char)*end)) : NULL;
	if (prefix) {
		for (const char *p = prefixes; p <= prefix; p++)
			factor *= 1024;
		end++;
		if (*end == 'i')
			end++;
	}
	if (*end == 'B')
		end++;
	if (*end || v * factor >= 0x1p63)
		return -1;
	*ret = (uint64_t)(v * factor);
	return 0;
}
