# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# bash completion for heaptide: heaptide completion bash
_heaptide() {
	local line file word=${COMP_WORDS[COMP_CWORD]}
	[ "$word" != = ] || word=
	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		:nospace) compopt -o nospace ;;
		:commands) mapfile -t COMPREPLY < <(compgen -c -- "$word") ;;
		:files)
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
		*)
			file=${line%%$'\t'*}
			[[ $file != *[!A-Za-z0-9_.,:/=+@%-]* ]] || printf -v file %q "$file"
			COMPREPLY+=("$file") ;;
		esac
	done < <("$1" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _heaptide heaptide
