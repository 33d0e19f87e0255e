/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands: the one table of what people type. Dispatch, --help, shell
 * completion and the check against the man page are made from it.
 */
#ifndef HT_CLI_COMMANDS_H
#define HT_CLI_COMMANDS_H

#include "cli/command.h"
#include "cli/options.h"
#include "cli/term.h"
#include "common/err.h"

/* What a command works with. */
struct ht_cli {
	struct ht_options opt;
	struct ht_term term;
	char target[128]; /* of ht_target_look: what it is recorded under */
	int exit_status; /* of a command that was run (record, check); else 0 */
};

extern const struct ht_command ht_commands[];
extern const size_t ht_commands_count;

/* NULL when there is no such command. */
const struct ht_command *ht_command_find(const char *name);
/* The command nearest in spelling, or NULL when none is near. */
const char *ht_command_near(const char *name);

/* The whole program but for the process's own start: returns the exit status.
 * Data goes to stdout, talk to stderr. */
int ht_cli_main(int argc, char **argv);

/* Commands, one file each. */
#define HT_COMMAND(name)                                                       \
	enum ht_code ht_cmd_##name(struct ht_cli *cli, struct ht_err *err)
HT_COMMAND(diagnose);
HT_COMMAND(explain);
HT_COMMAND(record);
HT_COMMAND(check);
HT_COMMAND(trend);
HT_COMMAND(verdict);
HT_COMMAND(bins);
HT_COMMAND(arenas);
HT_COMMAND(map);
HT_COMMAND(classes);
HT_COMMAND(threads);
HT_COMMAND(diff);
HT_COMMAND(leaks);
HT_COMMAND(owners);
HT_COMMAND(types);
HT_COMMAND(who);
HT_COMMAND(ls);
HT_COMMAND(trim);
HT_COMMAND(report);
HT_COMMAND(doctor);
HT_COMMAND(export);
HT_COMMAND(status);
HT_COMMAND(watch);
HT_COMMAND(unwatch);
HT_COMMAND(sample);
HT_COMMAND(top);
HT_COMMAND(alerts);
HT_COMMAND(silence);
HT_COMMAND(silences);
HT_COMMAND(unsilence);
HT_COMMAND(completion);
#undef HT_COMMAND

#endif
