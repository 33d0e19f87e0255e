#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 120 s
# Namespaces of processes within each other: the process two below, heaptide on
# top, or in the namespace between, each of which calls it by another number.
# Every mode measures the process that was asked for, by the caller's number,
# and it runs on with all that its registers held.
# shellcheck disable=SC2016 # the inner shells and eval expand what is quoted here
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
# shellcheck source=tests/lib/harm.sh
. "$HT_TOP/tests/lib/harm.sh"
needs root namespaces
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
cd "$HT_TMP" || exit 1
mkfifo ask
exec 3<>ask

# The inner shell is the init of its namespace; its child is one like others.
start unshare --pid --mount-proc --fork --kill-child \
	unshare --pid --fork --kill-child sh -c \
	'"$0" <ask >registers & "$1" 2 2000 >/dev/null & wait' \
	"$HT_BUILD/targets/registers" "$HT_BUILD/targets/churn"

named() { # COMM: its pid from here, among those that are three deep
	grep -ls "^Name:.$1\$" /proc/[0-9]*/status | while read -r status; do
		grep -q "^NSpid:.[0-9]*.[0-9]*.[0-9]*\$" "$status" &&
			grep -q "$HT_BUILD" "${status%status}cmdline" &&
			basename "${status%/status}"
	done | head -n 1
}
ids() { grep '^NSpid:' "/proc/$1/status" | cut -f "$2"; }
ok "both programs run two namespaces down" poll 10 eval \
	'churn=$(named churn) && registers=$(named registers) && [ -n "$churn" ] && [ -n "$registers" ]'
churn=$(named churn)
registers=$(named registers)
parent() { awk '/^PPid:/ { print $2 }' "/proc/$1/status"; }
between=$(parent "$(parent "$churn")") # the init of the namespace between
is "heaptide is run in the namespace between" "$(ids "$between" 3)" 1
differ() { [ "$1" != "$2" ]; }
ok "each namespace has another number for it" differ "$(ids "$churn" 2)" "$(ids "$churn" 3)"
children() { wc -w <"/proc/$1/task/$1/children"; }

from_top() { "$@"; }
from_between() { nsenter --target "$between" --pid --mount "$@"; }

# measured FROM MODE NUMBER: a whole answer about that number.
measured() {
	"from_$1" "$HT_BUILD/heaptide" explain "$3" --mode "$2" --json >got.json 2>err &&
		jq -e ".pid == $3 and .totals.in_use > 1000 and (.findings | length) == 0" got.json
}

for from in top between; do
	field=2
	[ $from = top ] || field=3
	for mode in none bounded exact snapshot; do
		for pid in $churn $registers; do
			ok "from $from, $mode: the process is measured by the caller's number" \
				measured $from $mode "$(ids "$pid" $field)"
			ok "from $from, $mode: it is not held afterwards" is_free "$pid"
			ok "from $from, $mode: it runs on" runs_on "$pid"
		done
	done
	ok "from $from: its registers are as they were" is_intact
	is "from $from: no copy is left behind" "$(children "$churn")" 0
done

refuse "from between, the number of above is nobody's" \
	from_between "$HT_BUILD/heaptide" explain "$(ids "$churn" 2)"
plan
