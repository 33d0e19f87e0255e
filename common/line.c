/* SPDX-License-Identifier: Apache-2.0 */
#include "common/line.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

size_t ht_utf8_length(const unsigned char *p)
{
	static const struct {
		unsigned char first_min, first_max, second_min, second_max;
		size_t length;
	} forms[] = {
		{0x01, 0x7f, 0x00, 0x00, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		size_t n = 1;

		if (p[0] < forms[i].first_min || p[0] > forms[i].first_max)
			continue;
		if (forms[i].length == 1)
			return 1;
		if (p[1] < forms[i].second_min || p[1] > forms[i].second_max)
			return 0;
		for (n = 2; n < forms[i].length; n++)
			if ((p[n] & 0xc0) != 0x80)
				return 0;
		return n;
	}
	return 0;
}

/* The whole character at p as it may be shown; *ret_taken: its bytes. */
static size_t show(const unsigned char *p, char out[8], size_t *ret_taken)
{
	static const char named[] = "n\nt\tr\r";
	size_t n = ht_utf8_length(p);
	const char *name = n == 1 ? strchr(named, *p) : NULL;

	*ret_taken = 1;
	if (name && name > named && *p < ' ')
		return (size_t)snprintf(out, 8, "\\%c", name[-1]);
	if (n == 0 || *p < ' ' || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
		return (size_t)snprintf(out, 8, "\\x%02x", *p);
	*ret_taken = n;
	memcpy(out, p, n);
	return n;
}

size_t ht_line_escape(const char *text, char *out, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t used = 0, taken;
	char shown[8];

	while (*p) {
		size_t n = show(p, shown, &taken);

		if (used + n >= len)
			break;
		memcpy(out + used, shown, n);
		used += n;
		p += taken;
	}
	out[used] = '\0';
	return used;
}

const char *ht_line_put(const char *text, const char *word, const char *by,
			char *out, size_t len)
{
	size_t used = 0, n = strlen(word);
	bool begins = true;

	while (*text && used + 1 < len) {
		if (begins && strncmp(text, word, n) == 0 &&
		    !isalnum((unsigned char)text[n])) {
			used += (size_t)snprintf(out + used, len - used, "%s",
						 by);
			text += n;
			begins = false;
			continue;
		}
		begins = !isalnum((unsigned char)*text);
		out[used++] = *text++;
	}
	out[used < len ? used : len - 1] = '\0';
	return out;
}
