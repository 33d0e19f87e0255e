/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/fit.h"

#include <stdio.h>
#include <string.h>
#include <wchar.h>

/* The character at text: its bytes, and its columns; -1 where it has none. */
static size_t character(const char *text, size_t left, int *ret_columns)
{
	mbstate_t state = {0};
	wchar_t c;
	size_t bytes = mbrtowc(&c, text, left, &state);

	if (bytes == 0 || bytes > left) {
		*ret_columns = -1;
		return 1;
	}
	*ret_columns = wcwidth(c);
	return bytes;
}

static size_t escape_length(const char *text, size_t left)
{
	size_t n = 0;

	while (n < left && text[n] != 'm')
		n++;
	return n < left ? n + 1 : left;
}

int ht_fit_columns(const char *text, size_t bytes)
{
	int columns = 0, one;

	for (size_t i = 0; i < bytes;) {
		if (text[i] == '\033') {
			i += escape_length(text + i, bytes - i);
			continue;
		}
		/* A part of a character of UTF-8, in another locale. */
		one = ((unsigned char)text[i] & 0xc0) != 0x80;
		if ((unsigned char)text[i] < 0x80) {
			i++;
		} else {
			int known;

			i += character(text + i, bytes - i, &known);
			one = known >= 0 ? known : one;
		}
		columns += one;
	}
	return columns;
}

int ht_fit_cell(const char *text)
{
	size_t bytes = strlen(text);
	int columns = 0, one;

	for (size_t i = 0, n; i < bytes; i += n) {
		n = character(text + i, bytes - i, &one);
		columns += one >= 0 ? one : 4 * (int)n;
	}
	return columns;
}

/* Bytes of the longest beginning that takes no more than `columns`. */
static size_t head_of(const char *text, size_t bytes, int columns)
{
	size_t at = 0, n;
	int one;

	while (at < bytes) {
		n = character(text + at, bytes - at, &one);
		columns -= one >= 0 ? one : 4 * (int)n;
		if (columns < 0)
			break;
		at += n;
	}
	return at;
}

const char *ht_fit_middle(const char *text, int columns, bool utf8, char *out,
			  size_t len)
{
	const char *gap = utf8 ? "\u2026" : "..";
	size_t bytes = strlen(text), tail = 0;
	int room = columns - (utf8 ? 1 : 2);
	int head = room / 2;

	if (ht_fit_cell(text) <= columns) {
		snprintf(out, len, "%s", text);
		return out;
	}
	/* The shortest end that begins at a character and fits. */
	while (tail < bytes && (ht_fit_cell(text + tail) > room - head ||
				((unsigned char)text[tail] & 0xc0) == 0x80))
		tail++;
	snprintf(out, len, "%.*s%s%s", (int)head_of(text, bytes, head), text,
		 gap, text + tail);
	return out;
}
