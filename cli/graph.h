/* SPDX-License-Identifier: Apache-2.0 */
/* Graph: what `leaks`, `types` and `owners` share: one measurement of a frozen
 * copy or a core file, and how their answers begin and end. */
#ifndef HT_CLI_GRAPH_H
#define HT_CLI_GRAPH_H

#include <jansson.h>

#include "analysis/graph_text.h"
#include "cli/commands.h"
#include "schema/snapshot.h"

/* A copy of the process that is named, or the core file. HT_USAGE: neither or
 * both were named; HT_UNSUPPORTED: no glibc heap. */
enum ht_code ht_graph_look(struct ht_cli *cli, uint64_t flags,
			   struct ht_snapshot *ret,
			   struct ht_err *err) HT_MUST_CHECK;
/* A new object with the head, the stop and the warnings of a snapshot; NULL:
 * no memory. */
json_t *ht_graph_json(const char *schema, const struct ht_snapshot *s);
/* Rows of a list as an array, class names demangled; NULL: no memory. */
json_t *ht_graph_rows(const struct ht_snapshot *s, enum ht_record_id id,
		      const char *skip);
void ht_graph_warnings(const struct ht_cli *cli, const struct ht_snapshot *s);

#endif
