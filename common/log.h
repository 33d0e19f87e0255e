/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logs: one line, one write, to stderr. Under systemd each line begins with
 * "<N>", so that the journal knows its level; on a terminal it begins with the
 * program's name. Library code never logs: it returns an error, and the caller
 * that handles it says so once.
 */
#ifndef HT_COMMON_LOG_H
#define HT_COMMON_LOG_H

#include <syslog.h>

#include "common/err.h"

/* program: static string. max_level: LOG_ERR ... LOG_DEBUG. */
void ht_log_init(const char *program, int max_level);
void ht_log(int level, const char *fmt, ...) HT_PRINTF(2, 3);
/* "CONTEXT: MESSAGE (HINT)". */
void ht_log_err(int level, const char *context, const struct ht_err *err);

#endif
