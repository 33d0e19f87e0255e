/* SPDX-License-Identifier: Apache-2.0 */
/* Checks: what `heaptide doctor` looks at. Each says what it found and, where
 * something is missing, the command that mends it. */
#ifndef HT_CLI_CHECKS_H
#define HT_CLI_CHECKS_H

#include <sys/types.h>

#include "cli/commands.h"

enum ht_grade { HT_GOOD, HT_NOTE, HT_BAD };

#define HT_CHECK_TEXT 4352 /* a path, and what is said of it */
struct ht_check {
	const char *name;
	enum ht_grade grade;
	char found[HT_CHECK_TEXT];
	char mend[HT_CHECK_TEXT]; /* a command; "" when nothing is to do */
};

#define HT_CHECKS_MAX 32
struct ht_checks {
	struct ht_check v[HT_CHECKS_MAX];
	size_t n;
};

/* Appends a result; more than HT_CHECKS_MAX are dropped. Returns it, or NULL.
 */
struct ht_check *ht_check_add(struct ht_checks *c, const char *name,
			      enum ht_grade grade, const char *fmt, ...)
	HT_PRINTF(4, 5);
void ht_check_mend(struct ht_check *c, const char *fmt, ...) HT_PRINTF(2, 3);
/* What the error's hint says, unless it is to ask doctor. */
void ht_check_mend_err(struct ht_check *c, const struct ht_cli *cli,
		       const struct ht_err *err);

/* The machine: agent, capability, Yama, kernel, and one real measurement of a
 * child of ours; who: and by which way its calls of malloc can be seen. */
void ht_check_machine(struct ht_cli *cli, bool who, struct ht_checks *c);
/* By which way calls of malloc in a process can be seen, or why by none. */
void ht_check_who(struct ht_cli *cli, pid_t pid, struct ht_checks *c);
/* One process: that it is there, whose it is, who traces it, its container, its
 * libc, whether debug information was found. */
void ht_check_process(struct ht_cli *cli, pid_t pid, struct ht_checks *c);
/* The database of --db. */
void ht_check_history(struct ht_cli *cli, struct ht_checks *c);

#endif
