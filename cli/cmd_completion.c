/* SPDX-License-Identifier: Apache-2.0 */
/* `heaptide completion`: a few lines for each shell that ask `heaptide
 * __complete` (cli/complete.h). packaging/completions/ holds them; a test
 * compares. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

static const char bash[] =
	"# SPDX-License-Identifier: Apache-2.0\n"
	"# shellcheck shell=bash\n"
	"# bash completion for heaptide: heaptide completion bash\n"
	"_heaptide() {\n"
	"\tlocal line file word=${COMP_WORDS[COMP_CWORD]}\n"
	"\t[ \"$word\" != = ] || word=\n"
	"\tCOMPREPLY=()\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tcase $line in\n"
	"\t\t:nospace) compopt -o nospace ;;\n"
	"\t\t:commands) mapfile -t COMPREPLY < <(compgen -c -- \"$word\") ;;\n"
	"\t\t:files)\n"
	"\t\t\tcompopt -o filenames\n"
	"\t\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n"
	"\t\t*)\n"
	"\t\t\tfile=${line%%$'\\t'*}\n"
	"\t\t\t[[ $file != *[!A-Za-z0-9_.,:/=+@%-]* ]] || printf -v file %q \"$file\"\n"
	"\t\t\tCOMPREPLY+=(\"$file\") ;;\n"
	"\t\tesac\n"
	"\tdone < <(\"$1\" __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
	"}\n"
	"complete -F _heaptide heaptide\n";

static const char zsh[] =
	"#compdef heaptide\n"
	"# SPDX-License-Identifier: Apache-2.0\n"
	"# zsh completion for heaptide: heaptide completion zsh\n"
	"_heaptide() {\n"
	"\tlocal line\n"
	"\tlocal -a values shown more\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tcase $line in\n"
	"\t\t:nospace) more=(-S '') ;;\n"
	"\t\t:commands) _command_names -e; return ;;\n"
	"\t\t:files) compset -P '--*='; _files; return ;;\n"
	"\t\t*)\n"
	"\t\t\tvalues+=(\"${line%%$'\\t'*}\")\n"
	"\t\t\tshown+=(\"${line/$'\\t'/  -- }\") ;;\n"
	"\t\tesac\n"
	"\tdone < <(${words[1]} __complete \"${(@Q)words[2,CURRENT]}\" 2>/dev/null)\n"
	"\tcompadd -l -d shown $more -a values\n"
	"}\n"
	"if [ \"$funcstack[1]\" = _heaptide ]; then\n"
	"\t_heaptide \"$@\"\n"
	"else\n"
	"\tcompdef _heaptide heaptide\n"
	"fi\n";

static const char fish[] =
	"# SPDX-License-Identifier: Apache-2.0\n"
	"# fish completion for heaptide: heaptide completion fish\n"
	"function __heaptide_complete\n"
	"\tset -l words (commandline -opc)\n"
	"\tset -l word (commandline -ct)\n"
	"\tfor line in ($words[1] __complete $words[2..-1] \"$word\" 2>/dev/null)\n"
	"\t\tswitch $line\n"
	"\t\t\tcase :nospace\n"
	"\t\t\tcase :commands\n"
	"\t\t\t\t__fish_complete_command\n"
	"\t\t\tcase :files\n"
	"\t\t\t\t__fish_complete_path \"$word\"\n"
	"\t\t\tcase '*'\n"
	"\t\t\t\techo $line\n"
	"\t\tend\n"
	"\tend\n"
	"end\n"
	"complete -c heaptide -f -a '(__heaptide_complete)'\n";

enum ht_code ht_cmd_completion(struct ht_cli *cli, struct ht_err *err)
{
	static const struct {
		const char *shell, *script;
	} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(shells[i].shell, cli->opt.args[0]) != 0)
			continue;
		fputs(shells[i].script, stdout);
		return HT_OK;
	}
	return ht_fail(err, HT_USAGE,
		       "no completion for '%s': bash, zsh or fish",
		       cli->opt.args[0]);
}
