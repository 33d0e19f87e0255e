/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/hint.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/line.h"

/* Is it "'heaptide COMMAND'", of a process or a file? With anything else it is
 * another thing to do. */
static bool names(const char *part, size_t len, const char *command)
{
	char words[64];
	const char *at;
	int n = snprintf(words, sizeof(words), "'heaptide %s", command);

	at = memmem(part, len, words, (size_t)n);
	return at && (at[n] == '\'' || !strncmp(at + n, " PID", 4) ||
		      !strncmp(at + n, " --db ", 6));
}

const char *ht_hint_text(const struct ht_err *err, const char *command,
			 const char *target, char out[HT_HINT_TEXT])
{
	const char *part = ht_err_hint(err);
	char kept[HT_HINT_TEXT] = "";
	size_t len, used = 0;

	/* Hints are parts with "; " between them. */
	while (*part) {
		const char *end = strstr(part, "; ");

		len = end ? (size_t)(end - part) : strlen(part);
		if (!names(part, len, command) && used < sizeof(kept))
			used += (size_t)snprintf(
				kept + used, sizeof(kept) - used, "%s%.*s",
				used ? "; " : "", (int)len, part);
		part += len + (end ? 2 : 0);
	}
	return ht_line_put(kept, "PID", target, out, HT_HINT_TEXT);
}
