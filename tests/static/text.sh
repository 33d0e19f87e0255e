#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 300 s
# What can be said of the files without compiling them.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

tracked() { git ls-files -- "$@" | grep -v '^tests/workloads/traces/'; }

scripts() {
	tracked | while read -r file; do
		case $file in
		*.sh | *.bash) echo "$file" ;;
		*) head -c 40 "$file" | head -n 1 | grep -aqE '^#!.*\b(ba|da)?sh$' && echo "$file" ;;
		esac
	done
}

every_file_has_spdx() {
	local file status=0
	while read -r file; do
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier: ' || {
			echo "$file"
			status=1
		}
	done < <(
		tracked '*.c' '*.h' '*.cpp' '*.def' '*.sql' '*.bats' '*.py' '*.js' '*.cjs' '*.css' Makefile
		scripts
	)
	return "$status"
}

# A text that somebody sees is found by searching for it: it stands on one line, as
# each line and each paragraph (\n, \v) of a longer one does. .clang-format breaks none.
texts_are_whole() { # FOLDER...
	# shellcheck disable=SC2016 # perl's
	find "$@" -name '*.[ch]' -print0 | xargs -0 perl -0777 -ne '
		while (/("(?:[^"\\\n]|\\.)*(?<!\\[ntv])")[ \t]*\\?\n[ \t]*"/g) { print "$ARGV: $1\n" }' |
		grep . && return 1
	return 0
}

# A number that decides a verdict or an advice has a name and a meaning, in
# analysis/thresholds.def: no fraction stands in the code of analysis, and nothing is
# held against a number above two. What is so by definition: analysis/stats.h. Units
# that people write (HT_SUFFIX_), rounding to the nearest and _Static_assert decide nothing.
numbers_have_names() { # FOLDER...
	# shellcheck disable=SC2016 # perl's
	find "$@" -name '*.[ch]' -print0 | xargs -0 perl -0777 -ne '
		s{/\*.*?\*/|"(?:[^"\\\n]|\\.)*"}{ my $c = $&; $c =~ s/[^\n]//g; $c }gse;
		my $n = 0;
		for (split /\n/) {
			$n++;
			next if /^#include|HT_SUFFIX_|_Static_assert/ || ($ARGV =~ m{/stats\.h$} && /^#define HT_/);
			s/\+ 0\.5\)/)/;
			print "$ARGV:$n: $_\n" if /(?<![\w.])(?:\d+\.\d*|\.\d+|\d+e-?\d+)/ ||
				/(?<![-<>])[<>]=?\s*(?:[3-9]|\d\d+)\b(?!\s*\*\s*ht_t)/;
		}' | grep . && return 1
	return 0
}

# A ruler over a part of a file stands on one line: clang-format tears a longer one.
rulers_are_whole() {
	! git grep -nE '^/\* --- .*[^/]$' -- '*.[ch]'
}

no_work_left_open() {
	! git grep -nIE '\b(TO''DO|FIX''ME|XX''X|HA''CK)\b' -- '*.[ch]' '*.sh' '*.bats' '*.js' '*.cjs' '*.css' Makefile
}

no_file_is_too_long() {
	tracked '*.c' '*.h' '*.js' '*.cjs' '*.css' | xargs wc -l |
		awk '$2 != "total" && $1 > 600 { print; bad = 1 } END { exit bad }'
}

# Names of files in comments and in the documents that name files: they exist.
# malloc.c, link.h: glibc's.
comments_name_files() {
	local names where name status=0
	names=$(git ls-files | sed 's|.*/||')
	while IFS=: read -r where name; do
		grep -qxF "$name" <<<"$names" || {
			echo "$where: $name"
			status=1
		}
	done < <(
		git grep -oE '(^|[^A-Za-z0-9_/.<"&-])[a-z][a-z0-9_]+\.(c|h|def|sh|bats)\b' -- \
			'*.c' '*.h' '*.def' ':!tests/workloads' ':!link/wire.c' |
			sed -E 's/:.*[^a-z0-9_.]([a-z0-9_]+\.[a-z]+)$/:\1/' |
			grep -vE ':(malloc\.c|link\.h|cmocka\.h)$' | sort -u
	)
	return "$status"
}

documents_name_files() {
	local document path status=0
	for document in docs/howto.md docs/architecture.md tests/README.md SECURITY.md; do
		while read -r path; do
			[ -e "$path" ] || [ -e "tests/$path" ] || [ -e "tests/lib/$path" ] ||
				[ -e "docs/$path" ] || {
				echo "$document: $path"
				status=1
			}
		done < <(grep -oE '`[A-Za-z0-9_./-]+`' "$document" | tr -d '`' |
			grep -E '/|\.(c|h|def|md|sh)$' | grep -v NAME)
	done
	return "$status"
}

ok "a text of a message stands on one line" \
	texts_are_whole agent analysis bench cli common daemon link page probe schema store
mkdir "$HT_TMP/broken"
printf 'say("the machine is "\n    "too busy");\n' >"$HT_TMP/broken/one.c"
refuse "a text in two pieces would be found" texts_are_whole "$HT_TMP/broken"
printf '#define TEXT "the machine is " \\\n    "too busy"\n' >"$HT_TMP/broken/one.c"
refuse "one in a macro would be, too" texts_are_whole "$HT_TMP/broken"
ok "numbers that decide stand in analysis/thresholds.def" numbers_have_names analysis
for number in 'rise > .25 * level' 'rows >= 7' 'hours < 3e1'; do
	printf 'if (%s)\n' "$number" >"$HT_TMP/broken/one.c"
	refuse "another one would be found: $number" numbers_have_names "$HT_TMP/broken"
done
ok "rulers stand on one line" rulers_are_whole
ok "every source says its licence" every_file_has_spdx
ok "no source is longer than 600 lines" no_file_is_too_long
ok "comments name files that exist" comments_name_files
ok "documents name files that exist" documents_name_files
ok "nothing is left open in the code" no_work_left_open
mapfile -t shell < <(scripts)
ok "shellcheck finds nothing in ${#shell[@]} scripts" shellcheck -x -S warning "${shell[@]}"
mapfile -t bats < <(tracked '*.bats')
[ ${#bats[@]} -eq 0 ] ||
	ok "shellcheck finds nothing in ${#bats[@]} bats files" \
		shellcheck -x -S warning -e SC2154,SC1010,SC2164 -s bats "${bats[@]}"
mapfile -t pages < <(tracked 'docs/man/*.[158]')
ok "the manual has pages" test ${#pages[@]} -gt 0
ok "mandoc finds nothing in ${#pages[@]} pages" mandoc -T lint -W warning "${pages[@]}"
mapfile -t prose < <(tracked '*.[ch]' '*.md' '*.sh' '*.[158]' '*.def' '*.sql' '*.js' '*.cjs' '*.css' Makefile)
ok "codespell finds nothing in ${#prose[@]} files" codespell -q 3 \
	--ignore-words=.codespellignore "${prose[@]}"
mapfile -t formatted < <(tracked '*.[ch]' | grep -vE '^(tests/workloads|bench)/')
ok "clang-format agrees with ${#formatted[@]} files" \
	clang-format --dry-run -Werror "${formatted[@]}"
plan
