/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

void ht_log(int level, const char *fmt, ...)
{
	char line[1024];
	int used;
	va_list ap;

	if (level > log_to.max_level)
		return;
	if (log_to.journal)
		used = snprintf(line, sizeof(line), "<%d>", level);
	else
		used = snprintf(line, sizeof(line), "%s: ", log_to.program);
	va_start(ap, fmt);
	used += vsnprintf(line + used, sizeof(line) - (size_t)used - 1, fmt,
			  ap);
	va_end(ap);
	if (used > (int)sizeof(line) - 2)
		used = (int)sizeof(line) - 2;
	line[used++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)used) < 0)
		return; /* nowhere left to say it */
}

void ht_log_err(int level, const char *context, const struct ht_err *err)
{
	ht_log(level, "%s: %s (%s)", context, err->msg,
	       ht_code_hint((enum ht_code)err->code));
}
