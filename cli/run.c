/* SPDX-License-Identifier: Apache-2.0 */
/* The program's frame: which command, and how its end is told. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/hint.h"
#include "common/near.h"

#define MAX_NAME 32

const char *argp_program_version = "heaptide " HT_VERSION;

/* "  trim PID  ..." and its summary from this column on. */
#define SUMMARY_AT 30

static void print_usage(FILE *to)
{
	struct ht_term term;
	int width;

	ht_term_init(&term);
	width = to == stdout ? term.width : term.err_width;
	ht_wrap_to(to, width, 0,
		   "Usage: heaptide COMMAND [OPTION...] [ARGUMENT...]");
	ht_wrap_to(to, width, 0,
		   "Why does the memory of a running C or C++ program grow?");
	fputc('\n', to);
	for (size_t i = 0; i < ht_commands_count; i++) {
		const struct ht_command *c = &ht_commands[i];
		char head[64];

		snprintf(head, sizeof(head), "%s %s", c->name, c->args);
		fprintf(to, "  %-*s ", SUMMARY_AT - 3, head);
		if (strlen(head) > SUMMARY_AT - 3)
			fprintf(to, "\n%*s", SUMMARY_AT, "");
		ht_wrap_to(to, width, SUMMARY_AT, c->summary);
	}
	fputc('\n', to);
	ht_wrap_to(
		to, width, 0,
		"TARGET is a pid, a process's name, or a name given in the configuration.");
	ht_wrap_to(to, width, 0,
		   "'heaptide COMMAND --help' tells more, 'man heaptide' all.");
}

/* What begins with a dash is a mistyped option, near no command. */
static const char *near_command(const char *name)
{
	return *name == '-' ? NULL : ht_command_near(name);
}

static int unknown_command(const char *name)
{
	char near[HT_NEAR_TEXT];

	fprintf(stderr, "heaptide: no command '%s'%s (%s)\n", name,
		ht_near_text(near_command(name), near), ht_code_hint(HT_USAGE));
	return ht_code_exit_status(HT_USAGE);
}

/* "heaptide help explain" is "heaptide explain --help". */
static int help(int argc, char **argv)
{
	static char flag[] = "--help";
	char *asked[] = {argv[0], argc > 2 ? argv[2] : NULL, flag, NULL};

	if (argc > 2)
		return ht_cli_main(3, asked);
	print_usage(stdout);
	return 0;
}

/* Commands whose first argument is a process, and nothing else. */
static bool has_target(const struct ht_command *command)
{
	return (!strncmp(command->args, "PID", 3) ||
		!strncmp(command->args, "[PID", 4) ||
		!strncmp(command->args, "TARGET", 6) ||
		!strncmp(command->args, "[TARGET", 7)) &&
	       !strchr(command->args, '|');
}

static int finish(struct ht_cli *cli, const struct ht_command *command,
		  enum ht_code code, struct ht_err *err)
{
	const char *target =
		has_target(command) ? ht_options_target(&cli->opt) : "PID";
	char hint[HT_HINT_TEXT];

	ht_progress_end(&cli->term);
	if (code == HT_OK && (fflush(stdout) || ferror(stdout)))
		code = ht_fail_sys(err, HT_SYS, errno,
				   "write to standard output");
	if (code == HT_OK)
		return cli->exit_status;
	fflush(stdout);
	err->code = (uint16_t)code;
	ht_hint_text(err, command->name, target, hint);
	ht_tell(&cli->term, *hint ? "%s (%s)" : "%s%s", err->msg, hint);
	return cli->exit_status ?: ht_code_exit_status(code);
}

static const char *const asks_help[] = {"help", "--help",  "-h",
					"-?",	"--usage", NULL};
static const char *const asks_version[] = {"version", "--version", "-V", "-v",
					   NULL};

static bool is_one_of(const char *word, const char *const *words)
{
	while (*words && strcmp(word, *words) != 0)
		words++;
	return *words != NULL;
}

int ht_cli_main(int argc, char **argv)
{
	const struct ht_command *command;
	char name[MAX_NAME + sizeof("heaptide ")];
	struct ht_cli cli = {0};
	struct ht_err err = {0};

	if (argc < 2) {
		print_usage(stderr);
		return ht_code_exit_status(HT_USAGE);
	}
	if (!strcmp(argv[1], HT_COMPLETE_COMMAND))
		return ht_complete(argc - 2, argv + 2);
	if (is_one_of(argv[1], asks_help))
		return help(argc, argv);
	if (is_one_of(argv[1], asks_version)) {
		puts(argp_program_version);
		return 0;
	}
	command = ht_command_find(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	ht_term_init(&cli.term);
	argp_err_exit_status = ht_code_exit_status(HT_USAGE);
	snprintf(name, sizeof(name), "heaptide %s", command->name);
	argv[1] = name;
	ht_options_parse(command, argc - 1, argv + 1, &cli.opt);
	if (cli.opt.ascii)
		cli.term.utf8 = false;
	return finish(&cli, command, command->run(&cli, &err), &err);
}
