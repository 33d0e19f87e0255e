/* SPDX-License-Identifier: Apache-2.0 */
/* Command: one row of the table of what people type (commands.h). */
#ifndef HT_CLI_COMMAND_H
#define HT_CLI_COMMAND_H

#include <stdint.h>

#include "common/err.h"

struct ht_cli;

struct ht_command {
	const char *name;
	const char *args; /* as --help shows them */
	int min_args, max_args;
	uint64_t takes;	     /* HT_TAKES(...) of options.def */
	const char *summary; /* one line, no full stop */
	const char *doc;     /* --help: sentence, \v"
", longer text (argp) */
	enum ht_code (*run)(struct ht_cli *cli, struct ht_err *err);
};

#endif
