#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# page.sh: puts freshly measured tables into docs/verdicts.md, between the
# lines "<!-- begin NAME -->" and "<!-- end NAME -->". Needs `make tools`.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools=${HT_BUILD:-build}/tools
page=docs/verdicts.md

fill() { # NAME, text on stdin
	local text
	text=$(mktemp)
	cat >"$text"
	sed -i -e "/<!-- begin $1 -->/,/<!-- end $1 -->/{/<!--/!d}" \
		-e "/<!-- begin $1 -->/r $text" "$page"
	rm -f "$text"
}

summary() { # DIRECTORY: one row for all samples, every 2nd, 3rd, 4th
	echo '| samples | strict | accepted | forbidden | too little data | LEAK precision | LEAK recall | moments fine | wrong LEAK twice in a row |'
	echo '| --- | --- | --- | --- | --- | --- | --- | --- | --- |'
	"$tools/rates" -t "$1" | grep '^| every'
}

confusion() { "$tools/rates" -t "$1" | grep -v -e '^| every' -e "^$1" -e '^$'; }

"$tools/thresholds" | fill thresholds
"$tools/montecarlo" | fill montecarlo
"$tools/histories" -s 2 -n 1 -k 4 | fill histories
for set in open own; do
	summary "tests/workloads/traces/$set" | fill "rates-$set"
	confusion "tests/workloads/traces/$set" | fill "confusion-$set"
done
