/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide completion`: shell completion made from the tables of commands and
 * options. packaging/completions/ holds its output; a test compares. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "schema/metrics.h"

#define EACH_COMMAND(c)                                                        \
	for (const struct ht_command *c = ht_commands;                         \
	     c < ht_commands + ht_commands_count; c++)
#define EACH_OPTION(c, o)                                                      \
	for (size_t o = 0; o < HT_OPT_COUNT; o++)                              \
		if ((c)->takes >> o & 1)

/* What an option's argument may be, as words; "" for a file. NULL: anything. */
static const char *argument_words(size_t id)
{
	static char metrics[HT_METRIC_COUNT * 32];

	if (id == HT_OPT_MODE)
		return "none bounded exact snapshot";
	if (id == HT_OPT_METRIC || id == HT_OPT_SORT) {
		size_t used = 0;

		for (size_t m = 0; m < HT_METRIC_COUNT; m++)
			used += (size_t)snprintf(metrics + used,
						 sizeof(metrics) - used, "%s ",
						 ht_metric_infos[m].name);
		metrics[used - 1] = '\0';
		return metrics;
	}
	return !strcmp(ht_option_infos[id].arg, "FILE") ? "" : NULL;
}

static void print_bash_options(void)
{
	puts("\tcase $prev in");
	for (size_t i = 0; i < HT_OPT_COUNT; i++) {
		const struct ht_option_info *o = &ht_option_infos[i];
		const char *words = o->arg ? argument_words(i) : NULL;

		if (!o->arg)
			continue;
		printf("\t--%s", o->name);
		if (o->key < 256)
			printf(" | -%c", o->key);
		if (!words)
			puts(") return ;;");
		else if (!*words)
			puts(") mapfile -t COMPREPLY < <(compgen -f -- "
			     "\"$cur\"); return ;;");
		else
			printf(") mapfile -t COMPREPLY < <(compgen -W '%s' -- "
			       "\"$cur\"); return ;;\n",
			       words);
	}
	puts("\tesac");
}

static void print_bash(void)
{
	puts("# SPDX-License-Identifier: Apache-2.0\n"
	     "# shellcheck shell=bash\n"
	     "# bash completion for heaptide: heaptide completion bash\n"
	     "_heaptide() {\n"
	     "\tlocal cur=${COMP_WORDS[COMP_CWORD]} options=--help\n"
	     "\tlocal prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	     "\tif [ \"$COMP_CWORD\" -eq 1 ]; then");
	fputs("\t\tmapfile -t COMPREPLY < <(compgen -W '", stdout);
	EACH_COMMAND(c)
	printf("%s ", c->name);
	puts("help --help --version' -- \"$cur\")\n"
	     "\t\treturn\n"
	     "\tfi");
	print_bash_options();
	puts("\tcase ${COMP_WORDS[1]} in");
	EACH_COMMAND(c)
	{
		printf("\t%s) options='--help", c->name);
		EACH_OPTION(c, o)
		printf(" --%s", ht_option_infos[o].name);
		puts("' ;;");
	}
	puts("\tesac\n"
	     "\tif [[ $cur == -* ]]; then\n"
	     "\t\tmapfile -t COMPREPLY < <(compgen -W \"$options\" -- "
	     "\"$cur\")\n"
	     "\telse\n"
	     "\t\tmapfile -t COMPREPLY < <(compgen -W \"$(cd /proc && "
	     "echo [0-9]*)\" -- \"$cur\")\n"
	     "\tfi\n"
	     "}\n"
	     "complete -F _heaptide heaptide");
}

/* Text inside single quotes: the tables hold some. */
static void print_quoted(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
	putchar('\'');
}

static void print_fish(void)
{
	puts("# SPDX-License-Identifier: Apache-2.0\n"
	     "# fish completion for heaptide: heaptide completion fish\n"
	     "complete -c heaptide -f");
	EACH_COMMAND(c)
	{
		printf("complete -c heaptide -n __fish_use_subcommand -a %s "
		       "-d ",
		       c->name);
		print_quoted(c->summary);
		putchar('\n');
		EACH_OPTION(c, o)
		{
			const struct ht_option_info *info = &ht_option_infos[o];
			const char *words =
				info->arg ? argument_words(o) : NULL;

			printf("complete -c heaptide -n '"
			       "__fish_seen_subcommand_from %s' -l %s",
			       c->name, info->name);
			if (info->key < 256)
				printf(" -s %c", info->key);
			if (words && *words)
				printf(" -x -a '%s'", words);
			else if (info->arg)
				fputs(words ? " -rF" : " -x", stdout);
			fputs(" -d ", stdout);
			print_quoted(info->help);
			putchar('\n');
		}
	}
}

/* One _arguments specification: brackets and colons are its own signs. */
static void print_zsh_option(size_t id)
{
	const struct ht_option_info *info = &ht_option_infos[id];
	const char *words = info->arg ? argument_words(id) : NULL;

	printf("\t\t\t'--%s%s[", info->name, info->arg ? "=" : "");
	for (const char *p = info->help; *p; p++) {
		if (strchr("[]:", *p))
			putchar('\\');
		if (*p == '\'')
			fputs("'\\'", stdout);
		putchar(*p);
	}
	putchar(']');
	if (info->arg)
		printf(":%s:", info->arg);
	if (words && *words)
		printf("(%s)", words);
	else if (words)
		fputs("_files", stdout);
	puts("' \\");
}

static void print_zsh(void)
{
	puts("#compdef heaptide\n"
	     "# SPDX-License-Identifier: Apache-2.0\n"
	     "# zsh completion for heaptide: heaptide completion zsh\n"
	     "_heaptide() {\n"
	     "\tlocal -a commands\n"
	     "\tcommands=(");
	EACH_COMMAND(c)
	{
		printf("\t\t%s:", c->name);
		print_quoted(c->summary);
		putchar('\n');
	}
	puts("\t)\n"
	     "\tif (( CURRENT == 2 )); then\n"
	     "\t\t_describe command commands\n"
	     "\t\treturn\n"
	     "\tfi\n"
	     "\tshift words; (( CURRENT-- ))\n"
	     "\tcase $words[1] in");
	EACH_COMMAND(c)
	{
		printf("\t%s)\n\t\t_arguments \\\n", c->name);
		EACH_OPTION(c, o)
		print_zsh_option(o);
		puts("\t\t\t'*:target:_pids' ;;");
	}
	puts("\tesac\n"
	     "}\n"
	     "_heaptide \"$@\"");
}

enum ht_code ht_cmd_completion(struct ht_cli *cli, struct ht_err *err)
{
	static const struct {
		const char *shell;
		void (*print)(void);
	} shells[] = {
		{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};

	for (size_t i = 0; i < 3; i++) {
		if (strcmp(shells[i].shell, cli->opt.args[0]) != 0)
			continue;
		shells[i].print();
		return HT_OK;
	}
	return ht_fail(err, HT_USAGE,
		       "no completion for '%s': bash, zsh or "
		       "fish",
		       cli->opt.args[0]);
}
