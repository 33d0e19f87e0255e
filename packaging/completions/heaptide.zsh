#compdef heaptide
# SPDX-License-Identifier: Apache-2.0
# zsh completion for heaptide: heaptide completion zsh
_heaptide() {
	local line
	local -a values shown more
	while IFS= read -r line; do
		case $line in
		:nospace) more=(-S '') ;;
		:commands) _command_names -e; return ;;
		:files) compset -P '--*='; _files; return ;;
		*)
			values+=("${line%%$'\t'*}")
			shown+=("${line/$'\t'/  -- }") ;;
		esac
	done < <(${words[1]} __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)
	compadd -l -d shown $more -a values
}
if [ "$funcstack[1]" = _heaptide ]; then
	_heaptide "$@"
else
	compdef _heaptide heaptide
fi
