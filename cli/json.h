/* SPDX-License-Identifier: Apache-2.0 */
/* JSON on stdout: how every command prints it. */
#ifndef HT_CLI_JSON_H
#define HT_CLI_JSON_H

#include <jansson.h>

#include "common/err.h"

/* Prints and releases the value, two spaces of indent, keys as inserted.
 * HT_NOMEM when value is NULL. */
enum ht_code ht_json_print(json_t *value, struct ht_err *err) HT_MUST_CHECK;

#endif
