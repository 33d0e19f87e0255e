/* SPDX-License-Identifier: Apache-2.0 */
/* Record types: when a recording also looks what the chunks are (record
 * --types), and how: of a copy, as heaptided does with 'types = on'. */
#ifndef HT_CLI_RECORD_TYPES_H
#define HT_CLI_RECORD_TYPES_H

#include <sys/types.h>

#include "cli/options.h"
#include "link/client.h"
#include "schema/snapshot.h"

struct ht_record_types {
	int64_t every_ns;  /* 0: never */
	int64_t asked_ns;  /* monotonic; 0: not yet */
	uint64_t looks;	   /* that told them */
	uint64_t refused;  /* in a row */
	uint64_t refusals; /* in all */
	char why[160];	   /* the last one */
};

struct ht_record_types ht_record_types_of(const struct ht_options *o);
/* Whether the next sample is to be one with types. Pure. */
bool ht_record_types_due(const struct ht_record_types *t, int64_t now_ns);
/* A sample with types, in place of one as `like` asks for it; by an agent of
 * its own: one that has looked before has given up the right to fork. Errors:
 * those of a measurement in mode snapshot. */
enum ht_code ht_record_types_measure(struct ht_record_types *t,
				     const char *agent, pid_t pid,
				     const struct ht_request *like,
				     struct ht_snapshot *ret,
				     struct ht_err *err) HT_MUST_CHECK;
/* "; types at 3 of them", "" where none were asked for. */
void ht_record_types_text(const struct ht_record_types *t, char *out,
			  size_t size);

#endif
