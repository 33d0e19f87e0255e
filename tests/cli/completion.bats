#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Limit: 90 s
# What TAB offers, in real shells: commands, options, and the words that an
# argument may be, from the tables, the database and what runs.

load common

setup_file() {
	cd "$BATS_FILE_TMPDIR"
	program sleeper_of_a_test gcc <<-'C'
	#include <stdlib.h>
	#include <string.h>
	#include <unistd.h>
	int main(void) { memset(malloc(100000), 1, 100000); for (;;) pause(); }
	C
	./sleeper_of_a_test 3>&- &
	echo $! >pid
	"$HT_BUILD/heaptide" record "$(cat pid)" -n shop-front -o r.db -i 200ms -d 1s
	ln -s "$HT_BUILD/heaptide" heaptide
	for shell in bash zsh fish; do "$heaptide" completion $shell >completion.$shell; done
}

teardown_file() {
	kill -KILL "$(cat "$BATS_FILE_TMPDIR/pid")"
}

setup() {
	cd "$BATS_FILE_TMPDIR"
	pid=$(cat pid)
	db=$BATS_FILE_TMPDIR/r.db
	export HEAPTIDE_DB=$db PATH=$BATS_FILE_TMPDIR:$PATH
}

teardown() {
	[ -z "${tab:-}" ] || tmux -S "$tab" kill-server 2>/dev/null || true
}

# offers WORDS... : what stands there, without its meaning.
offers() { "$heaptide" __complete "$@" | cut -f1; }

# The words of a command line, the last of them begun, and what is offered for it.
@test "each kind of argument is completed from what there is" {
	local -a typed
	while IFS='|' read -r words wanted; do
		IFS=, read -ra typed <<<"$words"
		[[ $words != *, ]] || typed+=("")
		offers "${typed[@]}" >offered
		grep -qxF -- "$wanted" offered || { echo "'$words' does not offer '$wanted'"; cat offered; return 1; }
	done <<-END
	expl|explain
	help,di|diff
	verdict,|shop-front
	verdict,|sleeper_of_a_te
	verdict,${pid%?}|$pid
	explain,sleep|sleeper_of_a_te
	explain,${pid%?}|$pid
	explain,--mo|--mode
	explain,--mode,|bounded
	explain,--mode=|--mode=bounded
	explain,--core,|:files
	trend,x,-m,|in_use
	trend,x,--metric=ext|--metric=external
	ls,--sort,ret|retained
	export,x,-f,|openmetrics
	bins,x,--bin,|unsorted
	alerts,x,--test,|leak
	silence,le|leak
	verdict,x,--fail-on,LE|LEAK
	verdict,x,--since,|7d
	record,x,-i,|10s
	diff,x,|1h
	record,--,|:commands
	check,|--
	check,--,make,|:files
	watch,web,un|unit=
	completion,|fish
	END
}

@test "lists go on after a comma, and no word is offered that cannot stand there" {
	[ "$("$heaptide" __complete trend x -m 'rss,in_use_a' | xargs)" = \
		":nospace rss,in_use_arena held by the program in arenas" ]
	[ -z "$(offers explain --mode core)" ]
	[ -z "$(offers explain --csv)" ]
	[ -z "$(offers ls x)" ]
	[ -z "$(offers nosuch "")" ]
	offers explain "" >offered
	[ "$(grep -cx kthreadd offered)" -eq 0 ]
	offers explain -- "" >offered
	offers >offered
	grep -qx explain offered
}

@test "every option that takes a word is completed, or takes what nobody can guess" {
	"$heaptide" export --help >/dev/null
	while read -r name argument; do
		case $argument in
		FILE | DIR | PART | WAY | METRIC | NAME,... | MODE | LOOK | FORMAT | VERDICT,... | RULE | OTHER | TIME | 'KIND[:INDEX]') ;;
		BYTES | SIZE | SHARE | INDEX | LIFE | NAME) continue ;;
		*) echo "--$name $argument: neither"; return 1 ;;
		esac
		command=$(grep -l -- "--$name=" help.* | head -n 1)
		[ -n "$(offers "${command#help.}" x "--$name" "")" ] || { echo "nothing for --$name"; return 1; }
	done < <(for c in $(offers ""); do
			case $c in help | --version) continue ;; esac
			"$heaptide" "$c" --help | tee help."$c"
		done | sed -n 's/.* --\([a-z-]*\)=\([^ ]*\).*/\1 \2/p' | sort -u)
}

@test "a name that would break the line or the terminal is not offered" {
	sqlite3 copy.db <<-END
	.restore $db
	update process set target = 'evil' || char(10) || 'line' || char(27) || '[31m';
	END
	offers verdict --db copy.db "" >offered
	[ "$(grep -c -e evil -e '^line' offered)" -eq 0 ]
	[ "$(grep -c $'\033' offered)" -eq 0 ]
}

