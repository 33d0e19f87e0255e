#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Limit: 180 s
# Whatever is asked of a process whose heap is damaged: what is known is printed, and the exit
# status, 6, says that it is damaged. What is asked of its history ends with 0.

load common

# spoil KIND: a process whose heap is damaged so, or "none"; sets $pid.
spoil() {
	mkfifo in
	exec 7<>in
	# shellcheck disable=SC2016 # for sh
	start sh -c 'exec "$0" "$1" 4 <in' "$HT_BUILD/targets/damaged" "$1"
	poll 20 grep -q ready out
}

# What looks at a process; a line each. Each has --json, too.
commands() {
	cat <<-'END'
		explain
		bins
		arenas
		map
		classes
		threads
		trim
		owners
		owners --leaks
		leaks
		types
		who -d 2s
		diagnose -d 3s -i 500ms -o d.db
	END
}

# ask COMMAND...: sets $ended. What the machine was too busy for is asked again, a few times.
ask() {
	for _ in 1 2 3 4 5; do
		ended=0
		"$heaptide" "$@" "$pid" >answer 2>err 7>&- || ended=$?
		[ "$ended" = 8 ] || [ "$ended" = 9 ] || break
	done
}

# each STATUS ERROR [json]: every command ends so, and printed its answer all the same.
each() {
	local line
	while read -r line; do
		# shellcheck disable=SC2086 # a command and its options
		set -- "$1" "$2" "${3:-}" $line
		ask "${@:4}" ${3:+--json}
		echo "$line${3:+ --json}: $ended: $(head -c 300 err)"
		[ "$ended" = "$1" ]
		if [ "$1" = 6 ]; then grep -q "$2" err; fi
		if [ -n "$3" ]; then jq -e .schema answer >/dev/null; else [ -s answer ]; fi
	done < <(commands)
}

@test "each command that looks at a process says with its exit status that its heap is damaged" {
	spoil footer
	each 6 'is damaged at 0x'
	each 6 'is damaged at 0x' json
}

@test "of the same process in order each ends with 0" {
	spoil none
	each 0 ''
}

@test "what is asked of the history ends with 0" {
	spoil footer
	"$heaptide" record -d 2s -i 200ms -o h.db "$pid" 7>&-
	"$heaptide" arenas --db h.db "$pid" >answer
	[ -s answer ]
	"$heaptide" verdict --db h.db "$pid" >answer
	[ -s answer ]
}
