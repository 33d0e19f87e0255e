/* SPDX-License-Identifier: Apache-2.0 */
/* An alert as JSON ("heaptide.alert/1"): what command sinks read on standard
 * input and what `heaptide alerts --json` prints. Keys are only ever added. */
#ifndef HT_SCHEMA_ALERT_JSON_H
#define HT_SCHEMA_ALERT_JSON_H

#include <jansson.h>

#include "schema/alert.h"

#define HT_ALERT_SCHEMA "heaptide.alert/1"

/* New reference; NULL when out of memory. */
json_t *ht_alert_json(const struct ht_alert *a);
/* The pid in an alert's process key, 0: none. */
long ht_alert_pid(const struct ht_alert *a);

#endif
