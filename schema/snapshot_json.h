/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshot as JSON: the public form ("heaptide.snapshot/1"). Keys are only ever
 * added. Built from the record tables, so that a new field appears by itself.
 * Sizes are integers in bytes, times RFC 3339 UTC, addresses hex strings; what
 * is not known is null, never 0, and an empty text is null too.
 */
#ifndef HT_SCHEMA_SNAPSHOT_JSON_H
#define HT_SCHEMA_SNAPSHOT_JSON_H

#include <jansson.h>

#include "schema/snapshot.h"

#define HT_SNAPSHOT_SCHEMA "heaptide.snapshot/1"

/* New reference; NULL when out of memory. */
json_t *ht_snapshot_json(const struct ht_snapshot *s);

/* One field of a record, one record as an object: for commands that print a
 * part. `skip` names a field to leave out, or NULL. New references, NULL when
 * out of memory. */
json_t *ht_field_json(const struct ht_field *f, const void *record);
json_t *ht_record_json(enum ht_record_id id, const void *record,
		       const char *skip);

/* Text of any origin as a JSON string: what is not UTF-8 becomes U+FFFD. */
json_t *ht_text_json(const char *text);
/* The same; null for an empty one. */
json_t *ht_optional_text_json(const char *text);
/* null for NaN and infinity. */
json_t *ht_real_json(double v);
/* null for HT_UNKNOWN. */
json_t *ht_u64_json(uint64_t v);
/* null for 0. */
json_t *ht_time_json(int64_t wall_ns);

#endif
