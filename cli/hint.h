/* SPDX-License-Identifier: Apache-2.0 */
/* Hint: what to do about an error, as the command that met it says it: with the
 * process that it was given, and without sending anybody to itself. */
#ifndef HT_CLI_HINT_H
#define HT_CLI_HINT_H

#include "common/err.h"

#define HT_HINT_TEXT 512

/* target: what stands for "PID" in the commands that are told. Returns out. */
const char *ht_hint_text(const struct ht_err *err, const char *command,
			 const char *target, char out[HT_HINT_TEXT]);

#endif
