/* SPDX-License-Identifier: Apache-2.0 */
/* JSON on stdout: how every command prints it, and how each answer begins:
 * "schema", "target" (the name it is watched or recorded under, else its
 * command name; never null where a process is meant), "pid", "comm", and when:
 * "taken_at" of one moment, "from" and "to" of a stretch. */
#ifndef HT_CLI_JSON_H
#define HT_CLI_JSON_H

#include <jansson.h>

#include "common/err.h"
#include "schema/snapshot.h"
#include "store/store.h"

/* The name of a recorded process as "target" has it. Borrowed. */
const char *ht_process_name(const struct ht_store_process *p);

/* The beginnings; NULL when out of memory. target NULL: the command name. */
json_t *ht_json_look(const char *schema, const char *target,
		     const struct ht_snapshot *s);
json_t *ht_json_span(const char *schema, const struct ht_store_process *p,
		     int64_t from_ns, int64_t to_ns);
/* Of no process: asked now. */
json_t *ht_json_now(const char *schema);
/* json_object_set_new() of a value that may be NULL; what fails makes *o NULL,
 * which the next call and ht_json_print take. */
void ht_json_add(json_t **o, const char *key, json_t *value);

/* Prints a value and drops it. NULL: HT_NOMEM. */
enum ht_code ht_json_print(json_t *value, struct ht_err *err) HT_MUST_CHECK;

#endif
