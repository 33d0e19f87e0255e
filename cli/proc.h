/* SPDX-License-Identifier: Apache-2.0 */
/* Proc: small files of another process. */
#ifndef HT_CLI_PROC_H
#define HT_CLI_PROC_H

#include <stdbool.h>
#include <stddef.h>

/* The first size - 1 bytes of /proc/PID/FILE as a string; false: it cannot be
 * read, or is empty. */
bool ht_proc_text(const char *pid, const char *file, char *text, size_t size);

#endif