# in_bash WORD...: COMPREPLY for a line that ends in the last word.
in_bash() {
	bash --norc -c '
		. ./completion.bash
		COMP_WORDS=(heaptide "$@")
		COMP_CWORD=$#
		_heaptide heaptide
		printf "%s\n" "${COMPREPLY[@]}"' bash "$@" 2>/dev/null
}

@test "bash: words, values behind an equals sign, files" {
	[ "$(in_bash expl)" = explain ]
	[ "$(in_bash verdict sho)" = shop-front ]
	[ "$(in_bash explain --mode = sn)" = snapshot ]
	in_bash explain --mode = | grep -qx bounded
	[ "$(in_bash verdict x --db r.d)" = r.db ]
	[ "$(in_bash verdict x --db = r.d)" = r.db ]
	in_bash record -- mkd | grep -qx mkdir
}

# tab SHELL-COMMAND LINE: a real terminal, where LINE and TAB are typed; the
# screen as it is when WANTED stands there.
tab() {
	tab=tmux.$((++tabs)) # short, as names of sockets are; a server that ends may still be there
	tmux -S "$tab" -f /dev/null new-session -d -x 100 -y 20 \
		env HEAPTIDE_DB="$db" PATH="$PATH" HOME="$BATS_TEST_TMPDIR" TERM=tmux $1 3>&-
	poll 20 shows '^> *$'
	tmux -S "$tab" send-keys -l "$2"
	tmux -S "$tab" send-keys Tab
	poll 20 shows "$3"
	tmux -S "$tab" kill-server
}
shows() {
	tmux -S "$tab" capture-pane -p >screen
	grep -q -- "$1" screen
}

@test "bash: TAB in a terminal" {
	printf '%s\n' 'PS1="> "' '. ./completion.bash' 'bind "set bell-style none"' >bashrc
	tab "bash --noprofile --rcfile bashrc" "heaptide verdict sho" "^> heaptide verdict shop-front"
	tab "bash --noprofile --rcfile bashrc" "heaptide explain --mode=sn" "^> heaptide explain --mode=snapshot"
	tab "bash --noprofile --rcfile bashrc" "heaptide trend x -m rss,ext" "^> heaptide trend x -m rss,external"
}

@test "zsh: TAB in a terminal" {
	mkdir -p zdot
	printf '%s\n' 'PS1="> "' 'autoload -U compinit && compinit -u' '. ./completion.zsh' >zdot/.zshrc
	tab "env ZDOTDIR=zdot zsh" "heaptide verdict sho" "^> heaptide verdict shop-front"
	tab "env ZDOTDIR=zdot zsh" "heaptide explain --mode=sn" "^> heaptide explain --mode=snapshot"
	tab "env ZDOTDIR=zdot zsh" "heaptide verdict x --db r." "^> heaptide verdict x --db r.db"
}

@test "fish: what it would offer" {
	in_fish() { HOME=$BATS_TEST_TMPDIR fish --no-config -c 'source completion.fish; complete -C "'"$1"'"'; }
	in_fish "heaptide expl" | grep -q "^explain	"
	in_fish "heaptide verdict sho" | grep -q "^shop-front"
	in_fish "heaptide explain --mode=sn" | grep -q -- "^--mode=snapshot"
	in_fish "heaptide verdict x --db r." | grep -q "^r.db"
	[ "$(in_fish "heaptide ls x" | wc -l)" -eq 0 ]
}

@test "what is installed completes in each shell, and no installed document points at nothing" {
	local to=$BATS_TEST_TMPDIR/root file link
	(cd "$HT_TOP" && DESTDIR=$to PREFIX=/usr BUILD=$HT_BUILD packaging/install install)
	cmp "$to/usr/share/bash-completion/completions/heaptide" completion.bash
	cmp "$to/usr/share/zsh/vendor-completions/_heaptide" completion.zsh
	cmp "$to/usr/share/fish/vendor_completions.d/heaptide.fish" completion.fish
	mkdir -p zdot
	printf '%s\n' 'PS1="> "' "fpath=($to/usr/share/zsh/vendor-completions \$fpath)" \
		'autoload -U compinit && compinit -u -D' >zdot/.zshrc
	tab "env ZDOTDIR=zdot zsh" "heaptide verdict sho" "^> heaptide verdict shop-front"
	XDG_DATA_DIRS=$to/usr/share HOME=$BATS_TEST_TMPDIR fish -c 'complete -C "heaptide verdict sho"' | grep -q "^shop-front"
	cd "$to/usr/share/doc/heaptide"
	while IFS=: read -r file link; do
		[ -e "${file%/*}/$link" ] || { echo "$file points at $link"; return 1; }
	done < <(grep -roE '\]\([^)#:]+' --include=*.md . | sed 's/](//')
	while read -r file; do
		[ -e "$file" ] || { echo "fleet.md names $file"; return 1; }
	done < <(grep -ohE '`packaging/[a-z./]*`' docs/fleet.md | tr -d '`')
}
