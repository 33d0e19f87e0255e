/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/line.h"

static struct {
	const char *program;
	int max_level;
	int journal;
} log_to = {.program = "heaptide", .max_level = LOG_INFO};

void ht_log_init(const char *program, int max_level)
{
	log_to.program = program;
	log_to.max_level = max_level;
	log_to.journal = getenv("JOURNAL_STREAM") != NULL;
}

/* Names come from strangers: a newline would begin a line of its own, with a
 * priority that they choose, and a terminal obeys escapes. */
void ht_log(int level, const char *fmt, ...)
{
	char message[1024], line[2048];
	size_t used;
	va_list ap;

	if (level > log_to.max_level)
		return;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	if (log_to.journal)
		used = (size_t)snprintf(line, sizeof(line), "<%d>", level);
	else
		used = (size_t)snprintf(line, sizeof(line),
					"%s: ", log_to.program);
	used += ht_line_escape(message, line + used, sizeof(line) - used - 1);
	line[used++] = '\n';
	if (write(STDERR_FILENO, line, used) < 0)
		return; /* nowhere left to say it */
}

void ht_log_err(int level, const char *context, const struct ht_err *err)
{
	const char *hint = ht_err_hint(err);

	ht_log(level, *hint ? "%s: %s (%s)" : "%s: %s%s", context, err->msg,
	       hint);
}
