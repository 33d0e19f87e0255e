#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 900 s
# Static analyzers over the product's own rooms, with zero findings.
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"

rooms=(common schema link store analysis page agent probe daemon cli)
sources() { git ls-files -- "${rooms[@]/%//*.c}"; }
mapfile -t files < <(sources)
flags=(-std=gnu17 -D_GNU_SOURCE -I. '-DHT_VERSION="0"' '-DHT_LIBEXECDIR="/"')

# Off: cppcheck does not know the cleanup attribute (scope guards look like leaks)
# nor functions that fill an array they are given.
ok "cppcheck finds nothing in ${#files[@]} files" \
	cppcheck -q --error-exitcode=1 --inline-suppr --enable=warning,performance,portability \
	--suppress=missingIncludeSystem --suppress=unknownMacro \
	--suppress=memleak --suppress=resourceLeak --suppress=uninitvar \
	--suppress=legacyUninitvar --suppress=ctuuninitvar --suppress=ctunullpointer \
	-I. -D_GNU_SOURCE -D__x86_64__ '-DHT_VERSION="0"' '-DHT_LIBEXECDIR="/"' "${files[@]}"

# Paths are gcc's job (gcc_analyzer.sh): clang 14's analyzer takes every va_list of
# x86-64 for uninitialised and each scope guard for a leak.
tidy='-*,bugprone-*,-bugprone-easily-swappable-parameters,-bugprone-narrowing-conversions'
tidy+=',-bugprone-reserved-identifier,-bugprone-macro-parentheses'
tidy+=',-bugprone-assignment-in-if-condition,-bugprone-suspicious-string-compare'
tidy+=',-bugprone-implicit-widening-of-multiplication-result,-bugprone-sizeof-expression,readability-function-size'
limits='{CheckOptions: [{key: readability-function-size.LineThreshold, value: 60},
  {key: readability-function-size.StatementThreshold, value: 4294967295},
  {key: readability-function-size.ParameterThreshold, value: 9}]}'
for room in "${rooms[@]}"; do
	mapfile -t files < <(git ls-files -- "$room/*.c")
	ok "clang-tidy finds nothing in $room" clang-tidy --quiet --warnings-as-errors='*' \
		--checks="$tidy" --config="$limits" "${files[@]}" -- "${flags[@]}"
done
plan
