/* SPDX-License-Identifier: Apache-2.0 */
/* Gate files: how a check turned out, for the machines that collect it. */
#ifndef HT_CLI_GATE_FILES_H
#define HT_CLI_GATE_FILES_H

#include <jansson.h>

#include "cli/gate.h"

/* What was checked. */
struct ht_checked {
	const char *command;	/* its first word */
	uint64_t pid;		/* HT_UNKNOWN: none was started */
	int status;		/* the command's own */
	int64_t from_ns, to_ns; /* wall clock: it ran */
	const struct ht_gate *gate;
	const struct ht_verdict *verdict; /* NULL: none was made */
};

/* "heaptide.check/1"; new reference, NULL when out of memory. */
json_t *ht_check_json(const struct ht_checked *c);
/* A JUnit file: a suite with a case for each condition; unknown is skipped. */
enum ht_code ht_check_junit(const struct ht_checked *c, const char *path,
			    struct ht_err *err) HT_MUST_CHECK;
/* A SARIF 2.1.0 file: a result for each condition that was missed. */
enum ht_code ht_check_sarif(const struct ht_checked *c, const char *path,
			    struct ht_err *err) HT_MUST_CHECK;

#endif
