/* SPDX-License-Identifier: Apache-2.0 */
/* Line: text that strangers chose, made fit for one line of a log or a
 * terminal. */
#ifndef HT_COMMON_LINE_H
#define HT_COMMON_LINE_H

#include <stddef.h>

/* Length of the well-formed UTF-8 sequence at p (RFC 3629: no overlong form,
 * no surrogate, at most U+10FFFF); 0 when there is none, or at the end. */
size_t ht_utf8_length(const unsigned char *p);

/* Copies text: control characters (U+0080 to U+009F as well) and bytes that
 * are no UTF-8 become \n, \t, \r or \xNN. Cut at a whole character where it
 * does not fit into len - 1 bytes; NUL-terminated (len > 0). Returns the length
 * of what was written. */
size_t ht_line_escape(const char *text, char *out, size_t len);

/* Copies text with another word wherever it has that one, as a whole word of
 * letters and digits; cut to len - 1 bytes. Returns out. */
const char *ht_line_put(const char *text, const char *word, const char *by,
			char *out, size_t len);

#endif
