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
		tracked '*.c' '*.h' '*.cpp' '*.def' '*.sql' '*.bats' '*.py' Makefile
		scripts
	)
	return "$status"
}

no_work_left_open() {
	! git grep -nIE '\b(TO''DO|FIX''ME|XX''X|HA''CK)\b' -- '*.[ch]' '*.sh' '*.bats' Makefile
}

no_file_is_too_long() {
	tracked '*.c' '*.h' | xargs wc -l |
		awk '$2 != "total" && $1 > 600 { print; bad = 1 } END { exit bad }'
}

ok "every source says its licence" every_file_has_spdx
ok "no source is longer than 600 lines" no_file_is_too_long
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
mapfile -t prose < <(tracked '*.[ch]' '*.md' '*.sh' '*.[158]' '*.def' '*.sql' Makefile)
ok "codespell finds nothing in ${#prose[@]} files" codespell -q 3 \
	--ignore-words=.codespellignore "${prose[@]}"
mapfile -t formatted < <(tracked '*.[ch]' | grep -vE '^(tests/workloads|bench)/')
ok "clang-format agrees with ${#formatted[@]} files" \
	clang-format --dry-run -Werror "${formatted[@]}"
plan
