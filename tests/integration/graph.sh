#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limit: 240 s
# What chunks in use are to each other, of processes and core files: the totals are
# the walk's, to the byte; leaks are those that were planted; a bound holds.
# shellcheck disable=SC2016 # eval expands what is quoted here
# shellcheck source=tests/lib/tap.sh
. "$HT_TOP/tests/lib/tap.sh"
export HEAPTIDE_AGENT=$HT_BUILD/heaptide-agent
heaptide=$HT_BUILD/heaptide
cd "$HT_TMP" || exit 1

target() { # PROGRAM ARGUMENT...: started, and ready; sets $pid
	start "$HT_BUILD/targets/$1" "${@:2}" >said
	ready 20 grep -q ready said
	pid=$started
}
# A fork that gets no processor in time is called off: asked again.
ask() { poll 30 answers "$@" || note "$(cat why)"; }
answers() { "$heaptide" "$@" --json >answer 2>why; }
get() { jq -r "$1" answer; }

for stale in 0 10 50; do
	target planted $stale
	read -r _ chunks bytes < <(grep leaked said)
	ask leaks "$pid"
	is "$stale % stale words: every chunk is in the sum" "$(get '.warnings | length')" 0
	between "$stale % stale words: leaked bytes, and what is uncertain, hold what was planted" \
		"$bytes" "$(get .leaked_bytes)" "$(get '.leaked_bytes + .uncertain_bytes')"
	between "$stale % stale words: chunks likewise" \
		"$chunks" "$(get .leaked_chunks)" "$(get '.leaked_chunks + .uncertain_chunks')"
	[ $stale -gt 0 ] || {
		same "what was planted is found, and nothing else" "$(get .leaked_chunks)" "$chunks"
		same "to the byte" "$(get .leaked_bytes)" "$bytes"
		same "a lost list is one piece" "$(get '[.groups[] | select(.max_size == 96
			and .head_type == null)] | map(.chunks / .heads | floor) | max >= 40 | if . then 1 else 0 end')" 1
	}
	same "$stale % stale words: the groups add up" "$(get '[.groups[].bytes] | add')" "$(get .leaked_bytes)"
	stop_started
done

target planted 0
read -r _ chunks bytes < <(grep leaked said)
for mode in none bounded exact; do
	refuse "mode $mode is refused" "$heaptide" leaks "$pid" --mode $mode
done
ok "with the reason" eval '"$heaptide" leaks "$pid" --mode none 2>&1 | grep -q "frozen copy or a core file"'

# With memory for no reference at all they are read again: the same comes of it.
ask leaks "$pid" --max-memory 8M
ok "little memory is told" eval 'get ".warnings[]" | grep -q max-memory'
same "with little memory the same is leaked" "$(get .leaked_bytes)" "$bytes"

gcore -o core "$pid" >gcore.log 2>&1
ask leaks --core "core.$pid" --exe "$HT_BUILD/targets/planted"
same "of a core file the same is leaked" "$(get .leaked_chunks)" "$chunks"
same "to the byte" "$(get .leaked_bytes)" "$bytes"
stop_started
plan
