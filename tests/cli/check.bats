#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Limit: 180 s
# heaptide check: a build fails when what it runs leaks, grows or needs too much.

load common

rounds=$HT_BUILD/targets/rounds

# check OPTION... -- COMMAND...: until the record c.db has 60 samples; sets $status.
check() {
	rm -f over c.db*
	"$heaptide" check -i 100ms -o c.db "$@" >out 2>err 3>&- &
	pid=$!
	started+=("$pid")
	poll 60 has_samples c.db 60
	touch over
	status=0
	wait "$pid" || status=$?
	cat out err
}

@test "a leak ends the check with a status of its own, whatever the command's" {
	check --junit j.xml --sarif s.json -- "$rounds" over 3 leak
	[ "$status" -eq 19 ]
	grep -q 'verdict missed: LEAK' err
	grep -q '<testsuite name="heaptide check" tests="1" failures="1" skipped="0"' j.xml
	grep -q '<failure message="LEAK' j.xml
	jq -e '.version == "2.1.0" and (.runs[0].results | length == 1)
		and .runs[0].results[0].ruleId == "verdict"' s.json
	"$heaptide" verdict rounds --db c.db >/dev/null
	fails 19 "verdict: LEAK" "$heaptide" verdict rounds --db c.db --fail-on leak
}

@test "without a leak the check ends with the command's status" {
	check --junit j.xml --sarif s.json --max-growth 1MiB --max-in-use 16MiB --max-retained 16MiB \
		--fail-on LEAK -- "$rounds" over 7
	[ "$status" -eq 7 ]
	[ "$(grep -c ' kept: ' err)" -eq 4 ]
	grep -q 'tests="4" failures="0" skipped="0"' j.xml
	jq -e '.runs[0].results == [] and (.runs[0].tool.driver.rules | length == 4)' s.json
	"$heaptide" verdict rounds --db c.db --fail-on LEAK --max-growth 1MiB >/dev/null
}

@test "a limit that is crossed ends the check, and says by how much" {
	check --max-growth 1KiB --max-in-use 1GiB --json -- "$rounds" over 0 leak
	[ "$status" -eq 19 ]
	jq -e '.schema == "heaptide.check/1" and .status == 0
		and ([.outcomes[] | {(.name): .state}] | add)
			== {"max-growth": "missed", "max-in-use": "kept"}' out
	grep -q 'max-growth missed: in use grew by .*iB, allowed are 1.0 KiB' err
}

@test "a sure verdict is asked for: less confidence does not count" {
	check --fail-on LEAK --confidence 0.99 -- "$rounds" over 0 leak
	[ "$status" -eq 0 ]
	grep -q 'verdict kept: LEAK' err
}

@test "what was too short to be judged is unknown, and no failure" {
	touch over
	run "$heaptide" check --junit j.xml --max-growth 1MiB -- "$rounds" over 5
	[ "$status" -eq 5 ]
	[[ $output == *"max-growth unknown: "* ]]
	grep -q 'failures="0" skipped="1"' j.xml
}

@test "when the time is up the command is told to end, and judged" {
	run "$heaptide" check -d 2s -i 100ms -o c.db --max-in-use 1GiB -- "$rounds" never 1
	[ "$status" -eq 0 ]
	[[ $output == *"the time is up"*"max-in-use kept"* ]]
	[ "$(pgrep -c -f "$rounds never 1")" -eq 0 ]
}

@test "a command that cannot be run ends as in a shell; wrong usage says what was meant" {
	run "$heaptide" check -- ./nosuch
	[ "$status" -eq 127 ]
	touch plain
	run "$heaptide" record -o r.db -- ./plain
	[ "$status" -eq 126 ]
	fails 2 "did you mean 'LEAK'?" "$heaptide" check --fail-on LEEK -- true
	fails 2 "expected --" "$heaptide" check "$$"
	run "$heaptide" check --confidence 1.5 -- true
	[ "$status" -eq 2 ]
	run "$heaptide" check --max-growth lots -- true
	[ "$status" -eq 2 ]
}

@test "a record that was not asked for is gone afterwards, a file that cannot be written is told" {
	touch over
	mkdir tmp
	TMPDIR=$PWD/tmp run "$heaptide" check -- "$rounds" over 0
	[ "$status" -eq 0 ]
	[ -z "$(ls -A tmp)" ]
	fails 11 "write /nowhere/j.xml" "$heaptide" check --junit /nowhere/j.xml -- "$rounds" over 0
}

@test "a command that is told to end and has a word on it ends the check with that" {
	status=0
	"$heaptide" check -d 1s -- bash -c 'trap "exit 7" TERM; while :; do sleep 0.05; done' 2>err || status=$?
	cat err
	[ "$status" -eq 7 ]
	"$heaptide" check -d 1s -- sleep 1000
}

@test "a script whose interpreter is missing is told as that, not as missing" {
	printf '#!/no/such/shell -e\n' >ill_script
	chmod +x ill_script
	fails 126 "/no/such/shell" "$heaptide" check -- ./ill_script
	PATH=$PWD:$PATH fails 126 "/no/such/shell" "$heaptide" record -o s.db -- ill_script
	fails 127 "No such file" "$heaptide" check -- ./no_script
}

@test "a command that will not end is killed ten seconds after it was told to" {
	status=0
	"$heaptide" check -d 1s -- bash -c 'trap "" TERM; echo $$ >deaf; while :; do sleep 0.05; done' 2>err || status=$?
	cat err
	[ "$status" -eq 137 ]
	grep -q "went on for 10 s after SIGTERM and was killed" err
	[ ! -e "/proc/$(cat deaf)" ]
}
